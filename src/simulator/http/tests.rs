//! Over a real socket, with a real client.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use reqwest::{Client, Method};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::aliyun::sign;
use crate::simulator::log::{LogEvent, RequestLine};
use crate::simulator::{Clock, Simulator, SimulatorError, read_log};

const BEGUN: i64 = 1_795_341_600; // 2026-11-22T10:00:00Z

/// A clock that is set by hand, in milliseconds after the beginning.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn set(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Clock::new(move || at(hand.load(Ordering::SeqCst)))
    }
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGUN * 1000 + milliseconds).unwrap()
}

/// An account in a folder of its own.
struct Cloud {
    folder: TempDir,
    hand: Hand,
}

impl Cloud {
    fn new(rest: &str) -> Self {
        let cloud = Self { folder: tempfile::tempdir().unwrap(), hand: Hand::default() };
        cloud.write(rest);
        cloud
    }

    fn write(&self, rest: &str) {
        let text = format!(
            "account: '1'\nkeys: [{{ id: sim-key, secret: sim-secret }}]\nregion: cn-hangzhou\n{rest}"
        );
        std::fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("account.yaml")
    }

    fn open(&self) -> Simulator {
        Simulator::open_with(&self.file(), self.hand.clock(), 7).unwrap()
    }

    async fn serve(&self) -> Server {
        Server::of(self.open(), self.hand.clone()).await
    }

    fn log(&self) -> Vec<RequestLine> {
        let lines = read_log(&self.folder.path().join("account.cloud.json")).unwrap();
        lines
            .into_iter()
            .filter_map(|line| match line.event {
                LogEvent::Request(request) => Some(request),
                _ => None,
            })
            .collect()
    }
}

/// A cloud that is being served, and a client of it.
struct Server {
    address: std::net::SocketAddr,
    client: Client,
    hand: Hand,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

struct Reply {
    status: u16,
    content_type: String,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Reply {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()["Code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    async fn of(simulator: Simulator, hand: Hand) -> Self {
        // Another test may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(simulator.serve(listener, async { drop(stopped.await) }));
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { address, client, hand, stop, task }
    }

    /// The signed query of a call, with a fresh nonce.
    fn query(&self, method: &str, format: &str, parameters: &[(&str, &str)]) -> String {
        let now = at(self.hand.0.load(Ordering::SeqCst));
        let timestamp = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = uuid::Uuid::new_v4().to_string();
        let mut all = vec![
            ("Version", "2014-05-26"),
            ("AccessKeyId", "sim-key"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &timestamp),
            ("Format", format),
        ];
        all.extend(parameters);
        let query = sign::canonical_query(&all);
        let signature = sign::signature_v1("sim-secret", &sign::string_to_sign_v1(method, &query));
        format!("{query}&Signature={}", sign::percent_encode(&signature))
    }

    async fn send(&self, method: Method, query: &str, form: Option<String>) -> Result<Reply, reqwest::Error> {
        let url = format!("http://{}/?{query}", self.address);
        let mut request = self.client.request(method, url);
        if let Some(form) = form {
            request =
                request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8").body(form);
        }
        let response = request.send().await?;
        let headers = response.headers().clone();
        Ok(Reply {
            status: response.status().as_u16(),
            content_type: headers["content-type"].to_str().unwrap().to_owned(),
            headers,
            body: response.text().await?,
        })
    }

    async fn try_call(&self, parameters: &[(&str, &str)]) -> Result<Reply, reqwest::Error> {
        self.send(Method::GET, &self.query("GET", "JSON", parameters), None).await
    }

    async fn call(&self, parameters: &[(&str, &str)]) -> Reply {
        self.try_call(parameters).await.unwrap()
    }

    async fn start(&self, id: &str) -> Reply {
        self.call(&[("Action", "StartInstance"), ("InstanceId", id)]).await
    }

    async fn status(&self, id: &str) -> String {
        let reply = self
            .call(&[("Action", "DescribeInstanceStatus"), ("RegionId", "cn-hangzhou"), ("InstanceId.1", id)])
            .await;
        let json = reply.json();
        json["InstanceStatuses"]["InstanceStatus"][0]["Status"].as_str().unwrap_or("-").to_owned()
    }

    async fn end(self) {
        drop(self.client);
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

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
async fn two_processes_share_one_cloud() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a, start: 5s }, { id: i-b }]
faults: [{ action: StartInstance, nth: 2, error: DiskError }, { at: 20s, set: { i-b: Running } }]",
    );
    let (one, other) = (cloud.serve().await, cloud.serve().await);
    assert_eq!(one.start("i-a").await.status, 200);
    assert_eq!(other.status("i-a").await, "Starting");
    assert_eq!(other.start("i-a").await.code(), "DiskError", "faults count what all processes served");
    assert_eq!(one.start("i-a").await.code(), "IncorrectInstanceStatus");
    let click = cloud.open();
    click.set("i-a", "Stopping").unwrap();
    click.set("i-b", "Melting").unwrap();
    assert_eq!((one.status("i-a").await, other.status("i-b").await), ("Stopping".into(), "Melting".into()));
    cloud.hand.set(20_000);
    assert_eq!(other.status("i-b").await, "Running");
    click.set("i-b", "stopped").unwrap();
    assert_eq!(one.status("i-b").await, "Stopped", "what was scheduled happens once");
    one.end().await;
    other.end().await;
    cloud.hand.set(90_000);
    let again = cloud.serve().await;
    assert_eq!((again.status("i-a").await, again.status("i-b").await), ("Stopped".into(), "Stopped".into()));
    again.end().await;
}

