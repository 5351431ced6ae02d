//! The variables that the files declare, and who gives each its value.

use std::collections::HashMap;
use std::collections::hash_map;

use super::fields::{Field, Keys, Reader, Words};
use super::layers::Tree;
use super::nearest::{Suggestions, nearest};
use super::problem::{At, Finding, Findings, Span, quoted};
use super::source::{self, Source, Text};
use super::yaml::{Node, Pair, Value};

/// What the name of a variable has in front of it in the environment.
pub const ENVIRONMENT_PREFIX: &str = "POWERFORM_VAR_";

pub(super) const VARIABLE: Keys<3> =
    Keys { of: "a variable", known: ["default", "type", "description"], later: &[] };

pub(super) const TYPES: Words<Type> = Words {
    wanted: &["string", "number", "bool"],
    accepted: &[("string", Type::Text), ("number", Type::Number), ("bool", Type::Truth)],
    meant: &[
        ("text", "string"),
        ("str", "string"),
        ("int", "number"),
        ("integer", "number"),
        ("boolean", "bool"),
    ],
};

/// What a variable is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Truth,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Truth(bool),
}

impl Kind {
    fn with_article(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Truth(_) => "true or false",
        }
    }
}

/// The value of a variable.
#[derive(Debug)]
pub(super) struct Scalar {
    pub(super) kind: Kind,
    /// The value as it is written.
    pub(super) text: String,
}

impl Scalar {
    /// What a text without quotes is.
    fn guessed(text: &str) -> Self {
        let kind = match text {
            "true" => Kind::Truth(true),
            "false" => Kind::Truth(false),
            _ if is_number(text) => Kind::Number,
            _ => Kind::Text,
        };
        Self { kind, text: text.to_owned() }
    }

    fn of(reader: &Reader<'_, '_>, node: &Node<'_>) -> Option<Self> {
        let kind = match &node.value {
            Value::Text(_) => Kind::Text,
            Value::Number => Kind::Number,
            Value::Truth(truth) => Kind::Truth(*truth),
            Value::Nothing | Value::List(_) | Value::Map(_) => return None,
        };
        Some(Self { kind, text: node.literal(reader.text.text).into_owned() })
    }
}

/// Whether YAML takes it for a number, as people write one. `010` and `1_000` are text.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

/// A variable that is declared.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) at: At,
    declared: Option<Type>,
    pub(super) value: Option<Scalar>,
    /// Whether its value or its declaration has been reported, and its uses need not be.
    pub(super) is_wrong: bool,
}

/// All that are declared, by name.
#[derive(Debug, Default)]
pub(super) struct Variables {
    by_name: HashMap<String, Variable>,
}

