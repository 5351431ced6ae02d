//! An overlay changes what the files say, key by key: a mapping goes into the mapping below it, anything else takes the
//! place of what is there, and nothing (`~`) takes it away. It adds fields, and no entries.

use std::collections::{HashMap, HashSet};

use super::layers::Tree;
use super::nearest::Suggestions;
use super::problem::{At, Finding, Findings, quoted};
use super::yaml::{Apart, Node, Pair, Value};

/// Keys of the document that hold what people name: an overlay changes what is there.
const NAMED: &[(&str, &str)] =
    &[("instances", "entry"), ("providers", "provider"), ("variables", "variable")];

/// Keys whose value is one whole: half of a selection and half of another are neither.
const WHOLE: &[&str] = &["depends_on", "select"];

/// Keys of an entry of which one takes the place of the others.
const ONE_OF: &[&str] = &["id", "ids", "select"];

/// Lays one overlay over the files. `all_read` says whether what is not there is certainly not there.
pub(super) fn lay<'s>(files: &mut [Tree<'s>], overlay: Tree<'s>, all_read: bool, findings: &mut Findings) {
    let Tree { source, text, mut root } = overlay;
    mark(&mut root, source, text.text, text.offset);
    let pairs = match root.value {
        Value::Map(pairs) => pairs,
        Value::Nothing => return,
        _ => {
            let message = format!("an overlay must be a mapping, and this is {}", root.kind());
            findings.add(
                Finding::error(root.at(source, 0), message)
                    .help("write what changes, like `instances: { app: { status: Stopped } }`"),
            );
            return;
        }
    };
    let mut laying = Laying { all_read, findings };
    for Pair { key, value } in laying.once_each(pairs) {
        let name = key.literal("").into_owned();
        if name == "required_version" {
            laying.findings.add(
                Finding::error(at(&key), "an overlay cannot change `required_version`")
                    .help("change it in the file that has it"),
            );
            continue;
        }
        let mut below: Vec<&mut Node<'s>> = Vec::new();
        for Tree { root, .. } in files.iter_mut() {
            if let Value::Map(pairs) = &mut root.value {
                below.extend(pairs.iter_mut().find(|pair| is(&pair.key, &name)).map(|pair| &mut pair.value));
            }
        }
        let named = NAMED.iter().find(|(named, _)| *named == name).map(|(_, what)| *what);
        match (named, value) {
            (Some(what), Node { value: Value::Map(changes), .. }) => laying.named(what, &mut below, changes),
            (_, value) if below.is_empty() => {
                if matches!(value.value, Value::Nothing) {
                    laying.nothing_to_remove(&key, &name, None);
                } else if let Some(Tree { root: Node { value: Value::Map(pairs), .. }, .. }) =
                    files.first_mut()
                {
                    pairs.push(Pair { key, value });
                }
            }
            (_, Node { value: Value::Nothing, .. }) => {
                for Tree { root, .. } in files.iter_mut() {
                    if let Value::Map(pairs) = &mut root.value {
                        pairs.retain(|pair| !is(&pair.key, &name));
                    }
                }
            }
            (_, value) => {
                if let Some(first) = below.into_iter().next() {
                    laying.change(first, value, false);
                }
            }
        }
    }
}

/// Lets every node of an overlay know where it stands, wherever it goes.
fn mark(node: &mut Node<'_>, source: usize, text: &str, offset: u32) {
    let scalar = matches!(node.value, Value::Number | Value::Truth(_)).then(|| node.literal(text).into());
    node.apart = Some(Box::new(Apart { source: Some((source, offset)), scalar }));
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| mark(item, source, text, offset)),
        Value::Map(pairs) => {
            for Pair { key, value } in pairs {
                mark(key, source, text, offset);
                mark(value, source, text, offset);
            }
        }
        Value::Nothing | Value::Text(_) | Value::Truth(_) | Value::Number => {}
    }
}

/// The place of a node that has been marked.
fn at(node: &Node<'_>) -> At {
    node.at(0, 0)
}

fn is(key: &Node<'_>, name: &str) -> bool {
    matches!(&key.value, Value::Text(text) if text == name)
}

/// The name of a key. What is no text is no name that anything could have.
fn name<'n>(key: &'n Node<'_>) -> Option<&'n str> {
    match &key.value {
        Value::Text(text) => Some(text),
        _ => key.apart.as_ref().and_then(|apart| apart.scalar.as_deref()),
    }
}

struct Laying<'f> {
    all_read: bool,
    findings: &'f mut Findings,
}

