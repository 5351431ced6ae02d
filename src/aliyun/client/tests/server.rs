//! A scripted server on a real socket, which checks that each request is whole.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::aliyun::sign;

pub(super) const SECRET: &str = "testsecret";

/// What the server does with one request.
#[derive(Clone)]
pub(super) enum Reply {
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

pub(super) fn json(status: u16, body: &str) -> Reply {
    Reply::Say(status, "", body.to_owned())
}

pub(super) fn failure(status: u16, code: &str) -> Reply {
    json(status, &format!(r#"{{"RequestId":"R-9","Code":"{code}","Message":"in words"}}"#))
}

pub(super) fn accepted() -> Reply {
    json(200, r#"{"RequestId":"R-1"}"#)
}

/// A server that follows a script, one request to a connection, and keeps what it was sent.
pub(super) struct Server {
    pub(super) address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn start(script: Vec<Reply>) -> Self {
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

    /// The methods of the requests.
    pub(super) fn methods(&self) -> Vec<String> {
        let heads = self.heads.lock().expect("no test panics here");
        heads.iter().map(|head| head.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    /// What was asked, one set of decoded parameters for each request; each is checked to be whole: signed by the
    /// right key, at the time of the test's clock, with a nonce that is new.
    pub(super) fn requests(&self) -> Vec<BTreeMap<String, String>> {
        let heads = self.heads.lock().expect("no test panics here");
        let requests: Vec<BTreeMap<String, String>> = heads.iter().map(|head| verified(head)).collect();
        for unique in ["SignatureNonce", "Timestamp", "Signature"] {
            let values: HashSet<&String> = requests.iter().map(|request| &request[unique]).collect();
            assert_eq!(values.len(), requests.len(), "{unique} is new for each attempt");
        }
        requests
    }
}

/// The parameters of a request, of whatever signature and carriage, with its `Action` and its `Signature`.
fn verified(request: &str) -> BTreeMap<String, String> {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let line = lines.next().expect("a request line").strip_suffix(" HTTP/1.1").expect("HTTP 1.1");
    let (method, target) = line.split_once(' ').expect("a method");
    let query = target.strip_prefix('/').expect("the path /").trim_start_matches('?');
    let headers: Vec<(String, &str)> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let header = |name: &str| headers.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
    assert_eq!(header("user-agent"), Some(concat!("powerform/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(header("accept-encoding"), None);
    if method == "POST" {
        assert_eq!(header("content-length"), Some(body.len().to_string().as_str()));
    }
    if !body.is_empty() {
        assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
    }
    let mut parameters = decoded(query);
    let form = decoded(body);
    match header("authorization").map(|value| sign::read_authorization_v3(value).expect("version 3")) {
        Some(authorization) => {
            let named =
                sign::named_headers_v3(&authorization.signed_headers, &headers).expect("all are there");
            let canonical = sign::canonical_request_v3(
                method,
                "/",
                &sign::canonical_query(&pairs(&parameters)),
                &named,
                &sign::hashed_payload_v3(body.as_bytes()),
            );
            let expected = sign::signature_v3(SECRET, &sign::string_to_sign_v3(&canonical));
            assert_eq!(authorization.signature, expected);
            parameters.extend(form);
            for (name, header_name) in [
                ("Action", "x-acs-action"),
                ("Version", "x-acs-version"),
                ("SignatureNonce", "x-acs-signature-nonce"),
                ("Timestamp", "x-acs-date"),
                ("Format", "accept"),
            ] {
                parameters.insert(name.to_owned(), header(header_name).expect(header_name).to_owned());
            }
            parameters.insert("Signature".to_owned(), authorization.signature);
        }
        None => {
            parameters.extend(form);
            let signature = parameters.remove("Signature").expect("signed");
            let text = sign::string_to_sign_v1(method, &sign::canonical_query(&pairs(&parameters)));
            assert_eq!(signature, sign::signature_v1(SECRET, &text));
            parameters.insert("Signature".to_owned(), signature);
        }
    }
    assert_eq!(parameters["Version"], "2014-05-26");
    parameters
}

fn decoded(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').expect("a pair"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn pairs(parameters: &BTreeMap<String, String>) -> Vec<(&String, &String)> {
    parameters.iter().collect()
}

async fn play(mut stream: TcpStream, act: Reply, kept: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    let mut byte = [0_u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let mut request = String::from_utf8(head).expect("ASCII");
    let length = request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().expect("a length"));
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    request.push_str(std::str::from_utf8(&body).expect("ASCII"));
    kept.lock().expect("no test panics here").push(request);
    let start = |status: u16, headers: &str, length: usize| {
        format!(
            "HTTP/1.1 {status} Scripted\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        )
    };
    // The client may have gone: that is for the test to judge.
    let _ = match act {
        Reply::Say(status, headers, body) => {
            stream.write_all((start(status, headers, body.len()) + &body).as_bytes()).await
        }
        Reply::Cut(status, body) => {
            stream.write_all((start(status, "", body.len() + 10) + body).as_bytes()).await
        }
        Reply::Hang => Ok(()),
        Reply::Mute => {
            // Ends when the client gives up and closes.
            let _ = stream.read(&mut byte).await;
            Ok(())
        }
        Reply::Endless(status) => {
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
