//! The two refusals whose cause can be told: a signature that does not match, and a clock that is wrong.

use jiff::Timestamp;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened, in place of ECS's own message.
    pub message: String,
    /// What a person can do about it: a sentence without its full stop.
    pub remedy: &'static str,
}

/// What stands before the text that the server signed, in the message of `SignatureDoesNotMatch`.
const QUOTE: &str = "server string to sign is:";

/// Compares the text that ECS says it signed with the one that was signed here. If they are the same, only the secret
/// can differ.
///
/// ECS's message is replaced as a whole: the text that it quotes holds the security token.
#[must_use]
pub fn signature_mismatch(message: &str, signed_here: &str) -> Diagnosis {
    let lower = message.to_ascii_lowercase();
    // Lower-casing ASCII keeps every position.
    let quoted = lower.find(QUOTE).map(|at| message[at + QUOTE.len()..].trim());
    match quoted {
        Some(theirs) if theirs == signed_here || theirs.starts_with(&format!("{signed_here} ")) => {
            Diagnosis {
                message: "ECS computed another signature from the same text".to_owned(),
                remedy: "the secret is wrong: set ALIBABA_CLOUD_ACCESS_KEY_SECRET to the one that belongs to \
                     ALIBABA_CLOUD_ACCESS_KEY_ID, without spaces or line breaks; a lost secret cannot be shown again, \
                     only replaced: console > RAM > Identities > Users > the user > AccessKey",
            }
        }
        Some(_) => Diagnosis {
            message: "ECS signed another text than the one that was sent: the request was changed on its way"
                .to_owned(),
            remedy: "something between this machine and ECS rewrites requests, usually a proxy or gateway: go around \
                     it (NO_PROXY, provider.endpoint) and run again",
        },
        None => Diagnosis {
            message: "ECS computed another signature for the request, and does not say from what".to_owned(),
            remedy: "most likely the secret is wrong: check that ALIBABA_CLOUD_ACCESS_KEY_SECRET belongs to \
                     ALIBABA_CLOUD_ACCESS_KEY_ID",
        },
    }
}

/// How far this machine's clock is off, by the time in ECS's answer, where ECS has called a request's time expired.
#[must_use]
pub fn clock_skew(sent: Timestamp, server: Timestamp) -> Diagnosis {
    let seconds = sent.as_second().saturating_sub(server.as_second());
    let minutes = seconds.unsigned_abs() / 60;
    let way = if seconds < 0 { "behind" } else { "ahead of" };
    let amount = match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    };
    if minutes >= 15 {
        Diagnosis {
            message: format!(
                "the clock of this machine is {amount} {way} ECS's ({sent} here, {server} there), and ECS accepts no \
                 more than 15 minutes"
            ),
            remedy: "set the clock of this machine, for example by NTP, and run again",
        }
    } else {
        Diagnosis {
            message: format!(
                "ECS says that the request is more than 15 minutes old, though the clocks agree ({sent} here, {server} \
                 there)"
            ),
            remedy: "something held the request back, a slow proxy or a machine that slept: run again",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_equal_text_means_a_wrong_secret_and_another_text_a_changed_request() {
        let ours = "POST&%2F&AccessKeyId%3Dtestid%26SecurityToken%3Dtok";
        let same = format!(
            "Specified signature is not matched with our calculation. server string to sign is:{ours}"
        );
        assert!(signature_mismatch(&same, ours).remedy.starts_with("the secret is wrong"));
        let spaced = format!("... Server String To Sign Is: {ours} \n");
        assert!(signature_mismatch(&spaced, ours).remedy.starts_with("the secret is wrong"));
        let other = "server string to sign is:GET&%2F&a%3Db";
        assert!(signature_mismatch(other, ours).message.contains("changed on its way"));
        assert!(signature_mismatch("no quote", ours).remedy.starts_with("most likely"));
        for message in [same.as_str(), &spaced, other, "no quote", "数据 server string to sign is:数"] {
            assert!(!signature_mismatch(message, ours).message.contains("tok"), "the token is not repeated");
        }
    }

    #[test]
    fn a_wrong_clock_is_named_with_its_distance_and_direction() {
        let at = |text: &str| -> Timestamp { text.parse().expect("valid") };
        let server = at("2026-11-21T20:00:00Z");
        for (here, words) in [
            ("2026-11-21T21:02:00Z", "62 minutes ahead of ECS's"),
            ("2026-11-21T17:00:00Z", "3 hours behind ECS's"),
            ("2026-11-11T20:00:00Z", "10 days behind ECS's"),
        ] {
            let message = clock_skew(at(here), server).message;
            assert!(message.contains(words), "{message}");
        }
        assert!(clock_skew(server, server).remedy.contains("slow proxy"));
        let _ = clock_skew(Timestamp::MIN, Timestamp::MAX);
    }
}
