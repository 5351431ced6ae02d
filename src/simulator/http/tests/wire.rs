//! Requests and answers, and what faults do to them.

use super::*;

#[tokio::test]
async fn an_instance_is_started_seen_and_stopped() {
    let cloud = Cloud::new("instances: [{ id: i-a, start: 2s, stop: 1s }]");
    let server = cloud.serve().await;
    let reply = server.start("i-a").await;
    assert_eq!((reply.status, reply.content_type.as_str()), (200, "application/json;charset=utf-8"));
    let id = reply.json()["RequestId"].as_str().unwrap().to_owned();
    assert_eq!(reply.headers["x-acs-request-id"], id.as_str());
    assert_eq!(id, id.to_uppercase());
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().to_string().to_uppercase(), id);
    assert_eq!(reply.headers["date"], "Sun, 22 Nov 2026 10:00:00 GMT");
    assert_eq!(server.status("i-a").await, "Starting");
    assert_eq!(server.start("i-a").await.code(), "IncorrectInstanceStatus");
    cloud.hand.set(2_000);
    assert_eq!(server.status("i-a").await, "Running");
    let stop = [("Action", "StopInstance"), ("InstanceId", "i-a"), ("StoppedMode", "StopCharging")];
    assert_eq!(server.call(&stop).await.status, 200);
    cloud.hand.set(3_000);
    assert_eq!(server.status("i-a").await, "Stopped");
    server.end().await;

    let log = cloud.log();
    let told: Vec<_> =
        log.iter().map(|line| (line.action.as_str(), line.answer.as_str(), line.ids)).collect();
    let look = ("DescribeInstanceStatus", "accepted", Some(1));
    assert_eq!(
        told,
        [
            ("StartInstance", "accepted", None),
            look,
            ("StartInstance", "IncorrectInstanceStatus", None),
            look,
            ("StopInstance", "accepted", None),
            look,
        ]
    );
    assert_eq!(log[0].request_id, id);
    assert_eq!(log[4].parameters.get("StoppedMode").map(String::as_str), Some("StopCharging"));
}

#[tokio::test]
async fn answers_and_errors_are_xml_where_nothing_else_is_asked_for() {
    let cloud = Cloud::new("instances: [{ id: i-a }]");
    let server = cloud.serve().await;
    for (id, status, words) in [
        ("i-a", 200, "<StartInstanceResponse><RequestId>"),
        ("i-z", 404, "<Code>InvalidInstanceId.NotFound</Code>"),
    ] {
        let parameters = [("Action", "StartInstance"), ("InstanceId", id)];
        let query = server.query("GET", "", &parameters);
        let reply = server.send(Method::GET, &query, None).await.unwrap();
        assert_eq!((reply.status, reply.content_type.as_str()), (status, "text/xml;charset=utf-8"));
        assert!(reply.body.contains(words), "{}", reply.body);
        if status == 404 {
            assert!(reply.body.contains(&format!("<HostId>{}</HostId>", server.address)), "{}", reply.body);
        }
    }
    let reply = server.send(Method::GET, "Action=StartInstance&Format=JSON", None).await.unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (400, "MissingParameter"));
    server.end().await;
}

#[tokio::test]
async fn parameters_may_come_in_the_form_of_a_post() {
    let cloud = Cloud::new("instances: [{ id: i-a }]");
    let server = cloud.serve().await;
    let all = server.query("POST", "JSON", &[("Action", "StartInstance"), ("InstanceId", "i-a")]);
    let (form, query): (Vec<&str>, Vec<&str>) =
        all.split('&').partition(|pair| pair.starts_with("InstanceId"));
    let reply = server.send(Method::POST, &query.join("&"), Some(form.join("&"))).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    let all = server.query("POST", "JSON", &[("Action", "StartInstance"), ("InstanceId", "i-a")]);
    let reply = server.send(Method::POST, &all, Some(String::new())).await.unwrap();
    assert_eq!(reply.code(), "IncorrectInstanceStatus");
    server.end().await;
}

