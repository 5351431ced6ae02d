//! From entries to YAML.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::draft::rank;
use super::{Draft, DraftMembers, Member};
use crate::config::{Format, Network, ProviderSettings, RoleToAssume, Signature};
use crate::fleet::{Charge, ProviderAlias, Selector, StackName};
use crate::render::visible::visible;

/// What an imported document begins with. No date: the same instances give the same text.
const HEAD: &str = "\
# What exists, as `powerform import` found it. Every goal is the status that an instance had, so that a plan finds
# nothing to do. Next: give entries the names that you use, say who needs whom with `depends_on`, and look at it with
# `powerform plan`.
";

/// As much of a name as is shown in a comment, in characters: names in ECS have no more.
const LONGEST_REMARK: usize = 128;

/// Words that YAML readers of any age take for something else than text.
const NOT_TEXT: [&str; 13] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "none", "undefined"];

/// A whole document: the stack, where its instances are, and the entries.
#[must_use]
pub fn document(
    stack: &StackName,
    settings: &BTreeMap<ProviderAlias, ProviderSettings>,
    drafts: &[Draft],
) -> String {
    let mut text = format!("{HEAD}stack: {stack}\n");
    if let Some(main) = settings.get(&ProviderAlias::main()) {
        let block = provider(main);
        if !block.is_empty() {
            let _ = write!(text, "\nprovider:\n{}", indented(&block, 2));
        }
    }
    let others = providers(settings);
    if !others.is_empty() {
        let _ = write!(text, "\nproviders:\n{}", indented(&others, 2));
    }
    let _ = if drafts.is_empty() {
        write!(text, "\ninstances: {{}}\n")
    } else {
        write!(text, "\ninstances:\n{}", indented(&entries(drafts), 2))
    };
    text
}

/// What stands below `providers`, without indentation: all but the main one.
#[must_use]
pub fn providers(settings: &BTreeMap<ProviderAlias, ProviderSettings>) -> String {
    let mut text = String::new();
    for (alias, settings) in settings.iter().filter(|(alias, _)| **alias != ProviderAlias::main()) {
        let alias = scalar(alias.as_str());
        let block = provider(settings);
        let _ = if block.is_empty() {
            writeln!(text, "{alias}: {{}}")
        } else {
            write!(text, "{alias}:\n{}", indented(&block, 2))
        };
    }
    text
}

/// What stands below `instances`, without indentation.
#[must_use]
pub fn entries(drafts: &[Draft]) -> String {
    let mut sorted: Vec<&Draft> = drafts.iter().collect();
    sorted.sort_by(|a, b| rank(&a.provider).cmp(&rank(&b.provider)).then_with(|| a.name.cmp(&b.name)));
    let mut text = String::new();
    for draft in sorted {
        entry(&mut text, draft);
    }
    text
}

fn entry(text: &mut String, draft: &Draft) {
    let Draft { name, provider, goal, stop_mode, members, remark } = draft;
    let _ = writeln!(text, "{}:", scalar(name.as_str()));
    if let Some(remark) = remark {
        let _ = writeln!(text, "  # {}", visible(remark));
    }
    match members {
        DraftMembers::Single(member) => {
            let _ = writeln!(text, "  id: {}{}", member.id, beside(member, name.as_str()));
        }
        DraftMembers::Listed(members) => {
            let _ = writeln!(text, "  ids:");
            for member in members {
                let _ = writeln!(text, "    - {}{}", member.id, beside(member, ""));
            }
        }
        DraftMembers::Selected { selector, ids } => {
            let _ = writeln!(text, "  select:{}", one_or_many(ids.len()));
            select(text, selector);
        }
    }
    if *provider != ProviderAlias::main() {
        let _ = writeln!(text, "  provider: {}", scalar(provider.as_str()));
    }
    let _ = writeln!(text, "  status: {}", goal.word());
    if let Some(mode) = stop_mode {
        let _ = writeln!(text, "  stop: {{ mode: {mode} }}");
    }
}

fn one_or_many(instances: usize) -> String {
    match instances {
        1 => " # 1 instance".to_owned(),
        many => format!(" # {many} instances"),
    }
}

