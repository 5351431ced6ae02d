//! What machines listen with: on loopback only, and each address and port once.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde_saphyr::Spanned;

use super::super::document::{self, Text};
use super::super::{Listener, Manner, notation};
use super::Problems;

/// Who listens where.
pub(super) type Taken = HashMap<SocketAddrV4, String>;

/// The private address of an instance, and what listens there. An address that nothing listens on may be any text.
pub(super) fn listeners(
    id: &str,
    private_ip: Option<Text>,
    written: Vec<Spanned<document::Listen>>,
    taken: &mut Taken,
    problems: &mut Problems,
) -> (Option<String>, Vec<Listener>) {
    if written.is_empty() {
        return (private_ip.map(|address| address.value), Vec::new());
    }
    let address = problems.read(private_ip.as_ref(), Ipv4Addr::LOCALHOST, loopback);
    let mut listeners: Vec<Listener> = Vec::with_capacity(written.len());
    for written in written {
        let place = written.referenced;
        let Some(listener) = listener(address, written, problems) else { continue };
        let mine = listeners.iter().any(|other| other.address == listener.address);
        let other = if mine { Some(id) } else { taken.get(&listener.address).map(String::as_str) };
        if let Some(other) = other {
            let who = if other == id { format!("{id} twice") } else { format!("{other} and {id}") };
            problems.add(
                place,
                format!(
                    "{} would be listened on by {who}: give one of them another port, or another private_ip in \
                     127.0.0.0/8",
                    listener.address
                ),
            );
            continue;
        }
        listeners.push(listener);
    }
    taken.extend(listeners.iter().map(|listener| (listener.address, id.to_owned())));
    (Some(address.to_string()), listeners)
}

fn loopback(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().ok().filter(Ipv4Addr::is_loopback).ok_or_else(|| {
        format!(
            "\"{text}\" is not an address of this machine, and the instance is to listen on it: write one in \
             127.0.0.0/8, or leave private_ip out for 127.0.0.1"
        )
    })
}

fn listener(
    address: Ipv4Addr,
    written: Spanned<document::Listen>,
    problems: &mut Problems,
) -> Option<Listener> {
    let place = written.referenced;
    let document::Listen { tcp, http, path, status, body, after, flap, hang } = written.value;
    let answers = [
        ("path", path.as_ref().map(|path| path.referenced)),
        ("status", status.as_ref().map(|status| status.referenced)),
        ("body", body.as_ref().map(|body| body.referenced)),
    ];
    if tcp.is_some() && http.is_none() {
        for (key, place) in answers.into_iter().filter_map(|(key, place)| Some((key, place?))) {
            problems.add(place, format!("only http: answers: leave {key}: out"));
        }
    }
    let after = problems.read(after.as_ref(), Duration::ZERO, notation::duration);
    let flap = problems.read(flap.as_ref(), None, |text| match notation::duration(text)? {
        Duration::ZERO => Err("it would be open and closed at once: write a flap such as 2s".to_owned()),
        flap => Ok(Some(flap)),
    });
    let (number, manner) = match (tcp, http) {
        (Some(number), None) => (number, Manner::Silent),
        (None, Some(number)) if hang => (number, Manner::Silent),
        (None, Some(number)) => {
            let path = problems.read(path.as_ref(), "/".to_owned(), |text| match text {
                text if text.starts_with('/') => Ok(text.to_owned()),
                text => Err(format!("\"{text}\" is not a path: it begins with /, as in /healthz")),
            });
            let status = status.map_or(Some(200), |status| {
                let known = u16::try_from(status.value).ok().filter(|status| (200..=599).contains(status));
                if known.is_none() {
                    let message =
                        format!("status: {} is not the end of an answer: write 200 to 599", status.value);
                    problems.add(status.referenced, message);
                }
                known
            });
            let body = body.map_or_else(|| "ok".to_owned(), |body| body.value);
            (number, Manner::Http { path, status: status?, body })
        }
        (Some(_), Some(_)) => {
            problems.add(
                place,
                "one listener does one thing: write tcp: or http:, and the other as an entry of its own",
            );
            return None;
        }
        (None, None) => {
            problems.add(place, "nothing listens: write tcp: PORT or http: PORT");
            return None;
        }
    };
    let port = u16::try_from(number.value).ok().filter(|port| *port > 0);
    if port.is_none() {
        problems.add(number.referenced, format!("{} is not a port: write 1 to 65535", number.value));
    }
    Some(Listener { address: SocketAddrV4::new(address, port?), manner, after, flap })
}