#[tokio::test]
async fn the_door_is_kept() {
    let cloud = Cloud::new("instances: [{ id: i-a }]");
    let server = cloud.serve().await;
    let start = [("Action", "StartInstance"), ("InstanceId", "i-a")];
    let query = server.query("GET", "JSON", &start);
    let wrong = query.replace("i-a", "i-b");
    let reply = server.send(Method::GET, &wrong, None).await.unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (400, "SignatureDoesNotMatch"));
    assert!(reply.body.contains("server string to sign is:GET&%2F&"));
    assert_eq!(server.send(Method::GET, &query, None).await.unwrap().status, 200);
    assert_eq!(server.send(Method::GET, &query, None).await.unwrap().code(), "SignatureNonceUsed");
    assert_eq!(server.send(Method::PUT, &query, None).await.unwrap().code(), "UnsupportedHTTPMethod");
    assert_eq!(server.call(&[("Action", "DeleteInstance")]).await.code(), "InvalidAction.NotFound");
    let reply =
        server.client.get(format!("http://{}/other?Format=JSON", server.address)).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 404);
    assert_eq!(cloud.log().len(), 1, "only what comes in is logged");
    server.end().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let cloud = Cloud::new("");
    let server = cloud.serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", LARGEST_BODY + 1);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    let read = async {
        stream.write_all(&vec![b'x'; LARGEST_BODY + 1]).await.unwrap();
        stream.read_exact(&mut start).await.unwrap();
    };
    read.await;
    assert_eq!(&start, b"HTTP/1.1 413");
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn an_answer_can_get_lost_before_and_after_acting() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a }, { id: i-b }, { id: i-c }, { id: i-d }, { id: i-e }]
faults:
  - { action: StartInstance, instance: i-a, nth: 1, drop: before }
  - { action: StartInstance, instance: i-b, nth: 1, drop: after }
  - { action: StartInstance, instance: i-c, nth: 1, truncate: true }
  - { action: StartInstance, instance: i-d, nth: 1, garbage: \"<html>not yours\" }
  - { action: StartInstance, instance: i-e, nth: 1, http: 502 }",
    );
    let server = cloud.serve().await;
    for (id, expected) in [("i-a", "Stopped"), ("i-b", "Starting"), ("i-c", "Starting")] {
        assert!(server.try_call(&[("Action", "StartInstance"), ("InstanceId", id)]).await.is_err(), "{id}");
        assert_eq!(server.status(id).await, expected, "{id}");
    }
    let garbage = server.start("i-d").await;
    assert_eq!((garbage.status, garbage.body.as_str()), (200, "<html>not yours"));
    assert_eq!(server.status("i-d").await, "Starting");
    let gateway = server.start("i-e").await;
    assert_eq!((gateway.status, gateway.content_type.as_str()), (502, "text/html"));
    assert_eq!(server.status("i-e").await, "Stopped");
    assert_eq!(server.start("i-a").await.status, 200, "the fault is over");
    server.end().await;
    let starts: Vec<_> = cloud
        .log()
        .into_iter()
        .filter(|line| line.action == "StartInstance")
        .map(|line| (line.instance.unwrap(), line.answer, line.answered))
        .collect();
    let expected = [
        ("i-a", "unserved", false),
        ("i-b", "accepted", false),
        ("i-c", "accepted", false),
        ("i-d", "accepted", false),
        ("i-e", "unserved", false),
        ("i-a", "accepted", true),
    ]
    .map(|(id, answer, answered)| (id.to_owned(), answer.to_owned(), answered));
    assert_eq!(starts, expected);
}

#[tokio::test]
async fn a_connection_outlives_answers_and_ends_with_a_dropped_one() {
    let cloud = Cloud::new("faults: [{ action: DescribeInstances, nth: 3, drop: before }]");
    let server = cloud.serve().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut received = String::new();
    for _ in 0..3 {
        let look = [("Action", "DescribeInstances"), ("RegionId", "cn-hangzhou")];
        let query = server.query("GET", "JSON", &look);
        stream.write_all(format!("GET /?{query} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    }
    stream.read_to_string(&mut received).await.unwrap();
    assert_eq!(received.matches("HTTP/1.1 200 OK").count(), 2, "{received}");
    server.end().await;
}

#[tokio::test]
async fn faults_answer_with_their_code_and_limits_throttle() {
    let cloud = Cloud::new(
        "limits: { StartInstance: 3/min }
instances: [{ id: i-a }]
faults: [{ action: StartInstance, nth: 1, error: InternalError }, { action: StartInstance, nth: 2, error: Odd, message: why not }]",
    );
    let server = cloud.serve().await;
    let first = server.start("i-a").await;
    assert_eq!((first.status, first.code().as_str()), (500, "InternalError"));
    let second = server.start("i-a").await;
    assert_eq!((second.status, second.code().as_str()), (400, "Odd"));
    assert_eq!(second.json()["Message"], "why not");
    assert_eq!(server.start("i-a").await.status, 200);
    let fourth = server.start("i-a").await;
    assert_eq!((fourth.status, fourth.code().as_str()), (400, "Throttling.User"));
    cloud.hand.set(60_000);
    assert_eq!(server.start("i-a").await.code(), "IncorrectInstanceStatus");
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_can_be_late_though_the_call_was_in_time() {
    let cloud =
        Cloud::new("instances: [{ id: i-a, start: 10s }]\nfaults: [{ action: StartInstance, delay: 3s }]");
    let simulator = Simulator::open_with(&cloud.file(), Clock::of_runtime(at(0)), 7).unwrap();
    let server = Server::of(simulator, cloud.hand.clone()).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(server.start("i-a").await.status, 200);
    let late = asked.elapsed();
    assert!(late >= Duration::from_secs(3) && late < Duration::from_secs(4), "{late:?}");
    assert_eq!(server.status("i-a").await, "Starting");
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(server.status("i-a").await, "Running");
    server.end().await;
}

#[tokio::test]
async fn one_look_may_show_what_was_some_time_ago() {
    let cloud = Cloud::new(
        "pace: { start: 2s }
instances: [{ id: i-a }]
faults: [{ action: DescribeInstanceStatus, every: 3, lag: 3s }]",
    );
    let server = cloud.serve().await;
    server.start("i-a").await;
    let mut seen = Vec::new();
    for moment in [1_000, 2_500, 2_600, 4_000, 4_100, 4_200, 6_000, 6_100, 6_200] {
        cloud.hand.set(moment);
        seen.push(server.status("i-a").await);
    }
    server.end().await;
    let [starting, running, stopped] = ["Starting", "Running", "Stopped"];
    assert_eq!(seen, [starting, running, stopped, running, running, starting, running, running, running]);
}
