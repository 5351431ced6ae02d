//! A server on this machine for tests: it answers as a closure says, and keeps what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug, Clone)]
pub(in crate::aliyun) struct Asked {
    pub(in crate::aliyun) method: String,
    /// The target up to the query.
    pub(in crate::aliyun) path: String,
    /// Names in lower case.
    pub(in crate::aliyun) headers: BTreeMap<String, String>,
    /// Those of the query.
    pub(in crate::aliyun) query: BTreeMap<String, String>,
    /// Those of a form.
    pub(in crate::aliyun) form: BTreeMap<String, String>,
}

impl Asked {
    /// A parameter of the query or the form.
    pub(in crate::aliyun) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).or_else(|| self.form.get(name)).map(String::as_str)
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(in crate::aliyun) enum Said {
    Body(u16, String),
    /// The connection is closed.
    Nothing,
    /// No answer ever comes.
    Silence,
}

pub(in crate::aliyun) struct Server {
    pub(in crate::aliyun) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers each request by the closure, which is also told how many came before.
    pub(in crate::aliyun) async fn start(
        answer: impl Fn(usize, &Asked) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&kept)));
            }
        });
        Self { address, asked }
    }

    pub(in crate::aliyun) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(usize, &Asked) -> Said>,
    kept: Arc<Mutex<Vec<Asked>>>,
) {
    let Some(asked) = read(&mut stream).await else { return };
    let said = {
        let mut kept = kept.lock().expect("no test panics here");
        let said = answer(kept.len(), &asked);
        kept.push(asked);
        said
    };
    match said {
        Said::Body(status, body) => {
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            // The client may have gone: that is for the test to judge.
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
        Said::Nothing => {}
        Said::Silence => {
            let _ = stream.read(&mut [0]).await;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Asked {
        method,
        path: path.to_owned(),
        headers,
        query: parameters(query),
        form: parameters(&String::from_utf8(body).ok()?),
    })
}

fn parameters(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}