#[tokio::test]
async fn a_changed_account_begins_anew_and_the_server_of_the_old_one_says_so() {
    let cloud = Cloud::new("instances: [{ id: i-a, start: 0s }]");
    let old = cloud.serve().await;
    old.start("i-a").await;
    assert_eq!(old.status("i-a").await, "Running");
    cloud.write("instances: [{ id: i-a, start: 0s }, { id: i-b }]");
    let new = cloud.serve().await;
    assert_eq!(new.status("i-a").await, "Stopped");
    let reply = old.start("i-a").await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "InternalError"));
    assert_eq!(new.start("i-b").await.status, 200);
    old.end().await;
    new.end().await;
}

#[tokio::test]
async fn a_memory_that_cannot_be_used_is_an_internal_error_and_no_end() {
    let cloud = Cloud::new("memory: memory/cloud.json\ninstances: [{ id: i-a }]");
    let server = cloud.serve().await;
    let folder = cloud.folder.path().join("memory");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let reply = server.start("i-a").await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "InternalError"));
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(server.start("i-a").await.status, 200, "it goes on once it can");
    server.end().await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    let cloud = Cloud::new("");
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = cloud.open().serve(listener, std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn many_clients_at_once_get_one_acceptance() {
    let cloud = Cloud::new("instances: [{ id: i-a }]");
    let server = Arc::new(cloud.serve().await);
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let server = Arc::clone(&server);
        calls.spawn(async move { server.start("i-a").await.status });
    }
    let statuses = calls.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 39);
    Arc::into_inner(server).unwrap().end().await;
}

#[test]
fn a_click_on_what_is_not_there_names_what_may_have_been_meant() {
    let cloud = Cloud::new(
        "instances: [{ id: i-bp1db, name: db }, { id: i-bp1app }, { id: i-gone, status: Released }]",
    );
    let simulator = cloud.open();
    let message = |id: &str| simulator.set(id, "Running").unwrap_err().to_string();
    assert!(message("i-bp1bd").contains("did you mean i-bp1db"), "{}", message("i-bp1bd"));
    assert!(message("db").ends_with("did you mean i-bp1db?"), "{}", message("db"));
    assert!(!message("i-something-else").contains("did you mean"));
    assert!(message("i-gone").contains("was released"));
    simulator.set("i-bp1db", "Released").unwrap();
    assert!(message("i-bp1db").contains("was released"));
}

#[test]
fn what_cannot_be_opened_says_which_file_and_what_to_do() {
    let cloud = Cloud::new("instances: [{ id: db }]\nlag: soon");
    let open = |path: &Path| Simulator::open_with(path, cloud.hand.clock(), 1).unwrap_err();
    let unsound = open(&cloud.file()).to_string();
    assert!(unsound.contains("account.yaml:4:19: \"db\" is not an instance id"), "{unsound}");
    assert!(unsound.contains("account.yaml:5:6: \"soon\" is not a duration"), "{unsound}");
    let missing = open(&cloud.folder.path().join("nowhere.yaml"));
    assert!(matches!(missing, SimulatorError::AccountFile { .. }));
    assert!(missing.to_string().contains("nowhere.yaml"));
    cloud.write("memory: notes.txt");
    std::fs::write(cloud.folder.path().join("notes.txt"), "mine\n").unwrap();
    let notes = open(&cloud.file()).to_string();
    assert!(notes.contains("line 1") && notes.contains("notes.txt"), "{notes}");
}
