use std::num::NonZeroU16;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::fleet::HttpTarget;

/// An answer, the status and the text that are wanted, and what is made of it.
type Case = (String, Option<u16>, Option<&'static str>, Result<(), &'static str>);

/// Answers each request with the next of these texts, and keeps what was asked.
async fn serve(script: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in script {
            let Ok((mut stream, _)) = listener.accept().await else { break };
            asked.push(head_of(&mut stream).await);
            // Who has heard enough hangs up.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        asked
    });
    (port, serving)
}

async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).expect("ASCII")
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn http(port: u16, status: Option<u16>, contains: Option<&str>) -> Probe {
    let target = HttpTarget::Instance {
        port: NonZeroU16::new(port).expect("a port"),
        path: "/healthz?all".to_owned(),
        address: ProbeAddress::Private,
    };
    Probe::Http { target, status, contains: contains.map(str::to_owned) }
}

#[tokio::test]
async fn status_and_body_are_as_wanted_or_are_the_answer() {
    let long = "x".repeat(65_532);
    let cases: Vec<Case> = vec![
        (answer("204 No Content", ""), None, None, Ok(())),
        (answer("503 Service Unavailable", "ready"), None, Some("ready"), Err("503 Service Unavailable")),
        (answer("503 Service Unavailable", ""), Some(503), None, Ok(())),
        (answer("200 OK", ""), Some(204), None, Err("200 OK")),
        (answer("302 Found\r\nLocation: /healthz", ""), None, None, Err("302 Found")),
        (answer("200 OK", "all is ready."), None, Some("ready"), Ok(())),
        (answer("200 OK", ""), None, Some(""), Ok(())),
        (
            answer("200 OK", "not yet"),
            None,
            Some("ready"),
            Err("200 OK, but the body does not contain \"ready\""),
        ),
        // The text ends with the last byte that is read, or one later.
        (answer("200 OK", &format!("{long}ready")), None, Some("read"), Ok(())),
        (
            answer("200 OK", &format!("{long}ready")),
            None,
            Some("ready"),
            Err("200 OK, but the body does not contain \"ready\""),
        ),
        // What is there is enough, whatever would follow.
        ("HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\nready".to_owned(), None, Some("ready"), Ok(())),
    ];
    let (port, serving) = serve(cases.iter().map(|case| case.0.clone()).collect()).await;
    let probes = probes_in(".");
    for (text, status, contains, expected) in &cases {
        let answer = attempt(&probes, http(port, *status, *contains), LONG).await;
        assert_eq!(answer, expected.map_err(str::to_owned), "{}", &text[..text.len().min(80)]);
    }
    let asked = serving.await.expect("served");
    // Each attempt came by a connection of its own.
    assert_eq!(asked.len(), cases.len());
    assert!(asked[0].starts_with("GET /healthz?all HTTP/1.1\r\n"), "{}", asked[0]);
}

#[tokio::test]
async fn what_is_no_answer_is_said_in_words() {
    let (port, _serving) = serve(vec![String::new(), "SSH-2.0-OpenSSH_9.9\r\n".to_owned()]).await;
    let probes = probes_in(".");
    for _ in 0..3 {
        let answer = attempt(&probes, http(port, None, None), LONG).await.expect_err("no answer");
        assert!(!answer.is_empty() && !answer.contains("os error"), "{answer}");
    }
    let (listener, port) = listener().await;
    drop(listener);
    let refused = attempt(&probes, http(port, None, None), LONG).await;
    assert_eq!(refused, Err("connection refused".to_owned()));
}

#[tokio::test]
async fn a_server_that_says_nothing_or_never_ends_is_given_up_in_time() {
    let (_silent, port) = listener().await;
    let probes = probes_in(".");
    let silence = attempt(&probes, http(port, None, None), SHORT).await;
    assert_eq!(silence, Err("no answer within 0.1s".to_owned()));

    let (listener, port) = listener().await;
    let _serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("asked");
        head_of(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nnot").await;
        std::future::pending::<()>().await;
    });
    let slow = attempt(&probes, http(port, None, Some("ready")), SHORT).await;
    assert_eq!(slow, Err("no answer within 0.1s".to_owned()));
}

#[tokio::test]
async fn a_url_is_asked_as_it_is_written() {
    let (port, serving) = serve(vec![answer("200 OK", "")]).await;
    let target = HttpTarget::Url(format!("http://localhost:{port}/up"));
    let probe = Probe::Http { target, status: None, contains: None };
    assert_eq!(attempt(&probes_in("."), probe, LONG).await, Ok(()));
    let asked = serving.await.expect("served");
    assert!(asked[0].starts_with("GET /up HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains(&format!("\r\nhost: localhost:{port}\r\n")), "{}", asked[0]);
}
