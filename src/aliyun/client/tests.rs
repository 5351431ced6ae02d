//! The client against a scripted server on a real socket. Waits are lengths of real time, short where something must
//! run out and generous where it must not.

mod assistant;
mod operations;
mod renewal;
mod server;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::net::TcpListener;
use tokio::time::Duration;

use self::server::{Reply, SECRET, Server, accepted, failure, json};
use jiff::Timestamp;

use super::*;
use crate::aliyun::credentials::Credentials;
use crate::fleet::{Power, StopMode, StopPolicy};

/// As patient as the standard policy in numbers, but not in time.
const QUICK: Policy = Policy {
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(5),
    probe_pause: Duration::from_millis(5),
    ..STANDARD
};

fn credentials_of(security_token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "testid".to_owned(),
        access_key_secret: SECRET.into(),
        security_token: security_token.map(Into::into),
        source: "a test".to_owned(),
    }
}

fn setup_of(address: &str) -> Setup {
    let seconds = AtomicI64::new(1_800_000_000);
    let clock =
        move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed)).expect("within range");
    let credentials = CredentialSource::fixed(credentials_of(None));
    let endpoint = Endpoint::explicit(address).expect("loopback");
    Setup::new(endpoint, Region::new("cn-hangzhou").expect("valid"), credentials, Arc::new(clock))
}

fn client_of(address: &str) -> Client {
    Client::with_policy(setup_of(address), QUICK).expect("a client")
}

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn start_of(text: &str) -> StartRequest {
    StartRequest { id: id(text), init_local_disk: false }
}

fn page(ids: &[&str], rest: &str) -> Reply {
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
    assert_eq!(requests[0]["Format"], "JSON");
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
            Reply::Say(400, "x-acs-retry-after: 1500\r\n", r#"{"Code":"Throttling"}"#.to_owned()),
            Advice::Throttled { retry_after: Some(Duration::from_millis(1500)) },
        ),
        (
            Reply::Say(
                503,
                "Content-Type: text/xml;charset=utf-8\r\n",
                "<Error><Code>ServiceUnavailable</Code></Error>".to_owned(),
            ),
            Advice::Busy { sends: 5 },
        ),
        (json(502, "<html>502 Bad Gateway</html>"), Advice::OutcomeUnknown),
        (json(200, "<html>log in</html>"), Advice::OutcomeUnknown),
        (Reply::Say(302, "Location: /elsewhere\r\n", String::new()), Advice::OutcomeUnknown),
        (Reply::Cut(200, r#"{"RequestId":"R-1"}"#), Advice::OutcomeUnknown),
        (Reply::Hang, Advice::OutcomeUnknown),
        (Reply::Endless(502), Advice::OutcomeUnknown),
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
    let server = Server::start(vec![Reply::Mute]).await;
    let client = client_of(&server.address);
    let mut request = Request::start_instance(&start_of("i-1"), None);
    request.operation.connect_timeout = Duration::from_millis(250);
    request.operation.read_timeout = Duration::from_millis(250);
    let refusal = client.connection.call(&request, decode_acceptance).await.expect_err("silence");
    assert_eq!(refusal.advice, Advice::OutcomeUnknown);
    assert!(refusal.message.contains("no answer"), "{refusal}");
    assert_eq!(crate::aliyun::request::START_INSTANCE.time_limit(), Duration::from_secs(51));
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
        Reply::Hang,
        Reply::Say(400, "x-acs-retry-after: 5\r\n", r#"{"Code":"Throttling"}"#.to_owned()),
        json(502, "<html>"),
        Reply::Cut(200, r#"{"Instances":{"Instance":[]}}"#),
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
        (json(200, "{}"), 6),
        (failure(403, "Forbidden.RAM"), 1),
        (failure(400, "InvalidTimeStamp.Expired"), 1),
        (failure(400, "InvalidSecurityToken.Expired"), 1),
        (json(407, "<html>"), 1),
        (Reply::Say(302, "Location: /\r\n", String::new()), 1),
    ] {
        let server = Server::start(vec![act; 7]).await;
        let refusal = client_of(&server.address).describe(&[id("i-1")]).await.expect_err("refused");
        assert_eq!(server.requests().len(), attempts, "{refusal:?}");
        assert_eq!(refusal.message.contains("tried 6 times"), attempts == 6, "{refusal}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_to_its_end() {
    let server = Server::start(vec![Reply::Endless(200)]).await;
    let refusal = client_of(&server.address).describe(&[id("i-1")]).await.expect_err("endless");
    assert_eq!(refusal.advice, Advice::Final);
    assert!(refusal.message.contains("longer than 16777216 bytes"), "{refusal}");
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
    let mut setup = setup_of("http://127.0.0.1:1");
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
    let mut setup = setup_of(&server.address);
    setup.credentials = CredentialSource::fixed(credentials_of(Some("t0ken/x")));
    let client = Client::with_policy(setup, QUICK).expect("a client");
    client.describe(&[id("i-1"), id("i-2")]).await.expect("a look");
    drop(guard);
    let text = String::from_utf8(lines.0.lock().expect("no test panics here").clone()).expect("UTF-8");
    let own: Vec<&str> =
        text.lines().filter(|line| line.contains("powerform::aliyun::client::connection")).collect();
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
