//! From instances to entries.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::names::{Register, valid, with_suffix};
use super::{Draft, DraftMembers, Inventory, Known, Member, Shape};
use crate::cloud::Found;
use crate::fleet::{Goal, InstanceId, Power, ProviderAlias, Selector, Sighting, StopMode, StoppedMode};

/// What entries begin with where a name or a tag has nothing to offer.
const INSTANCE: &str = "instance";

/// The longest key or value of a tag that a selection may name, in characters.
const LONGEST_TAG: usize = 128;

/// What an instance is to its entry. Instances of one entry have one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Running,
    Stopped,
    /// Stopped in another mode than an entry that says nothing.
    StoppedOtherwise(Mode),
    /// A member of an Auto Scaling group, which has a will of its own.
    Scaled,
    /// On its way, or in a status that nobody knows.
    Unsettled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Mode {
    KeepCharging,
    StopCharging,
}

impl Kind {
    fn of(sighting: &Sighting, usual: StopMode) -> Self {
        if sighting.scaling_tag.is_some() {
            return Self::Scaled;
        }
        match &sighting.power {
            Power::Running => Self::Running,
            Power::Stopped => match (sighting.stopped_mode, usual) {
                (StoppedMode::StopCharging, StopMode::KeepCharging) => {
                    Self::StoppedOtherwise(Mode::StopCharging)
                }
                (StoppedMode::KeepCharging, StopMode::StopCharging) => {
                    Self::StoppedOtherwise(Mode::KeepCharging)
                }
                _ => Self::Stopped,
            },
            Power::Pending | Power::Starting | Power::Stopping | Power::Unrecognised(_) => Self::Unsettled,
        }
    }

    fn goal(self) -> Goal {
        match self {
            Self::Running => Goal::Running,
            Self::Stopped | Self::StoppedOtherwise(_) => Goal::Stopped,
            Self::Scaled | Self::Unsettled => Goal::Any,
        }
    }

    fn stop_mode(self) -> Option<StopMode> {
        match self {
            Self::StoppedOtherwise(Mode::KeepCharging) => Some(StopMode::KeepCharging),
            Self::StoppedOtherwise(Mode::StopCharging) => Some(StopMode::StopCharging),
            _ => None,
        }
    }

    /// What tells an entry from the first of its group.
    fn word(self) -> Option<&'static str> {
        match self {
            Self::Running => None,
            Self::Stopped => Some("stopped"),
            Self::StoppedOtherwise(Mode::StopCharging) => Some("economical"),
            Self::StoppedOtherwise(Mode::KeepCharging) => Some("kept"),
            Self::Scaled => Some("scaled"),
            Self::Unsettled => Some("unsettled"),
        }
    }

    fn remark(self) -> Option<&'static str> {
        match self {
            Self::Scaled => Some("in an Auto Scaling group, which would release what is stopped"),
            Self::Unsettled => {
                Some("in transition, or in no known status: choose Running or Stopped once that has settled")
            }
            _ => None,
        }
    }
}

/// What one entry is made of.
struct Bunch<'f> {
    provider: &'f ProviderAlias,
    /// The value of the tag that they have in common.
    value: Option<&'f str>,
    kind: Kind,
    /// Whether there are others with this value in the same place: such have other goals.
    is_part: bool,
    /// Whether it has the name of the group for itself.
    is_first: bool,
    name: String,
    members: Vec<&'f Found>,
}

/// The entries for all that was found and is not known yet, in the order in which they are written: by provider, the main
/// one first, then by name.
#[must_use]
pub fn drafts(inventory: &Inventory, known: &Known, shape: &Shape) -> Vec<Draft> {
    let mut bunches = Vec::new();
    // An instance that two providers see is one instance.
    let mut taken: HashSet<&InstanceId> = known.ids.iter().collect();
    let mut everywhere: HashMap<&str, HashSet<&ProviderAlias>> = HashMap::new();
    let mut with_value: HashMap<(&ProviderAlias, &str), usize> = HashMap::new();
    for provider in in_order(inventory) {
        let mut found: Vec<&Found> = inventory[provider].iter().collect();
        found.sort_by(|a, b| a.sighting.id.cmp(&b.sighting.id));
        let mut groups: BTreeMap<&str, BTreeMap<Kind, Vec<&Found>>> = BTreeMap::new();
        for one in found {
            let value = shape.group_by.as_ref().and_then(|key| one.tags.get(key)).map(String::as_str);
            if let Some(value) = value {
                *with_value.entry((provider, value)).or_default() += 1;
            }
            if !taken.insert(&one.sighting.id) {
                continue;
            }
            let kind = Kind::of(&one.sighting, shape.stop_mode);
            match value {
                Some(value) => groups.entry(value).or_default().entry(kind).or_default().push(one),
                None => bunches.push(single(provider, kind, one)),
            }
        }
        for (value, kinds) in groups {
            everywhere.entry(value).or_default().insert(provider);
            let is_part = kinds.len() > 1;
            bunches.extend(kinds.into_iter().enumerate().map(|(position, (kind, members))| Bunch {
                provider,
                value: Some(value),
                kind,
                is_part,
                is_first: position == 0,
                name: String::new(),
                members,
            }));
        }
    }
    let key = shape.group_by.as_deref().unwrap_or_default();
    for bunch in &mut bunches {
        let Some(value) = bunch.value else { continue };
        bunch.name = valid(value, &valid(key, INSTANCE));
        if everywhere[value].len() > 1 && *bunch.provider != ProviderAlias::main() {
            bunch.name = with_suffix(&bunch.name, bunch.provider.as_str());
        }
        if let Some(word) = bunch.kind.word().filter(|_| !bunch.is_first) {
            bunch.name = with_suffix(&bunch.name, word);
        }
    }
    // A stable sort: what has one name stays in the order of the ids.
    bunches.sort_by(|a, b| rank(a.provider).cmp(&rank(b.provider)).then_with(|| a.name.cmp(&b.name)));
    let mut register = Register::new(&known.names);
    let mut drafts = Vec::with_capacity(bunches.len());
    for bunch in bunches {
        // Every name is made valid before.
        let Some(name) = register.give(&bunch.name) else { continue };
        let all = bunch.value.map(|value| with_value[&(bunch.provider, value)]);
        let (members, remark) = members(&bunch, all, shape);
        drafts.push(Draft {
            name,
            provider: bunch.provider.clone(),
            goal: bunch.kind.goal(),
            stop_mode: bunch.kind.stop_mode(),
            members,
            remark,
        });
    }
    drafts
}

