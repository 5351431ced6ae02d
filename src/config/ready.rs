//! `ready`: what an instance has to show, once it runs, before those that depend on it may go.

use std::num::NonZeroU16;
use std::time::Duration;

use reqwest::Url;

use super::fields::{Field, Keys, Reader};
use super::problem::quoted;
use super::provider::plain_text;
use super::yaml::Value;
use crate::fleet::{HttpTarget, Probe, ProbeAddress, Readiness};

pub(super) const READY: Keys<8> = Keys {
    of: "`ready`",
    known: ["tcp", "http", "command", "guest", "address", "delay", "every", "within"],
    later: &[],
};

pub(super) const HTTP: Keys<6> =
    Keys { of: "an http probe", known: ["url", "port", "path", "address", "status", "contains"], later: &[] };

/// A probe is not tried more often than this.
const SHORTEST_EVERY: Duration = Duration::from_millis(100);

/// The longest shell command for a guest, in bytes: RunCommand takes 18 KB of a command in Base64.
const LONGEST_SCRIPT: usize = 12 * 1024;

/// Reads the block. `Some(None)` for an empty one: Running is enough, whatever the defaults say.
pub(super) fn ready<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<Option<Readiness>> {
    let pairs = reader.mapping(field, "`{ tcp: 5432 }`")?;
    let [tcp, http, command, guest, address, delay, every, within] = reader.fields(pairs, &READY);
    if pairs.is_empty() {
        return Some(None);
    }
    let written_address = address;
    let address = address.and_then(|field| probe_address(reader, field)).unwrap_or_default();
    let mut probes = Vec::new();
    if let Some(field) = tcp {
        let port = reader.port(field);
        probes.extend(port.map(|port| Probe::Tcp { port, address: address.clone() }));
    }
    if let Some(field) = http {
        probes.extend(http_probe(reader, field, &address));
    }
    if let Some(field) = command {
        probes.extend(command_words(reader, field).map(|words| Probe::Command { words }));
    }
    if let Some(field) = guest {
        let script = plain_script(reader, field);
        probes.extend(script.map(|script| Probe::Guest { script }));
    }
    let asks = tcp.or(http).or(command).or(guest);
    if asks.is_none() && delay.is_none() {
        let finding = reader
            .error(field.key, "`ready` asks nothing")
            .label("no probe is here")
            .help("add `tcp: PORT`, `http: { port: PORT, path: / }`, `command: [...]`, `guest: \"...\"` or `delay: 20s`");
        reader.add(finding);
    } else if let (Some(address), None) = (written_address, tcp.or(http)) {
        let finding = reader
            .error(address.key, "`address` is for `tcp` and `http`, and neither is here")
            .help("remove it, or add a probe that is made over the network");
        reader.add(finding);
    }
    let delay = delay.and_then(|field| reader.duration(field)).unwrap_or_default();
    let every = every.and_then(|field| {
        let every = reader.duration(field)?;
        if every < SHORTEST_EVERY {
            return reader.wrong_value(field, "`every` must be 100ms or more".to_owned(), "too often");
        }
        Some(every)
    });
    let within = within.and_then(|field| reader.duration(field));
    Some(Some(Readiness { probes, delay, every: every.unwrap_or(Readiness::EVERY), within }))
}

fn probe_address<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<ProbeAddress> {
    let text = reader.text(field, "public, private or a host", "`public`, `private` or a host name")?;
    match text.as_ref() {
        "private" => Some(ProbeAddress::Private),
        "public" => Some(ProbeAddress::Public),
        host if is_host(host) => Some(ProbeAddress::Host(host.to_owned())),
        other => {
            let message = format!("{} is no host", quoted(other));
            reader.wrong_value(field, message, "expected public, private, a host name or an IP address")
        }
    }
}

/// Whether a text is a host name or an address, without a port.
fn is_host(text: &str) -> bool {
    let is_name = !text.is_empty()
        && text.len() <= 253
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    is_name || text.parse::<std::net::IpAddr>().is_ok()
}

