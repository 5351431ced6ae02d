//! What one file wrote about its instances.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::document::Written;
use super::fields::{Field, Keys, Reader, Words};
use super::problem::{At, Finding, quoted};
use super::yaml::{Node, Pair, Value};
use super::{ready, rolling, select};
use crate::fleet::{
    AtOnce, EntryName, Goal, InstanceId, OnFailure, OnNoStock, ProviderAlias, Readiness, RollingOrder,
    Selection, StopMode, Strength,
};

/// One entry. What could not be read is missing and has been reported.
#[derive(Debug)]
pub(super) struct WrittenEntry {
    /// Its key. `None` for a name that breaks the rules.
    pub(super) name: Option<EntryName>,
    /// Its key as written: dependencies on a badly named entry are not unknown.
    pub(super) name_as_written: String,
    pub(super) at: At,
    /// The provider that it names, where that could be read.
    pub(super) provider: Option<Written<ProviderAlias>>,
    pub(super) goal: Option<Written<Goal>>,
    pub(super) members: WrittenMembers,
    pub(super) needs: Vec<WrittenNeed>,
    pub(super) timeouts: WrittenTimeouts,
    pub(super) stop: WrittenStop,
    pub(super) prevent_stop: Option<Written<bool>>,
    pub(super) allow_autoscaling: Option<bool>,
    pub(super) init_local_disk: bool,
    pub(super) at_once: Option<AtOnce>,
    pub(super) order: Option<Written<RollingOrder>>,
    pub(super) turns: WrittenTurns,
}

/// `id`, `ids` or `select`.
#[derive(Debug)]
pub(super) enum WrittenMembers {
    /// Neither, or not readable.
    Unknown,
    /// `id`.
    Single(Written<InstanceId>),
    /// `ids`: those that could be read.
    Several(Vec<Written<InstanceId>>),
    /// `select`.
    Selected(Box<Selection>),
}

impl WrittenMembers {
    pub(super) fn ids(&self) -> &[Written<InstanceId>] {
        match self {
            Self::Unknown | Self::Selected(_) => &[],
            Self::Single(id) => std::slice::from_ref(id),
            Self::Several(ids) => ids,
        }
    }
}

/// One dependency.
#[derive(Debug)]
pub(super) struct WrittenNeed {
    pub(super) at: At,
    pub(super) on: String,
    pub(super) strength: Strength,
}

/// `timeouts`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WrittenTimeouts {
    pub(super) start: Option<Duration>,
    pub(super) stop: Option<Duration>,
    pub(super) ready: Option<Duration>,
}

/// `stop`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WrittenStop {
    pub(super) mode: Option<StopMode>,
    pub(super) force: Option<bool>,
}

/// How the instances take their turns, and what they have to show: said by an entry, or by the defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenTurns {
    /// `Some(None)` where Running is said to be enough.
    pub(super) ready: Option<Option<Arc<Readiness>>>,
    pub(super) on_no_stock: Option<OnNoStock>,
    pub(super) on_failure: Option<OnFailure>,
    pub(super) pause: Option<Duration>,
}

/// `defaults`.
#[derive(Debug, Clone, Default)]
pub(super) struct WrittenDefaults {
    pub(super) timeouts: WrittenTimeouts,
    pub(super) stop: WrittenStop,
    pub(super) allow_autoscaling: Option<bool>,
    pub(super) turns: WrittenTurns,
}

pub(super) const DEFAULTS: Keys<7> = Keys {
    of: "the defaults",
    known: ["timeouts", "stop", "allow_autoscaling", "ready", "on_no_stock", "on_failure", "pause"],
    later: &[],
};

pub(super) const ENTRY: Keys<18> = Keys {
    of: "an entry",
    known: [
        "id",
        "ids",
        "select",
        "at_least",
        "provider",
        "status",
        "depends_on",
        "timeouts",
        "stop",
        "prevent_stop",
        "allow_autoscaling",
        "init_local_disk",
        "at_once",
        "order",
        "ready",
        "on_no_stock",
        "on_failure",
        "pause",
    ],
    later: &[],
};

