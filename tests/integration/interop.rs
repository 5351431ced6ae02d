//! The official SDKs of Alibaba Cloud, as they are published, against `powerform simulator` as a process of its own.
//!
//! What they do and expect is in `tests/interop/`. Here they are installed, into an environment under `target/` that
//! later runs use again, and set going.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Not part of an ordinary run, because a machine without Python 3, or without a way to PyPI, cannot do it; who asks
/// for it by name, as `.ci/run` does, wants it done, and is told if it cannot be.
#[test]
#[ignore = "skipped: needs Python 3 and, the first time, PyPI. Run it with: cargo test -- --ignored interop"]
fn the_official_sdks_work_with_the_simulator() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let python = environment(&scripts.join("requirements.txt"));
    let folder = tempfile::tempdir().unwrap();
    let account = folder.path().join("account.yaml");
    fs::copy(scripts.join("account.yaml"), &account).unwrap();
    let cloud = Served::new(&account);
    let run = Command::new(python)
        .arg("-B")
        .arg(scripts.join("run.py"))
        .arg(&cloud.address)
        // The SDKs must find this cloud and no other, and no key but those of the script.
        .env("NO_PROXY", "*")
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "the official SDKs found differences:\n{said}");
    println!("{said}");
}

/// The Python of an environment that has the packages.
fn environment(requirements: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // Written last, so that an environment that was left halfway is made again.
    let complete = folder.join("complete");
    let wanted = fs::read_to_string(requirements).unwrap();
    if fs::read_to_string(&complete).is_ok_and(|installed| installed == wanted) {
        return python;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    done("python3 is needed for this test", Command::new("python3").args(["-m", "venv"]).arg(&folder));
    done(
        "the packages of tests/interop/requirements.txt cannot be installed",
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(requirements),
    );
    fs::write(complete, wanted).unwrap();
    python
}

/// Runs a command to its good end.
fn done(otherwise: &str, command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{otherwise}: {error}"));
    assert!(output.status.success(), "{otherwise}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A simulator that is being served, until it is dropped.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn new(account: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_powerform"))
            .args(["simulator", "--listen", "127.0.0.1:0", "--account"])
            .arg(account)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut served = Self { process, address: String::new() };
        let address = line.split_once("http://").and_then(|(_, rest)| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("the simulator does not say where it is: {line:?}"));
        served.address = address.to_owned();
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself, which the test then shows.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