fn http_probe<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>, outer: &ProbeAddress) -> Option<Probe> {
    const EXAMPLE: &str = "`{ port: 8080, path: /healthz }` or `{ url: \"https://...\" }`";
    let pairs = reader.mapping(field, EXAMPLE)?;
    let [url, port, path, address, status, contains] = reader.fields(pairs, &HTTP);
    let status = status.and_then(|field| http_status(reader, field));
    let contains =
        contains.and_then(|field| plain_text(reader, field, "a text", "a text that the answer contains"));
    let target = match (url, port) {
        (Some(url), None) => {
            for (key, other) in [("path", path), ("address", address)] {
                if let Some(other) = other {
                    let finding = reader
                        .error(other.key, format!("an http probe with a `url` has no `{key}`"))
                        .help("write all of it into the URL");
                    reader.add(finding);
                }
            }
            HttpTarget::Url(http_url(reader, url)?)
        }
        (None, Some(port)) => {
            let address = address.map_or_else(|| Some(outer.clone()), |field| probe_address(reader, field));
            let path = path.map_or_else(|| Some("/".to_owned()), |field| http_path(reader, field));
            let port = reader.port(port);
            HttpTarget::Instance { port: port?, path: path?, address: address? }
        }
        (Some(url), Some(port)) => {
            let at = reader.at(url.key);
            let finding = reader
                .error(port.key, "an http probe has either a `url` or a `port`")
                .related(at, "the URL is here")
                .help("keep `url` for one address that serves all, `port` to ask each instance itself");
            reader.add(finding);
            return None;
        }
        (None, None) => {
            let finding = reader
                .error(field.key, "the http probe has neither a `url` nor a `port`")
                .help(format!("write {EXAMPLE}"));
            reader.add(finding);
            return None;
        }
    };
    Some(Probe::Http { target, status, contains })
}

fn http_url<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "a URL", "a URL like https://shop.example.com/healthz")?;
    let url =
        Url::parse(&text).ok().filter(|_| !text.contains(|c: char| c.is_control() || c.is_whitespace()));
    let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) else {
        let message = format!("{} is not a URL that can be asked", quoted(&text));
        return reader.wrong_value(field, message, "expected a URL like https://shop.example.com/healthz");
    };
    if !url.username().is_empty() || url.password().is_some() {
        // It may hold a password, which belongs into no message.
        let message = "the URL holds a user name or a password, which would be shown in plans".to_owned();
        return reader.wrong_value(field, message, "expected a URL without them");
    }
    Some(text.into_owned())
}

fn http_path<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let text = reader.text(field, "a path", "a path like /healthz")?;
    if text.starts_with('/') && !text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') {
        return Some(text.into_owned());
    }
    let message = format!("{} is not the path of a URL", quoted(&text));
    reader.wrong_value(field, message, "expected a path that begins with a slash, like /healthz")
}

fn http_status<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<u16> {
    const WANTED: &str = "an HTTP status from 100 to 599";
    let number = reader.whole(field, WANTED)?;
    match u16::try_from(number) {
        Ok(status @ 100..=599) => Some(status),
        Ok(_) | Err(_) => {
            let message = format!("{number} is no HTTP status");
            reader.wrong_value(field, message, &format!("expected {WANTED}"))
        }
    }
}

fn command_words<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<Vec<String>> {
    const EXAMPLE: &str = "its words in brackets: [./check.sh, \"--quick\"]";
    let Value::List(items) = &field.value.value else {
        return reader.wrong_kind(field, "a list of words, run without a shell", EXAMPLE);
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        words.push(super::entry::item_text(reader, item, "a word of the command")?.into_owned());
    }
    if words.first().is_none_or(String::is_empty) || words.iter().any(|word| word.contains('\0')) {
        let finding =
            reader.error(field.value, "the command names no program").help(format!("write {EXAMPLE}"));
        reader.add(finding);
        return None;
    }
    Some(words)
}

/// A text of one or several lines.
fn plain_script<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    const WANTED: &str = "a shell command";
    let text = reader.text(field, WANTED, "a shell command like \"pg_isready\"")?;
    if text.trim().is_empty() || text.contains('\0') {
        let message = format!("{} is not {WANTED}", quoted(&text));
        return reader.wrong_value(field, message, "expected a shell command like \"pg_isready\"");
    }
    if text.len() > LONGEST_SCRIPT {
        let message =
            format!("the command is longer than {LONGEST_SCRIPT} bytes, more than Cloud Assistant takes");
        return reader.wrong_value(field, message, "put it into a file of the instance and call that");
    }
    Some(text.into_owned())
}

impl<'s> Reader<'s, '_> {
    fn port(&mut self, field: Field<'_, 's>) -> Option<NonZeroU16> {
        const WANTED: &str = "a port from 1 to 65535";
        let number = self.whole(field, WANTED)?;
        match u16::try_from(number).ok().and_then(NonZeroU16::new) {
            Some(port) => Some(port),
            None => {
                self.wrong_value(field, format!("{number} is not {WANTED}"), &format!("expected {WANTED}"))
            }
        }
    }
}
