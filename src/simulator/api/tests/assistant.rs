use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::simulator::log::{ACCEPTED, InvocationStatus, LogEvent, LogLine, RequestLine};

const SCRIPT: &str = "RegionId=cn-hangzhou&Type=RunShellScript&CommandContent=pg_isready";

fn park() -> World {
    world(
        "  - { id: i-a, status: Running, assistant: { delay: 0s, answers: [{ when: pg_isready, exit: 2, output: no }] } }
  - { id: i-b, status: Running }
  - { id: i-c }
  - { id: i-d, status: Running, region: cn-hongkong }
  - { id: i-e, status: Running, assistant: { online: false } }\n",
    )
}

/// Runs a command, and lets it happen.
fn run(world: &mut World, query: &str) -> Invocation {
    let parameters = Parameters::read(query, "").unwrap();
    let done = {
        let strikes = world.strikes(Struck { action: "RunCommand", ids: &[], item_action: None }, now());
        let request_id = format!("R-{}", world.invocations(None, now()).count());
        let call = Call {
            world,
            parameters: &parameters,
            caller: &Caller::Account,
            request_id: &request_id,
            strikes: &strikes,
            draw: 0.5,
            now: now(),
        };
        (named("RunCommand").unwrap().perform)(&call).unwrap()
    };
    let invocation = done.invocation.unwrap();
    let line = RequestLine {
        action: "RunCommand".to_owned(),
        region: "cn-hangzhou".to_owned(),
        instance: None,
        ids: None,
        parameters: std::collections::BTreeMap::new(),
        answer: ACCEPTED.to_owned(),
        request_id: String::new(),
        answered: true,
        faults: Vec::new(),
        phases: Vec::new(),
        items: Vec::new(),
        invocation: Some(Box::new(invocation.clone())),
    };
    world.apply(&LogLine { at: now(), event: LogEvent::Request(line) });
    invocation
}

fn results(world: &World, query: &str) -> Vec<serde_json::Value> {
    let answer = call(world, "DescribeInvocationResults", &format!("RegionId=cn-hangzhou&{query}")).unwrap();
    answer["Invocation"]["InvocationResults"]["InvocationResult"].as_array().unwrap().clone()
}

#[test]
fn a_command_needs_running_instances_of_the_region() {
    let world = park();
    let many: String = (1..=101).map(|number| format!("&InstanceId.{number}=i-{number}")).collect();
    for (query, expected) in [
        (format!("{SCRIPT}&InstanceId.1=i-a&InstanceId.2=i-b&Timeout=5&KeepCommand=false"), "ok"),
        (format!("{SCRIPT}&InstanceId.1=i-a&InstanceId.2=i-c"), "InvalidInstance.NotMatch"),
        (format!("{SCRIPT}&InstanceId.1=i-z"), "InvalidInstance.NotFound"),
        (format!("{SCRIPT}&InstanceId.1=i-d"), "InvalidInstance.NotFound"),
        (format!("{SCRIPT}&InstanceId.1=i-e"), "ok"),
        (SCRIPT.to_owned(), "MissingParameter"),
        (format!("{SCRIPT}{many}"), "InstanceIds.ExceedLimit"),
        ("Type=RunShellScript&CommandContent=x&InstanceId.1=i-a".to_owned(), "MissingParameter.RegionId"),
        ("RegionId=cn-hangzhou&CommandContent=x&InstanceId.1=i-a".to_owned(), "MissingParameter"),
        ("RegionId=cn-hangzhou&Type=RunShellScript&InstanceId.1=i-a".to_owned(), "MissingParameter"),
        (
            "RegionId=cn-hangzhou&Type=RunPerl&CommandContent=x&InstanceId.1=i-a".to_owned(),
            "InvalidCmdType.NotFound",
        ),
        (format!("{SCRIPT}&InstanceId.1=i-a&Timeout=soon"), "InvalidParameter"),
        (format!("{SCRIPT}&InstanceId.1=i-a&Timeout=0"), "InvalidParameter"),
        (format!("{SCRIPT}&InstanceId.1=i-a&RepeatMode=Period"), "UnsupportedParameter"),
        (format!("{SCRIPT}&InstanceId.1=i-a&EnableParameter=true"), "UnsupportedParameter"),
        (format!("{SCRIPT}&InstanceId.1=i-a&ContentEncoding=Base64"), "InvalidParameter"),
        (format!("{SCRIPT}{}&InstanceId.1=i-a", "x".repeat(18 * 1024)), "InvalidParameter"),
        (format!("{SCRIPT}{}&InstanceId.1=i-a", "x".repeat(17 * 1024)), "ok"),
        (format!("{SCRIPT}{}&InstanceId.1=i-a&KeepCommand=true", "x".repeat(17 * 1024)), "InvalidParameter"),
    ] {
        assert_eq!(code(&world, "RunCommand", &query), expected, "{}", query.get(..120).unwrap_or(&query));
    }
}

