//! From what was written to what it means, with every problem at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_saphyr::{Location, Spanned};

use super::document::{self, Document, Text};
use super::{AccessKey, Account, Change, Effect, Fault, Instance, Problem, Scheduled, notation};
use crate::simulator::api;
use crate::simulator::status::{Charge, Status, StoppedMode};

/// How long a start takes where the file does not say.
const USUAL_START: Duration = Duration::from_secs(2);

/// How long a stop takes where the file does not say.
const USUAL_STOP: Duration = Duration::from_secs(1);

/// The locks that ECS documents; the case of letters differs between its pages.
const LOCKS: [&str; 5] = ["financial", "security", "recycling", "dedicatedhostfinancial", "refunded"];

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, place: Location, message: impl Into<String>) {
        self.0.push(Problem { line: place.line(), column: place.column(), message: message.into() });
    }

    /// Reads a text, or notes the problem and goes on with the default.
    fn read<T>(&mut self, text: Option<&Text>, default: T, read: fn(&str) -> Result<T, String>) -> T {
        match text.map(|text| (read(&text.value), text.referenced)) {
            Some((Ok(value), _)) => value,
            Some((Err(message), place)) => {
                self.add(place, message);
                default
            }
            None => default,
        }
    }
}

pub(super) fn account(document: Document, path: &Path, digest: String) -> Result<Account, Vec<Problem>> {
    let mut problems = Problems::default();
    let Document { account, keys, memory, region, pace, limits, lag, instances, faults } = document;

    if account.value.is_empty() || !account.value.bytes().all(|byte| byte.is_ascii_digit()) {
        let message =
            format!("\"{}\" is not an account id: it is a number such as 1234567890123456", account.value);
        problems.add(account.referenced, message);
    }
    let keys = access_keys(keys, &mut problems);
    if region.value.is_empty() {
        problems.add(region.referenced, "the region is empty: write one such as cn-hangzhou");
    }
    let usual_start = problems.read(pace.start.as_ref(), USUAL_START, notation::duration);
    let usual_stop = problems.read(pace.stop.as_ref(), USUAL_STOP, notation::duration);
    let jitter = problems.read(pace.jitter.as_ref(), 0.0, notation::share);
    let lag = problems.read(lag.as_ref(), Duration::ZERO, notation::duration);

    let mut rates = BTreeMap::new();
    for (action, rate) in limits {
        if !known_action(&action) {
            problems.add(rate.referenced, unknown_action(&action));
        }
        match notation::rate(&rate.value) {
            Ok(read) => {
                rates.insert(action, read);
            }
            Err(message) => problems.add(rate.referenced, message),
        }
    }

    let mut positions = HashMap::with_capacity(instances.len());
    let mut checked = Vec::with_capacity(instances.len());
    for written in instances {
        let place = written.id.referenced;
        let instance = instance(written, &region.value, usual_start, usual_stop, &mut problems);
        if positions.insert(Arc::clone(&instance.id), checked.len()).is_some() {
            problems.add(place, format!("there are two instances {}: an id is unique", instance.id));
        }
        checked.push(instance);
    }
    let regions: BTreeSet<String> =
        checked.iter().map(|instance| instance.region.clone()).chain([region.value.clone()]).collect();

    let known = |id: &str| positions.contains_key(id);
    let mut on_request = Vec::new();
    let mut scheduled = Vec::new();
    for fault in faults {
        match fault.value.at {
            Some(_) => scheduled.extend(scheduled_change(fault, &known, &mut problems)),
            None => on_request.extend(request_fault(fault, &known, &mut problems)),
        }
    }

    if problems.0.is_empty() {
        Ok(Account {
            keys,
            memory: memory_path(path, memory.as_ref().map(|memory| memory.value.as_str())),
            region: region.value,
            jitter,
            lag,
            limits: rates,
            instances: checked,
            faults: on_request,
            scheduled,
            regions,
            digest,
            positions,
        })
    } else {
        problems.0.sort_by_key(|problem| (problem.line, problem.column));
        Err(problems.0)
    }
}

/// The memory is where the account says, seen from the account's folder; else beside it under its own name.
fn memory_path(account: &Path, memory: Option<&str>) -> PathBuf {
    let folder = account.parent().unwrap_or(Path::new(""));
    match memory {
        Some(memory) => folder.join(memory),
        None => {
            let mut name = account.file_stem().unwrap_or_default().to_owned();
            name.push(".cloud.json");
            folder.join(name)
        }
    }
}