pub(super) const TIMEOUTS: Keys<3> = Keys { of: "timeouts", known: ["start", "stop", "ready"], later: &[] };

pub(super) const STOP: Keys<2> = Keys { of: "stop", known: ["mode", "force"], later: &[] };

pub(super) const NEED: Keys<1> = Keys { of: "a dependency", known: ["required"], later: &[] };

pub(super) const GOALS: Words<Goal> = Words {
    wanted: &["Running", "Stopped", "Any"],
    accepted: &[
        ("Running", Goal::Running),
        ("Stopped", Goal::Stopped),
        ("Any", Goal::Any),
        ("running", Goal::Running),
        ("stopped", Goal::Stopped),
        ("any", Goal::Any),
    ],
    meant: &[
        ("on", "Running"),
        ("up", "Running"),
        ("start", "Running"),
        ("started", "Running"),
        ("true", "Running"),
        ("off", "Stopped"),
        ("down", "Stopped"),
        ("stop", "Stopped"),
        ("false", "Stopped"),
        ("ignore", "Any"),
        ("unmanaged", "Any"),
    ],
};

pub(super) const STOP_MODES: Words<StopMode> = Words {
    wanted: &["KeepCharging", "StopCharging"],
    accepted: &[("KeepCharging", StopMode::KeepCharging), ("StopCharging", StopMode::StopCharging)],
    meant: &[],
};

/// Reads `instances`.
pub(super) fn entries<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Vec<WrittenEntry> {
    let Some(pairs) = reader.mapping(field, "one entry below it for each instance, or `{}` for none") else {
        return Vec::new();
    };
    let mut seen: HashMap<Cow<'_, str>, &Node<'s>> = HashMap::with_capacity(pairs.len());
    let mut entries = Vec::with_capacity(pairs.len());
    for Pair { key, value } in pairs {
        let Some(name) = reader.key(key) else { continue };
        // What a second entry of the same name says is looked through all the same.
        let written = entry(reader, Field { key, value }, &name);
        match seen.entry(name) {
            std::collections::hash_map::Entry::Occupied(first) => {
                reader.duplicate_key(key, first.get(), first.key());
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(key);
                entries.push(written);
            }
        }
    }
    entries
}

fn entry<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>, name: &str) -> WrittenEntry {
    let mut written = WrittenEntry {
        name: reader.valid(field.key, name, EntryName::new),
        name_as_written: name.to_owned(),
        at: reader.at(field.key),
        provider: None,
        goal: None,
        members: WrittenMembers::Unknown,
        needs: Vec::new(),
        timeouts: WrittenTimeouts::default(),
        stop: WrittenStop::default(),
        prevent_stop: None,
        allow_autoscaling: None,
        init_local_disk: false,
        at_once: None,
        order: None,
        turns: WrittenTurns::default(),
    };
    let Some(pairs) = reader.mapping(field, "`id` and `status` below it") else { return written };
    let [
        id,
        ids,
        select,
        at_least,
        provider,
        status,
        depends_on,
        timeouts,
        stop,
        prevent_stop,
        allow_autoscaling,
        init_local_disk,
        at_once,
        order,
        ready,
        on_no_stock,
        on_failure,
        pause,
    ] = reader.fields(pairs, &ENTRY);
    written.members = members(reader, field, name, [id, ids, select], at_least);
    written.provider = provider.and_then(|field| {
        let value = reader.name(field, ProviderAlias::new, "the alias of a provider, like hk")?;
        Some(Written { at: reader.at(field.value), value })
    });
    match status {
        Some(status) => {
            let goal = reader.word(status, &GOALS);
            written.goal = goal.map(|value| Written { at: reader.at(status.value), value });
        }
        None => {
            let finding = reader
                .error(field.key, format!("entry {} has no `status`", quoted(name)))
                .label("`status` is missing here")
                .help("add `status: Running`, `status: Stopped` or `status: Any`");
            reader.add(finding);
        }
    }
    if let Some(field) = depends_on {
        written.needs = needs(reader, field);
    }
    if let Some(field) = timeouts {
        written.timeouts = timeouts_block(reader, field);
    }
    if let Some(field) = stop {
        written.stop = stop_block(reader, field);
    }
    written.prevent_stop = prevent_stop
        .and_then(|field| reader.truth(field).map(|value| Written { at: reader.at(field.key), value }));
    written.allow_autoscaling = allow_autoscaling.and_then(|field| reader.truth(field));
    written.init_local_disk = init_local_disk.and_then(|field| reader.truth(field)).unwrap_or(false);
    written.at_once = at_once.and_then(|field| rolling::at_once(reader, field));
    written.order = order.and_then(|field| {
        let value = reader.word(field, &rolling::ORDERS)?;
        Some(Written { at: reader.at(field.key), value })
    });
    written.turns = turns(reader, [ready, on_no_stock, on_failure, pause]);
    if let (Some(order), WrittenMembers::Single(_) | WrittenMembers::Selected(_)) =
        (&written.order, &written.members)
        && order.value == RollingOrder::AsListed
    {
        let finding = Finding::error(order.at, format!("entry {} has no list to go by", quoted(name)))
            .help("`order: as listed` is for entries with `ids`");
        reader.add(finding);
    }
    written
}

