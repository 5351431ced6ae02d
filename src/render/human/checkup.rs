//! What `doctor` has found, as people read it.

use std::fmt::Write as _;

use crate::render::checkup::{Check, Finding};
use crate::render::style::{Ink, Style};
use crate::render::words;

/// The columns of the longest word for a finding, and of the longest name.
const FINDING: usize = 7;
const NAME: usize = 11;

/// The columns that a finding or a remedy may take: all the places where credentials were looked for fit.
const LONGEST: usize = 1_900;

/// One line for each check, and one with what to do where there is something; at last the sum.
#[must_use]
pub fn checkup(checks: &[Check], style: Style) -> String {
    let mut text = String::new();
    for Check { name, provider, finding, detail, remedy } in checks {
        let ink = match finding {
            Finding::Ok => Ink::Up,
            Finding::Warning => Ink::Caution,
            Finding::Error => Ink::Trouble,
            Finding::Skipped => Ink::Aside,
        };
        let word = format!("{:FINDING$}", finding.word());
        let about = provider.as_ref().map_or_else(String::new, |alias| format!("{alias}: "));
        let detail = words::short(detail, LONGEST);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {name:NAME$}  {about}{detail}", style.paint(ink, word));
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:FINDING$}  {:NAME$}  -> {}", "", "", words::short(remedy, LONGEST));
        }
    }
    let count = |wanted| checks.iter().filter(|check| check.finding == wanted).count();
    let _ = match (count(Finding::Error), count(Finding::Warning)) {
        (0, 0) => writeln!(text, "\nAll is well."),
        (errors, warnings) => {
            writeln!(text, "\n{}, {}.", words::count(errors, "error"), words::count(warnings, "warning"))
        }
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_line_and_its_remedy_below() {
        let checks = [
            Check::ok("endpoint", "https://ecs.cn-hangzhou.aliyuncs.com"),
            Check::warning("clock", "2 minutes behind", "set it"),
            Check::error("credentials", "none\u{1b}[31m", None::<String>),
            Check::skipped("look", "there is nothing to ask with"),
        ];
        assert_eq!(
            checkup(&checks, Style::plain()),
            "ok       endpoint     https://ecs.cn-hangzhou.aliyuncs.com\n\
             warning  clock        2 minutes behind\n                      -> set it\n\
             error    credentials  none\\u{1b}[31m\n\
             skipped  look         there is nothing to ask with\n\n1 error, 1 warning.\n"
        );
        assert!(checkup(&checks[..1], Style::plain()).ends_with("\n\nAll is well.\n"));
    }
}