impl Laying<'_> {
    /// The pairs of a mapping of the overlay, of which each key may be there once.
    fn once_each<'s>(&mut self, pairs: Vec<Pair<'s>>) -> Vec<Pair<'s>> {
        let mut seen: HashMap<String, At> = HashMap::with_capacity(pairs.len());
        let mut kept = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let Some(name) = name(&pair.key) else {
                let message = format!("a key must be text, and this is {}", pair.key.kind());
                self.findings.add(Finding::error(at(&pair.key), message));
                continue;
            };
            if let Some(first) = seen.get(name) {
                self.findings.add(
                    Finding::error(at(&pair.key), format!("the key {} is written twice", quoted(name)))
                        .label("again here")
                        .related(*first, "first here")
                        .help("keep one of them"),
                );
                continue;
            }
            seen.insert(name.to_owned(), at(&pair.key));
            kept.push(pair);
        }
        kept
    }

    /// Changes what people name, in whichever file it is.
    fn named<'s>(&mut self, what: &str, below: &mut [&mut Node<'s>], changes: Vec<Pair<'s>>) {
        let mut places: HashMap<String, (usize, usize)> = HashMap::new();
        for (file, node) in below.iter().enumerate() {
            let Value::Map(pairs) = &node.value else { continue };
            for (position, pair) in pairs.iter().enumerate() {
                if let Some(name) = name(&pair.key) {
                    places.entry(name.to_owned()).or_insert((file, position));
                }
            }
        }
        let mut suggestions = Suggestions::new(places.keys().map(String::as_str).collect());
        let mut removed: HashSet<(usize, usize)> = HashSet::new();
        for Pair { key, value } in self.once_each(changes) {
            let Some(name) = name(&key) else { continue };
            let Some((file, position)) = places.get(name).copied() else {
                if self.all_read {
                    self.findings.add(
                        Finding::error(at(&key), format!("there is no {what} {} to change", quoted(name)))
                            .label(format!("unknown {what}"))
                            .note("an overlay changes what the files say, and adds nothing that has a name")
                            .maybe_help(suggestions.get(name).map(|name| format!("did you mean `{name}`?"))),
                    );
                }
                continue;
            };
            if matches!(value.value, Value::Nothing) {
                removed.insert((file, position));
                continue;
            }
            let Some(Value::Map(pairs)) = below.get_mut(file).map(|node| &mut node.value) else { continue };
            let Some(pair) = pairs.get_mut(position) else { continue };
            match (&mut pair.value, what) {
                // The short form of a variable is its default.
                (short, "variable") if is_scalar(short) && !is_scalar(&value) => {
                    let default = Pair {
                        key: Node {
                            value: Value::Text("default".into()),
                            used: pair.key.used,
                            written: pair.key.written,
                            apart: None,
                        },
                        value: std::mem::replace(short, empty(&value)),
                    };
                    short.value = Value::Map(vec![default]);
                    self.change(short, value, false);
                }
                (Node { value: Value::Map(long), .. }, "variable") if is_scalar(&value) => {
                    long.retain(|pair| !is(&pair.key, "default"));
                    let written = Node { value: Value::Text("default".into()), ..empty(&value) };
                    long.push(Pair { key: written, value });
                }
                (below, _) => self.change(below, value, what == "entry"),
            }
        }
        for (file, node) in below.iter_mut().enumerate() {
            if let Value::Map(pairs) = &mut node.value {
                keep_all_but(pairs, |position| removed.contains(&(file, position)));
            }
        }
    }

    fn change<'s>(&mut self, below: &mut Node<'s>, change: Node<'s>, is_entry: bool) {
        match (&mut below.value, change) {
            (Value::Map(pairs), Node { value: Value::Map(changes), .. }) => {
                self.change_pairs(pairs, changes, is_entry);
            }
            (_, change) => *below = change,
        }
    }

    fn change_pairs<'s>(&mut self, below: &mut Vec<Pair<'s>>, changes: Vec<Pair<'s>>, is_entry: bool) {
        let mut places: HashMap<String, usize> = HashMap::with_capacity(below.len());
        for (position, pair) in below.iter().enumerate() {
            if let Some(name) = name(&pair.key) {
                places.entry(name.to_owned()).or_insert(position);
            }
        }
        let mut suggestions = None;
        let mut removed: HashSet<usize> = HashSet::new();
        for Pair { key, value } in self.once_each(changes) {
            let Some(name) = name(&key) else { continue };
            let place = places.get(name).copied();
            if matches!(value.value, Value::Nothing) {
                match place {
                    Some(position) => {
                        removed.insert(position);
                    }
                    None => {
                        let suggestions = suggestions.get_or_insert_with(|| {
                            Suggestions::new(places.keys().map(String::as_str).collect())
                        });
                        let meant = suggestions.get(name);
                        self.nothing_to_remove(&key, name, meant);
                    }
                }
                continue;
            }
            if is_entry && ONE_OF.contains(&name) {
                let others = ONE_OF.iter().filter(|other| **other != name);
                removed.extend(others.filter_map(|other| places.get(*other)));
            }
            match place.and_then(|position| below.get_mut(position)) {
                None => below.push(Pair { key, value }),
                Some(pair) if WHOLE.contains(&name) => *pair = Pair { key, value },
                Some(pair) => match (&pair.value.value, &value.value) {
                    (Value::Map(_), Value::Map(_)) => self.change(&mut pair.value, value, false),
                    _ => *pair = Pair { key, value },
                },
            }
        }
        keep_all_but(below, |position| removed.contains(&position));
    }

    fn nothing_to_remove(&mut self, key: &Node<'_>, name: &str, meant: Option<&str>) {
        if !self.all_read {
            return;
        }
        self.findings.add(
            Finding::error(at(key), format!("there is no {} to take away", quoted(name)))
                .label("nothing below it")
                .note("`~`, or no value, takes away what the files say")
                .maybe_help(meant.map(|meant| format!("did you mean `{meant}`?"))),
        );
    }
}

fn is_scalar(node: &Node<'_>) -> bool {
    !matches!(node.value, Value::Nothing | Value::List(_) | Value::Map(_))
}

/// A node without a value in the place of another one.
fn empty<'s>(like: &Node<'s>) -> Node<'s> {
    let source = like.apart.as_ref().and_then(|apart| apart.source);
    Node {
        value: Value::Nothing,
        used: like.used,
        written: like.written,
        apart: Some(Box::new(Apart { source, scalar: None })),
    }
}

fn keep_all_but<T>(list: &mut Vec<T>, is_removed: impl Fn(usize) -> bool) {
    let mut position = 0;
    list.retain(|_| {
        position += 1;
        !is_removed(position - 1)
    });
}
