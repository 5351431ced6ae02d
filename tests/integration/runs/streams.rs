//! What is written where, with which exit status, and what happens when it cannot be written.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::harness::{Running, Scenario, World};

const ACCOUNT: &str = "instances: [{ id: i-a }, { id: i-b }]\n";
const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, depends_on: [a] }
";

fn scenario() -> Scenario {
    Scenario::new(ACCOUNT, CONFIGURATION)
}

#[test]
fn json_is_all_that_is_on_stdout() {
    // That every line is one, and the same as in the file, is held by the harness.
    let scenario = scenario();
    let plan = scenario.run(&["plan", "--json"]).exits(0);
    assert_eq!(plan.lines.of_type("version").len(), 1);
    assert_eq!(plan.lines.of_type("change_summary")[0]["changes"]["start"], 2);
    let applied = scenario.run(&["apply", "--json", "--auto-approve"]).exits(0);
    assert_eq!(applied.lines.end_of("b")["type"], "apply_complete");
    assert_eq!(applied.lines.summary()["result"], "complete");
    for arguments in [&["show", "--json"][..], &["state", "list", "--json"], &["validate", "--json"]] {
        let document: serde_json::Value =
            serde_json::from_str(&scenario.run(arguments).exits(0).stdout).expect("one document");
        assert!(document["format_version"].is_string(), "{arguments:?}: {document}");
    }
    // Errors too are lines, on stdout, and words, on stderr.
    scenario.write("powerform.yaml", "stack: scenario\ninstances: 7\n");
    let failed = scenario.run(&["plan", "--json"]).exits(1).complains(&["error"]);
    assert_eq!(failed.lines.of_type("diagnostic").len(), 1);
    let failed: serde_json::Value =
        serde_json::from_str(&scenario.run(&["validate", "--json"]).exits(1).stdout).expect("one document");
    assert_eq!(failed["valid"], false);
    assert_eq!(failed["diagnostics"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_valid_configuration_tells_its_warnings_to_people_and_programs() {
    let scenario = scenario();
    scenario.write_configuration("instances: { a: { id: i-a, status: Stopped, prevent_stop: true } }\n");
    let words = scenario.run(&["validate"]).exits(0).complains(&["warning: ", "prevent_stop"]);
    assert!(words.stdout.contains("is valid"), "{}", words.stdout);
    let run = scenario.run(&["validate", "--json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!((&document["valid"], &document["warning_count"]), (&true.into(), &1.into()));
    assert_eq!(document["diagnostics"][0]["severity"], "warning");
    assert_eq!(document["diagnostics"][0]["range"]["start"]["line"], 3);
}

#[test]
fn a_simulator_whose_account_was_changed_under_it_ends_with_a_word() {
    let scenario = Scenario::in_world(World::Served, ACCOUNT, CONFIGURATION);
    scenario.converge();
    scenario.write_account("instances: [{ id: i-a }, { id: i-b }, { id: i-c }]\n");
    scenario.click("i-c", "Running");
    let mut scenario = scenario;
    scenario.run(&["plan"]).exits(0).complains(&["could not be looked at"]);
    let server = scenario.take_server();
    let ended = server.finish();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("error: the simulator has ended: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("changed account file: start this simulator again"), "{}", ended.stderr);
}

#[test]
fn every_problem_of_an_account_file_has_a_line_of_its_own_and_what_it_quotes_breaks_none() {
    let scenario = scenario();
    scenario.write_account("instances: [{ id: \"a\\nerror: b\" }, { id: i-a, start: soon }]\n");
    for arguments in [&["plan"][..], &["simulator", "--account", "account.yaml"]] {
        let refused = scenario.run(arguments).exits(1);
        let lines: Vec<&str> = refused.stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("error: the simulator's account file"), "{lines:?}");
        assert!(lines[1].contains("account.yaml:5:") && lines[1].contains(r"a\nerror: b"), "{lines:?}");
        assert!(lines[2].starts_with("  ") && lines[2].contains("account.yaml:5:"), "{lines:?}");
    }
}

#[test]
fn nothing_that_a_path_or_an_argument_holds_repaints_the_terminal() {
    let scenario = scenario();
    let odd = "odd\u{1b}[31m.yaml";
    for (from, to) in [("powerform.yaml", odd), ("account.yaml", "acc\u{1b}[31m.yaml")] {
        std::fs::copy(scenario.folder().join(from), scenario.folder().join(to)).expect("a copy");
    }
    std::fs::create_dir(scenario.folder().join("\u{1b}[31m")).expect("a folder");
    for arguments in [
        &["-f", odd, "validate"][..],
        &["plan", "--out", "plan\u{1b}[31m"],
        &["simulator", "set", "--account", "account.yaml", "i-a", "Melting\u{1b}[31m"],
        &["-C", "\u{1b}[31m", "init"],
    ] {
        let ran = scenario.start(arguments).finish_among_others().exits(0).prints(&[r"\u{1b}[31m"]);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
    }
    let mut command = scenario.command(&["simulator", "--account", "acc\u{1b}[31m.yaml"]);
    let mut server = Running::start(&mut command);
    server.until("it serves", |server| server.stdout().contains('\n'));
    server.signal(Signal::SIGINT);
    assert!(server.stdout().starts_with(r"Serving acc\u{1b}[31m.yaml on"), "{}", server.stdout());
    assert_eq!(server.finish().status, Some(0), "an interruption is its proper end");
}

#[test]
fn a_folder_stands_for_its_configuration_without_the_account_and_what_editors_leave() {
    let scenario = scenario();
    scenario.write(".#powerform.yaml", "not a configuration");
    scenario.write("more.yaml", "instances: { c: { id: i-c, status: Any } }\n");
    scenario
        .run(&["-f", ".", "validate"])
        .exits(0)
        .prints(&["2 files are valid (./more.yaml, ./powerform.yaml)", "3 entries"]);
    scenario.run(&["-f", ".", "plan"]).exits(0).prints(&["2 to start"]);
    // A mistake in what is left is told, and nothing about the account.
    scenario.write("more.yaml", "instanses: {}\n");
    let refused = scenario.run(&["-f", ".", "validate"]).exits(1).complains(&["more.yaml:1:1"]);
    assert!(!refused.stderr.contains("account.yaml"), "{}", refused.stderr);
}

#[test]
fn a_status_that_is_probably_misspelt_is_not_set_and_another_word_is_with_a_note() {
    let scenario = scenario();
    let set = |word| scenario.run(&["simulator", "set", "--account", "account.yaml", "i-a", word]);
    set("Runing").exits(1).complains(&["\"Runing\" is not a status; did you mean Running?"]);
    assert_eq!(scenario.plan().lines.planned_of("a").action(), "start", "nothing was set");
    let said = set("RUNNING").exits(0).prints(&["i-a is RUNNING now."]);
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    set("Melting").exits(0).complains(&["note: ECS has no status \"Melting\""]);
    assert_eq!(scenario.plan().lines.planned_of("a").action(), "blocked");
}

#[test]
fn an_apply_that_can_ask_nobody_refuses_before_it_does_anything() {
    let scenario = scenario();
    for arguments in [&["apply"][..], &["apply", "--json"]] {
        let refused = scenario.run(arguments).exits(1).complains(&["--auto-approve"]);
        assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    }
    let mut left: Vec<_> = std::fs::read_dir(scenario.folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    left.sort();
    assert_eq!(left, ["account.yaml", "powerform.yaml"], "no lock, no state, no request, no file of lines");
}

#[test]
fn usage_errors_end_with_1_and_help_with_0() {
    let scenario = scenario();
    let wrong: [&[&str]; 9] = [
        &[],
        &["frobnicate"],
        &["plan", "--nonsense"],
        &["apply", "--auto-approve", "--parallelism", "0"],
        &["apply", "--auto-approve", "--lock-timeout", "soon"],
        &["plan", "--color", "sometimes"],
        &["state"],
        &["force-unlock"],
        &["plan", "--log", "powerform=loud"],
    ];
    for arguments in wrong {
        let ended = Running::start(&mut scenario.command(arguments)).finish();
        assert_eq!(ended.status, Some(1), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["apply", "--help"], &["help", "plan"]] {
        assert!(!scenario.run(arguments).exits(0).stdout.is_empty());
    }
    scenario.run(&["simulator"]).exits(1).complains(&["--account <FILE>"]);
    scenario
        .run(&["simulator", "--account", "account.yaml", "--listen", "0.0.0.0:0"])
        .exits(1)
        .complains(&["127.0.0.1"]);
    scenario
        .run(&["simulator", "set", "--account", "account.yaml", "i-z", "Running"])
        .exits(1)
        .complains(&["i-z"]);
}

#[test]
fn a_valid_configuration_is_one_line_and_a_wrong_one_shows_every_mistake() {
    let scenario = scenario();
    let valid = scenario.run(&["validate"]).exits(0);
    assert_eq!(valid.stdout, "powerform.yaml is valid: stack scenario, 2 entries, 2 instances.\n");
    assert!(valid.stderr.is_empty());

    let mistakes = [
        ("stack: Not_A_Stack\n", "Not_A_Stack"),
        ("provider: { regoin: cn-hangzhou }\n", "did you mean `region`?"),
        ("backend: { local: { path: 7, path: x } }\n", "the key \"path\" is written twice"),
        ("defaults: { timeouts: { start: soon } }\n", "soon"),
        ("instances:\n  a: { id: i-a, status: Runing }\n", "Runing"),
        ("  b: { id: X-1, status: Running }\n", "X-1"),
        ("  c: { id: i-c, status: Running, depends_on: [atlantis] }\n", "atlantis"),
        ("  d: { status: Running }\n", "entry \"d\" names no instance"),
        (
            "  e: { id: i-e, status: Running, depends_on: [f] }\n  f: { id: i-f, status: Running, depends_on: [e] }\n",
            "e -> f -> e",
        ),
        ("  g: { id: i-c, status: Stopped, at_once: 0 }\n", "at_once"),
    ];
    let text: String = mistakes.iter().map(|(text, _)| *text).collect();
    scenario.write("powerform.yaml", &text);
    for command in [&["validate"][..], &["plan"], &["apply", "--auto-approve"], &["state", "list"]] {
        let wrong = scenario.run(command).exits(1);
        for (text, said) in mistakes {
            assert!(wrong.stderr.contains(said), "nothing about {text}:\n{}", wrong.stderr);
        }
        let counted = wrong.stderr.lines().rfind(|line| line.contains("errors")).unwrap_or_default();
        assert!(wrong.stdout.is_empty() && counted.starts_with("powerform.yaml: 1"), "{counted}");
    }
    assert!(scenario.log().lines().is_empty());
}

#[test]
fn init_writes_what_is_valid_and_never_over_what_is_there() {
    let scenario = scenario();
    let folder = scenario.folder().join("new");
    std::fs::create_dir(&folder).expect("made");
    let at = |arguments: &[&str]| scenario.run(&[arguments, &["-C", "new"]].concat());
    at(&["plan"]).exits(1).complains(&["powerform init"]);
    at(&["init"]).exits(0).prints(&["powerform.yaml", ".gitignore"]);
    at(&["validate"]).exits(0);
    assert_eq!(std::fs::read_to_string(folder.join(".gitignore")).expect("written"), "state/\n");
    std::fs::write(folder.join("powerform.yaml"), "mine").expect("written");
    at(&["init"]).exits(1).complains(&["there already", "left as it is"]);
    assert_eq!(std::fs::read_to_string(folder.join("powerform.yaml")).expect("still there"), "mine");
}

#[test]
fn files_are_found_where_the_command_line_says_and_missing_ones_are_named() {
    let scenario = scenario();
    scenario.run(&["plan", "-f", "nowhere.yaml"]).exits(1).complains(&["there is no file nowhere.yaml"]);
    scenario.run(&["plan", "-C", "nowhere"]).exits(1).complains(&["nowhere"]);
    std::fs::create_dir_all(scenario.folder().join("parts/empty")).expect("made");
    scenario.run(&["plan", "-f", "parts/empty"]).exits(1).complains(&["has no *.yaml file"]);
    // Relative paths begin at the folder of the first file, wherever it is named from.
    let head = "stack: parts\nprovider: { region: cn-hangzhou, simulator: ../account.yaml }\n";
    scenario.write("parts/1.yaml", format!("{head}instances:\n  a: {{ id: i-a, status: Running }}\n"));
    scenario.write("parts/2.yaml", "instances:\n  b: { id: i-b, status: Running, depends_on: [a] }\n");
    scenario.write("parts/notes.txt", "not: [yaml");
    let ways: [&[&str]; 4] = [
        &["plan", "-f", "parts"],
        &["plan", "-f", "parts/1.yaml", "-f", "parts/2.yaml"],
        &["plan", "-C", "parts", "-f", "."],
        &["plan", "-C", "parts", "-f", "1.yaml", "--file", "2.yaml"],
    ];
    for way in ways {
        // The laws read the configuration of the scenario; a plan calls nothing that they would hold against it.
        scenario.run(way).exits(0).prints(&["Plan: 2 to start", "after a is Running"]);
    }
    scenario.run(&["state", "list", "-f", "parts"]).exits(0);
    scenario
        .run(&["validate", "-f", "parts"])
        .exits(0)
        .prints(&["2 files are valid (parts/1.yaml, parts/2.yaml)", "2 entries"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let ids: Vec<String> = (0..2000).map(|number| format!("i-{number:05}")).collect();
    let instances: String = ids.iter().map(|id| format!("  - {{ id: {id} }}\n")).collect();
    let configuration = format!("instances:\n  all: {{ ids: [{}], status: Running }}\n", ids.join(", "));
    let scenario = Scenario::new(&format!("instances:\n{instances}"), &configuration);
    let commands: [&[&str]; 4] = [&["plan"], &["plan", "--json"], &["plan", "--all"], &["--help"]];
    for command in commands {
        // The end that is read is closed before anything is written.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended = Running::start_with_stdout(&mut scenario.command(command), Stdio::from(writer)).finish();
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{command:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure_that_is_said() {
    let scenario = scenario();
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let commands: [&[&str]; 8] = [
        &["--help"],
        &["plan"],
        &["plan", "--json"],
        &["plan", "--detailed-exitcode"],
        &["validate"],
        &["validate", "--json"],
        &["show"],
        &["apply", "--auto-approve"],
    ];
    for command in commands {
        let ended = Running::start_with_stdout(&mut scenario.command(command), Stdio::from(full())).finish();
        assert_eq!(ended.status, Some(1), "{command:?}");
        assert!(ended.stderr.contains("error: cannot write to stdout: No space left"), "{}", ended.stderr);
    }
    // That nobody could read of it did not keep the apply from its work.
    scenario.is_in_sync();
    let lines = scenario.command(&["plan", "--json-into", "/dev/full"]);
    let mut lines = lines;
    let ended = Running::start(&mut lines).finish();
    assert_eq!(ended.status, Some(1));
    assert!(ended.stderr.contains("cannot write to the JSON file"), "{}", ended.stderr);
}

#[test]
fn colour_is_there_when_asked_for_and_only_then() {
    let mut scenario = scenario();
    let coloured = |ran: &crate::harness::Ran| (ran.stdout.contains('\x1b'), ran.stderr.contains('\x1b'));
    scenario.write("wrong.yaml", "stack: 1\n");
    assert_eq!(coloured(&scenario.run(&["plan"])), (false, false));
    assert_eq!(coloured(&scenario.run(&["plan", "--color", "never"])), (false, false));
    assert_eq!(coloured(&scenario.run(&["plan", "--color", "always"])), (true, false));
    assert_eq!(
        coloured(&scenario.run(&["validate", "-f", "wrong.yaml", "--color", "always"])),
        (false, true)
    );
    assert_eq!(coloured(&scenario.run(&["plan", "--json", "--color", "always"])), (false, false));
    scenario.set("NO_COLOR", "1");
    assert_eq!(coloured(&scenario.run(&["plan", "--color", "auto"])), (false, false));
    // What is said for this one run goes before what is said for all.
    assert_eq!(coloured(&scenario.run(&["plan", "--color", "always"])), (true, false));
}
