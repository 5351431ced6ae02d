//! Cloud Assistant of a served account, over the wire and signed by hand.

#![expect(clippy::unwrap_used, reason = "what a test calls may panic: that is how it fails")]

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jiff::Timestamp;
use powerform::aliyun::sign;
use serde_json::Value as Json;

use crate::harness::{SECRET, Scenario, World};

/// A caller that signs by version 3.
struct Caller {
    host: String,
    key: &'static str,
    secret: &'static str,
    calls: Cell<usize>,
}

impl Caller {
    /// The status and the body of the answer.
    fn call(&self, action: &str, parameters: &[(&str, &str)]) -> (u16, Json) {
        self.calls.set(self.calls.get() + 1);
        let hash = sign::hashed_payload_v3(b"");
        #[expect(
            clippy::disallowed_methods,
            reason = "the simulator in the other process has the clock on the wall"
        )]
        let date = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let headers = [
            ("host", self.host.clone()),
            ("x-acs-action", action.to_owned()),
            ("x-acs-content-sha256", hash.clone()),
            ("x-acs-date", date),
            ("x-acs-signature-nonce", format!("{}-{}", self.key, self.calls.get())),
            ("x-acs-version", "2014-05-26".to_owned()),
        ];
        let mut all = vec![("RegionId", "cn-hangzhou")];
        all.extend(parameters);
        let query = sign::canonical_query(&all);
        let canonical = sign::canonical_request_v3("POST", "/", &query, &headers, &hash);
        let signature = sign::signature_v3(self.secret, &sign::string_to_sign_v3(&canonical));
        let authorization = sign::authorization_v3(self.key, &sign::signed_headers_v3(&headers), &signature);
        let mut request = format!("POST /?{query} HTTP/1.1\r\n");
        for (name, value) in headers.iter().chain([&("authorization", authorization)]) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("content-length: 0\r\nconnection: close\r\n\r\n");
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

#[test]
fn a_command_is_refused_until_the_machine_runs_and_then_runs_to_its_end() {
    let mut scenario = Scenario::in_world(
        World::Served,
        "instances:
  - id: i-db
    assistant: { delay: 300ms, answers: [{ when: pg_isready, exit: 2, times: 1 }, { when: pg_isready, output: ok }] }",
        "instances: { db: { id: i-db, status: Running } }",
    );
    let host = scenario.address().trim_start_matches("http://").to_owned();
    let mut server = scenario.take_server();
    let caller = Caller { host, key: "sim-key", secret: SECRET, calls: Cell::new(0) };
    let ask = || {
        let command =
            [("Type", "RunShellScript"), ("CommandContent", "pg_isready -q"), ("InstanceId.1", "i-db")];
        caller.call("RunCommand", &command)
    };
    let result = |invocation: &str| {
        let (status, answer) = caller.call("DescribeInvocationResults", &[("InvokeId", invocation)]);
        assert_eq!(status, 200, "{answer}");
        answer["Invocation"]["InvocationResults"]["InvocationResult"][0].clone()
    };
    let (status, refused) = ask();
    assert_eq!((status, refused["Code"].as_str()), (403, Some("InvalidInstance.NotMatch")));

    scenario.converge();
    for (expected, exit, output) in [("Failed", 2, ""), ("Success", 0, "b2s=")] {
        let (status, accepted) = ask();
        assert_eq!(status, 200, "{accepted}");
        let id = accepted["InvokeId"].as_str().unwrap();
        server.until("the command ends", |_| {
            let status = result(id)["InvocationStatus"].clone();
            status != "Pending" && status != "Running"
        });
        let found = result(id);
        assert_eq!(found["InvocationStatus"], expected);
        assert_eq!((&found["ExitCode"], &found["Output"]), (&exit.into(), &output.into()));
    }

    let log = scenario.log();
    let ran: Vec<(&str, usize)> = log
        .requests_of("RunCommand")
        .iter()
        .map(|(_, line)| (line.answer.as_str(), line.invocation.iter().map(|it| it.instances.len()).sum()))
        .collect();
    assert_eq!(ran, [("InvalidInstance.NotMatch", 0), ("accepted", 1), ("accepted", 1)]);
}
