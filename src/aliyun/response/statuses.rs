//! The answer to DescribeInstanceStatus: the status of each instance and nothing else of it.

use serde::Deserialize;

use super::lenient::{Many, Object, Text};
use super::{Decoded, Unreadable, from_body};
use crate::fleet::{InstanceId, Power};

/// Reads the answer to DescribeInstanceStatus.
///
/// # Errors
/// [`Unreadable`] if it has no list of statuses, or one in it has no usable id.
pub fn decode_statuses(body: &[u8]) -> Result<Decoded<Vec<(InstanceId, Power)>>, Unreadable> {
    let document: Document = from_body(body)?;
    let Some(Object(list)) = document.instance_statuses else {
        return Err(Unreadable("it has no list of statuses".to_owned()));
    };
    let statuses: Result<Vec<(InstanceId, Power)>, Unreadable> = list
        .instance_status
        .0
        .into_iter()
        .map(|Object(item)| {
            let id = InstanceId::new(item.instance_id.or_empty())
                .map_err(|_| Unreadable("a status has no usable id".to_owned()))?;
            Ok((id, Power::from_word(item.status.or_empty())))
        })
        .collect();
    Ok(Decoded { request_id: document.request_id.non_empty(), value: statuses? })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    instance_statuses: Option<Object<List>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    instance_status: Many<Object<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(default)]
    instance_id: Text,
    #[serde(default)]
    status: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_both_formats() {
        let json = r#"{"InstanceStatuses":{"InstanceStatus":[{"InstanceId":"i-a","Status":"Running"},
            {"InstanceId":"i-b","Status":"Napping"}]},"TotalCount":2,"PageNumber":1,"PageSize":50,"RequestId":"R"}"#;
        let xml = "<DescribeInstanceStatusResponse><TotalCount>2</TotalCount><RequestId>R</RequestId><InstanceStatuses>\
            <InstanceStatus><Status>Running</Status><InstanceId>i-a</InstanceId></InstanceStatus>\
            <InstanceStatus><InstanceId>i-b</InstanceId><Status>Napping</Status></InstanceStatus>\
            </InstanceStatuses></DescribeInstanceStatusResponse>";
        for body in [json, xml] {
            let decoded = decode_statuses(body.as_bytes()).expect(body);
            let words: Vec<(&str, &Power)> =
                decoded.value.iter().map(|(id, power)| (id.as_str(), power)).collect();
            assert_eq!(words, [("i-a", &Power::Running), ("i-b", &Power::from_word("Napping"))]);
        }
    }

    #[test]
    fn a_missing_list_and_an_unusable_id_make_it_unreadable() {
        for body in
            [r#"{"RequestId":"R"}"#, r#"{"InstanceStatuses":{"InstanceStatus":[{"Status":"Running"}]}}"#]
        {
            assert!(decode_statuses(body.as_bytes()).is_err(), "{body}");
        }
    }
}