/// What stands in a comment beside an id: the name in ECS, unless the entry has it, and what the instance was.
fn beside(member: &Member, known_as: &str) -> String {
    let name = member.name.trim();
    let name = if name == known_as { "" } else { name };
    let name: String = name.chars().take(LONGEST_REMARK).collect();
    let words: Vec<Cow<'_, str>> = [Some(name.as_str()), member.was.as_deref()]
        .into_iter()
        .flatten()
        .filter(|word| !word.is_empty())
        .map(visible)
        .collect();
    if words.is_empty() { String::new() } else { format!(" # {}", words.join(", ")) }
}

fn select(text: &mut String, selector: &Selector) {
    let Selector { tags, name, zone, vpc, resource_group, charge } = selector;
    if !tags.is_empty() {
        let tags: Vec<String> = tags
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{}: {}", scalar(key), scalar(value)),
                None => format!("{}: ~", scalar(key)),
            })
            .collect();
        let _ = writeln!(text, "    tags: {{ {} }}", tags.join(", "));
    }
    let charge = charge.and_then(|charge| match charge {
        Charge::PrePaid => Some("PrePaid"),
        Charge::PostPaid => Some("PostPaid"),
        Charge::Other => None,
    });
    for (key, value) in [
        ("name", name.as_deref()),
        ("zone", zone.as_deref()),
        ("vpc", vpc.as_deref()),
        ("resource_group", resource_group.as_deref()),
        ("charge", charge),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "    {key}: {}", scalar(value));
        }
    }
}

/// The keys of one provider that say something else than their defaults.
fn provider(settings: &ProviderSettings) -> String {
    // Nothing is left out unseen.
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
    } = settings;
    let usual = ProviderSettings::default();
    let mut text = String::new();
    let path = simulator.as_ref().map(|path| path.display().to_string());
    for (key, value) in [
        ("region", region.as_ref().map(|region| region.as_str())),
        ("profile", profile.as_deref()),
        ("endpoint", endpoint.as_deref()),
        ("network", (*network != Network::default()).then(|| network.word())),
        ("signature", (*signature != Signature::default()).then(|| signature.word())),
        ("format", (*format != Format::default()).then(|| format.word())),
        ("simulator", path.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key}: {}", scalar(value));
        }
    }
    if let Some(role) = assume_role {
        let _ = write!(text, "assume_role:\n{}", indented(&assumed(role), 2));
    }
    if *batch_above != usual.batch_above {
        let _ = writeln!(text, "batch_above: {batch_above}");
    }
    if *max_in_flight != usual.max_in_flight {
        let _ = writeln!(text, "max_in_flight: {max_in_flight}");
    }
    text
}

fn assumed(role: &RoleToAssume) -> String {
    let RoleToAssume { arn, session_name, duration, external_id, policy } = role;
    let duration = duration.map(|duration| format!("{}s", duration.as_secs()));
    let mut text = String::new();
    for (key, value) in [
        ("arn", Some(arn.as_str())),
        ("session_name", Some(session_name.as_str())),
        ("duration", duration.as_deref()),
        ("external_id", external_id.as_deref()),
        ("policy", policy.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key}: {}", scalar(value));
        }
    }
    text
}

fn indented(block: &str, by: usize) -> String {
    let mut text = String::with_capacity(block.len() * 5 / 4);
    for line in block.lines() {
        let _ = writeln!(text, "{:by$}{line}", "");
    }
    text
}

/// A text as YAML that means exactly that text: in quotes, unless nobody could take it for something else.
fn scalar(text: &str) -> Cow<'_, str> {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_plain = begins
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        && !NOT_TEXT.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        let number = u32::from(c);
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            // What `visible` would escape, and what YAML does not allow in a file.
            _ if matches!(visible(c.encode_utf8(&mut [0; 4])), Cow::Owned(_))
                || number & 0xfffe == 0xfffe =>
            {
                if number > 0xffff {
                    write!(quoted, "\\U{number:08x}")
                } else {
                    write!(quoted, "\\u{number:04x}")
                }
            }
            _ => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        for (text, written) in [
            ("web", "web"),
            ("cn-hangzhou", "cn-hangzhou"),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("1.10", "\"1.10\""),
            ("~", "\"~\""),
            ("@x", "\"@x\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("数据库", "\"数据库\""),
            ("", "\"\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a\nb\u{202e}\u{1b}", "\"a\\u000ab\\u202e\\u001b\""),
            ("batch-*", "\"batch-*\""),
            ("${x}", "\"${x}\""),
        ] {
            assert_eq!(scalar(text), written, "{text:?}");
        }
    }
}