fn access_keys(keys: Spanned<Vec<document::Key>>, problems: &mut Problems) -> Vec<AccessKey> {
    if keys.value.is_empty() {
        problems.add(keys.referenced, "there is no key: give at least { id: sim-key, secret: sim-secret }");
    }
    let mut checked: Vec<AccessKey> = Vec::with_capacity(keys.value.len());
    for key in keys.value {
        if key.id.value.is_empty() {
            problems.add(key.id.referenced, "the id of the key is empty");
        }
        if checked.iter().any(|earlier| earlier.id == key.id.value) {
            problems.add(key.id.referenced, format!("there are two keys {}: an id is unique", key.id.value));
        }
        checked.push(AccessKey { id: key.id.value, secret: key.secret, token: key.token });
    }
    checked
}

fn instance(
    written: document::Instance,
    region: &str,
    usual_start: Duration,
    usual_stop: Duration,
    problems: &mut Problems,
) -> Instance {
    let id = written.id.value;
    let well_formed = id.strip_prefix("i-").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    if !well_formed {
        problems.add(
            written.id.referenced,
            format!("\"{id}\" is not an instance id: it is \"i-\" followed by lower-case letters and digits"),
        );
    }
    let charge = problems.read(written.charge.as_ref(), Charge::PostPaid, |text| match text {
        "PrePaid" => Ok(Charge::PrePaid),
        "PostPaid" => Ok(Charge::PostPaid),
        _ => Err(format!("\"{text}\" is not a way to pay: write PrePaid or PostPaid")),
    });
    let expires = problems.read(written.expires.as_ref(), None, |text| notation::time(text).map(Some));
    if let (Some(written), Charge::PostPaid) = (&written.expires, charge) {
        problems.add(written.referenced, "only subscriptions expire: add charge: PrePaid, or remove expires");
    }
    for lock in written.locks.iter().filter(|lock| !known_lock(&lock.value)) {
        problems.add(lock.referenced, unknown_lock(&lock.value));
    }
    let region = written.region.unwrap_or_else(|| region.to_owned());
    Instance {
        name: written.name.unwrap_or_else(|| id.clone()),
        description: written.description.unwrap_or_default(),
        status: written.status.map_or(Status::Stopped, |status| Status::from(status.value)),
        zone: written.zone.unwrap_or_else(|| format!("{region}-a")),
        region,
        tags: written.tags,
        charge,
        expires,
        locks: written.locks.into_iter().map(|lock| lock.value).collect(),
        start: problems.read(written.start.as_ref(), usual_start, notation::duration),
        stop: problems.read(written.stop.as_ref(), usual_stop, notation::duration),
        spot: written.spot,
        local_disks: written.local_disks,
        instance_type: written.instance_type.unwrap_or_else(|| "ecs.g7.large".to_owned()),
        stopped_mode: problems.read(written.stopped_mode.as_ref(), StoppedMode::KeepCharging, |text| {
            match text {
                "KeepCharging" => Ok(StoppedMode::KeepCharging),
                "StopCharging" => Ok(StoppedMode::StopCharging),
                _ => Err(format!("\"{text}\" is not a stop mode: write KeepCharging or StopCharging")),
            }
        }),
        public_ip: written.public_ip,
        private_ip: written.private_ip,
        id: Arc::from(id),
    }
}

