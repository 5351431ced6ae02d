//! What is asked of an instance to see whether it is ready, and how that stands.

use std::time::Duration;

use super::{message, name, short};
use crate::cloud::Refusal;
use crate::fleet::duration::Words;
use crate::fleet::{HttpTarget, Probe, ProbeAddress, Readiness};

/// The columns that a probe may take.
const PROBE_COLUMNS: usize = 80;

/// The columns that a probe's answer may take.
const ANSWER_COLUMNS: usize = 160;

/// A probe by its name in the language: `tcp 5432`, `http :8080/healthz`, `command ./check.sh`, `guest "pg_isready"`.
#[must_use]
pub fn probe(probe: &Probe) -> String {
    let at = |address: &ProbeAddress| match address {
        ProbeAddress::Private => String::new(),
        ProbeAddress::Public => " at the public address".to_owned(),
        ProbeAddress::Host(host) => format!(" at {}", name(host)),
    };
    let text = match probe {
        Probe::Tcp { port, address } => format!("tcp {port}{}", at(address)),
        Probe::Http { target: HttpTarget::Url(url), .. } => format!("http {url}"),
        Probe::Http { target: HttpTarget::Instance { port, path, address }, .. } => {
            format!("http :{port}{path}{}", at(address))
        }
        Probe::Command { words } => format!("command {}", words.join(" ")),
        Probe::Guest { script } => format!("guest \"{}\"", script.trim()),
    };
    short(text.trim_end(), PROBE_COLUMNS).into_owned()
}

/// What an instance has to show: `tcp 5432, command ./check.sh, then 20s`.
#[must_use]
pub fn readiness(readiness: &Readiness) -> String {
    let mut parts: Vec<String> = readiness.probes.iter().map(probe).collect();
    if !readiness.delay.is_zero() {
        parts.push(format!("then {}", Words(readiness.delay)));
    }
    parts.join(", ")
}

/// What an instance that is up waits for: `waiting for tcp 5432 (connection refused)`. No probe stands for the delay after
/// the last of them.
#[must_use]
pub fn readying(waits_for: Option<&Probe>, answer: Option<&str>) -> String {
    match (waits_for, answer) {
        (None, _) => "waiting for the delay after its probes".to_owned(),
        (Some(waits_for), None) => format!("waiting for {}", probe(waits_for)),
        (Some(waits_for), Some(answer)) => {
            format!("waiting for {} ({})", probe(waits_for), short(answer.trim(), ANSWER_COLUMNS))
        }
    }
}

/// That there is no stock, and when it is asked for again: `no stock (OperationDenied.NoStock), asking again in 30s, for
/// 14m more`.
#[must_use]
pub fn out_of_stock(refusal: &Refusal, again: Duration, left: Duration) -> String {
    let met = refusal.code.as_deref().unwrap_or(&refusal.message);
    format!("no stock ({}), asking again in {}, for {} more", message(met), Words(again), Words(left))
}