/// Which instances an entry names: by exactly one of `id`, `ids` and `select`.
fn members<'s>(
    reader: &mut Reader<'s, '_>,
    entry: Field<'_, 's>,
    name: &str,
    [id, ids, select]: [Option<Field<'_, 's>>; 3],
    at_least: Option<Field<'_, 's>>,
) -> WrittenMembers {
    if let (Some(at_least), None) = (at_least, select) {
        let finding = reader
            .error(at_least.key, "`at_least` is for entries with `select`")
            .help("remove it: how many instances `id` and `ids` name is written there");
        reader.add(finding);
    }
    let mut named = [(id, "id"), (ids, "ids"), (select, "select")]
        .into_iter()
        .filter_map(|(field, key)| Some((field?, key)));
    if let (Some((first, first_key)), Some((second, second_key))) = (named.next(), named.next()) {
        let first = reader.at(first.key);
        let finding = reader
            .error(second.key, format!("entry {} has both `{first_key}` and `{second_key}`", quoted(name)))
            .related(first, format!("`{first_key}` is here"))
            .help("keep `id` for one instance, `ids` for several, or `select` for whatever fits");
        reader.add(finding);
        return WrittenMembers::Unknown;
    }
    if let Some(id) = id {
        return match reader.name(id, InstanceId::new, "an id like i-bp1db0000000000001") {
            Some(value) => WrittenMembers::Single(Written { at: reader.at(id.value), value }),
            None => WrittenMembers::Unknown,
        };
    }
    if let Some(ids) = ids {
        return several(reader, ids);
    }
    if let Some(select) = select {
        let selection = select::select(reader, select, at_least);
        return selection.map_or(WrittenMembers::Unknown, |it| WrittenMembers::Selected(Box::new(it)));
    }
    let finding = reader
        .error(entry.key, format!("entry {} names no instance", quoted(name)))
        .label("neither `id` nor `ids` nor `select` is here")
        .help(
            "add `id: i-...` for one instance, `ids: [i-..., i-...]` for several, or `select: { tags: ... }`",
        );
    reader.add(finding);
    WrittenMembers::Unknown
}

/// Reads `ready`, `on_no_stock`, `on_failure` and `pause`.
fn turns<'s>(
    reader: &mut Reader<'s, '_>,
    [ready, on_no_stock, on_failure, pause]: [Option<Field<'_, 's>>; 4],
) -> WrittenTurns {
    WrittenTurns {
        ready: ready.and_then(|field| ready::ready(reader, field)).map(|ready| ready.map(Arc::new)),
        on_no_stock: on_no_stock.and_then(|field| rolling::on_no_stock(reader, field)),
        on_failure: on_failure.and_then(|field| reader.word(field, &rolling::ON_FAILURE)),
        pause: pause.and_then(|field| reader.duration(field)),
    }
}

