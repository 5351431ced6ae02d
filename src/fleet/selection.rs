//! Instances by what they are like, instead of by id.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Charge, InstanceId};

/// The `select` of an entry: whatever fits when it is looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// What they are like.
    pub selector: Selector,
    /// Instances that are left out though they fit, in the order of their ids.
    pub except: Vec<InstanceId>,
    /// Fewer than this are an error: ECS answers those who may not look with an empty list.
    pub at_least: u32,
}

impl Selection {
    /// How many instances have to fit, unless the file says otherwise.
    pub const AT_LEAST: u32 = 1;
}

/// What instances have to be like; all of it has to hold. Every part is a filter of DescribeInstances.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Selector {
    /// Tags by key; a key without a value fits any value. At most [`Selector::MOST_TAGS`].
    pub tags: BTreeMap<String, Option<String>>,
    /// A pattern for the name, in which `*` stands for any characters.
    pub name: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The id of the VPC.
    pub vpc: Option<String>,
    /// The id of the resource group.
    pub resource_group: Option<String>,
    /// How they are paid: [`Charge::PrePaid`] or [`Charge::PostPaid`].
    pub charge: Option<Charge>,
}

impl Selector {
    /// The most tags that DescribeInstances takes.
    pub const MOST_TAGS: usize = 20;
}

/// `tags env and role=batch, name batch-*, zone cn-hangzhou-i`: the words of the language. Untrusted text.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tags, name, zone, vpc, resource_group, charge } = self;
        let tags: Vec<String> = tags
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{key}={value}"),
                None => key.clone(),
            })
            .collect();
        let mut parts = Vec::new();
        match tags.as_slice() {
            [] => {}
            [tag] => parts.push(format!("tag {tag}")),
            [first @ .., last] => parts.push(format!("tags {} and {last}", first.join(", "))),
        }
        let charge = charge.map(|charge| match charge {
            Charge::PrePaid => "PrePaid".to_owned(),
            Charge::PostPaid => "PostPaid".to_owned(),
            Charge::Other => "other".to_owned(),
        });
        for (key, value) in [
            ("name", name),
            ("zone", zone),
            ("vpc", vpc),
            ("resource group", resource_group),
            ("charge", &charge),
        ] {
            parts.extend(value.as_ref().map(|value| format!("{key} {value}")));
        }
        if parts.is_empty() { f.write_str("all instances") } else { f.write_str(&parts.join(", ")) }
    }
}