fn request_fault(
    written: Spanned<document::Fault>,
    known: &impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Fault> {
    let place = written.referenced;
    let fault = written.value;
    if fault.set.is_some() || fault.lock.is_some() || fault.unlock.is_some() {
        problems.add(place, "set, lock and unlock happen by themselves: say when, as in at: 10s");
        return None;
    }
    if let Some(action) = fault.action.as_ref().filter(|action| !known_action(&action.value)) {
        problems.add(action.referenced, unknown_action(&action.value));
    }
    if let Some(id) = fault.instance.as_ref().filter(|id| !known(&id.value)) {
        problems.add(id.referenced, format!("there is no instance {} in this account", id.value));
    }
    for count in [&fault.nth, &fault.times].into_iter().flatten().filter(|count| count.value == 0) {
        problems.add(count.referenced, "it counts from 1: 0 strikes nothing");
    }
    let mut effects: Vec<Effect> = Vec::new();
    if let Some(message) = fault.message.as_ref().filter(|_| fault.error.is_none()) {
        problems.add(message.referenced, "message: goes with error:, which is missing");
    }
    if let Some(code) = fault.error {
        effects.push(Effect::Refuse { code, message: fault.message.map(|message| message.value) });
    }
    match fault.drop.as_ref().map(|drop| (drop.value.as_str(), drop.referenced)) {
        Some(("before", _)) => effects.push(Effect::DropBefore),
        Some(("after", _)) => effects.push(Effect::DropAfter),
        Some((other, place)) => {
            problems.add(place, format!("drop: {other} has no meaning: write before (acting) or after"));
            return None;
        }
        None => {}
    }
    effects.extend(fault.stuck.then_some(Effect::Stuck));
    effects.extend(fault.fails_to_boot.then_some(Effect::FailsToBoot));
    effects.extend(fault.vanish.then_some(Effect::Vanish));
    effects.extend(fault.garbage.map(Effect::Garbage));
    effects.extend(fault.truncate.then_some(Effect::Truncate));
    if let Some(http) = fault.http {
        if (400..=599).contains(&http.value) {
            effects.push(Effect::Http(http.value));
        } else {
            problems.add(http.referenced, format!("http: {} is not a failure: write 400 to 599", http.value));
            return None;
        }
    }
    if effects.contains(&Effect::FailsToBoot)
        && fault.action.as_ref().is_some_and(|action| action.value != "StartInstance")
    {
        problems.add(place, "only a start can fail to boot: write action: StartInstance");
    }
    let delay = fault.delay.is_some();
    if effects.is_empty() && !delay {
        problems.add(
            place,
            "nothing goes wrong: add one of error, drop, delay, stuck, fails_to_boot, vanish, garbage, truncate, \
             http, or at with set",
        );
    }
    if effects.len() > 1 {
        problems.add(place, "one fault does one thing (and delay): write two faults");
    }
    Some(Fault {
        action: fault.action.map(|action| action.value),
        instance: fault.instance.map(|id| id.value),
        first: fault.nth.as_ref().map_or(1, |nth| nth.value),
        times: fault.times.map(|times| times.value).or(fault.nth.map(|_| 1)),
        delay: problems.read(fault.delay.as_ref(), Duration::ZERO, notation::duration),
        effect: effects.pop(),
    })
}

fn scheduled_change(
    written: Spanned<document::Fault>,
    known: &impl Fn(&str) -> bool,
    problems: &mut Problems,
) -> Option<Scheduled> {
    let place = written.referenced;
    let document::Fault {
        action,
        instance,
        nth,
        times,
        error,
        message,
        drop,
        delay,
        stuck,
        fails_to_boot,
        vanish,
        garbage,
        truncate,
        http,
        at,
        set,
        lock,
        unlock,
    } = written.value;
    let about_requests = action.is_some()
        || instance.is_some()
        || nth.is_some()
        || times.is_some()
        || error.is_some()
        || message.is_some()
        || drop.is_some()
        || delay.is_some()
        || stuck
        || fails_to_boot
        || vanish
        || garbage.is_some()
        || truncate
        || http.is_some();
    if about_requests {
        problems
            .add(place, "at goes with set, lock or unlock only: what strikes requests is a fault of its own");
        return None;
    }
    let mut changes = Vec::new();
    for (id, word) in set.unwrap_or_default() {
        changes.push((id, Change::Set(Status::from(word))));
    }
    for (id, reason) in lock.unwrap_or_default() {
        if !known_lock(&reason) {
            problems.add(place, unknown_lock(&reason));
        }
        changes.push((id, Change::Lock(reason)));
    }
    changes.extend(unlock.map(|id| (id, Change::Unlock)));
    if changes.is_empty() {
        problems.add(
            place,
            "nothing happens then: add set: { ID: Status }, lock: { ID: security } or unlock: ID",
        );
    }
    for (id, _) in changes.iter().filter(|(id, _)| !known(id)) {
        problems.add(place, format!("there is no instance {id} in this account"));
    }
    let after = problems.read(at.as_ref(), Duration::ZERO, notation::duration);
    Some(Scheduled { after, changes })
}

fn known_lock(reason: &str) -> bool {
    LOCKS.iter().any(|known| known.eq_ignore_ascii_case(reason))
}

fn unknown_lock(reason: &str) -> String {
    format!("\"{reason}\" is not a lock: write one of {}", LOCKS.join(", "))
}

fn known_action(action: &str) -> bool {
    api::actions().any(|known| known == action)
}

fn unknown_action(action: &str) -> String {
    let known: Vec<&str> = api::actions().collect();
    format!("\"{action}\" is not an action of the simulator: it knows {}", known.join(", "))
}
