//! What a shell is told while somebody types.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::Scenario;

const CONFIGURATION: &str = "instances:
  db: { id: i-db, status: Running }
  app: { ids: [i-app1, i-app2], status: Running, depends_on: [db] }
";

fn scenario() -> Scenario {
    Scenario::new("instances: [{ id: i-db }, { id: i-app1 }, { id: i-app2 }]\n", CONFIGURATION)
}

/// What fish is told about the last of these words: it takes a line for each.
fn told(scenario: &Scenario, words: &[&str]) -> Output {
    let mut command = scenario.command(&[]);
    command.env("POWERFORM_COMPLETE", "fish").args(["--", "powerform"]).args(words);
    command.output().expect("powerform runs")
}

/// Without what each is for, which stands behind a tab.
fn proposals(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn entries_and_then_the_instances_of_one_are_proposed_wherever_an_address_is_wanted() {
    let scenario = scenario();
    for line in [
        &["plan", "--target"][..],
        &["apply", "--exclude"],
        &["state", "show"],
        &["state", "rm"],
        &["-f", "powerform.yaml", "plan", "--target"],
        &["-C", ".", "plan", "--target", "db", "--exclude"],
    ] {
        let ask = |begun: &str| {
            let words: Vec<&str> = line.iter().copied().chain([begun]).collect();
            proposals(&told(&scenario, &words))
        };
        let all = ask("");
        assert!(all.starts_with(&["app".to_owned(), "db".to_owned()]), "{line:?}: {all:?}");
        assert_eq!(ask("a"), ["app"], "{line:?}");
        assert_eq!(ask("app["), ["app[i-app1]", "app[i-app2]"], "{line:?}");
        assert!(ask("app[i-app2").contains(&"app[i-app2]".to_owned()), "{line:?}");
    }
    assert!(scenario.log().lines().is_empty(), "nobody was asked");
}

#[test]
fn a_file_that_is_wrong_or_missing_gives_no_addresses_and_no_complaint() {
    let scenario = scenario();
    scenario.write("wrong.yaml", "stack: s\ninstances: [");
    for file in ["wrong.yaml", "missing.yaml", "."] {
        let output = told(&scenario, &["-f", file, "plan", "--target", "a"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{file}: {output:?}");
        assert!(!proposals(&output).contains(&"app".to_owned()) || file == ".", "{file}: {output:?}");
    }
    let unknown = scenario.command(&["plan"]).env("POWERFORM_COMPLETE", "tcsh").output().expect("it runs");
    assert!(!unknown.status.success() && unknown.stdout.is_empty());
}

#[test]
fn every_shell_has_a_script_that_names_the_program_and_no_path() {
    let scenario = scenario();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = scenario.run(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("POWERFORM_COMPLETE") && script.contains("powerform"), "{script}");
        assert!(!script.contains(env!("CARGO_BIN_EXE_powerform")), "{script}");
    }
    scenario.run(&["completions", "tcsh"]).exits(1).complains(&["tcsh", "bash", "elvish"]);
}

#[test]
fn a_real_bash_completes_addresses() {
    let Some(bash) = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|path| Path::new(path).exists()) else {
        return;
    };
    let scenario = scenario();
    let programs = Path::new(env!("CARGO_BIN_EXE_powerform")).parent().expect("a folder").to_owned();
    scenario.write(
        "ask.sh",
        "source <(powerform completions bash)\n\
         COMP_WORDS=(powerform plan --target 'app['); COMP_CWORD=3; COMP_TYPE=9; COMPREPLY=()\n\
         _clap_complete_powerform powerform 'app[' --target\n\
         printf '%s\\n' \"${COMPREPLY[@]}\"\n",
    );
    let output = Command::new(bash)
        .arg("ask.sh")
        .current_dir(scenario.folder())
        .env_clear()
        .env("PATH", programs)
        .output()
        .expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "app[i-app1]\napp[i-app2]\n", "{output:?}");
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let scenario = scenario();
    let page = scenario.run(&["man"]).exits(0).stdout;
    assert!(page.contains(".TH powerform 1") && page.contains(".SH \"EXIT STATUS\""), "{page}");
    scenario.run(&["man", "--dir", "pages"]).exits(0).prints(&["manual pages to pages"]);
    let plan = fs::read_to_string(scenario.folder().join("pages/powerform-plan.1")).expect("written");
    assert!(plan.contains("detailed"), "{plan}");
}
