//! Cloud Assistant from end to end: what is run is in the log, and outlives the process.

use super::*;
use crate::simulator::log::InvocationStatus;

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

fn ready(id: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("Action", "RunCommand"),
        REGION,
        ("Type", "RunShellScript"),
        ("CommandContent", "pg_isready"),
        ("InstanceId.1", id),
    ]
}

async fn result(server: &Server, invocation: &str) -> Json {
    let reply =
        server.call(&[("Action", "DescribeInvocationResults"), REGION, ("InvokeId", invocation)]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["Invocation"]["InvocationResults"]["InvocationResult"][0].clone()
}

#[tokio::test]
async fn a_command_runs_and_another_process_knows_of_it() {
    let cloud = Cloud::new(
        "instances:
  - { id: i-a, status: Running, assistant: { delay: 10s, answers: [{ when: isready, output: accepting }] } }
  - { id: i-b }",
    );
    let server = cloud.serve().await;
    let refused = server.call(&ready("i-b")).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "InvalidInstance.NotMatch"));
    let reply = server.call(&ready("i-a")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let id = reply.json()["InvokeId"].as_str().unwrap().to_owned();
    assert!(reply.json()["CommandId"].as_str().unwrap().starts_with("c-"));
    for (milliseconds, status) in [(0, "Pending"), (1_000, "Running"), (9_999, "Running")] {
        cloud.hand.set(milliseconds);
        assert_eq!(result(&server, &id).await["InvocationStatus"], status);
    }
    server.end().await;
    cloud.hand.set(10_000);
    let server = cloud.serve().await;
    let found = result(&server, &id).await;
    assert_eq!(
        (&found["InvocationStatus"], &found["InvokeRecordStatus"]),
        (&"Success".into(), &"Finished".into())
    );
    assert_eq!((&found["Output"], &found["ExitCode"]), (&"YWNjZXB0aW5n".into(), &0.into()));
    let xml = server.query("GET", "XML", &[("Action", "DescribeInvocationResults"), REGION]);
    let xml = server.send(Method::GET, &xml, None).await.unwrap().body;
    assert!(xml.contains("<DescribeInvocationResultsResponse>"), "{xml}");
    assert!(xml.contains("<InvocationStatus>Success</InvocationStatus>"), "{xml}");
    server.end().await;

    let log = cloud.log();
    let accepted = log.iter().find(|line| line.action == "RunCommand" && line.answer == "accepted").unwrap();
    let invocation = accepted.invocation.as_ref().unwrap();
    assert_eq!((invocation.id.as_str(), invocation.content.as_str()), (id.as_str(), "pg_isready"));
    assert_eq!(invocation.instances[0].stages.last().unwrap().status, InvocationStatus::Success);
    assert_eq!(accepted.parameters.get("Type").map(String::as_str), Some("RunShellScript"));
    let refused = log.iter().find(|line| line.answer == "InvalidInstance.NotMatch").unwrap();
    assert_eq!((refused.items[0].instance.as_str(), &refused.invocation), ("i-b", &None));
}

#[tokio::test]
async fn faults_strike_commands_and_looks_at_them() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a, status: Running }, { id: i-b, status: Running }]
faults:
  - { action: RunCommand, instance: i-b, nth: 1, error: InternalError.Dispatch }
  - { action: RunCommand, nth: 3, drop: after }
  - { action: DescribeInvocationResults, nth: 1, http: 502 }
  - { action: DescribeInvocationResults, nth: 2, garbage: '<html>' }
  - { action: DescribeInvocationResults, instance: i-a, error: InternalError }",
    );
    let server = cloud.serve().await;
    let first = server.call(&ready("i-a")).await.json()["InvokeId"].clone();
    let first = first.as_str().unwrap();
    let dispatch = server.call(&ready("i-b")).await;
    assert_eq!((dispatch.status, dispatch.code().as_str()), (500, "InternalError.Dispatch"));
    assert!(server.try_call(&ready("i-b")).await.is_err(), "the answer is lost after acting");
    let look = [("Action", "DescribeInvocationResults"), REGION];
    assert_eq!(server.call(&look).await.status, 502);
    assert_eq!(server.call(&look).await.body, "<html>");
    let results = server.call(&look).await.json()["Invocation"]["TotalCount"].clone();
    assert_eq!(results, 2, "what was run is known, also where the answer was lost");
    let of_a = server.call(&[look[0], look[1], ("InvokeId", first)]).await;
    assert_eq!(of_a.code(), "InternalError", "whose results these are is known from the id");
    server.end().await;
}
