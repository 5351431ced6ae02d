//! Error bodies, in JSON and in XML: an XML error can answer a request for JSON.

use super::envelope::Envelope;
use super::{from_json, is_xml, xml};

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
    let Envelope { code, message, request_id, recommend } = read(body)?;
    Some(Failure {
        code: code.non_empty()?,
        message: message.non_empty().unwrap_or_default(),
        request_id: request_id.non_empty(),
        recommend: recommend.non_empty(),
    })
}

/// The fields, from JSON or from `<Error><Code>..</Code>..</Error>`. The root must be an error or a response, so that a
/// web page with a `Code` element is not taken for one.
fn read(body: &[u8]) -> Option<Envelope> {
    if !is_xml(body) {
        return from_json(body).ok();
    }
    let document = xml::read(&String::from_utf8_lossy(body)).ok()?;
    let is_of_ecs = document.root == "Error" || document.root.ends_with("Response");
    if is_of_ecs { serde_json::from_value(document.value).ok() } else { None }
}
