//! Whether the client itself sends a request again: one pure table.
//!
//! Reads are repeated while what failed may pass. Writes are not: whether a start is sent again is decided by those
//! who can look at the instance first. The two exceptions are a refused nonce and refused credentials, because ECS
//! refuses such a request before it looks at it.

use std::time::Duration;

use super::request::Effect;
use crate::cloud::{Advice, Refusal};

/// How patient the client is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// How often a read is sent in all.
    pub attempts: u32,
    /// How long a read may take in all, pauses included.
    pub deadline: Duration,
    /// The longest pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause at all.
    pub longest_pause: Duration,
    /// The pause after a refusal for throttling that names none, before one call is tried again.
    pub probe_pause: Duration,
    /// How often a request whose nonce was refused is signed anew.
    pub new_nonces: u32,
}

/// The policy towards the real service.
pub const STANDARD: Policy = Policy {
    attempts: 6,
    // ECS counts calls by minutes: a read that is throttled outlasts the whole of one.
    deadline: Duration::from_secs(75),
    first_pause: Duration::from_millis(250),
    longest_pause: Duration::from_secs(8),
    probe_pause: Duration::from_secs(1),
    new_nonces: 3,
};

/// What has been done for one request so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried {
    /// How often it was sent.
    pub attempts: u32,
    /// How many of these were refused for throttling, before ECS looked at them.
    pub throttled: u32,
    /// How often other credentials were asked for.
    pub renewals: u32,
    /// How many of these were refused for their nonce alone.
    pub refused_nonces: u32,
    /// How long ago it was sent first.
    pub elapsed: Duration,
}

/// What to do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Hand it to the caller.
    Never,
    /// Sign anew and send at once.
    AtOnce,
    /// Wait, sign anew, send.
    After(Duration),
    /// Sign anew and send when the limiter of the action says so.
    InTurn,
    /// Sign anew with other credentials, if there are any by now, and send at once.
    WithOtherCredentials,
}

/// Whether ECS refused a request for the credentials that signed it, which others may replace.
fn is_about_credentials(code: &str) -> bool {
    code == "InvalidAccessKeyId.NotFound" || code.starts_with("InvalidSecurityToken")
}

impl Policy {
    /// Decides. `random` is in `0.0..1.0` and spreads the pauses of clients that failed together.
    #[must_use]
    pub fn decide(&self, effect: Effect, refusal: &Refusal, tried: Tried, random: f64) -> Retry {
        if refusal.code.as_deref() == Some("SignatureNonceUsed") {
            return if tried.refused_nonces <= self.new_nonces { Retry::AtOnce } else { Retry::Never };
        }
        // The request was refused before it was looked at, so this holds for writes too.
        if refusal.code.as_deref().is_some_and(is_about_credentials) {
            return if tried.renewals == 0 { Retry::WithOtherCredentials } else { Retry::Never };
        }
        if let (Effect::Read, Advice::Throttled { .. }) = (effect, refusal.advice) {
            return if tried.elapsed < self.deadline { Retry::InTurn } else { Retry::Never };
        }
        let server_failed = refusal.http_status.is_some_and(|status| status >= 500);
        let passing = match refusal.advice {
            Advice::Busy { .. } | Advice::OutcomeUnknown => true,
            Advice::Throttled { .. } | Advice::Final | Advice::Capacity | Advice::WrongStatus => {
                server_failed
            }
        };
        let failures = tried.attempts.saturating_sub(tried.throttled);
        if effect == Effect::Write || !passing || failures >= self.attempts {
            return Retry::Never;
        }
        let pause = self.longest_pause_after(failures).mul_f64(random.clamp(0.0, 1.0));
        // A repetition that could not be answered in time is not worth its wait.
        if tried.elapsed.saturating_add(pause) < self.deadline { Retry::After(pause) } else { Retry::Never }
    }

