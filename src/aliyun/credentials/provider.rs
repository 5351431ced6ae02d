//! What every place that gives credentials has in common.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};

use super::Credentials;
use super::account::Account;
use crate::aliyun::surroundings::Surroundings;
use crate::aliyun::transport::Transport;
use crate::fleet::Region;

/// How long before they expire credentials are replaced: what credentials-go does.
const MARGIN: SignedDuration = SignedDuration::from_secs(180);

/// One place that credentials come from.
pub(super) trait Provider: Send + Sync {
    /// The place in words, for the list of those that were looked at: "the environment".
    fn place(&self) -> String;

    /// Looks there, and asks a service where it takes one. Called again whenever new credentials are wanted, so
    /// nothing is remembered here.
    fn fetch<'a>(&'a self, context: &'a Context) -> Fetching<'a>;
}

/// Credentials on their way.
pub(super) type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Grant, Missing>> + Send + 'a>>;

/// What providers look through.
#[derive(Debug, Clone)]
pub struct Context {
    /// The process.
    pub surroundings: Surroundings,
    /// How requests leave it.
    pub transport: Transport,
    /// The region that is worked in: temporary credentials are asked for there where the endpoint depends on one.
    pub region: Option<Region>,
    /// Whether services are reached from inside a VPC.
    pub vpc: bool,
}

/// Why a place gives no credentials. The words end without a full stop and hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is not set up, which is nothing to speak of while another place is.
    Absent(String),
    /// It is set up, but does not work.
    Broken(String),
}

impl Missing {
    pub(super) fn absent(why: impl Into<String>) -> Self {
        Self::Absent(why.into())
    }

    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }

    pub(super) fn why(&self) -> &str {
        match self {
            Self::Absent(why) | Self::Broken(why) => why,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

/// Credentials, and how long they are good for.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) credentials: Credentials,
    pub(super) lifetime: Lifetime,
    /// Whose they are.
    pub(super) account: Account,
    /// What is odd about the place that they come from.
    pub(super) warnings: Vec<String>,
}

/// How long credentials are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until they are refused.
    Unknown,
    /// Until then.
    Until(Timestamp),
    /// Nobody says; whoever gives them wants to be asked again soon.
    Short(SignedDuration),
}

/// What is to be done about credentials that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Nothing.
    Fresh,
    /// They still work and are to be replaced.
    Due,
    /// They no longer work.
    Expired,
}

impl Grant {
    pub(super) fn lasting(credentials: Credentials) -> Self {
        // A token goes with keys that somebody gave for a while.
        let account = match credentials.security_token {
            None => Account::Key(credentials.access_key_id.clone()),
            Some(_) => Account::Unknown,
        };
        Self { credentials, lifetime: Lifetime::Unknown, account, warnings: Vec::new() }
    }

    /// How old they are, if they were given at one time and it is another now.
    pub(super) fn age(&self, given: Timestamp, now: Timestamp) -> Age {
        match self.lifetime {
            Lifetime::Unknown => Age::Fresh,
            Lifetime::Short(period) if now.duration_since(given).abs() < period => Age::Fresh,
            Lifetime::Short(_) => Age::Due,
            Lifetime::Until(end) if now >= end => Age::Expired,
            Lifetime::Until(end) => {
                // Credentials that are given for less than the margin would be replaced at every call.
                let margin = MARGIN.min(end.duration_since(given) / 2);
                if end.duration_since(now) <= margin { Age::Due } else { Age::Fresh }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("within range")
    }

    fn grant(lifetime: Lifetime) -> Grant {
        let credentials = Credentials {
            access_key_id: "id".to_owned(),
            access_key_secret: "secret".into(),
            security_token: None,
            source: "a test".to_owned(),
        };
        Grant { lifetime, ..Grant::lasting(credentials) }
    }

    #[test]
    fn credentials_are_due_three_minutes_before_they_expire() {
        for (end, now, age) in [
            (3600, 0, Age::Fresh),
            (3600, 3419, Age::Fresh),
            (3600, 3420, Age::Due),
            (3600, 3599, Age::Due),
            (3600, 3600, Age::Expired),
            (100, 49, Age::Fresh),
            (100, 50, Age::Due),
            (0, 0, Age::Expired),
        ] {
            assert_eq!(grant(Lifetime::Until(at(end))).age(at(0), at(now)), age, "{end} at {now}");
        }
        let _ = grant(Lifetime::Until(Timestamp::MAX)).age(Timestamp::MIN, Timestamp::MAX);
        let _ = grant(Lifetime::Until(Timestamp::MIN)).age(Timestamp::MAX, Timestamp::MIN);
    }

    #[test]
    fn credentials_without_an_end_are_kept_or_asked_for_again_after_a_while() {
        assert_eq!(grant(Lifetime::Unknown).age(at(0), Timestamp::MAX), Age::Fresh);
        let short = grant(Lifetime::Short(SignedDuration::from_secs(60)));
        assert_eq!(short.age(at(0), at(59)), Age::Fresh);
        assert_eq!(short.age(at(0), at(60)), Age::Due);
        assert_eq!(short.age(at(1000), at(0)), Age::Due, "the clock was set back");
    }
}
