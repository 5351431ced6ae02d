//! Attempts against real sockets and processes. What hangs is given up by a clock that the test moves on, or within a
//! tenth of a second where nothing could ever answer.

mod command;
mod guest;
mod http;
mod tcp;

use std::net::{IpAddr, Ipv4Addr};

use tokio::net::TcpListener;

use super::*;
use crate::cloud::{Invocation, Ran, Refusal};
use crate::fleet::{EntryName, InstanceId, ProviderAlias};

/// Long enough for what is going to answer.
const LONG: Duration = Duration::from_secs(60);

/// Long enough for what is never going to.
const SHORT: Duration = Duration::from_millis(100);

/// No cloud at all.
#[derive(Debug)]
struct Nobody;

impl Assistant for Nobody {
    async fn run(&self, _: &InstanceId, _: &str, _: Duration) -> Result<Invocation, Refusal> {
        unreachable!("no instance is commanded")
    }

    async fn outcome(&self, _: &Invocation) -> Result<Ran, Refusal> {
        unreachable!("no command is looked at")
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    builder.tls_certs_only([]).build().expect("a client")
}

fn probes_in(folder: impl Into<PathBuf>) -> Probes<Nobody> {
    Probes {
        assistants: Clouds::new(),
        direct: client(),
        outer: None,
        folder: folder.into(),
        withheld: Vec::new(),
        commands: Commands::default(),
    }
}

fn subject() -> Subject {
    let id = InstanceId::new("i-db").expect("valid");
    Subject {
        address: Address { entry: EntryName::new("db").expect("valid"), instance: None },
        key: InstanceKey { provider: ProviderAlias::main(), id },
        region: Some(Region::new("cn-hangzhou").expect("valid")),
        name: "the db".to_owned(),
        private_address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        public_address: None,
    }
}

async fn attempt(probes: &Probes<Nobody>, probe: Probe, timeout: Duration) -> Result<(), String> {
    let attempt = Attempt { subject: subject(), probe, timeout };
    probes.attempt(attempt).await.map_err(|not_ready| not_ready.answer)
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

#[test]
fn an_answer_is_one_line_of_bounded_length() {
    let answer = NotReady::new("\r\n one\r\n\ttwo \n\n").answer;
    assert_eq!(answer, "one two");
    let answer = NotReady::new("ü".repeat(5000)).answer;
    assert_eq!(answer.chars().count(), LONGEST_ANSWER);
    assert!(answer.ends_with('…'));
    assert_eq!(last_line("first\nlast \n \n\n").as_deref(), Some("last"));
    assert_eq!(last_line(" \n"), None);
}
