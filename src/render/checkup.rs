//! What `doctor` finds: one check for each thing that a run needs, and the judgement of what came back. Pure.

use std::time::Duration;

use jiff::SignedDuration;

use super::words;
use crate::cloud::{Advice, Refusal};
use crate::fleet::duration::Words;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, in one word.
    pub name: &'static str,
    /// The alias of the provider that it is about, where there are several.
    pub provider: Option<String>,
    /// What was found.
    pub finding: Finding,
    /// The same in words. May hold untrusted text.
    pub detail: String,
    /// What to do; none where nothing is to be done, or where the detail itself ends with it.
    pub remedy: Option<String>,
}

/// What was found of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Ok,
    /// It works, and something about it may become a trouble.
    Warning,
    /// It does not work.
    Error,
    /// It could not be looked at, because of something else.
    Skipped,
}

impl Finding {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    /// All is well.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, provider: None, finding: Finding::Ok, detail: detail.into(), remedy: None }
    }

    /// Something to know.
    pub fn warning(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            provider: None,
            finding: Finding::Warning,
            detail: detail.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// Something to mend. Without a remedy, the detail ends with it.
    pub fn error(name: &'static str, detail: impl Into<String>, remedy: Option<impl Into<String>>) -> Self {
        Self {
            name,
            provider: None,
            finding: Finding::Error,
            detail: detail.into(),
            remedy: remedy.map(Into::into),
        }
    }

    /// It was not looked at.
    pub fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, provider: None, finding: Finding::Skipped, detail: why.into(), remedy: None }
    }

    /// What ECS, or the way to it, said no with.
    #[must_use]
    pub fn refused(name: &'static str, what: &str, refusal: &Refusal) -> Self {
        Self::error(name, format!("{what}: {refusal}"), Some(words::remedy_of(refusal)))
    }
}

/// ECS and STS refuse requests of clocks that are further off than this.
const ACCEPTED_SKEW: Duration = Duration::from_mins(15);

/// A clock that is kept by NTP is never that far off.
const USUAL_SKEW: Duration = Duration::from_mins(1);

/// Answers tell whole seconds, and take a while to come.
const UNKNOWABLE_SKEW: Duration = Duration::from_secs(2);

const SET_THE_CLOCK: &str = "set the clock of this machine, for example by NTP";

/// Judges the clock: by how much it is ahead of ECS's, negative where it is behind.
#[must_use]
pub fn clock(ahead: Option<SignedDuration>) -> Check {
    let Some(ahead) = ahead else {
        return Check::skipped("clock", "ECS has not answered, so there is no time to compare with");
    };
    let off = ahead.unsigned_abs();
    let amount = Words(Duration::from_secs(off.as_secs()));
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    if off > ACCEPTED_SKEW {
        let detail = format!("{amount} {way} ECS's, and ECS accepts no more than 15 minutes");
        Check::error("clock", detail, Some(SET_THE_CLOCK))
    } else if off > USUAL_SKEW {
        let detail = format!("{amount} {way} ECS's; beyond 15 minutes ECS would refuse every call");
        Check::warning("clock", detail, SET_THE_CLOCK)
    } else if off > UNKNOWABLE_SKEW {
        Check::ok("clock", format!("{amount} {way} ECS's"))
    } else {
        Check::ok("clock", "agrees with ECS's")
    }
}

/// A rehearsal that shows whether a call is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// The name of the check.
    pub name: &'static str,
    /// The action: StartInstance.
    pub action: &'static str,
    /// The status that the action needs: Stopped.
    pub needs: String,
    /// The address of the instance that was asked about.
    pub address: String,
    /// What it was seen as.
    pub seen: String,
}