/// Reads what the files declare.
pub(super) fn declared(files: &[Tree<'_>], findings: &mut Findings) -> Variables {
    let mut variables = Variables::default();
    for Tree { source, text, root } in files {
        let Value::Map(pairs) = &root.value else { continue };
        let mut reader = Reader { source: *source, text: *text, findings };
        let is_declaration =
            |pair: &&Pair<'_>| matches!(&pair.key.value, Value::Text(name) if name == "variables");
        // A second one in one file is reported with all keys that are there twice.
        let Some(Pair { key, value }) = pairs.iter().find(is_declaration) else { continue };
        let Some(pairs) = reader.mapping(Field { key, value }, "`region: cn-hangzhou` below it") else {
            continue;
        };
        for Pair { key, value } in pairs {
            variables.declare(&mut reader, Field { key, value });
        }
    }
    variables
}

impl Variables {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.by_name.get(name)
    }

    fn declare<'s>(&mut self, reader: &mut Reader<'s, '_>, field: Field<'_, 's>) {
        let Some(name) = reader.key(field.key) else { return };
        if !is_name(&name) {
            let finding = reader
                .error(field.key, format!("{} is not the name of a variable", quoted(&name)))
                .label("not a name")
                .note("a name begins with a letter or `_`, and holds letters, digits, `_` and `-`");
            reader.add(finding);
            return;
        }
        let at = reader.at(field.key);
        let vacant = match self.by_name.entry(name.into_owned()) {
            hash_map::Entry::Vacant(vacant) => vacant,
            hash_map::Entry::Occupied(first) => {
                let finding = reader
                    .error(field.key, format!("the variable {} is declared twice", quoted(first.key())))
                    .label("again here")
                    .related(first.get().at, "first here")
                    .help("keep one of them: the variables of all files are known in all files");
                reader.add(finding);
                return;
            }
        };
        let mut variable = Variable { at, declared: None, value: None, is_wrong: false };
        let default = match &field.value.value {
            Value::Map(pairs) => {
                let [default, declared, description] = reader.fields(pairs, &VARIABLE);
                if let Some(declared) = declared {
                    variable.declared = reader.word(declared, &TYPES);
                    variable.is_wrong = variable.declared.is_none();
                }
                if let Some(description) = description {
                    reader.text(description, "text", "what the variable is for");
                }
                default
            }
            Value::Nothing => {
                let finding = reader
                    .error(
                        field.key,
                        format!("the variable {} has neither a default nor braces", quoted(vacant.key())),
                    )
                    .label("no value")
                    .help("write its default, or `{}` if its value has to be given");
                reader.add(finding);
                variable.is_wrong = true;
                None
            }
            _ => Some(field),
        };
        let variable = vacant.insert_entry(variable);
        if let Some(default) = default {
            let name = variable.key().clone();
            self.give_node(reader, &name, default);
        }
    }

    /// Takes the value of one of the environment's variables. One that is not declared may be meant for another stack.
    pub(super) fn take_from_environment(&mut self, index: usize, source: &Source, findings: &mut Findings) {
        let Some(name) = source.name.strip_prefix(ENVIRONMENT_PREFIX) else { return };
        if !self.by_name.contains_key(name) {
            return;
        }
        let Some(text) = source::decode(index, source, findings) else { return };
        let reader = &mut Reader { source: index, text, findings };
        let at = At::here(index, Span::new(0, source.text.len()));
        self.give(reader, name, Scalar::guessed(text.text), true, at);
    }

    /// Takes the values of a file.
    pub(super) fn take_from_file(&mut self, file: &Tree<'_>, all_read: bool, findings: &mut Findings) {
        let Tree { source, text, root } = file;
        let mut reader = Reader { source: *source, text: *text, findings };
        let pairs = match &root.value {
            Value::Map(pairs) => pairs,
            Value::Nothing => return,
            _ => {
                let finding = reader
                    .error(root, format!("a file of values must be a mapping, and this is {}", root.kind()))
                    .help("write a line like `region: cn-hangzhou` for each variable");
                reader.add(finding);
                return;
            }
        };
        let mut undeclared = Vec::new();
        let mut seen: HashMap<String, &Node<'_>> = HashMap::new();
        for Pair { key, value } in pairs {
            let Some(name) = reader.key(key) else { continue };
            if let Some(first) = seen.get(name.as_ref()) {
                reader.duplicate_key(key, first, &name);
                continue;
            }
            if self.by_name.contains_key(name.as_ref()) {
                self.give_node(&mut reader, &name, Field { key, value });
            } else if all_read {
                undeclared.push((name.clone().into_owned(), reader.at(key)));
            }
            seen.insert(name.into_owned(), key);
        }
        let mut suggestions = Suggestions::new(self.names().collect());
        for (name, at) in undeclared {
            reader.add(no_declaration(&name, at, suggestions.get(&name)));
        }
    }

    /// Takes the value of `--var name=value`.
    pub(super) fn take_from_assignment(
        &mut self,
        index: usize,
        source: &Source,
        all_read: bool,
        findings: &mut Findings,
    ) {
        let Some(text) = source::decode(index, source, findings) else { return };
        let Text { text: assignment, offset } = text;
        let place = |start: usize, end: usize| At::here(index, Span::new(start, end).moved(offset));
        let Some((name, value)) = assignment.split_once('=') else {
            let finding = Finding::error(
                place(0, assignment.len()),
                format!("{} gives no value", quoted(assignment)),
            )
            .help("write the name of a variable, an equals sign and its value, like `region=cn-hangzhou`");
            findings.add(finding);
            return;
        };
        if self.by_name.contains_key(name) {
            let at = place(name.len() + 1, assignment.len());
            self.give(&mut Reader { source: index, text, findings }, name, Scalar::guessed(value), true, at);
        } else if all_read {
            findings.add(no_declaration(name, place(0, name.len()), nearest(name, self.names())));
        }
    }

    fn give_node<'s>(&mut self, reader: &mut Reader<'s, '_>, name: &str, field: Field<'_, 's>) {
        match Scalar::of(reader, field.value) {
            Some(scalar) => {
                let at = reader.at(field.value);
                self.give(reader, name, scalar, false, at);
            }
            None => {
                reader.wrong_kind::<()>(
                    field,
                    "text, a number, or true or false",
                    "a value like cn-hangzhou",
                );
                self.set(name, None);
            }
        }
    }

    /// Gives a variable a value, which is the later one and wins. `is_guessed` says that nobody could put quotes.
    fn give(
        &mut self,
        reader: &mut Reader<'_, '_>,
        name: &str,
        mut scalar: Scalar,
        is_guessed: bool,
        at: At,
    ) {
        let Some(variable) = self.by_name.get(name) else { return };
        let fits = match (variable.declared, scalar.kind) {
            (Some(Type::Text), _) => {
                scalar.kind = Kind::Text;
                true
            }
            (Some(Type::Number), kind) => kind == Kind::Number,
            (Some(Type::Truth), kind) => matches!(kind, Kind::Truth(_)),
            (None, _) => true,
        };
        if fits {
            reader.findings.explain_variable(name, &scalar.text, at);
            self.set(name, Some(scalar));
            return;
        }
        let wanted = if variable.declared == Some(Type::Number) { "a number" } else { "true or false" };
        let given = if is_guessed { quoted(&scalar.text) } else { scalar.kind.with_article().to_owned() };
        reader.add(
            Finding::error(
                at,
                format!("the variable {} must be {wanted}, and this is {given}", quoted(name)),
            )
            .label(format!("expected {wanted}"))
            .related(variable.at, "declared here")
            .help(match variable.declared {
                Some(Type::Number) => "write a number like 2, without quotes",
                _ => "write true or false, without quotes",
            }),
        );
        self.set(name, None);
    }

    fn set(&mut self, name: &str, value: Option<Scalar>) {
        if let Some(variable) = self.by_name.get_mut(name) {
            variable.is_wrong |= value.is_none();
            variable.value = value;
        }
    }
}

fn no_declaration(name: &str, at: At, meant: Option<&str>) -> Finding {
    let help = meant.map_or_else(
        || "declare it under `variables:` in a file of the configuration, or leave it out".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    Finding::error(at, format!("no file declares a variable {}", quoted(name)))
        .label("unknown variable")
        .help(help)
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_' || next == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_nobody_could_quote_is_what_yaml_would_take_it_for() {
        for (text, kind) in [
            ("true", Kind::Truth(true)),
            ("false", Kind::Truth(false)),
            ("True", Kind::Text),
            ("2", Kind::Number),
            ("-2.50", Kind::Number),
            ("0", Kind::Number),
            ("010", Kind::Text),
            ("1.", Kind::Text),
            ("1e3", Kind::Text),
            ("50%", Kind::Text),
            ("", Kind::Text),
            ("-", Kind::Text),
        ] {
            assert_eq!(Scalar::guessed(text).kind, kind, "{text}");
        }
    }
}
