//! `select`: instances by what they are like.

use std::collections::BTreeMap;
use std::collections::btree_map;

use super::entry::item_text;
use super::fields::{Field, Keys, Reader, Words};
use super::problem::quoted;
use super::provider::plain_text;
use super::yaml::{Pair, Value};
use crate::fleet::{Charge, InstanceId, Selection, Selector};

pub(super) const SELECT: Keys<8> = Keys {
    of: "`select`",
    known: ["tags", "name", "zone", "vpc", "resource_group", "charge", "except", "at_least"],
    later: &[],
};

pub(super) const CHARGES: Words<Charge> = Words {
    wanted: &["PrePaid", "PostPaid"],
    accepted: &[("PrePaid", Charge::PrePaid), ("PostPaid", Charge::PostPaid)],
    meant: &[("subscription", "PrePaid"), ("pay-as-you-go", "PostPaid"), ("payg", "PostPaid")],
};

/// The longest name of an instance, and so the longest pattern that can fit one, in characters.
const LONGEST_NAME: usize = 128;

/// The longest key or value of a tag, in characters.
const LONGEST_TAG: usize = 128;

/// Reads the block. `at_least` is what the entry itself says about how many have to fit.
pub(super) fn select<'s>(
    reader: &mut Reader<'s, '_>,
    field: Field<'_, 's>,
    beside: Option<Field<'_, 's>>,
) -> Option<Selection> {
    const EXAMPLE: &str = "`{ tags: { role: batch } }`";
    let pairs = reader.mapping(field, EXAMPLE)?;
    let [tags_field, name, zone, vpc, resource_group, charge, except, at_least] =
        reader.fields(pairs, &SELECT);
    let says = [tags_field, name, zone, vpc, resource_group, charge].iter().any(Option::is_some);
    let mut text = |field: Option<Field<'_, 's>>, wanted: &str, example: &str| {
        field.and_then(|field| plain_text(reader, field, wanted, example))
    };
    let zone = text(zone, "a zone", "a zone like cn-hangzhou-i");
    let vpc = text(vpc, "the id of a VPC", "an id like vpc-bp1...");
    let resource_group = text(resource_group, "the id of a resource group", "an id like rg-ac...");
    let name = name.and_then(|field| name_pattern(reader, field));
    let selector = Selector {
        tags: tags_field.map(|field| tags(reader, field)).unwrap_or_default(),
        name,
        zone,
        vpc,
        resource_group,
        charge: charge.and_then(|field| reader.word(field, &CHARGES)),
    };
    let except = except.map(|field| ids(reader, field)).unwrap_or_default();
    if let (Some(inside), Some(beside)) = (at_least, beside) {
        let first = reader.at(inside.key);
        let finding = reader
            .error(beside.key, "`at_least` is given twice: in `select` and beside it")
            .related(first, "in `select` here")
            .help("keep one of them");
        reader.add(finding);
    }
    let least = at_least.or(beside).and_then(|field| reader.whole(field, "a whole number from 0"));
    if !says {
        let finding = reader
            .error(field.key, "`select` says nothing, and every instance of the region would fit")
            .help(format!("write {EXAMPLE}; `name: \"*\"` if all of them are meant"));
        reader.add(finding);
        return None;
    }
    Some(Selection { selector, except, at_least: least.unwrap_or(Selection::AT_LEAST) })
}

fn name_pattern<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<String> {
    let pattern = plain_text(reader, field, "a name or a pattern", "a pattern like \"batch-*\"")?;
    if pattern.chars().count() > LONGEST_NAME {
        let message = format!("no instance has a name of more than {LONGEST_NAME} characters");
        return reader.wrong_value(field, message, "too long");
    }
    Some(pattern)
}

fn tags<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> BTreeMap<String, Option<String>> {
    let mut tags = BTreeMap::new();
    let Some(pairs) = reader.mapping(field, "`{ role: batch, env: dev }`") else { return tags };
    if pairs.is_empty() {
        let finding =
            reader.error(field.key, "`tags` names no tag").help("write `{ role: batch }`, or remove it");
        reader.add(finding);
    }
    for Pair { key, value } in pairs {
        let Some(name) = reader.key(key) else { continue };
        if name.is_empty() || name.chars().count() > LONGEST_TAG || name.contains(char::is_control) {
            let finding = reader.error(key, format!("{} is not the key of a tag", quoted(&name)));
            reader.add(finding);
            continue;
        }
        // Without a value any will do.
        let wanted = match value.value {
            Value::Nothing => None,
            _ => match reader.text(
                Field { key, value },
                "the value of a tag",
                "a text, or nothing for any value",
            ) {
                Some(text) if text.chars().count() <= LONGEST_TAG && !text.contains(char::is_control) => {
                    Some(text.into_owned())
                }
                Some(text) => {
                    let finding = reader.error(value, format!("{} is not the value of a tag", quoted(&text)));
                    reader.add(finding);
                    continue;
                }
                None => continue,
            },
        };
        match tags.entry(name.clone().into_owned()) {
            btree_map::Entry::Vacant(place) => {
                place.insert(wanted);
            }
            btree_map::Entry::Occupied(_) => {
                let finding = reader
                    .error(key, format!("the tag {} is written twice", quoted(&name)))
                    .help("keep one of them: all tags have to fit");
                reader.add(finding);
            }
        }
    }
    if tags.len() > Selector::MOST_TAGS {
        let message =
            format!("more than {} tags, which is the most that ECS filters by", Selector::MOST_TAGS);
        let finding = reader.error(field.key, message).help("leave out those that the others imply");
        reader.add(finding);
    }
    tags
}

fn ids<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Vec<InstanceId> {
    let Value::List(items) = &field.value.value else {
        reader.wrong_kind::<()>(field, "a list of instance ids", "ids in brackets: [i-bp1batch00000000001]");
        return Vec::new();
    };
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        if let Some(text) = item_text(reader, item, "an instance id") {
            ids.extend(reader.valid(item, &text, InstanceId::new));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}
