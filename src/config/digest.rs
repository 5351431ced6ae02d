//! One number for what a configuration means, so that a saved plan knows the configuration that it was made from.
//!
//! What goes in is spelt out field by field, each with its length, so that no two meanings can look alike and no new
//! field can be forgotten: every struct is taken apart without `..`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::provider::ProviderSettings;
use super::resolve::Resolved;
use super::role::RoleToAssume;
use crate::fleet::{
    AtOnce, CallLimits, Charge, Desired, Entry, HttpTarget, Members, Need, OnFailure, OnNoStock, Probe,
    ProbeAddress, Readiness, RollingOrder, Selection, Selector, StopPolicy, Strength, Timeouts,
};

/// The digest in lower-case hexadecimal.
pub(super) fn of(resolved: &Resolved) -> String {
    let Resolved { desired, providers, state_path, limits } = resolved;
    let CallLimits { starts, stops } = limits;
    let Desired { stack, entries } = desired;
    let mut digest = Meaning(Sha256::new());
    digest.text("powerform configuration 1");
    digest.text(stack.as_str());
    // What no entry names changes nothing.
    let in_use: BTreeSet<_> = entries.iter().map(|entry| &entry.provider).collect();
    for (alias, provider) in providers.iter().filter(|(alias, _)| in_use.contains(alias)) {
        digest.text(alias.as_str());
        digest.provider(provider);
    }
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
            order,
            pause,
            on_failure,
            on_no_stock,
            readiness,
        } = entry;
        self.text(name.as_str());
        self.text(provider.as_str());
        self.text(goal.word());
        // One id under `ids` has another address than the same under `id`.
        self.number(match members {
            Members::Single(_) => 0,
            Members::Several(_) => 1,
            Members::Selected(_) => 2,
        });
        self.number(entry.ids().len() as u64);
        for id in entry.ids() {
            self.text(id.as_str());
        }
        if let Some(selection) = entry.selection() {
            self.selection(selection);
        }
        self.number(needs.len() as u64);
        for Need { entry, strength } in needs {
            // By name: the position depends on all the other entries.
            self.text(all.get(entry.at()).map_or("", |needed| needed.name.as_str()));
            self.truth(*strength == Strength::Hard);
        }
        let Timeouts { start, stop: to_stopped, ready } = timeouts;
        for timeout in [start, to_stopped, ready] {
            self.duration(*timeout);
        }
        let StopPolicy { mode, force } = stop;
        self.text(mode.word());
        self.truth(*force);
        self.truth(*prevent_stop);
        self.truth(*allow_autoscaling);
        self.truth(*init_local_disk);
        self.number(match at_once {
            None => 0,
            Some(AtOnce::Count(count)) => u64::from(count.get()),
            // No count is as large.
            Some(AtOnce::Percent(percent)) => (1 << 32) + u64::from(*percent),
        });
        self.number(match order {
            None => 0,
            Some(RollingOrder::Zones) => 1,
            Some(RollingOrder::AsListed) => 2,
        });
        self.duration(*pause);
        self.truth(*on_failure == OnFailure::Stop);
        match on_no_stock {
            OnNoStock::Fail => self.truth(false),
            OnNoStock::RetryFor(patience) => {
                self.truth(true);
                self.duration(*patience);
            }
        }
        self.truth(readiness.is_some());
        if let Some(readiness) = readiness {
            self.readiness(readiness);
        }
    }

    fn duration(&mut self, duration: Duration) {
        // Durations are read to the millisecond.
        self.number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }

    fn readiness(&mut self, readiness: &Readiness) {
        let Readiness { probes, delay, every, within } = readiness;
        self.number(probes.len() as u64);
        for probe in probes {
            match probe {
                Probe::Tcp { port, address } => {
                    self.text("tcp");
                    self.number(u64::from(port.get()));
                    self.address(address);
                }
                Probe::Http { target, status, contains } => {
                    self.text("http");
                    match target {
                        HttpTarget::Url(url) => self.text(url),
                        HttpTarget::Instance { port, path, address } => {
                            self.text("");
                            self.number(u64::from(port.get()));
                            self.text(path);
                            self.address(address);
                        }
                    }
                    self.number(status.map_or(0, u64::from));
                    self.maybe(contains.as_deref());
                }
                Probe::Command { words } => {
                    self.text("command");
                    self.number(words.len() as u64);
                    for word in words {
                        self.text(word);
                    }
                }
                Probe::Guest { script } => {
                    self.text("guest");
                    self.text(script);
                }
            }
        }
        self.duration(*delay);
        self.duration(*every);
        self.truth(within.is_some());
        self.duration(within.unwrap_or_default());
    }

    fn address(&mut self, address: &ProbeAddress) {
        self.text(match address {
            ProbeAddress::Private => "private",
            ProbeAddress::Public => "public",
            ProbeAddress::Host(_) => "host",
        });
        if let ProbeAddress::Host(host) = address {
            self.text(host);
        }
    }

    fn selection(&mut self, selection: &Selection) {
        let Selection { selector, except, at_least } = selection;
        let Selector { tags, name, zone, vpc, resource_group, charge } = selector;
        self.number(tags.len() as u64);
        for (key, value) in tags {
            self.text(key);
            self.maybe(value.as_deref());
        }
        for part in [name, zone, vpc, resource_group] {
            self.maybe(part.as_deref());
        }
        self.number(match charge {
            None => 0,
            Some(Charge::PrePaid) => 1,
            Some(Charge::PostPaid) => 2,
            Some(Charge::Other) => 3,
        });
        self.number(except.len() as u64);
        for id in except {
            self.text(id.as_str());
        }
        self.number(u64::from(*at_least));
    }
}
