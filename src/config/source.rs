//! The text of one file, and whether it can be text at all.

use super::problem::{At, Finding, Findings, Span};

/// The largest file that is read, in bytes. A hundred thousand instances take less than half of it.
pub const LARGEST_SOURCE: usize = 32 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One file of the configuration.
#[derive(Debug, Clone)]
pub struct Source {
    /// What messages call it: the path as the user gave it.
    pub name: String,
    /// What it holds. Nothing is assumed about it.
    pub text: Vec<u8>,
}

/// The text of a source without its byte order mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'s> {
    pub(super) text: &'s str,
    /// Where the text begins in the source, in bytes.
    pub(super) offset: u32,
}

/// Checks that the source is text that the YAML reader may be given.
pub(super) fn decode<'s>(index: usize, source: &'s Source, findings: &mut Findings) -> Option<Text<'s>> {
    let bytes = source.text.as_slice();
    let refuse = |findings: &mut Findings, at: usize, message: String, help: &str| {
        findings.add(Finding::error(At::here(index, Span::new(at, at + 1)), message).help(help));
        None
    };
    if bytes.len() > LARGEST_SOURCE {
        let message = format!(
            "the file is too large: {} bytes, and at most {} MiB are read",
            bytes.len(),
            LARGEST_SOURCE / 1024 / 1024
        );
        return refuse(findings, 0, message, "split it into several files and give each with -f");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let message = "the file is UTF-16, not UTF-8".to_owned();
        return refuse(findings, 0, message, "save it as UTF-8");
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let message =
                format!("the file is not UTF-8: byte 0x{byte:02x} at offset {at} is not valid there");
            return refuse(findings, at, message, "save it as UTF-8");
        }
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let message = format!("the file holds a NUL byte at offset {at}: it is not YAML");
        return refuse(findings, at, message, "check that this is the file you meant");
    }
    let offset = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let text = text.get(offset..).unwrap_or_default();
    // The largest source is far below 4 GiB, so offsets fit.
    Some(Text { text, offset: u32::try_from(offset).unwrap_or_default() })
}