#[test]
fn what_a_command_comes_to_is_told_for_each_instance() {
    let mut world = park();
    let content = STANDARD.encode("pg_isready -q").replace('=', "%3D");
    let query = format!(
        "RegionId=cn-hangzhou&Type=RunShellScript&ContentEncoding=Base64&CommandContent={content}\
         &InstanceId.1=i-a&InstanceId.2=i-b"
    );
    let invocation = run(&mut world, &query);
    assert_eq!(invocation.content, "pg_isready -q");
    let all = results(&world, &format!("InvokeId={}", invocation.id));
    let expected = serde_json::json!({
        "InvokeId": invocation.id, "CommandId": invocation.command, "InstanceId": "i-a",
        "InvokeRecordStatus": "Running", "InvocationStatus": "Failed", "ExitCode": 2, "Output": "bm8=",
        "ErrorCode": "ExitCodeNonzero", "StartTime": "2026-11-22T10:00:00Z",
        "FinishedTime": "2026-11-22T10:00:00Z", "Dropped": 0, "Repeats": 1, "Username": "root",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&all[0][name], value, "{name}");
    }
    assert_eq!((&all[1]["InvocationStatus"], &all[1]["Output"]), (&"Pending".into(), &"".into()));
    assert_eq!((all[1].get("ExitCode"), &all[1]["FinishedTime"]), (None, &"".into()));
    let plain = results(&world, "InstanceId=i-a&ContentEncoding=PlainText");
    assert_eq!(plain[0]["Output"], "no");
    assert_eq!(results(&world, "InvokeId=t-other").len(), 0);
    assert_eq!(results(&world, "InvokeRecordStatus=Finished").len(), 0);
    assert_eq!(
        call(&world, "DescribeInvocationResults", "RegionId=cn-hongkong").unwrap()["Invocation"]["TotalCount"],
        0
    );
}

#[test]
fn the_same_client_token_runs_a_command_once() {
    let mut world = park();
    let query = format!("{SCRIPT}&InstanceId.1=i-a&ClientToken=once");
    let invocation = run(&mut world, &query);
    let again = call(&world, "RunCommand", &query).unwrap();
    assert_eq!(again["InvokeId"], invocation.id);
    assert_eq!(
        code(&world, "RunCommand", &format!("{SCRIPT}&InstanceId.1=i-b&ClientToken=once")),
        "IdempotentParameterMismatch"
    );
}

#[test]
fn results_come_in_pages() {
    let mut world = park();
    for _ in 0..23 {
        run(&mut world, &format!("{SCRIPT}&InstanceId.1=i-a&InstanceId.2=i-b"));
    }
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("RegionId=cn-hangzhou&InstanceId=i-b&MaxResults=10&NextToken={token}");
        let page = &call(&world, "DescribeInvocationResults", &query).unwrap()["Invocation"];
        seen.push(page["InvocationResults"]["InvocationResult"].as_array().unwrap().len());
        token = page["NextToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [10, 10, 3]);
    assert_eq!(results(&world, "").len(), 10);
    assert_eq!(results(&world, "MaxResults=99").len(), 46);
    assert_eq!(results(&world, "PageSize=20&PageNumber=3").len(), 6);
    let total = call(&world, "DescribeInvocationResults", "RegionId=cn-hangzhou").unwrap();
    assert_eq!(total["Invocation"]["TotalCount"], 46);
}

#[test]
fn agents_are_reached_where_they_are_online_and_their_machine_runs() {
    let world = park();
    let answer = call(&world, "DescribeCloudAssistantStatus", "RegionId=cn-hangzhou").unwrap();
    let statuses: Vec<String> = answer["InstanceCloudAssistantStatusSet"]["InstanceCloudAssistantStatus"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["InstanceId"].as_str().unwrap(), it["CloudAssistantStatus"]))
        .collect();
    assert_eq!(statuses, ["i-a \"true\"", "i-b \"true\"", "i-c \"false\"", "i-e \"false\""]);
    let invoked = run(&mut park(), &format!("{SCRIPT}&InstanceId.1=i-e")).instances.remove(0);
    assert_eq!(invoked.stages.last().unwrap().status, InvocationStatus::Aborted);
}

#[test]
fn commands_may_be_denied() {
    let world = account(
        "instances: [{ id: i-a, status: Running }]
permissions: { deny: [RunCommand, DescribeInvocationResults, DescribeCloudAssistantStatus] }",
    );
    for (action, query) in [
        ("RunCommand", format!("{SCRIPT}&InstanceId.1=i-a")),
        ("DescribeInvocationResults", "RegionId=cn-hangzhou".to_owned()),
        ("DescribeCloudAssistantStatus", "RegionId=cn-hangzhou".to_owned()),
    ] {
        assert_eq!(code(&world, action, &query), "Forbidden.RAM", "{action}");
    }
}
