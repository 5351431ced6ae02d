//! Which instances are looked for, where they are not named by their ids.

use crate::fleet::{Charge, Selector};

/// The parameters of DescribeInstances. An empty selector finds every instance of the region.
pub(super) fn parameters(selector: &Selector) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for (number, (key, value)) in (1..).zip(&selector.tags) {
        parameters.push((format!("Tag.{number}.Key"), key.clone()));
        if let Some(value) = value {
            parameters.push((format!("Tag.{number}.Value"), value.clone()));
        }
    }
    let charge = selector.charge.and_then(|charge| match charge {
        Charge::PrePaid => Some("PrePaid".to_owned()),
        Charge::PostPaid => Some("PostPaid".to_owned()),
        // Not a word that can be asked for.
        Charge::Other => None,
    });
    let exact = [
        ("InstanceName", &selector.name),
        ("ZoneId", &selector.zone),
        ("VpcId", &selector.vpc),
        ("ResourceGroupId", &selector.resource_group),
        ("InstanceChargeType", &charge),
    ];
    let exact = exact.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    parameters.extend(exact);
    parameters
}

/// For logs: which properties are asked for, without their values.
pub(super) fn in_words(selector: &Selector) -> String {
    let names = parameters(selector).into_iter().map(|(name, _)| name);
    let mut names: Vec<String> = names.filter(|name| !name.starts_with("Tag.")).collect();
    if !selector.tags.is_empty() {
        names.push(format!("{} tags", selector.tags.len()));
    }
    if names.is_empty() { "all instances".to_owned() } else { format!("by {}", names.join(", ")) }
}
