//! The answers to StartInstances and StopInstances: a verdict for each instance.

use serde::Deserialize;

use super::lenient::{Many, Object, Text};
use super::{Decoded, Unreadable, from_body};
use crate::fleet::InstanceId;

/// What an answer says of one instance of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The instance.
    pub id: InstanceId,
    /// `200`, or the error code that the call for this instance alone would have had. Empty if there is none.
    pub code: String,
    /// ECS's words, untrusted.
    pub message: String,
}

impl BatchItem {
    /// Whether the instance's start or stop was accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.code == "200"
    }
}

/// Reads the answer to StartInstances or StopInstances. Its items come in any order, and some may be missing.
///
/// # Errors
/// [`Unreadable`] if it has no list of instances or names no request: then nobody knows what was accepted. An item
/// without a usable id is passed over, because the others are still worth knowing.
pub fn decode_batch(body: &[u8]) -> Result<Decoded<Vec<BatchItem>>, Unreadable> {
    let document: Document = from_body(body)?;
    let Some(request_id) = document.request_id.non_empty() else {
        return Err(Unreadable("it names no request".to_owned()));
    };
    let Some(Object(list)) = document.instance_responses else {
        return Err(Unreadable("it has no list of instances".to_owned()));
    };
    let items = list.instance_response.0.into_iter().filter_map(|Object(item)| {
        Some(BatchItem {
            id: InstanceId::new(item.instance_id.or_empty()).ok()?,
            code: item.code.non_empty().unwrap_or_default(),
            message: item.message.non_empty().unwrap_or_default(),
        })
    });
    Ok(Decoded { request_id: Some(request_id), value: items.collect() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    instance_responses: Option<Object<List>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    instance_response: Many<Object<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(default)]
    instance_id: Text,
    #[serde(default)]
    code: Text,
    #[serde(default)]
    message: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_by_id_whatever_form_their_codes_have() {
        let json = r#"{"RequestId":"R","InstanceResponses":{"InstanceResponse":[
            {"InstanceId":"i-a","PreviousStatus":"Stopped","CurrentStatus":"Starting","Code":"200","Message":"success"},
            {"InstanceId":"i-b","Code":200,"Message":"success"},
            {"InstanceId":"../x","Code":"200"},
            {"InstanceId":"i-c","PreviousStatus":"","CurrentStatus":"","Code":"InvalidInstanceId.NotFound","Message":"no"},
            {"InstanceId":"i-d"}]}}"#;
        let xml = "<StartInstancesResponse><RequestId>R</RequestId><InstanceResponses>\
            <InstanceResponse><InstanceId>i-a</InstanceId><Code>200</Code><Message>success</Message></InstanceResponse>\
            <InstanceResponse><InstanceId>i-b</InstanceId><Code> 200 </Code><Message>success</Message></InstanceResponse>\
            <InstanceResponse><Code>200</Code></InstanceResponse>\
            <InstanceResponse><InstanceId>i-c</InstanceId><PreviousStatus/><Code>InvalidInstanceId.NotFound</Code>\
            <Message>no</Message></InstanceResponse><InstanceResponse><InstanceId>i-d</InstanceId></InstanceResponse>\
            </InstanceResponses></StartInstancesResponse>";
        for body in [json, xml] {
            let decoded = decode_batch(body.as_bytes()).expect(body);
            assert_eq!(decoded.request_id.as_deref(), Some("R"));
            let items: Vec<(&str, &str, bool)> = decoded
                .value
                .iter()
                .map(|item| (item.id.as_str(), item.code.as_str(), item.is_accepted()))
                .collect();
            assert_eq!(
                items,
                [
                    ("i-a", "200", true),
                    ("i-b", "200", true),
                    ("i-c", "InvalidInstanceId.NotFound", false),
                    ("i-d", "", false)
                ]
            );
        }
    }

    #[test]
    fn one_item_of_xml_and_an_empty_list_are_lists_too() {
        let one = "<StopInstancesResponse><RequestId>R</RequestId><InstanceResponses><InstanceResponse>\
            <InstanceId>i-a</InstanceId><Code>200</Code></InstanceResponse></InstanceResponses></StopInstancesResponse>";
        assert_eq!(decode_batch(one.as_bytes()).expect("readable").value.len(), 1);
        let none =
            "<StopInstancesResponse><RequestId>R</RequestId><InstanceResponses/></StopInstancesResponse>";
        assert_eq!(decode_batch(none.as_bytes()).expect("readable").value, []);
    }

    #[test]
    fn without_a_list_or_a_request_nothing_is_known() {
        for body in [
            "",
            r#"{"RequestId":"R"}"#,
            r#"{"InstanceResponses":{"InstanceResponse":[]}}"#,
            r#"{"RequestId":"R","InstanceResponses":[]}"#,
            "<html><body/></html>",
            "<StartInstancesResponse><RequestId>R</RequestId></StartInstancesResponse>",
        ] {
            assert!(decode_batch(body.as_bytes()).is_err(), "{body}");
        }
    }
}
