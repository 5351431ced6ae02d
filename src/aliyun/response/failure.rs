//! Error bodies, in JSON and in XML: an XML error can answer a request for JSON.

use std::borrow::Cow;

use super::envelope::Envelope;
use super::from_json;

/// What ECS says about a request that it refused. All untrusted text, of any length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// The error code; never empty.
    pub code: String,
    /// ECS's message, often empty.
    pub message: String,
    /// The id under which ECS keeps the request.
    pub request_id: Option<String>,
    /// A trouble-shooting link.
    pub recommend: Option<String>,
}

/// Reads an error body, whatever its content type claims. `None` if it has no error code: a page of a proxy, garbage,
/// an empty or cut body.
#[must_use]
pub fn decode_failure(body: &[u8]) -> Option<Failure> {
    let envelope = match body.trim_ascii_start().first()? {
        b'<' => from_xml(&String::from_utf8_lossy(body))?,
        _ => from_json(body).ok()?,
    };
    let Envelope { code, message, request_id, recommend } = envelope;
    Some(Failure {
        code: code.non_empty()?,
        message: message.non_empty().unwrap_or_default(),
        request_id: request_id.non_empty(),
        recommend: recommend.non_empty(),
    })
}

/// Takes the fields out of `<Error><Code>..</Code>..</Error>`: the first text of each name directly below the root.
///
/// Not an XML reader: it knows no namespaces and no attributes, which these bodies do not have. The root must be an
/// error or a response, so that a web page with a `code` element is not taken for one. Reads the text once.
fn from_xml(text: &str) -> Option<Envelope> {
    let mut envelope = Envelope::default();
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some((_, from_tag)) = rest.split_once('<') {
        if let Some(hidden) = from_tag.strip_prefix("!--") {
            rest = hidden.split_once("-->")?.1;
            continue;
        }
        if let Some(verbatim) = from_tag.strip_prefix("![CDATA[") {
            rest = verbatim.split_once("]]>")?.1;
            continue;
        }
        let (tag, after) = from_tag.split_once('>')?;
        rest = after;
        if tag.starts_with(['?', '!']) || tag.ends_with('/') {
            continue;
        }
        if tag.starts_with('/') {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(envelope);
            }
            continue;
        }
        let name = tag.split_ascii_whitespace().next()?;
        if depth == 0 && !(name == "Error" || name.ends_with("Response")) {
            return None;
        }
        depth += 1;
        if depth == 2
            && let Some(slot) = envelope.slot(name)
            && slot.0.is_none()
        {
            slot.0 = Some(leading_text(after));
        }
    }
    // The root was never closed: the body was cut.
    None
}

/// The text before the next tag, with references resolved; CDATA as it stands.
fn leading_text(text: &str) -> String {
    let text = text.trim_ascii_start();
    if let Some(verbatim) = text.strip_prefix("<![CDATA[") {
        return verbatim.split_once("]]>").map_or(verbatim, |(inside, _)| inside).to_owned();
    }
    let text = text.split_once('<').map_or(text, |(before, _)| before).trim_ascii();
    resolve_references(text).into_owned()
}

/// Resolves `&amp;` and its kin and `&#39;`-style references. Others stay as they are.
fn resolve_references(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from_reference)) = rest.split_once('&') {
        resolved.push_str(before);
        let end = from_reference.bytes().take(10).position(|byte| byte == b';');
        let character = end.and_then(|end| character_of(&from_reference[..end]));
        match (character, end) {
            (Some(character), Some(end)) => {
                resolved.push(character);
                rest = &from_reference[end + 1..];
            }
            _ => {
                resolved.push('&');
                rest = from_reference;
            }
        }
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
}

fn character_of(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}
