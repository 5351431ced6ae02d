//! The mistakes made most in a configuration file: `tests/data/mistakes/*.yaml`, each with what `powerform validate`
//! says of it beside it, in a `.txt`. To take over what is said now, after reading the difference:
//!
//! ```text
//! BLESS=1 cargo test --test integration mistakes
//! ```

#![expect(clippy::unwrap_used, reason = "what cannot be read or run fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use similar::TextDiff;

use crate::harness::side_by_side;
use crate::transcripts::is_blessing;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mistakes")
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

/// What `powerform validate` says of a file on its standard error, with its exit status as the last line.
fn diagnosed(path: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_powerform"))
        .current_dir(folder())
        .env_clear()
        .args(["--file", path.file_name().unwrap().to_str().unwrap(), "validate"])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{}: {output:?}", path.display());
    let status = output.status.code().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    format!("{}exit status {status}\n", said.replace(env!("CARGO_PKG_VERSION"), "VERSION"))
}

#[test]
fn every_mistake_is_diagnosed_as_shown_beside_it() {
    let mistakes = files("yaml");
    assert!(mistakes.len() >= 25, "{mistakes:?}");
    side_by_side(&mistakes, |path| {
        let beside = path.with_extension("txt");
        let said = diagnosed(path);
        if is_blessing() {
            fs::write(&beside, &said).unwrap();
        }
        let shown = fs::read_to_string(&beside).unwrap_or_default();
        let difference = TextDiff::from_lines(&shown, &said);
        let difference = difference.unified_diff().header("shown", "said").to_string();
        assert!(shown == said, "{}:\n{difference}", path.display());
    });
}

#[test]
fn every_diagnostic_names_the_place_and_says_what_to_write() {
    let shown = files("txt");
    assert_eq!(shown.len(), files("yaml").len(), "a text for every file, and no other");
    for path in shown {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.with_extension("yaml");
        let name = name.file_name().unwrap().to_str().unwrap();
        let place = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("--> {name}:")));
        let (line, column) = place.and_then(|place| place.split_once(':')).unwrap_or_default();
        let is_number = |text: &str| text.parse::<usize>().is_ok_and(|number| number > 0);
        assert!(is_number(line) && is_number(column), "{name} is not told line and column:\n{text}");
        for diagnostic in
            text.split("\n\n").filter(|part| part.starts_with("error: ") && part.contains("-->"))
        {
            assert!(diagnostic.contains("= help: "), "{name} is not told what to write:\n{diagnostic}");
        }
        assert!(text.starts_with("error: ") && text.ends_with("exit status 1\n"), "{name}:\n{text}");
    }
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}stack: shop\r\nprovider: { region: cn-hangzhou }\r\ninstances: {}\r\n";
    fs::write(folder.path().join("powerform.yaml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_powerform"))
        .current_dir(folder.path())
        .env_clear()
        .arg("validate")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
