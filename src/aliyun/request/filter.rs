//! Which instances are looked for, where they are not named by their ids.

use std::collections::BTreeMap;
use std::fmt;

use crate::fleet::Charge;

/// What instances must have in common to be found. All that is set must fit; an empty filter finds every instance of
/// the region.
///
/// ECS looks at 1,000 instances at most where tags or a resource group are given, and answers a user without
/// permission with an empty list and no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Tags, at most 20: a key with its value, or with any value.
    pub tags: BTreeMap<String, Option<String>>,
    /// The name, with `*` for any text.
    pub name: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The id of the VPC.
    pub vpc: Option<String>,
    /// The id of the resource group.
    pub resource_group: Option<String>,
    /// How they are paid.
    pub charge: Option<Charge>,
}

impl Filter {
    /// The parameters of DescribeInstances.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        for (number, (key, value)) in (1..).zip(&self.tags) {
            parameters.push((format!("Tag.{number}.Key"), key.clone()));
            if let Some(value) = value {
                parameters.push((format!("Tag.{number}.Value"), value.clone()));
            }
        }
        let charge = self.charge.and_then(|charge| match charge {
            Charge::PrePaid => Some("PrePaid".to_owned()),
            Charge::PostPaid => Some("PostPaid".to_owned()),
            // Not a word that can be asked for.
            Charge::Other => None,
        });
        let exact = [
            ("InstanceName", &self.name),
            ("ZoneId", &self.zone),
            ("VpcId", &self.vpc),
            ("ResourceGroupId", &self.resource_group),
            ("InstanceChargeType", &charge),
        ];
        let exact = exact.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        parameters.extend(exact);
        parameters
    }
}

/// For logs: which properties are asked for, without their values.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = self
            .parameters()
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| !name.starts_with("Tag."))
            .collect();
        if !self.tags.is_empty() {
            names.push(format!("{} tags", self.tags.len()));
        }
        if names.is_empty() { f.write_str("all instances") } else { write!(f, "by {}", names.join(", ")) }
    }
}
