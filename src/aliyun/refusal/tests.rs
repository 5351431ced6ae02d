use proptest::prelude::*;

use super::*;
use crate::aliyun::request::{DESCRIBE_INSTANCES, Dialect, Request, START_INSTANCE, sign_attempt};
use crate::aliyun::response::{decode_acceptance, decode_instances};
use crate::aliyun::sign::percent_encode;
use crate::cloud::StartRequest;
use crate::fleet::InstanceId;

const SECRET: &str = "s3cr/et-key";
const TOKEN: &str = "to+ken/=";

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "STS.testid".to_owned(),
        access_key_secret: SECRET.into(),
        security_token: Some(TOKEN.into()),
        source: "a test".to_owned(),
    }
}

fn at() -> Timestamp {
    "2026-11-21T20:00:00Z".parse().expect("valid")
}

/// Gives the judging of one start or look to a test.
fn with_sent<T>(operation: &Operation, test: impl FnOnce(&Sent<'_>) -> T) -> T {
    let credentials = credentials();
    let start = StartRequest { id: InstanceId::new("i-1").expect("valid"), init_local_disk: false };
    let signed = sign_attempt(
        &Request::start_instance(&start, None),
        Dialect::default(),
        "ecs.test",
        &credentials,
        at(),
        "n-1",
    );
    test(&Sent { operation, host: "ecs.test", signed: &signed, credentials: &credentials, at: at() })
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }
}

fn refusal_to(operation: &Operation, answer: &Answer) -> Refusal {
    with_sent(operation, |sent| match operation.effect {
        Effect::Write => judge(answer, sent, decode_acceptance).map(drop).expect_err("refused"),
        Effect::Read => judge(answer, sent, decode_instances).map(drop).expect_err("refused"),
    })
}