    /// The upper end of the pause after so many attempts (full jitter: the lower end is nothing).
    fn longest_pause_after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.first_pause.saturating_mul(1 << doublings).min(self.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READ: Effect = Effect::Read;

    fn refusal(advice: Advice, code: Option<&str>, status: Option<u16>) -> Refusal {
        let mut refusal = Refusal::new(advice, "a test");
        refusal.code = code.map(str::to_owned);
        refusal.http_status = status;
        refusal
    }

    fn after(attempts: u32) -> Tried {
        Tried { attempts, ..Tried::default() }
    }

    #[test]
    fn reads_are_repeated_while_what_failed_may_pass_and_writes_are_not() {
        let transport = refusal(Advice::OutcomeUnknown, None, None);
        let page = refusal(Advice::OutcomeUnknown, None, Some(502));
        let internal = refusal(Advice::Busy { sends: 5 }, Some("InternalError"), Some(500));
        let maintenance = refusal(Advice::Final, Some("ServiceUnavailable.RegionMaintaining"), Some(503));
        let forbidden = refusal(Advice::Final, Some("Forbidden.RAM"), Some(403));
        for (refusal, repeated) in
            [(transport, true), (page, true), (internal, true), (maintenance, true), (forbidden, false)]
        {
            let retry = STANDARD.decide(READ, &refusal, after(1), 0.5);
            assert_eq!(retry != Retry::Never, repeated, "{refusal:?}");
            assert_eq!(STANDARD.decide(Effect::Write, &refusal, after(1), 0.5), Retry::Never);
        }
    }

    #[test]
    fn pauses_double_up_to_a_cap_and_are_spread_from_nothing() {
        let busy = refusal(Advice::Busy { sends: 5 }, Some("InternalError"), Some(500));
        for (attempts, longest) in [(1, 250), (2, 500), (3, 1000), (4, 2000), (5, 4000)] {
            for (random, part) in [(1.0, 1.0), (0.5, 0.5), (0.0, 0.0)] {
                let pause = Duration::from_millis(longest).mul_f64(part);
                assert_eq!(STANDARD.decide(READ, &busy, after(attempts), random), Retry::After(pause));
            }
        }
        assert_eq!(STANDARD.decide(READ, &busy, after(6), 0.0), Retry::Never);
        assert_eq!(STANDARD.longest_pause_after(1000), STANDARD.longest_pause);
    }

    #[test]
    fn a_throttled_read_waits_its_turn_until_the_deadline_and_does_not_count_as_tried() {
        let throttled = refusal(Advice::Throttled { retry_after: None }, Some("Throttling"), Some(400));
        let at = |seconds| Tried {
            attempts: 40,
            throttled: 40,
            elapsed: Duration::from_secs(seconds),
            ..Tried::default()
        };
        assert_eq!(STANDARD.decide(READ, &throttled, at(74), 0.5), Retry::InTurn);
        assert_eq!(STANDARD.decide(READ, &throttled, at(75), 0.5), Retry::Never);
        assert_eq!(STANDARD.decide(Effect::Write, &throttled, at(0), 0.5), Retry::Never);
        let busy = refusal(Advice::Busy { sends: 5 }, Some("InternalError"), Some(500));
        let tried = Tried { attempts: 41, throttled: 40, ..Tried::default() };
        assert_eq!(STANDARD.decide(READ, &busy, tried, 1.0), Retry::After(STANDARD.first_pause));
    }

    #[test]
    fn nothing_is_repeated_beyond_the_deadline() {
        let busy = refusal(Advice::Busy { sends: 5 }, Some("InternalError"), Some(500));
        let after = |milliseconds| Tried {
            attempts: 5,
            elapsed: STANDARD.deadline - Duration::from_millis(milliseconds),
            ..Tried::default()
        };
        assert_eq!(STANDARD.decide(READ, &busy, after(4001), 1.0), Retry::After(Duration::from_secs(4)));
        assert_eq!(STANDARD.decide(READ, &busy, after(4000), 1.0), Retry::Never);
    }

    #[test]
    fn refused_credentials_are_replaced_once_for_writes_too() {
        for code in
            ["InvalidSecurityToken.Expired", "InvalidSecurityToken.Malformed", "InvalidAccessKeyId.NotFound"]
        {
            let refused = refusal(Advice::Final, Some(code), Some(400));
            for effect in [Effect::Read, Effect::Write] {
                assert_eq!(STANDARD.decide(effect, &refused, after(1), 0.5), Retry::WithOtherCredentials);
                let renewed = Tried { renewals: 1, ..after(2) };
                assert_eq!(STANDARD.decide(effect, &refused, renewed, 0.5), Retry::Never);
            }
        }
        let disabled = refusal(Advice::Final, Some("InvalidAccessKeyId.Inactive"), Some(400));
        assert_eq!(STANDARD.decide(READ, &disabled, after(1), 0.5), Retry::Never);
    }

    #[test]
    fn a_refused_nonce_is_replaced_at_once_three_times_for_writes_too() {
        let refused = refusal(Advice::Final, Some("SignatureNonceUsed"), Some(400));
        for effect in [Effect::Read, Effect::Write] {
            for (refused_nonces, retry) in [(1, Retry::AtOnce), (3, Retry::AtOnce), (4, Retry::Never)] {
                let tried = Tried { attempts: refused_nonces, refused_nonces, ..Tried::default() };
                assert_eq!(STANDARD.decide(effect, &refused, tried, 0.5), retry);
            }
        }
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_the_cap_and_no_input_panics(
            attempts in any::<u32>(), elapsed in any::<u64>(), random in any::<f64>(),
        ) {
            let busy = refusal(Advice::Busy { sends: 5 }, Some("InternalError"), Some(500));
            let tried = Tried { attempts, elapsed: Duration::from_millis(elapsed), ..Tried::default() };
            if let Retry::After(pause) = STANDARD.decide(READ, &busy, tried, random) {
                prop_assert!(pause <= STANDARD.longest_pause && attempts < STANDARD.attempts);
            }
        }
    }
}