/// Reads `defaults`.
pub(super) fn defaults<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> WrittenDefaults {
    let Some(pairs) = reader.mapping(field, "`timeouts` or `stop` below it") else {
        return WrittenDefaults::default();
    };
    let [timeouts, stop, allow_autoscaling, ready, on_no_stock, on_failure, pause] =
        reader.fields(pairs, &DEFAULTS);
    WrittenDefaults {
        timeouts: timeouts.map(|field| timeouts_block(reader, field)).unwrap_or_default(),
        stop: stop.map(|field| stop_block(reader, field)).unwrap_or_default(),
        allow_autoscaling: allow_autoscaling.and_then(|field| reader.truth(field)),
        turns: turns(reader, [ready, on_no_stock, on_failure, pause]),
    }
}

fn timeouts_block<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> WrittenTimeouts {
    let Some(pairs) = reader.mapping(field, "`{ start: 10m, stop: 20m }`") else {
        return WrittenTimeouts::default();
    };
    let [start, stop, ready] = reader.fields(pairs, &TIMEOUTS);
    WrittenTimeouts {
        start: start.and_then(|field| reader.duration(field)),
        stop: stop.and_then(|field| reader.duration(field)),
        ready: ready.and_then(|field| reader.duration(field)),
    }
}

fn stop_block<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> WrittenStop {
    let Some(pairs) = reader.mapping(field, "`{ mode: KeepCharging, force: false }`") else {
        return WrittenStop::default();
    };
    let [mode, force] = reader.fields(pairs, &STOP);
    WrittenStop {
        mode: mode.and_then(|field| reader.word(field, &STOP_MODES)),
        force: force.and_then(|field| reader.truth(field)),
    }
}

fn several<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> WrittenMembers {
    const EXAMPLE: &str = "ids in brackets: [i-bp1app000000000001]";
    let Value::List(items) = &field.value.value else {
        reader.wrong_kind::<()>(field, "a list of instance ids", EXAMPLE);
        return WrittenMembers::Unknown;
    };
    if items.is_empty() {
        let finding =
            reader.error(field.value, "`ids` is empty").help("name an instance, or remove the entry");
        reader.add(finding);
        return WrittenMembers::Unknown;
    }
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        if let Some(text) = item_text(reader, item, "an instance id")
            && let Some(value) = reader.valid(item, &text, InstanceId::new)
        {
            ids.push(Written { at: reader.at(item), value });
        }
    }
    WrittenMembers::Several(ids)
}

fn needs<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Vec<WrittenNeed> {
    match &field.value.value {
        Value::List(items) => {
            let mut needs = Vec::with_capacity(items.len());
            for item in items {
                if let Some(on) = item_text(reader, item, "the name of an entry") {
                    let at = reader.at(item);
                    needs.push(WrittenNeed { at, on: on.into_owned(), strength: Strength::Hard });
                }
            }
            needs
        }
        Value::Map(pairs) => {
            let mut needs = Vec::with_capacity(pairs.len());
            for Pair { key, value } in pairs {
                let strength = strength(reader, Field { key, value });
                if let Some(on) = reader.key(key) {
                    needs.push(WrittenNeed { at: reader.at(key), on: on.into_owned(), strength });
                }
            }
            needs
        }
        _ => {
            reader.wrong_kind::<()>(field, "a list or a mapping of entries", "`[db, cache]` or `{ db: {} }`");
            Vec::new()
        }
    }
}

fn strength<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Strength {
    let Some(pairs) = reader.mapping(field, "`{}` or `{ required: false }`") else { return Strength::Hard };
    let [required] = reader.fields(pairs, &NEED);
    match required.and_then(|field| reader.truth(field)) {
        Some(false) => Strength::Soft,
        Some(true) | None => Strength::Hard,
    }
}

/// The text of an item of a list.
pub(super) fn item_text<'n, 's>(
    reader: &mut Reader<'s, '_>,
    item: &'n Node<'s>,
    wanted: &str,
) -> Option<Cow<'n, str>> {
    match item.value {
        Value::Text(_) | Value::Truth(_) | Value::Number => Some(reader.literal(item)),
        Value::Nothing | Value::List(_) | Value::Map(_) => {
            let message = format!("this must be {wanted}, and it is {}", item.kind());
            let finding = reader.error(item, message).label(format!("expected {wanted}"));
            reader.add(finding);
            None
        }
    }
}