fn shows_no_secret(text: &str) {
    let once = percent_encode(TOKEN);
    for secret in [SECRET, TOKEN, &once, &percent_encode(&once), &percent_encode(SECRET)] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn a_refusal_of_ecs_keeps_its_words_and_gains_advice_and_remedy() {
    let body = r#"{"RequestId":"R-1","Code":"IncorrectInstanceStatus","Message":"not Stopped","Recommend":"https://x"}"#;
    let refusal = refusal_to(&START_INSTANCE, &answer(403, body));
    assert_eq!(refusal.advice, Advice::WrongStatus);
    assert_eq!(refusal.code.as_deref(), Some("IncorrectInstanceStatus"));
    assert_eq!(refusal.message, "not Stopped");
    assert_eq!(refusal.request_id.as_deref(), Some("R-1"));
    assert_eq!(refusal.http_status, Some(403));
    assert_eq!(refusal.recommend.as_deref(), Some("https://x"));
    assert!(refusal.remedy.is_some());
    let bare = refusal_to(&START_INSTANCE, &answer(403, r#"{"Code":"DiskError"}"#));
    assert_eq!(bare.message, "ECS refused StartInstance with DiskError");
}

#[test]
fn throttling_is_recognised_at_any_status_and_keeps_the_pause_asked_for() {
    let pause = Some(Duration::from_millis(2500));
    let throttled = Answer { retry_after: pause, ..answer(400, r#"{"Code":"Throttling.User"}"#) };
    assert_eq!(refusal_to(&START_INSTANCE, &throttled).advice, Advice::Throttled { retry_after: pause });
}

#[test]
fn the_end_of_the_window_serves_where_a_refusal_names_no_pause_and_for_nothing_else() {
    let left = Some(Duration::from_secs(41));
    let throttled = Answer { window_left: left, ..answer(400, r#"{"Code":"Throttling.User"}"#) };
    assert_eq!(refusal_to(&START_INSTANCE, &throttled).advice, Advice::Throttled { retry_after: left });
    let asked = Some(Duration::from_secs(2));
    let both = Answer { retry_after: asked, ..throttled };
    assert_eq!(refusal_to(&START_INSTANCE, &both).advice, Advice::Throttled { retry_after: asked });
    let denied = Answer { window_left: left, ..answer(403, r#"{"Code":"Someday.New"}"#) };
    assert_eq!(refusal_to(&START_INSTANCE, &denied).advice, Advice::Final);
}

#[test]
fn a_certificate_out_of_its_time_points_to_the_clock() {
    for (why, points) in [
        ("invalid peer certificate: certificate expired: verified at UNIX 1, ...", true),
        ("invalid peer certificate: certificate not valid yet: ...", true),
        ("invalid peer certificate: Expired", true),
        ("invalid peer certificate: UnknownIssuer", false),
        ("the lease has expired", false),
    ] {
        let refusal =
            with_sent(&START_INSTANCE, |sent| of_silence(&Silence::NotConnected(why.to_owned()), sent));
        assert_eq!(refusal.remedy.is_some_and(|remedy| remedy.contains("clock")), points, "{why}");
    }
}

#[test]
fn the_outcome_of_a_write_is_unknown_when_the_answer_cannot_be_read() {
    for (status, body) in [
        (200, ""),
        (200, "<html>log in</html>"),
        (200, r#"{"RequestId":"#),
        (302, ""),
        (403, "<html>proxy</html>"),
        (500, ""),
        (502, "<html><b>502 Bad Gateway</b></html>"),
        (503, r#"{"error":"upstream"}"#),
    ] {
        let refusal = refusal_to(&START_INSTANCE, &answer(status, body));
        assert_eq!(refusal.advice, Advice::OutcomeUnknown, "{status} {body}");
        assert_eq!((refusal.http_status, refusal.code), (Some(status), None));
        assert!(refusal.remedy.is_some());
    }
    let page = refusal_to(&START_INSTANCE, &answer(502, "<html>\n<b>502 Bad\u{1b} Gateway</b></html>"));
    assert_eq!(
        page.message,
        "the answer of ecs.test to StartInstance (HTTP status 502) cannot be read: it holds no error of ECS. It \
         begins: <html> <b>502 Bad Gateway</b></html>"
    );
    let typed = Answer { content_type: Some("text/html;\u{1b}q=1".to_owned()), ..answer(502, "<html>") };
    let page = refusal_to(&START_INSTANCE, &typed);
    assert!(page.message.contains("(HTTP status 502, text/html; q=1) cannot be read"), "{page}");
    let long = Answer { too_long: true, ..answer(200, "xxxx") };
    assert_eq!(refusal_to(&START_INSTANCE, &long).advice, Advice::OutcomeUnknown);
}

#[test]
fn a_read_is_not_worth_repeating_where_the_same_proxy_would_answer_the_same() {
    for (status, too_long, advice) in [
        (200, false, Advice::OutcomeUnknown),
        (502, false, Advice::OutcomeUnknown),
        (302, false, Advice::Final),
        (407, false, Advice::Final),
        (200, true, Advice::Final),
        (429, false, Advice::Throttled { retry_after: None }),
    ] {
        let odd = Answer { too_long, ..answer(status, "<html>") };
        assert_eq!(refusal_to(&DESCRIBE_INSTANCES, &odd).advice, advice, "{status} {too_long}");
    }
}

#[test]
fn a_wrong_signature_and_a_wrong_clock_are_diagnosed_without_repeating_the_token() {
    let quoted = with_sent(&START_INSTANCE, |sent| sent.signed.string_to_sign().to_owned());
    let json = serde_json::json!({
        "Code": "SignatureDoesNotMatch",
        "Message": format!("Specified signature is not matched with our calculation. server string to sign is:{quoted}"),
    })
    .to_string();
    let xml = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>server string to sign is:{}</Message></Error>",
        quoted.replace('&', "&amp;")
    );
    for body in [json, xml] {
        let refusal = refusal_to(&START_INSTANCE, &answer(400, &body));
        assert!(
            refusal.remedy.as_ref().is_some_and(|remedy| remedy.starts_with("the secret is wrong")),
            "{refusal:?}"
        );
        assert_eq!(refusal.advice, Advice::Final);
        shows_no_secret(&format!("{refusal:?}"));
    }
    let late = Answer {
        server_time: Some("2026-11-21T21:00:00Z".parse().expect("valid")),
        ..answer(400, r#"{"Code":"InvalidTimeStamp.Expired","Message":"Specified time stamp is expired."}"#)
    };
    let refusal = refusal_to(&START_INSTANCE, &late);
    assert!(refusal.message.contains("60 minutes behind ECS's"), "{}", refusal.message);
}

#[test]
fn whatever_quotes_the_request_the_secrets_are_taken_out() {
    let query = with_sent(&START_INSTANCE, |sent| sent.signed.query().to_owned());
    let quotes = [
        format!(
            r#"{{"Code":"X","Message":"{query} {TOKEN} {SECRET}","RequestId":"{TOKEN}","Recommend":"{query}"}}"#
        ),
        format!("<html>no route to /?{query}</html>"),
    ];
    for body in quotes {
        for status in [200, 400, 502] {
            let refusal = refusal_to(&START_INSTANCE, &answer(status, &body));
            shows_no_secret(&format!("{refusal:?} {refusal}"));
        }
    }
    let silence = with_sent(&START_INSTANCE, |sent| of_silence(&Silence::Broken(query.clone()), sent));
    shows_no_secret(&format!("{silence:?} {silence}"));
}

#[test]
fn silence_is_told_with_its_kind() {
    with_sent(&START_INSTANCE, |sent| {
        for (silence, words) in [
            (
                Silence::NotConnected("refused".to_owned()),
                "no connection to ecs.test for StartInstance: refused",
            ),
            (
                Silence::TimedOut(Duration::from_secs(51)),
                "no answer from ecs.test to StartInstance within 51 s",
            ),
        ] {
            let refusal = of_silence(&silence, sent);
            assert_eq!((refusal.message.as_str(), refusal.advice), (words, Advice::OutcomeUnknown));
        }
    });
}

#[test]
fn texts_of_others_are_kept_short() {
    let long = "长".repeat(100_000);
    let body = serde_json::json!({ "Code": long, "Message": long, "Recommend": long, "RequestId": long });
    let refusal = refusal_to(&START_INSTANCE, &answer(400, &body.to_string()));
    let lengths = [refusal.code, Some(refusal.message), refusal.recommend, refusal.request_id];
    for (text, longest) in lengths.into_iter().flatten().zip([120, 1000, 500, 120]) {
        assert_eq!(text.chars().count(), longest + 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_answer_makes_a_write_panic_or_succeed_without_a_request_id(
        status in 0_u16..1000,
        body in prop::collection::vec(any::<u8>(), 0..100),
        too_long in any::<bool>(),
    ) {
        let odd = Answer { status, body: body.clone(), too_long, ..Answer::default() };
        let refused = with_sent(&START_INSTANCE, |sent| judge(&odd, sent, decode_acceptance).is_err());
        prop_assert!(refused || (200..300).contains(&status));
    }
}
