//! Who may come in, as whom, how often, and what is kept from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use super::super::document::{self, Text};
use super::super::{AccessKey, Limit, Role, notation};
use super::{Problems, check_action};

/// The key of an account that names none. It opens nothing but a simulator on this machine.
fn usual_key() -> AccessKey {
    AccessKey { id: "sim-key".to_owned(), secret: "sim-secret".into(), token: None }
}

pub(super) fn keys(keys: Option<Spanned<Vec<document::Key>>>, problems: &mut Problems) -> Vec<AccessKey> {
    let Some(keys) = keys else { return vec![usual_key()] };
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

pub(super) fn roles(roles: Vec<document::Role>, account: &str, problems: &mut Problems) -> Vec<Role> {
    let mut checked: Vec<Role> = Vec::with_capacity(roles.len());
    for document::Role { arn, external_id } in roles {
        let Text { value: arn, referenced: place, .. } = arn;
        let prefix = format!("acs:ram::{account}:role/");
        if arn.strip_prefix(&prefix).is_none_or(str::is_empty) {
            problems.add(place, format!("\"{arn}\" is not a role of this account: write {prefix}NAME"));
        }
        if checked.iter().any(|earlier| earlier.arn == arn) {
            problems.add(place, format!("there are two roles {arn}: a name is unique"));
        }
        checked.push(Role { arn, external_id });
    }
    checked
}

pub(super) fn denied(permissions: document::Permissions, problems: &mut Problems) -> BTreeSet<String> {
    permissions
        .deny
        .into_iter()
        .map(|action| {
            check_action(&action.value, action.referenced, problems);
            action.value
        })
        .collect()
}

pub(super) fn limits(
    limits: BTreeMap<String, Spanned<document::Limit>>,
    problems: &mut Problems,
) -> BTreeMap<String, Limit> {
    let mut checked = BTreeMap::new();
    for (action, limit) in limits {
        check_action(&action, limit.referenced, problems);
        match notation::rate(&limit.value.rate) {
            Ok(rate) => {
                checked.insert(action, Limit { rate, retry_after: limit.value.retry_after });
            }
            Err(message) => problems.add(limit.referenced, message),
        }
    }
    checked
}