/// Judges what came back from a rehearsal. ECS checks the permission first and the status of the instance last, so a
/// refusal for the instance's own sake shows that the permission is there.
#[must_use]
pub fn permission(rehearsal: &Rehearsal, outcome: &Result<(), Refusal>) -> Check {
    let Rehearsal { name, action, needs, address, seen } = rehearsal;
    let refusal = match outcome {
        Ok(()) => return Check::ok(name, format!("{action} is permitted, asked about {address} ({seen})")),
        Err(refusal) => refusal,
    };
    match (refusal.advice, refusal.code.as_deref()) {
        (Advice::WrongStatus, _) if seen != needs => Check::ok(
            name,
            format!(
                "{action} is permitted: no instance is {needs} now, and of {address} ({seen}) ECS minds the status \
                 alone"
            ),
        ),
        (Advice::WrongStatus, _) => Check::ok(
            name,
            format!("{action} is permitted: of {address}, which was {seen}, ECS minds the status alone"),
        ),
        (_, None) => Check::refused(name, &format!("{action} could not be asked about"), refusal),
        (_, Some(code)) if is_denial(code) => {
            Check::refused(name, &format!("{action} is not permitted, asked about {address}"), refusal)
        }
        (_, Some(_)) => Check::warning(
            name,
            format!("whether {action} is permitted is not known; asked about {address} ({seen}): {refusal}"),
            words::remedy_of(refusal),
        ),
    }
}

/// Whether an error code is about who asks, and not about the instance.
fn is_denial(code: &str) -> bool {
    [
        "Forbidden",
        "NoPermission",
        "Unauthorized",
        "InvalidAccessKeyId",
        "InvalidSecurityToken",
        "MissingSecurityToken",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidTimeStamp",
        "IllegalTimestamp",
    ]
    .iter()
    .any(|denial| code.starts_with(denial))
        && code != "Forbidden.InstanceNotFound"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_warned_of_after_a_minute_and_wrong_after_a_quarter_of_an_hour() {
        for (seconds, finding, words) in [
            (2, Finding::Ok, "agrees"),
            (3, Finding::Ok, "3s ahead of"),
            (-60, Finding::Ok, "1m behind"),
            (61, Finding::Warning, "1m1s ahead of"),
            (-900, Finding::Warning, "15m behind"),
            (901, Finding::Error, "15m1s ahead of"),
            (-3600, Finding::Error, "1h behind"),
            (i64::MIN, Finding::Error, "behind"),
        ] {
            let check = clock(Some(SignedDuration::from_secs(seconds)));
            assert_eq!(check.finding, finding, "{seconds}");
            assert!(check.detail.contains(words), "{check:?}");
            assert_eq!(check.remedy.is_some(), finding != Finding::Ok);
        }
        assert_eq!(clock(None).finding, Finding::Skipped);
    }

    #[test]
    fn a_refusal_for_the_status_shows_that_the_call_is_permitted() {
        let rehearsal = |seen: &str| Rehearsal {
            name: "start",
            action: "StartInstance",
            needs: "Stopped".to_owned(),
            address: "db".to_owned(),
            seen: seen.to_owned(),
        };
        let refusal = |advice, code: Option<&str>| {
            Err(Refusal { code: code.map(str::to_owned), ..Refusal::new(advice, "no") })
        };
        for (seen, outcome, finding, words) in [
            ("Stopped", Ok(()), Finding::Ok, "permitted, asked about db (Stopped)"),
            (
                "Running",
                refusal(Advice::WrongStatus, Some("IncorrectInstanceStatus")),
                Finding::Ok,
                "no instance is Stopped now",
            ),
            (
                "Stopped",
                refusal(Advice::WrongStatus, Some("IncorrectInstanceStatus")),
                Finding::Ok,
                "was Stopped",
            ),
            ("Stopped", refusal(Advice::Final, Some("Forbidden.RAM")), Finding::Error, "not permitted"),
            ("Stopped", refusal(Advice::Final, Some("NoPermission")), Finding::Error, "not permitted"),
            ("Stopped", refusal(Advice::OutcomeUnknown, None), Finding::Error, "could not be asked"),
            (
                "Stopped",
                refusal(Advice::Final, Some("InstanceLockedForSecurity")),
                Finding::Warning,
                "not known",
            ),
            (
                "not visible",
                refusal(Advice::Final, Some("Forbidden.InstanceNotFound")),
                Finding::Warning,
                "not known",
            ),
        ] {
            let check = permission(&rehearsal(seen), &outcome);
            assert_eq!(check.finding, finding, "{outcome:?}");
            assert!(check.detail.contains(words), "{check:?}");
            assert_eq!(check.remedy.is_some(), finding != Finding::Ok);
        }
    }
}
