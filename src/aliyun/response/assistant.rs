//! The answers of Cloud Assistant: the id of a command that was taken, and what became of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::lenient::{Many, Object, Text};
use super::{Decoded, Unreadable, from_body};
use crate::cloud::Ran;

/// So much of what a command says is kept, in bytes: its end.
const LONGEST_OUTPUT: usize = 4 * 1024;

/// What an answer says of one command in one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// Where it ran. Untrusted text, as it was asked for.
    pub instance: String,
    /// What became of it there.
    pub ran: Ran,
}

/// Reads the answer to RunCommand: the id of the invocation.
///
/// # Errors
/// [`Unreadable`] if it names no invocation: then nobody knows what runs.
pub fn decode_invocation(body: &[u8]) -> Result<Decoded<String>, Unreadable> {
    let document: Invoked = from_body(body)?;
    let id = document.invoke_id.non_empty();
    let value = id.ok_or_else(|| Unreadable("it names no invocation".to_owned()))?;
    Ok(Decoded { request_id: document.request_id.non_empty(), value })
}

/// Reads the answer to DescribeInvocationResults. A command that ECS has only just taken may be missing in it.
///
/// # Errors
/// [`Unreadable`] if it has no list of results.
pub fn decode_command_results(body: &[u8]) -> Result<Decoded<Vec<CommandResult>>, Unreadable> {
    let document: Document = from_body(body)?;
    let results = document.invocation.and_then(|Object(invocation)| invocation.invocation_results);
    let Some(Object(list)) = results else {
        return Err(Unreadable("it has no list of results".to_owned()));
    };
    let results = list.invocation_result.0.into_iter();
    let value = results.map(|Object(item)| CommandResult {
        instance: item.instance_id.or_empty().to_owned(),
        ran: item.ran(),
    });
    Ok(Decoded { request_id: document.request_id.non_empty(), value: value.collect() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invoked {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    invoke_id: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    invocation: Option<Object<Invocation>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation {
    #[serde(default)]
    invocation_results: Option<Object<List>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    invocation_result: Many<Object<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(default)]
    instance_id: Text,
    #[serde(default)]
    invocation_status: Text,
    #[serde(default)]
    exit_code: Text,
    #[serde(default)]
    output: Text,
    #[serde(default)]
    error_code: Text,
    #[serde(default)]
    error_info: Text,
}

impl Item {
    /// The status of the one instance decides. What is not known to be an end is none: a look later sees more.
    fn ran(self) -> Ran {
        let status = self.invocation_status.or_empty().trim();
        let exit_code = self.exit_code.or_empty().trim().parse::<i64>().ok();
        match (status, exit_code) {
            ("Success", _) => Ran::Ended { exit_code: 0, output: decoded(self.output.or_empty()) },
            ("Failed", Some(exit_code)) if exit_code != 0 => {
                Ran::Ended { exit_code, output: decoded(self.output.or_empty()) }
            }
            ("Failed" | "Invalid" | "Aborted" | "Error" | "Timeout" | "Cancelled" | "Terminated", _) => {
                let mut why = status.to_owned();
                for more in [self.error_code, self.error_info].into_iter().filter_map(Text::non_empty) {
                    why.push_str(": ");
                    why.push_str(&more);
                }
                Ran::Failed { why }
            }
            _ => Ran::StillRunning,
        }
    }
}

/// What a command said, from Base64 that ECS may have cut off at its limit. Text that is none is taken as it is.
fn decoded(output: &str) -> String {
    let compact: String = output.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let whole = compact.get(..compact.len() / 4 * 4).unwrap_or_default();
    let bytes = BASE64.decode(whole).unwrap_or_else(|_| output.as_bytes().to_vec());
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LONGEST_OUTPUT)..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(item: &str) -> String {
        format!(
            r#"{{"Invocation":{{"TotalCount":1,"PageNumber":1,"PageSize":10,"NextToken":"","InvocationResults":{{
            "InvocationResult":[{item}]}}}},"RequestId":"R"}}"#
        )
    }

    fn xml(item: &str) -> String {
        format!(
            "<DescribeInvocationResultsResponse><RequestId>R</RequestId><Invocation><InvocationResults>\
             <InvocationResult>{item}</InvocationResult></InvocationResults></Invocation>\
             </DescribeInvocationResultsResponse>"
        )
    }

    fn ran(body: &str) -> Ran {
        let decoded = decode_command_results(body.as_bytes()).expect(body);
        assert_eq!(decoded.request_id.as_deref(), Some("R"));
        let [result] = <[CommandResult; 1]>::try_from(decoded.value).expect("one");
        assert_eq!(result.instance, "i-a");
        result.ran
    }

    #[test]
    fn an_invocation_is_known_by_its_id() {
        for body in [
            r#"{"RequestId":"R","CommandId":"c-1","InvokeId":"t-1"}"#,
            "<RunCommandResponse><RequestId>R</RequestId><InvokeId>t-1</InvokeId></RunCommandResponse>",
        ] {
            let decoded = decode_invocation(body.as_bytes()).expect(body);
            assert_eq!((decoded.request_id.as_deref(), decoded.value.as_str()), (Some("R"), "t-1"));
        }
        for body in ["", "[]", r#"{"RequestId":"R"}"#, r#"{"InvokeId":null}"#, "<html/>"] {
            assert!(decode_invocation(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_status_in_the_instance_decides() {
        let ended = |exit_code, output: &str| Ran::Ended { exit_code, output: output.to_owned() };
        let failed = |why: &str| Ran::Failed { why: why.to_owned() };
        for (status, rest, expected) in [
            ("Pending", r#""Output":"""#, Ran::StillRunning),
            ("Scheduled", r#""ExitCode":0"#, Ran::StillRunning),
            ("Running", r#""InvokeRecordStatus":"Finished""#, Ran::StillRunning),
            ("Stopping", "\"Repeats\":1", Ran::StillRunning),
            ("Napping", "\"Repeats\":1", Ran::StillRunning),
            ("Success", r#""ExitCode":0,"Output":"b2sK""#, ended(0, "ok\n")),
            ("Success", r#""Output":null"#, ended(0, "")),
            ("Failed", r#""ExitCode":2,"Output":"bm8=""#, ended(2, "no")),
            ("Failed", r#""ExitCode":"-1","Output":"b2 s\n=""#, ended(-1, "ok")),
            ("Failed", r#""ExitCode":0,"ErrorCode":"X""#, failed("Failed: X")),
            (
                "Aborted",
                r#""ErrorCode":"DeliveryTimeout","ErrorInfo":"in words""#,
                failed("Aborted: DeliveryTimeout: in words"),
            ),
            ("Timeout", r#""ExitCode":143"#, failed("Timeout")),
            ("Terminated", "\"Repeats\":1", failed("Terminated")),
        ] {
            let item = format!(r#"{{"InstanceId":"i-a","InvocationStatus":"{status}",{rest}}}"#);
            assert_eq!(ran(&json(&item)), expected, "{item}");
        }
        let item = "<InstanceId>i-a</InstanceId><InvocationStatus>Failed</InvocationStatus><ExitCode>2</ExitCode>\
            <Output>bm8=</Output><ErrorCode>ExitCodeNonzero</ErrorCode>";
        assert_eq!(ran(&xml(item)), ended(2, "no"));
    }

    #[test]
    fn output_that_is_no_text_is_shown_as_far_as_it_goes() {
        assert_eq!(decoded(&BASE64.encode(b"\xff\xfeok")), "\u{fffd}\u{fffd}ok");
        // Cut off in the middle of a group.
        assert_eq!(decoded("b2tvaw"), "oko");
        assert_eq!(decoded("no: Base64!"), "no: Base64!");
        assert_eq!(decoded(&BASE64.encode(vec![b'x'; 100_000])).len(), LONGEST_OUTPUT);
    }

    #[test]
    fn an_empty_list_is_a_list_and_no_list_is_none() {
        let none = json("");
        assert_eq!(decode_command_results(none.as_bytes()).expect("readable").value, []);
        for body in ["", r#"{"RequestId":"R"}"#, r#"{"Invocation":[]}"#, r#"{"Invocation":{}}"#, "<html/>"] {
            assert!(decode_command_results(body.as_bytes()).is_err(), "{body}");
        }
    }
}
