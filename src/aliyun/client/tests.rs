//! The client against a scripted server on a real socket. Waits are lengths of real time, short where something must
//! run out and generous where it must not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::aliyun::request::START_INSTANCE;
use crate::aliyun::sign;
use crate::fleet::{Power, StopMode, StopPolicy};

mod renewal;

const SECRET: &str = "testsecret";

/// What the server does with one request.
#[derive(Clone)]
enum Act {
    /// Answers.
    Say(u16, &'static str, String),
    /// Answers, but ends in the middle of the body.
    Cut(u16, &'static str),
    /// Closes the connection without an answer.
    Hang,
    /// Never answers.
    Mute,
    /// Answers with this status and a body without end.
    Endless(u16),
}

fn json(status: u16, body: &str) -> Act {
    Act::Say(status, "", body.to_owned())
}

fn failure(status: u16, code: &str) -> Act {
    json(status, &format!(r#"{{"RequestId":"R-9","Code":"{code}","Message":"in words"}}"#))
}

fn accepted() -> Act {
    json(200, r#"{"RequestId":"R-1"}"#)
}

/// A server that follows a script, one request to a connection, and keeps what it was sent.
struct Server {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        tokio::spawn(async move {
            // Beyond its script the server refuses in a way that no test expects.
            let beyond = std::iter::repeat_with(|| failure(418, "BeyondTheScript"));
            for act in script.into_iter().chain(beyond) {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(play(stream, act, Arc::clone(&kept)));
            }
        });
        Self { address, heads }
    }

    /// What was asked, one set of decoded parameters for each request; each is checked to be whole: signed by the
    /// right key, at the time of the test's clock, with a nonce that is new.
    fn requests(&self) -> Vec<BTreeMap<String, String>> {
        let heads = self.heads.lock().expect("no test panics here");
        let requests: Vec<BTreeMap<String, String>> = heads.iter().map(|head| verified(head)).collect();
        for unique in ["SignatureNonce", "Timestamp", "Signature"] {
            let values: HashSet<&String> = requests.iter().map(|request| &request[unique]).collect();
            assert_eq!(values.len(), requests.len(), "{unique} is new for each attempt");
        }
        requests
    }
}

fn verified(head: &str) -> BTreeMap<String, String> {
    let mut lines = head.lines();
    let target = lines
        .next()
        .and_then(|line| line.strip_prefix("POST /?"))
        .and_then(|line| line.strip_suffix(" HTTP/1.1"))
        .unwrap_or_else(|| panic!("a POST to /: {head}"));
    let headers: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    for header in [
        "accept: application/json",
        "content-length: 0",
        concat!("user-agent: powerform/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(headers.iter().any(|line| line == header), "{header} in {head}");
    }
    assert!(!headers.iter().any(|line| line.starts_with("accept-encoding")), "{head}");
    let decode = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let mut parameters: BTreeMap<String, String> = target
        .split('&')
        .map(|pair| pair.split_once('=').expect("a pair"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let signature = parameters.remove("Signature").expect("signed");
    let pairs: Vec<(&String, &String)> = parameters.iter().collect();
    let text = sign::string_to_sign_v1("POST", &sign::canonical_query(&pairs));
    assert_eq!(signature, sign::signature_v1(SECRET, &text));
    assert_eq!((parameters["Format"].as_str(), parameters["Version"].as_str()), ("JSON", "2014-05-26"));
    parameters.insert("Signature".to_owned(), signature);
    parameters
}

async fn play(mut stream: TcpStream, act: Act, kept: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    kept.lock().expect("no test panics here").push(String::from_utf8(head).expect("ASCII"));
    let start = |status: u16, headers: &str, length: usize| {
        format!(
            "HTTP/1.1 {status} Scripted\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        )
    };
    // The client may have gone: that is for the test to judge.
    let _ = match act {
        Act::Say(status, headers, body) => {
            stream.write_all((start(status, headers, body.len()) + &body).as_bytes()).await
        }
        Act::Cut(status, body) => {
            stream.write_all((start(status, "", body.len() + 10) + body).as_bytes()).await
        }
        Act::Hang => Ok(()),
        Act::Mute => {
            // Ends when the client gives up and closes.
            let _ = stream.read(&mut byte).await;
            Ok(())
        }
        Act::Endless(status) => {
            let head = start(status, "", usize::MAX / 2);
            let mut outcome = stream.write_all(head.as_bytes()).await;
            let block = vec![b'x'; 256 * 1024];
            while outcome.is_ok() {
                outcome = stream.write_all(&block).await;
            }
            outcome
        }
    };
}

/// As patient as the standard policy in numbers, but not in time.
const QUICK: Policy = Policy {
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(5),
    throttled_pause: Duration::from_millis(5),
    ..STANDARD
};

fn client_of(address: &str) -> Client {
    let seconds = AtomicI64::new(1_800_000_000);
    let clock =
        move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed)).expect("within range");
    let setup = Setup {
        endpoint: Endpoint::explicit(address).expect("loopback"),
        region: Region::new("cn-hangzhou").expect("valid"),
        credentials: CredentialSource::fixed(Credentials {
            access_key_id: "testid".to_owned(),
            access_key_secret: SECRET.into(),
            security_token: None,
            source: "a test".to_owned(),
        }),
        transport: Transport::default(),
        owner_account: None,
        clock: Arc::new(clock),
    };
    Client::with_policy(setup, QUICK).expect("a client")
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn start_of(text: &str) -> StartRequest {
    StartRequest { id: id(text), init_local_disk: false }
}

fn page(ids: &[&str], rest: &str) -> Act {
    let items: Vec<String> =
        ids.iter().map(|id| format!(r#"{{"InstanceId":"{id}","Status":"Running"}}"#)).collect();
    json(200, &format!(r#"{{"RequestId":"R","Instances":{{"Instance":[{}]}}{rest}}}"#, items.join(",")))
}

#[tokio::test]
async fn a_look_a_start_and_a_stop_are_signed_and_answered() {
    let server = Server::start(vec![page(&["i-1"], ""), accepted(), accepted()]).await;
    let client = client_of(&server.address);
    let seen = client.describe(&[id("i-1"), id("i-2")]).await.expect("a look");
    assert_eq!(
        seen,
        [Sighting::plain(id("i-1"), Power::Running)]
            .map(|plain| Sighting { charge: crate::fleet::Charge::Other, ..plain })
    );
    assert_eq!(client.start(start_of("i-1")).await.expect("accepted").request_id.as_deref(), Some("R-1"));
    let policy = StopPolicy { mode: StopMode::StopCharging, force: true };
    client.stop(StopRequest { id: id("i-1"), policy }).await.expect("accepted");
    let requests = server.requests();
    let actions: Vec<&str> = requests.iter().map(|request| request["Action"].as_str()).collect();
    assert_eq!(actions, ["DescribeInstances", "StartInstance", "StopInstance"]);
    assert_eq!(requests[0]["InstanceIds"], r#"["i-1","i-2"]"#);
    assert_eq!(requests[0]["RegionId"], "cn-hangzhou");
    assert_eq!(requests[2]["StoppedMode"], "StopCharging");
    assert_eq!(requests[0]["Timestamp"], "2027-01-15T08:00:00Z");
    assert_eq!(client.region().as_str(), "cn-hangzhou");
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_happens_to_it() {
    for (act, advice) in [
        (failure(403, "IncorrectInstanceStatus"), Advice::WrongStatus),
        (failure(500, "InternalError"), Advice::Busy { sends: 5 }),
        (failure(403, "OperationDenied.NoStock"), Advice::Capacity),
        (failure(404, "InvalidInstanceId.NotFound"), Advice::Final),
        (failure(400, "Throttling.User"), Advice::Throttled { retry_after: None }),
        (
            Act::Say(400, "x-acs-retry-after: 1500\r\n", r#"{"Code":"Throttling"}"#.to_owned()),
            Advice::Throttled { retry_after: Some(Duration::from_millis(1500)) },
        ),
        (
            Act::Say(
                503,
                "Content-Type: text/xml;charset=utf-8\r\n",
                "<Error><Code>ServiceUnavailable</Code></Error>".to_owned(),
            ),
            Advice::Busy { sends: 5 },
        ),
        (json(502, "<html>502 Bad Gateway</html>"), Advice::OutcomeUnknown),
        (json(200, "<html>log in</html>"), Advice::OutcomeUnknown),
        (Act::Say(302, "Location: /elsewhere\r\n", String::new()), Advice::OutcomeUnknown),
        (Act::Cut(200, r#"{"RequestId":"R-1"}"#), Advice::OutcomeUnknown),
        (Act::Hang, Advice::OutcomeUnknown),
        (Act::Endless(502), Advice::OutcomeUnknown),
    ] {
        let server = Server::start(vec![act]).await;
        let refusal = client_of(&server.address).start(start_of("i-1")).await.expect_err("refused");
        assert_eq!(refusal.advice, advice, "{refusal:?}");
        assert!(refusal.remedy.is_some(), "{refusal:?}");
        assert!(!format!("{refusal:?}").contains("Signature="), "{refusal:?}");
        assert_eq!(server.requests().len(), 1, "{refusal:?}");
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_leaves_the_outcome_unknown() {
    let server = Server::start(vec![Act::Mute]).await;
    let client = client_of(&server.address);
    let mut request = Request::start_instance(&start_of("i-1"), None);
    request.operation.connect_timeout = Duration::from_millis(250);
    request.operation.read_timeout = Duration::from_millis(250);
    let refusal = client.call(&request, decode_acceptance).await.expect_err("silence");
    assert_eq!(refusal.advice, Advice::OutcomeUnknown);
    assert!(refusal.message.contains("no answer"), "{refusal}");
    assert_eq!(START_INSTANCE.time_limit(), Duration::from_secs(51));
}

#[tokio::test]
async fn a_refused_connection_is_named_and_holds_no_query() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let refusal = client_of(&address).start(start_of("i-1")).await.expect_err("nobody listens");
    assert_eq!((refusal.advice, refusal.http_status), (Advice::OutcomeUnknown, None));
    assert!(refusal.message.starts_with("no connection to 127.0.0.1:"), "{refusal}");
    assert!(refusal.message.contains("refused") && !refusal.message.contains("AccessKeyId"), "{refusal}");
    let look = client_of(&address).describe(&[id("i-1")]).await.expect_err("nobody listens");
    assert!(look.message.ends_with("(tried 6 times)"), "{look}");
}

#[tokio::test]
async fn a_read_is_repeated_until_it_is_answered() {
    let server = Server::start(vec![
        failure(500, "InternalError"),
        Act::Hang,
        Act::Say(400, "x-acs-retry-after: 5\r\n", r#"{"Code":"Throttling"}"#.to_owned()),
        json(502, "<html>"),
        Act::Cut(200, r#"{"Instances":{"Instance":[]}}"#),
        page(&["i-1"], ""),
    ])
    .await;
    let seen = client_of(&server.address).describe(&[id("i-1")]).await.expect("answered at last");
    assert_eq!(seen.len(), 1);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_read_gives_up_after_six_attempts_and_at_once_where_asking_again_is_no_use() {
    for (act, attempts) in [
        (failure(503, "ServiceUnavailable"), 6),
        (failure(400, "Throttling"), 6),
        (json(200, "{}"), 6),
        (failure(403, "Forbidden.RAM"), 1),
        (failure(400, "InvalidTimeStamp.Expired"), 1),
        (json(407, "<html>"), 1),
        (Act::Say(302, "Location: /\r\n", String::new()), 1),
    ] {
        let server = Server::start(vec![act; 7]).await;
        let refusal = client_of(&server.address).describe(&[id("i-1")]).await.expect_err("refused");
        assert_eq!(server.requests().len(), attempts, "{refusal:?}");
        assert_eq!(refusal.message.contains("tried 6 times"), attempts == 6, "{refusal}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_to_its_end() {
    let server = Server::start(vec![Act::Endless(200)]).await;
    let refusal = client_of(&server.address).describe(&[id("i-1")]).await.expect_err("endless");
    assert_eq!(refusal.advice, Advice::Final);
    assert!(refusal.message.contains("longer than 67108864 bytes"), "{refusal}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_write_whose_nonce_was_refused_is_signed_anew_three_times() {
    let used = || failure(400, "SignatureNonceUsed");
    let server = Server::start(vec![used(), used(), used(), accepted()]).await;
    client_of(&server.address).start(start_of("i-1")).await.expect("accepted at last");
    assert_eq!(server.requests().len(), 4);
    let server = Server::start(vec![used(); 9]).await;
    let refusal = client_of(&server.address).start(start_of("i-1")).await.expect_err("never accepted");
    assert_eq!((refusal.advice, server.requests().len()), (Advice::Final, 4));
}

#[tokio::test]
async fn pages_are_followed_though_one_was_asked_for() {
    let ids = [id("i-1"), id("i-2"), id("i-3")];
    let by_token = vec![
        page(&["i-1"], r#","NextToken":"t1","TotalCount":1"#),
        page(&[], r#","NextToken":"t2""#),
        page(&["i-9", "i-3"], ""),
    ];
    let by_number = vec![page(&["i-1"], r#","TotalCount":2"#), page(&["i-3"], r#","TotalCount":2"#)];
    for (script, calls) in [(by_token, 3), (by_number, 2)] {
        let server = Server::start(script).await;
        let seen = client_of(&server.address).describe(&ids).await.expect("a look");
        let seen: Vec<&str> = seen.iter().map(|sighting| sighting.id.as_str()).collect();
        assert_eq!(seen, ["i-1", "i-3"], "only what was asked for, and what is missing is missing");
        assert_eq!(server.requests().len(), calls);
    }
    let endless = Server::start(vec![page(&[], r#","NextToken":"again""#); 50]).await;
    let refusal = client_of(&endless.address).describe(&ids).await.expect_err("no end");
    assert!(refusal.message.contains("12 pages"), "{refusal}");
    assert_eq!(endless.requests().len(), 12);
}

#[tokio::test]
async fn a_full_page_needs_no_second_look_and_no_ids_need_none() {
    let server = Server::start(vec![page(&["i-1"], r#","NextToken":"t","TotalCount":7"#)]).await;
    let client = client_of(&server.address);
    assert_eq!(client.describe(&[id("i-1")]).await.expect("a look").len(), 1);
    assert_eq!(client.describe(&[]).await.expect("nothing to look at"), []);
    let too_many: Vec<InstanceId> = (0..=LOOK_LIMIT).map(|number| id(&format!("i-{number}"))).collect();
    let refusal = client.describe(&too_many).await.expect_err("too many");
    assert_eq!(refusal.advice, Advice::Final);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_client_for_the_real_service_can_be_made_without_asking_anybody() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let mut setup = client_of("http://127.0.0.1:1").setup;
    setup.endpoint = Endpoint::public(&region).expect("a host name");
    let client = Client::new(setup).expect("TLS is set up");
    let printed = format!("{client:?}");
    assert!(printed.contains("ecs-cn-hangzhou.aliyuncs.com") && !printed.contains(SECRET), "{printed}");
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics here").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_attempt_is_one_log_line_and_no_level_shows_a_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(vec![failure(500, "Internal\\u001bError"), page(&["i-1"], "")]).await;
    let mut client = client_of(&server.address);
    let credentials = client.setup.credentials.current().await.expect("fixed");
    client.setup.credentials = CredentialSource::fixed(Credentials {
        security_token: Some("t0ken/x".into()),
        ..Credentials::clone(&credentials)
    });
    client.describe(&[id("i-1"), id("i-2")]).await.expect("a look");
    drop(guard);
    let text = String::from_utf8(lines.0.lock().expect("no test panics here").clone()).expect("UTF-8");
    let own: Vec<&str> = text.lines().filter(|line| line.contains("powerform::aliyun::client")).collect();
    assert_eq!(own.len(), 2, "{text}");
    for (line, words) in [
        (own[0], ["refused", "attempt=1", "status=500", "2 instances", "request_id=\"R-9\""]),
        (own[1], ["answered", "attempt=2", "DescribeInstances", "milliseconds=", "request_id=\"R\""]),
    ] {
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    for secret in [SECRET, "t0ken", "SecurityToken", "Signature", "\u{1b}"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