fn single<'f>(provider: &'f ProviderAlias, kind: Kind, one: &'f Found) -> Bunch<'f> {
    let Sighting { id, name, .. } = &one.sighting;
    let name = if name.trim().is_empty() { id.as_str() } else { name };
    Bunch {
        provider,
        value: None,
        kind,
        is_part: false,
        is_first: true,
        name: valid(name, INSTANCE),
        members: vec![one],
    }
}

/// The main provider, then the others by their aliases.
pub(super) fn rank(provider: &ProviderAlias) -> (bool, &ProviderAlias) {
    (*provider != ProviderAlias::main(), provider)
}

fn in_order(inventory: &Inventory) -> Vec<&ProviderAlias> {
    let mut providers: Vec<_> = inventory.keys().collect();
    providers.sort_by_key(|provider| rank(provider));
    providers
}

/// How the entry names its instances, and what has to be said of it. `all` is how many instances have the value of the
/// tag, whatever they are.
fn members(bunch: &Bunch<'_>, all: Option<usize>, shape: &Shape) -> (DraftMembers, Option<String>) {
    let mut remark = bunch.kind.remark().map(str::to_owned);
    if let (Some(value), Some(key), true) = (bunch.value, &shape.group_by, shape.select) {
        match selector(key, value, bunch, all, shape) {
            Ok(selector) => {
                let ids = bunch.members.iter().map(|one| one.sighting.id.clone()).collect();
                return (DraftMembers::Selected { selector, ids }, remark);
            }
            Err(why) => {
                let why = format!("by ids, because {why}");
                remark = Some(remark.map_or(why.clone(), |remark| format!("{remark}; {why}")));
            }
        }
    }
    let mut named = bunch.members.iter().map(|one| Member {
        id: one.sighting.id.clone(),
        name: one.sighting.name.clone(),
        was: was(bunch.kind, &one.sighting),
    });
    let members = match (bunch.value, named.next()) {
        (None, Some(member)) => DraftMembers::Single(member),
        (_, first) => DraftMembers::Listed(first.into_iter().chain(named).collect()),
    };
    (members, remark)
}

fn was(kind: Kind, sighting: &Sighting) -> Option<String> {
    match kind {
        Kind::Unsettled | Kind::Scaled => Some(sighting.power.word().to_owned()),
        Kind::Running | Kind::Stopped | Kind::StoppedOtherwise(_) => None,
    }
}

/// The selection that comes to exactly these instances, or why there is none.
fn selector(
    key: &str,
    value: &str,
    bunch: &Bunch<'_>,
    all: Option<usize>,
    shape: &Shape,
) -> Result<Selector, &'static str> {
    if bunch.is_part {
        return Err("not all with this tag have the same status");
    }
    if all != Some(bunch.members.len()) {
        return Err("others with this tag are in entries already");
    }
    if value.is_empty() {
        return Err("the value of the tag is empty");
    }
    let is_writable = |text: &str| {
        text.chars().count() <= LONGEST_TAG && !text.contains(char::is_control) && !text.contains("${")
    };
    if !is_writable(key) || !is_writable(value) {
        return Err("the tag is nothing that a selection could name");
    }
    let mut selector = shape.filter.clone();
    selector.tags.insert(key.to_owned(), Some(value.to_owned()));
    if selector.tags.len() > Selector::MOST_TAGS {
        return Err("ECS filters by no more tags");
    }
    Ok(selector)
}
