//! One number for what a configuration means, so that a saved plan knows the configuration that it was made from.
//!
//! What goes in is spelt out field by field, each with its length, so that no two meanings can look alike and no new
//! field can be forgotten: every struct is taken apart without `..`.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::provider::ProviderSettings;
use super::resolve::Resolved;
use super::role::RoleToAssume;
use crate::fleet::{CallLimits, Desired, Entry, Members, Need, StopPolicy, Strength, Timeouts};

/// The digest in lower-case hexadecimal.
pub(super) fn of(resolved: &Resolved) -> String {
    let Resolved { desired, provider, state_path, limits } = resolved;
    let CallLimits { starts, stops } = limits;
    let Desired { stack, entries } = desired;
    let mut digest = Meaning(Sha256::new());
    digest.text("powerform configuration 1");
    digest.text(stack.as_str());
    digest.provider(provider);
    digest.maybe(state_path.as_ref().map(|path| path.to_string_lossy()).as_deref());
    for limit in [starts, stops] {
        digest.truth(limit.is_some());
        digest.number(limit.map_or(0, u64::from));
    }
    digest.number(entries.len() as u64);
    for entry in entries {
        digest.entry(entry, entries);
    }
    let mut hexadecimal = String::with_capacity(64);
    for byte in digest.0.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(hexadecimal, "{byte:02x}");
    }
    hexadecimal
}

struct Meaning(Sha256);

impl Meaning {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn truth(&mut self, truth: bool) {
        self.number(u64::from(truth));
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.truth(text.is_some());
        self.text(text.unwrap_or_default());
    }

    fn provider(&mut self, provider: &ProviderSettings) {
        let ProviderSettings {
            region,
            profile,
            endpoint,
            network,
            signature,
            format,
            assume_role,
            batch_above,
            max_in_flight,
            simulator,
        } = provider;
        self.maybe(region.as_ref().map(|region| region.as_str()));
        self.maybe(profile.as_deref());
        self.maybe(endpoint.as_deref());
        self.text(network.word());
        self.text(signature.word());
        self.text(format.word());
        self.truth(assume_role.is_some());
        if let Some(RoleToAssume { arn, session_name, duration, external_id, policy }) = assume_role {
            self.text(arn);
            self.text(session_name);
            self.number(duration.map_or(0, |duration| duration.as_secs()));
            self.maybe(external_id.as_deref());
            self.maybe(policy.as_deref());
        }
        self.number(u64::from(*batch_above));
        self.number(u64::from(max_in_flight.get()));
        self.maybe(simulator.as_ref().map(|path| path.to_string_lossy()).as_deref());
    }

    fn entry(&mut self, entry: &Entry, all: &[Entry]) {
        let Entry {
            name,
            provider,
            goal,
            members,
            needs,
            timeouts,
            stop,
            prevent_stop,
            allow_autoscaling,
            init_local_disk,
            at_once,
        } = entry;
        self.text(name.as_str());
        self.text(provider.as_str());
        self.text(goal.word());
        // One id under `ids` has another address than the same under `id`.
        self.truth(matches!(members, Members::Several(_)));
        self.number(entry.ids().len() as u64);
        for id in entry.ids() {
            self.text(id.as_str());
        }
        self.number(needs.len() as u64);
        for Need { entry, strength } in needs {
            // By name: the position depends on all the other entries.
            self.text(all.get(entry.at()).map_or("", |needed| needed.name.as_str()));
            self.truth(*strength == Strength::Hard);
        }
        let Timeouts { start, stop: to_stopped, ready } = timeouts;
        for timeout in [start, to_stopped, ready] {
            // Durations are read to the millisecond.
            self.number(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        }
        let StopPolicy { mode, force } = stop;
        self.text(mode.word());
        self.truth(*force);
        self.truth(*prevent_stop);
        self.truth(*allow_autoscaling);
        self.truth(*init_local_disk);
        self.number(at_once.map_or(0, |most| u64::from(most.get())));
    }
}
