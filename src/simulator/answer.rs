//! Answers as text: one tree, written as JSON or as XML in the shape that ECS gives each.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::refusal::Refusal;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    /// `Format=JSON`.
    Json,
    /// `Format=XML`, and where a request does not say.
    #[default]
    Xml,
}

impl Format {
    /// What the header says.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Truth(bool),
    /// Named values, in this order.
    Fields(Vec<(&'static str, Value)>),
    /// A list, which ECS wraps in an object of one member: `{"Instance": [...]}`; in XML the member repeats.
    List(&'static str, Vec<Value>),
}

impl Value {
    /// A text, empty where there is none.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Truth(truth) => serializer.serialize_bool(*truth),
            Self::Fields(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Self::List(item, values) => serializer.collect_map([(item, values)]),
        }
    }
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// When to come again, where a header says so.
    pub(super) retry_after: Option<Duration>,
}

/// The answer to a request that was served.
pub(super) fn success(
    format: Format,
    action: &str,
    request_id: &str,
    fields: Vec<(&'static str, Value)>,
) -> Rendered {
    let mut all = vec![("RequestId", Value::text(request_id))];
    all.extend(fields);
    render(format, 200, &format!("{action}Response"), &Value::Fields(all))
}

/// The answer to a request that was refused.
pub(super) fn failure(
    format: Format,
    product: &str,
    host: &str,
    request_id: &str,
    refusal: &Refusal,
) -> Rendered {
    let recommend = format!(
        "https://api.aliyun.com/troubleshoot?q={}&product={product}&requestId={request_id}",
        crate::aliyun::sign::percent_encode(&refusal.code)
    );
    let fields = Value::Fields(vec![
        ("RequestId", Value::text(request_id)),
        ("HostId", Value::text(host)),
        ("Code", Value::text(refusal.code.as_str())),
        ("Message", Value::text(refusal.message.as_str())),
        ("Recommend", Value::Text(recommend)),
    ]);
    let rendered = render(format, refusal.status, "Error", &fields);
    Rendered { retry_after: refusal.retry_after, ..rendered }
}

fn render(format: Format, status: u16, root: &str, value: &Value) -> Rendered {
    let body = match format {
        // A tree of texts, numbers and truth values always has a JSON form.
        Format::Json => serde_json::to_string(value).unwrap_or_default(),
        Format::Xml => {
            let mut text = String::from("<?xml version='1.0' encoding='UTF-8'?>");
            element(&mut text, root, value);
            text
        }
    };
    Rendered { status, content_type: format.content_type(), body, retry_after: None }
}

/// Writes an element. The trees are built here and are a handful of levels deep, so this may recurse.
fn element(text: &mut String, name: &str, value: &Value) {
    let _ = write!(text, "<{name}>");
    match value {
        Value::Text(content) => escape(text, content),
        Value::Number(number) => {
            let _ = write!(text, "{number}");
        }
        Value::Truth(truth) => {
            let _ = write!(text, "{truth}");
        }
        Value::Fields(fields) => fields.iter().for_each(|(name, value)| element(text, name, value)),
        Value::List(item, values) => values.iter().for_each(|value| element(text, item, value)),
    }
    let _ = write!(text, "</{name}>");
}

/// Characters with a meaning are escaped; those that XML 1.0 cannot hold at all are replaced.
fn escape(text: &mut String, content: &str) {
    for character in content.chars() {
        match character {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\r' => text.push_str("&#13;"),
            '\t' | '\n' => text.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            _ => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<(&'static str, Value)> {
        vec![
            ("TotalCount", Value::Number(1)),
            (
                "Instances",
                Value::List(
                    "Instance",
                    vec![Value::Fields(vec![
                        ("InstanceId", Value::text("i-1")),
                        ("InstanceName", Value::text("a<b> & \"c\"\u{1}")),
                        ("IoOptimized", Value::Truth(true)),
                        ("Tags", Value::List("Tag", Vec::new())),
                    ])],
                ),
            ),
        ]
    }

    #[test]
    fn json_wraps_lists_in_an_object_of_one_member() {
        assert_eq!(
            success(Format::Json, "DescribeInstances", "ID", sample()).body,
            r#"{"RequestId":"ID","TotalCount":1,"Instances":{"Instance":[{"InstanceId":"i-1","InstanceName":"a<b> & \"c\"\u0001","IoOptimized":true,"Tags":{"Tag":[]}}]}}"#
        );
    }

    #[test]
    fn xml_names_the_root_after_the_action_and_repeats_the_inner_element() {
        assert_eq!(
            success(Format::Xml, "DescribeInstances", "ID", sample()).body,
            "<?xml version='1.0' encoding='UTF-8'?><DescribeInstancesResponse><RequestId>ID</RequestId>\
             <TotalCount>1</TotalCount><Instances><Instance><InstanceId>i-1</InstanceId>\
             <InstanceName>a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}</InstanceName><IoOptimized>true</IoOptimized>\
             <Tags></Tags></Instance></Instances></DescribeInstancesResponse>"
        );
    }

    #[test]
    fn failures_have_the_documented_shape_in_both_forms() {
        let refusal = Refusal::of("IncorrectInstanceStatus");
        let json = failure(Format::Json, "Ecs", "ecs.aliyuncs.com", "ID", &refusal);
        assert_eq!((json.status, json.content_type), (403, "application/json;charset=utf-8"));
        assert!(json.body.starts_with(
            r#"{"RequestId":"ID","HostId":"ecs.aliyuncs.com","Code":"IncorrectInstanceStatus","Message":"The current status of the resource does not support this operation.","Recommend":"https://"#
        ), "{}", json.body);
        let xml = failure(Format::Xml, "Ecs", "ecs.aliyuncs.com", "ID", &refusal);
        assert_eq!((xml.status, xml.content_type), (403, "text/xml;charset=utf-8"));
        assert!(xml.body.contains(
            "<Error><RequestId>ID</RequestId><HostId>ecs.aliyuncs.com</HostId><Code>IncorrectInstanceStatus</Code>"
        ));
    }
}
