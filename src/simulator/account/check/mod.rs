//! From what was written to what it means, with every problem at once.

mod access;
mod assistant;
mod faults;
mod listen;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_saphyr::Location;

use super::document::{self, Document, Text};
use super::{Account, Instance, Problem, Quirks, notation};
use crate::simulator::api;
use crate::simulator::status::{Charge, Status, StoppedMode};

/// The id of the account where the file does not say.
const USUAL_ACCOUNT: &str = "1234567890123456";

/// The region where the file does not say.
const USUAL_REGION: &str = "cn-hangzhou";

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
    let Document {
        account,
        keys,
        memory,
        region,
        pace,
        limits,
        roles,
        sts,
        permissions,
        quirks,
        lag,
        instances,
        faults,
    } = document;

    if account.is_none() && keys.is_none() && region.is_none() && instances.is_empty() {
        let message = "the account is empty: begin with instances: [{ id: i-bp1db0000000000001 }]".to_owned();
        return Err(vec![Problem { line: 1, column: 1, message }]);
    }
    let account = problems.read(account.as_ref(), USUAL_ACCOUNT.to_owned(), account_id);
    let keys = access::keys(keys, &mut problems);
    let roles = access::roles(roles, &account, &mut problems);
    let longest_session =
        problems.read(sts.duration.as_ref(), None, |text| notation::duration(text).map(Some));
    let denied = access::denied(permissions, &mut problems);
    let limits = access::limits(limits, &mut problems);
    let region = problems.read(region.as_ref(), USUAL_REGION.to_owned(), |text| match text {
        "" => Err("the region is empty: write one such as cn-hangzhou".to_owned()),
        region => Ok(region.to_owned()),
    });
    let usual_start = problems.read(pace.start.as_ref(), USUAL_START, notation::duration);
    let usual_stop = problems.read(pace.stop.as_ref(), USUAL_STOP, notation::duration);
    let jitter = problems.read(pace.jitter.as_ref(), 0.0, notation::share);
    let lag = problems.read(lag.as_ref(), Duration::ZERO, notation::duration);

    let mut positions = HashMap::with_capacity(instances.len());
    let mut checked = Vec::with_capacity(instances.len());
    let mut taken = listen::Taken::default();
    for written in instances {
        let place = written.id.referenced;
        let instance = instance(written, &region, usual_start, usual_stop, &mut taken, &mut problems);
        if positions.insert(Arc::clone(&instance.id), checked.len()).is_some() {
            problems.add(place, format!("there are two instances {}: an id is unique", instance.id));
        }
        checked.push(instance);
    }
    let regions: BTreeSet<String> =
        checked.iter().map(|instance| instance.region.clone()).chain([region.clone()]).collect();

    let known = |id: &str| positions.contains_key(id);
    let (faults, scheduled) = faults::faults(faults, &known, &mut problems);

    if problems.0.is_empty() {
        Ok(Account {
            id: account,
            keys,
            memory: memory_path(path, memory.as_ref().map(|memory| memory.value.as_str())),
            region,
            jitter,
            lag,
            limits,
            roles,
            longest_session,
            denied,
            quirks: Quirks {
                numeric_codes: quirks.numeric_codes,
                empty_pages: quirks.empty_pages,
                first_thousand: quirks.first_thousand,
            },
            instances: checked,
            faults,
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

fn account_id(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not an account id: it is a number such as {USUAL_ACCOUNT}"))
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

fn instance(
    written: document::Instance,
    region: &str,
    usual_start: Duration,
    usual_stop: Duration,
    taken: &mut listen::Taken,
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
    let (private_ip, listeners) = listen::listeners(&id, written.private_ip, written.listen, taken, problems);
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
        vpc: written.vpc.unwrap_or_else(|| "vpc-sim".to_owned()),
        resource_group: written.resource_group.unwrap_or_default(),
        public_ip: written.public_ip,
        elastic_ip: written.eip,
        private_ip,
        listeners,
        assistant: assistant::assistant(written.assistant, problems),
        id: Arc::from(id),
    }
}

fn known_lock(reason: &str) -> bool {
    LOCKS.iter().any(|known| known.eq_ignore_ascii_case(reason))
}

fn unknown_lock(reason: &str) -> String {
    format!("\"{reason}\" is not a lock: write one of {}", LOCKS.join(", "))
}

fn check_action(action: &str, place: Location, problems: &mut Problems) {
    if !api::actions().any(|known| known == action) {
        let known: Vec<&str> = api::actions().collect();
        problems.add(
            place,
            format!("\"{action}\" is not an action of the simulator: it knows {}", known.join(", ")),
        );
    }
}
