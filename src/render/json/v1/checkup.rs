//! The document of `doctor --json`.

use serde::Serialize;

use super::{FORMAT_VERSION, text};
use crate::render::checkup::Check;

/// The document of what `doctor` has found, in the order in which it was looked at.
#[must_use]
pub fn checkup(checks: &[Check]) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        format_version: &'static str,
        checks: Vec<Item<'a>>,
    }
    #[derive(Serialize)]
    struct Item<'a> {
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider: Option<&'a str>,
        status: &'static str,
        detail: &'a str,
        remedy: Option<&'a str>,
    }
    let checks = checks
        .iter()
        .map(|check| Item {
            name: check.name,
            provider: check.provider.as_deref(),
            status: check.finding.word(),
            detail: &check.detail,
            remedy: check.remedy.as_deref(),
        })
        .collect();
    text(&Document { format_version: FORMAT_VERSION, checks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_check_with_its_status_and_remedy() {
        let of_hk = Check { provider: Some("hk".to_owned()), ..Check::warning("clock", "late", "set it") };
        let checks = [Check::ok("endpoint", "it"), of_hk];
        assert_eq!(
            checkup(&checks),
            r#"{"format_version":"1.0","checks":[{"name":"endpoint","status":"ok","detail":"it","remedy":null},{"name":"clock","provider":"hk","status":"warning","detail":"late","remedy":"set it"}]}"#
        );
    }
}
