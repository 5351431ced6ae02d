//! Holds the shape of the code: which module may import which, and what may not be left lying in it.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod source;

/// Every top-level module of `src/`, with what it may import of its own crate besides itself. A new arrow is a change
/// of this table, made in the same commit, where a reviewer sees it.
const ARROWS: &[(&str, &[&str])] = &[
    ("fleet", &[]),
    ("config", &["fleet"]),
    ("plan", &["fleet"]),
    ("cloud", &["fleet"]),
    ("observe", &["fleet", "cloud"]),
    ("probe", &["fleet", "cloud"]),
    ("execute", &["fleet", "plan", "cloud", "probe"]),
    ("state", &["fleet"]),
    ("aliyun", &["fleet", "cloud"]),
    ("reconcile", &["fleet", "cloud", "observe", "plan", "probe", "execute", "state"]),
    ("history", &["fleet", "plan", "execute"]),
    ("render", &["fleet", "config", "plan", "execute", "cloud", "state", "history"]),
    ("inventory", &["fleet", "config", "cloud", "render::visible"]),
    ("simulator", &["aliyun::sign"]),
    ("cli", &["*"]),
];

/// The files that are no module: the list of modules, and the binary.
const ROOTS: [&str; 2] = ["lib", "main"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under a folder, as paths from there, in order.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    fn collect(folder: &Path, base: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, base, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(base).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no Rust files under {}", folder.display());
    found
}

/// The modules that a file under `src/` stands for: `aliyun/mod.rs` is `aliyun`, `plan/order.rs` is `plan::order`.
fn modules(file: &Path) -> Vec<String> {
    let mut modules: Vec<_> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if modules.len() > 1 {
        modules.pop_if(|last| last == "mod");
    }
    modules
}

/// What a file imports that its top-level module may not.
fn forbidden_imports(file: &Path, text: &str) -> Vec<String> {
    let modules = modules(file);
    let top = modules[0].as_str();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == top) else { return Vec::new() };
    let is_allowed = |import: &String| {
        allowed.iter().chain([&top]).any(|allowed| {
            *allowed == "*"
                || import.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    };
    let code = source::without_test_modules(&source::code(text));
    let mut imports = source::imports(&code);
    if source::longest_climb(&code) >= modules.len() {
        imports.insert("super (out of its top-level module: begin with crate:: instead)".to_owned());
    }
    imports.into_iter().filter(|import| !is_allowed(import)).collect()
}

#[test]
fn no_module_imports_what_it_may_not() {
    let source = root().join("src");
    let mut found = Vec::new();
    for file in rust_files(&source) {
        // Tests may look at everything.
        if file.file_stem().is_some_and(|stem| stem == "tests") || file.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(source.join(&file)).unwrap();
        for import in forbidden_imports(&file, &text) {
            found.push(format!("src/{} imports {import}", file.display()));
        }
    }
    assert!(found.is_empty(), "not in the table of arrows:\n{}", found.join("\n"));
}

#[test]
fn every_module_has_a_row_and_every_row_a_module() {
    let present: BTreeSet<String> =
        rust_files(&root().join("src")).iter().map(|file| modules(file).swap_remove(0)).collect();
    let expected: BTreeSet<String> =
        ARROWS.iter().map(|(name, _)| *name).chain(ROOTS).map(str::to_owned).collect();
    assert_eq!(present, expected, "the modules of src/ (left) and the table of arrows (right) differ");
}

#[test]
fn arrows_lead_to_modules_of_the_table_and_never_in_a_circle() {
    let targets = |name: &str| {
        ARROWS.iter().find(|(row, _)| *row == name).map(|(_, allowed)| *allowed).unwrap_or_default()
    };
    let mut lower: BTreeSet<&str> = BTreeSet::new();
    // Each round takes the modules that import only what was taken before.
    loop {
        let next: Vec<_> = ARROWS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !lower.contains(name))
            .filter(|name| {
                let modules = targets(name).iter().map(|target| target.split("::").next().unwrap());
                modules.into_iter().all(|target| target == "*" || lower.contains(target))
            })
            .collect();
        if next.is_empty() {
            break;
        }
        lower.extend(next);
    }
    assert_eq!(lower.len(), ARROWS.len());
}

#[test]
fn a_planted_upward_import_is_caught() {
    for (file, text, caught) in [
        ("fleet/name.rs", "use crate::plan::Plan;", Some("plan::Plan")),
        (
            "fleet/name.rs",
            "pub(crate) use crate::{fleet::Name, plan::{self, order::{Cycle, *}}};",
            Some("plan::order::*"),
        ),
        ("fleet/name.rs", "use crate::{\n    // plan\n    cli as plan,\n};", Some("cli")),
        ("fleet/name.rs", "fn f() -> crate::cli::Exit { todo() }", Some("cli::Exit")),
        ("fleet/name.rs", "fn f() { crate::state::read::<u8>() }", Some("state::read")),
        ("fleet/name.rs", "macro_rules! m { () => { $crate::plan::P } }", Some("plan::P")),
        ("fleet/name.rs", "use crate :: plan;", Some("plan")),
        ("fleet/name.rs", "use crate as all;", Some("(the whole crate)")),
        ("fleet/name.rs", "use crate::*;", Some("*")),
        ("fleet/name.rs", "use super::super::plan;", Some("super (out of its")),
        ("fleet/mod.rs", "use super::plan;", Some("super (out of its")),
        ("cloud.rs", "use super::plan;", Some("super (out of its")),
        ("cloud.rs", "use crate::fleet_of_ships::Ship;", Some("fleet_of_ships::Ship")),
        ("simulator/api.rs", "use crate::aliyun::{sign, response};", Some("aliyun::response")),
        ("fleet/name.rs", "const C: char = '\"'; use crate::plan; const D: char = '\"';", Some("plan")),
        ("fleet/name.rs", "fn f<'a>(x: &'a str) {} use crate::plan; fn g<'a>() {}", Some("plan")),
        (
            "fleet/name.rs",
            "const S: &str = r#\"\"\"#; use crate::plan; const T: &str = \"\\\\\";",
            Some("plan"),
        ),
        (
            "fleet/name.rs",
            "#[cfg(test)] mod tests { fn f() { let x = '}'; } }\nuse crate::plan;",
            Some("plan"),
        ),
        ("fleet/name.rs", "#[cfg(test)]\nmod tests;\nuse crate::plan;", Some("plan")),
        ("simulator/api.rs", "use crate::aliyun::sign::{self, Signer as S};", None),
        ("execute/step.rs", "use crate::{cloud, fleet::{Power, Goal}, plan};", None),
        ("fleet/name.rs", "use super::power; use crate::fleet::Power; pub(crate) fn f() {}", None),
        ("fleet/name.rs", "/// [`crate::plan::Plan`]\nfn f() {} /* crate::plan /* */ crate::plan */", None),
        (
            "fleet/name.rs",
            "const S: &str = \"crate::plan \\\" crate::plan\"; const R: &str = r#\"\"crate::plan\"#;",
            None,
        ),
        (
            "fleet/name.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::plan;\n    use super::super::super::plan;\n}",
            None,
        ),
        ("fleet/name.rs", "mod my_crate {} use my_crate::plan;", None),
        ("cli/mod.rs", "use crate::plan; use crate::simulator;", None),
    ] {
        let found = forbidden_imports(Path::new(file), text);
        match caught {
            None => assert!(found.is_empty(), "{file}: {text}\ncaught {found:?}"),
            Some(caught) => {
                assert!(
                    found.iter().any(|import| import.starts_with(caught)),
                    "{file}: {text}\ncaught {found:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_unfinished_is_left_in_the_sources() {
    // Written in pieces, so that this file does not find itself.
    let leftovers =
        [("to", "do!"), ("db", "g!"), ("unimple", "mented!"), ("FIX", "ME"), ("XX", "X"), ("TO", "DO")]
            .map(|(head, tail)| format!("{head}{tail}"));
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(root().join(folder).join(&file)).unwrap();
            for (number, line) in text.lines().enumerate() {
                for leftover in leftovers.iter().filter(|leftover| holds_word(line, leftover)) {
                    found.push(format!("{folder}/{}:{}: {leftover}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn holds_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(place, _)| {
        !line[..place].ends_with(is_part) && !line[place + word.len()..].starts_with(is_part)
    })
}

#[test]
fn no_cryptography_comes_from_outside_rust_and_ring() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let names: Vec<_> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(names.contains(&"ring") && names.contains(&"rustls"), "Cargo.lock is not read as it is written");
    for banned in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        assert!(!names.contains(&banned), "{banned} came in with a dependency");
    }
}

#[test]
fn no_file_of_tests_is_forgotten() {
    let folder = root().join("tests/integration");
    let files: Vec<_> = rust_files(&folder);
    let mut texts = String::new();
    for file in &files {
        texts.push_str(&source::code(&fs::read_to_string(folder.join(file)).unwrap()));
    }
    for file in files.iter().filter(|file| file.as_os_str() != "main.rs") {
        let name = modules(file).pop().unwrap();
        assert!(
            texts.contains(&format!("mod {name};")),
            "tests/integration/{} is in no mod line",
            file.display()
        );
    }
}
