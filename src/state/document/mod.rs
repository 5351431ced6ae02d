//! The text form of the record. Pure: text in, record out, and back.
//!
//! The text is JSON with a `format_version`. This program writes version 1 and reads version 1. Whatever it cannot
//! read it refuses: a newer version because an old writer would drop what it does not know, anything else as damaged.

mod v1;

use serde::Deserialize;
use uuid::Uuid;

use crate::fleet::{Recorded, StackName};

/// The version that [`write`] makes.
const CURRENT: u64 = 1;

/// The longest text that is read, in bytes: a million instances with room to spare.
pub const LONGEST: usize = 512 * 1024 * 1024;

/// Why a text is refused as a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Empty, cut off, not JSON, or JSON that says something else.
    #[error(
        "{why}. It was left as it is. Move it away and run plan again: nothing but explanations is lost, because what \
         runs is looked up, not remembered"
    )]
    Damaged {
        /// What is wrong with it. May quote the text: untrusted.
        why: String,
    },
    /// A later version of the format.
    #[error(
        "it was made by a newer powerform (format version {version}, this one knows {CURRENT}). It was left as it is. \
         Upgrade powerform; or move it away and run plan again: nothing but explanations is lost"
    )]
    Newer {
        /// The version that the text gives itself.
        version: u64,
    },
    /// The record of another stack.
    #[error(
        "it belongs to the stack \"{found}\", not to \"{wanted}\". It was left as it is. Give each stack a state of \
         its own (backend.local.path); if the stack was renamed, move the state away and run plan again: nothing but \
         explanations is lost"
    )]
    OtherStack {
        /// The stack that the text names.
        found: StackName,
        /// The stack that was asked for.
        wanted: StackName,
    },
}

/// What tells one write of a record from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// The lineage of the record.
    pub lineage: Uuid,
    /// Its serial.
    pub serial: u64,
}

/// Reads the record of `stack`. Linear in the length of the text.
///
/// # Errors
/// [`Refused`], with the way out.
pub fn read(text: &[u8], stack: &StackName) -> Result<Recorded, Refused> {
    check_version(text)?;
    let record = v1::read(text)?;
    check_stack(&record.stack, stack)?;
    Ok(record)
}

/// Reads which edition of the record of `stack` a text holds, without building the record.
///
/// # Errors
/// [`Refused`], though less is looked at than by [`read`].
pub fn read_edition(text: &[u8], stack: &StackName) -> Result<Edition, Refused> {
    check_version(text)?;
    let (found, edition) = v1::read_edition(text)?;
    check_stack(&found, stack)?;
    Ok(edition)
}

/// The text of a record. Two equal records have the same text.
///
/// Every record has an address of its own in the text. When an entry was given another instance, two records may
/// share an address in memory: the newer keeps it, and the older stands at `entry[id]`. Where that is taken too (the
/// entry was only given another provider), the older is left out.
#[must_use]
pub fn write(record: &Recorded) -> Vec<u8> {
    v1::write(record)
}

fn check_version(text: &[u8]) -> Result<(), Refused> {
    #[derive(Deserialize)]
    #[serde(expecting = "a JSON object")]
    struct Opening {
        format_version: serde_json::Value,
    }
    if text.len() > LONGEST {
        let why = format!("it is larger than {} MiB, which no record is", LONGEST / (1024 * 1024));
        return Err(Refused::Damaged { why });
    }
    if text.trim_ascii().is_empty() {
        return Err(Refused::Damaged { why: "it is empty".to_owned() });
    }
    let opening: Opening = serde_json::from_slice(text).map_err(damaged)?;
    match opening.format_version.as_u64() {
        Some(CURRENT) => Ok(()),
        Some(version) if version > CURRENT => Err(Refused::Newer { version }),
        _ => {
            let why = "its format_version is not the number of a version".to_owned();
            Err(Refused::Damaged { why })
        }
    }
}

fn check_stack(found: &StackName, wanted: &StackName) -> Result<(), Refused> {
    if found == wanted {
        Ok(())
    } else {
        Err(Refused::OtherStack { found: found.clone(), wanted: wanted.clone() })
    }
}

fn damaged(error: serde_json::Error) -> Refused {
    use serde_json::error::Category;
    let why = match error.classify() {
        Category::Eof => format!("it ends in the middle, at line {}", error.line()),
        Category::Syntax | Category::Io => format!("it is not JSON: {error}"),
        Category::Data => format!("it is not the record of a stack: {error}"),
    };
    Refused::Damaged { why }
}

#[cfg(test)]
mod tests;
