//! Commands in instances: what is sent, how often, and what is made of the answers.

use super::*;
use crate::aliyun::request::{Format, Signature};
use crate::cloud::{Assistant as _, Invocation, Ran};

fn invocation() -> Invocation {
    Invocation { id: "t-1".to_owned(), instance: id("i-1") }
}

fn results(items: &str) -> Reply {
    json(
        200,
        &format!(
            r#"{{"RequestId":"R","Invocation":{{"InvocationResults":{{"InvocationResult":[{items}]}}}}}}"#
        ),
    )
}

const PASSED: &str = r#"{"InstanceId":"i-1","InvokeId":"t-1","InvocationStatus":"Success","Output":"b2s="}"#;

fn passed() -> Ran {
    Ran::Ended { exit_code: 0, output: "ok".to_owned() }
}

#[tokio::test]
async fn a_command_is_taken_and_looked_at_in_every_signature_and_format() {
    for signature in [Signature::V1, Signature::V3] {
        for format in [Format::Json, Format::Xml] {
            let xml = |body: &str| Reply::Say(200, "Content-Type: text/xml\r\n", body.to_owned());
            let script = match format {
                Format::Json => vec![json(200, r#"{"RequestId":"R","InvokeId":"t-1"}"#), results(PASSED)],
                Format::Xml => vec![
                    xml("<RunCommandResponse><InvokeId>t-1</InvokeId></RunCommandResponse>"),
                    xml(
                        "<DescribeInvocationResultsResponse><Invocation><InvocationResults><InvocationResult>\
                         <InstanceId>i-1</InstanceId><InvocationStatus>Success</InvocationStatus><Output>b2s=</Output>\
                         </InvocationResult></InvocationResults></Invocation></DescribeInvocationResultsResponse>",
                    ),
                ],
            };
            let server = Server::start(script).await;
            let dialect = Dialect { signature, format, ..Dialect::default() };
            let setup = Setup { dialect, ..setup_of(&server.address) };
            let client = Client::with_policy(setup, QUICK).expect("a client");
            let taken = client.run(&id("i-1"), "pg_isready -q", Duration::from_millis(500)).await;
            assert_eq!(taken, Ok(invocation()));
            assert_eq!(client.outcome(&invocation()).await, Ok(passed()));
            let [run, look] = <[_; 2]>::try_from(server.requests()).expect("two");
            for (name, value) in [
                ("Action", "RunCommand"),
                ("RegionId", "cn-hangzhou"),
                ("Type", "RunShellScript"),
                ("CommandContent", "cGdfaXNyZWFkeSAtcQ=="),
                ("ContentEncoding", "Base64"),
                ("KeepCommand", "false"),
                ("Timeout", "10"),
                ("InstanceId.1", "i-1"),
            ] {
                assert_eq!(run[name], value, "{name}");
            }
            for (name, value) in [
                ("Action", "DescribeInvocationResults"),
                ("RegionId", "cn-hangzhou"),
                ("InvokeId", "t-1"),
                ("InstanceId", "i-1"),
            ] {
                assert_eq!(look[name], value, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_command_is_sent_once_and_a_look_at_it_as_often_as_it_takes() {
    for (reply, advice) in [
        (failure(500, "InternalError.Dispatch"), Advice::Busy { sends: 5 }),
        (json(502, "<html>502 Bad Gateway</html>"), Advice::OutcomeUnknown),
        (json(200, r#"{"RequestId":"R"}"#), Advice::OutcomeUnknown),
        (Reply::Hang, Advice::OutcomeUnknown),
        (failure(403, "InvalidInstance.NotMatch"), Advice::WrongStatus),
        (failure(400, "Throttling"), Advice::Throttled { retry_after: None }),
    ] {
        let server = Server::start(vec![reply]).await;
        let client = client_of(&server.address);
        let refusal = client.run(&id("i-1"), "true", Duration::from_secs(90)).await.expect_err("refused");
        assert_eq!(refusal.advice, advice, "{refusal:?}");
        let requests = server.requests();
        assert_eq!((requests.len(), requests[0]["Timeout"].as_str()), (1, "90"));
    }
    let passing = vec![failure(500, "InternalError"), failure(400, "Throttling"), Reply::Hang];
    let server = Server::start(passing.into_iter().chain([results(PASSED)]).collect()).await;
    assert_eq!(client_of(&server.address).outcome(&invocation()).await, Ok(passed()));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_result_that_is_not_there_yet_or_another_instances_is_none() {
    let server = Server::start(vec![results(""), results(&PASSED.replace("i-1", "i-2"))]).await;
    let client = client_of(&server.address);
    assert_eq!(client.outcome(&invocation()).await, Ok(Ran::StillRunning));
    assert_eq!(client.outcome(&invocation()).await, Ok(Ran::StillRunning));
}

#[tokio::test]
async fn a_denied_command_is_told_what_it_needs() {
    let denied = || failure(403, "Forbidden.RAM");
    let server = Server::start(vec![denied(), denied()]).await;
    let client = client_of(&server.address);
    let refusals = [
        client.run(&id("i-1"), "true", Duration::from_secs(1)).await.expect_err("denied"),
        client.outcome(&invocation()).await.expect_err("denied"),
    ];
    for refusal in refusals {
        assert!(refusal.remedy.is_some_and(|remedy| remedy.contains("ecs:RunCommand")));
    }
}

#[tokio::test]
async fn the_longest_script_is_sent_in_a_form() {
    let server = Server::start(vec![json(200, r#"{"RequestId":"R","InvokeId":"t-1"}"#)]).await;
    let script = "x".repeat(12 * 1024);
    let taken = client_of(&server.address).run(&id("i-1"), &script, Duration::from_secs(1)).await;
    assert_eq!(taken, Ok(invocation()));
    assert_eq!(server.requests()[0]["CommandContent"].len(), 16 * 1024);
}
