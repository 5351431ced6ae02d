//! Over a real socket, with a real client. This file has the account, the server and the client of the tests.

mod batches;
mod commands;
mod identity;
mod listening;
mod sharing;
mod together;
mod wire;

use std::path::Path;
use std::sync::Arc;
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
        Self::of_all(vec![simulator], hand).await
    }

    async fn of_all(simulators: Vec<Simulator>, hand: Hand) -> Self {
        // Another test may have installed it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task =
            tokio::spawn(Simulator::serve_all(simulators, listener, || (), async { drop(stopped.await) }));
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { address, client, hand, stop, task }
    }

    /// The signed query of a call, with a fresh nonce.
    fn query(&self, method: &str, format: &str, parameters: &[(&str, &str)]) -> String {
        self.query_as("sim-key", "sim-secret", method, format, parameters)
    }

    /// The same with some key.
    fn query_as(
        &self,
        key: &str,
        secret: &str,
        method: &str,
        format: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        let now = at(self.hand.0.load(Ordering::SeqCst));
        let timestamp = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = uuid::Uuid::new_v4().to_string();
        let mut all = vec![
            ("AccessKeyId", key),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &timestamp),
            ("Format", format),
        ];
        all.extend(parameters);
        if !parameters.iter().any(|(name, _)| *name == "Version") {
            all.push(("Version", "2014-05-26"));
        }
        let query = sign::canonical_query(&all);
        let signature = sign::signature_v1(secret, &sign::string_to_sign_v1(method, &query));
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

    /// How it ended by itself.
    async fn ended(self) -> io::Result<()> {
        drop(self.client);
        self.task.await.unwrap()
    }

    async fn end(self) {
        drop(self.client);
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}
