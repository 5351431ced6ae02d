//! The page of an apply, and the history that it is made of: there however the apply ended, and in nobody's way.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::{SECRET, Scenario};

const ACCOUNT: &str = "instances:
  - { id: i-a }
  - { id: i-b, status: Running }
  - { id: i-c, locks: [security] }
  - { id: i-d }
  - { id: i-e }
faults:
  - { action: StartInstance, instance: i-a, nth: 1, times: 1, error: InternalError }
  - { action: StartInstance, instance: i-e, error: InstanceExpired }
";

const CONFIGURATION: &str = "instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Stopped }
  c: { id: i-c, status: Running }
  d: { id: i-d, status: Running, depends_on: [e] }
  e: { id: i-e, status: Running, depends_on: [a] }
";

fn page(scenario: &Scenario, name: &str) -> String {
    fs::read_to_string(scenario.folder().join(name)).expect("a page")
}

fn history(scenario: &Scenario) -> std::path::PathBuf {
    scenario.state().with_file_name("scenario.last-apply.json")
}

#[test]
fn an_apply_that_fails_leaves_its_page_and_show_makes_the_same_one_afterwards() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    let ran = scenario.run(&["apply", "--auto-approve", "--report", "report.html"]).exits(1);
    let ran = ran.complains(&["note: the report of the apply of 2", " is in report.html\n"]);
    let page = page(&scenario, "report.html");
    for text in [
        "Apply incomplete</h1>",
        "<b>e <code>i-e</code></b>: ECS refused the start: InstanceExpired: ",
        "<b>d <code>i-d</code></b>: not tried because of e<",
        "<b>c <code>i-c</code></b>: ECS refuses to start it until the security lock is lifted<",
        "the start is tried again: InternalError, sent 1 time",
        "by tester@",
    ] {
        assert!(page.contains(text), "no {text:?} in\n{page}");
    }
    let lines = ["apply_progress", "apply_complete", "apply_errored"].map(|kind| ran.lines.of_type(kind));
    let requests: Vec<_> =
        lines.iter().flatten().filter_map(|line| line["hook"]["request_id"].as_str()).collect();
    assert!(requests.len() >= 4, "{requests:?}");
    for request in requests {
        assert!(page.contains(&format!("<td>{request}\n")), "no request {request}");
    }
    let kept = fs::read_to_string(history(&scenario)).unwrap();
    assert!(kept.starts_with("{\"kind\":\"powerform-last-apply\",\"format_version\":1,"), "{kept}");
    assert!(!kept.contains(SECRET) && !page.contains(SECRET));

    scenario.run(&["show", "--report", "again.html"]).exits(0).complains(&[" is in again.html\n"]);
    assert_eq!(self::page(&scenario, "again.html"), page);
    let others = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().contains("powerform-report");
    assert!(
        !fs::read_dir(scenario.folder()).unwrap().any(|entry| others(&entry.unwrap())),
        "nothing is left"
    );
}

#[cfg(unix)]
#[test]
fn only_whoever_applied_may_read_the_history() {
    use std::os::unix::fs::PermissionsExt as _;
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances:\n  a: { id: i-a, status: Running }\n");
    scenario.apply().exits(0);
    assert_eq!(fs::metadata(history(&scenario)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_page_that_could_not_be_written_is_found_out_before_anything_is_looked_at() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    fs::create_dir(scenario.folder().join("folder")).unwrap();
    for (path, why) in [
        (
            "missing/report.html",
            "cannot write the report to missing/report.html: there is no folder missing: make it, or name another file",
        ),
        ("folder", "it is not a file: name one, for example report.html"),
        ("/dev/null", "it is not a file: name one, for example report.html"),
        ("/proc/self/report.html", "cannot write the report to /proc/self/report.html: "),
    ] {
        let ran = scenario.run(&["apply", "--auto-approve", "--report", path]).exits(1).complains(&[why]);
        assert_eq!(ran.log.requests().count(), 0, "{path}");
    }
    assert!(!history(&scenario).exists());
}

#[test]
fn an_apply_that_has_nothing_to_do_leaves_the_history_of_the_one_before() {
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances:\n  a: { id: i-a, status: Running }\n");
    scenario
        .run(&["show", "--report", "none.html"])
        .exits(1)
        .complains(&["there is no history of an apply yet"]);
    assert!(!scenario.folder().join("none.html").exists());
    scenario.converge();
    let kept = fs::read(history(&scenario)).unwrap();
    let ran = scenario.run(&["apply", "--auto-approve", "--report", "report.html"]).exits(0);
    assert!(ran.calls().is_empty());
    assert!(page(&scenario, "report.html").contains("Nothing was to be done."));
    assert_eq!(fs::read(history(&scenario)).unwrap(), kept);
    scenario.run(&["state", "rm", "a"]).exits(0);
    assert_eq!(fs::read(history(&scenario)).unwrap(), kept, "what was stays what it was");
}

#[test]
fn an_apply_that_is_interrupted_has_its_page() {
    let scenario = Scenario::new(
        "instances: [{ id: i-a, start: 1h }]\n",
        "instances:\n  a: { id: i-a, status: Running }\n",
    );
    let mut apply = scenario.start(&["apply", "--auto-approve", "--report", "report.html"]);
    apply.until_called("StartInstance", "i-a");
    apply.running().signal(Signal::SIGINT);
    apply.finish().exits(130);
    let page = page(&scenario, "report.html");
    for text in ["Apply interrupted</h1>", "interrupted: nothing more is called from here on"] {
        assert!(page.contains(text), "{page}");
    }
    scenario.run(&["show", "--report", "again.html"]).exits(0);
    assert_eq!(self::page(&scenario, "again.html"), page);
}

#[test]
fn a_history_that_cannot_be_kept_is_a_warning_and_no_more() {
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances:\n  a: { id: i-a, status: Running }\n");
    fs::create_dir_all(scenario.state().parent().unwrap()).unwrap();
    fs::write(history(&scenario), "notes of someone").unwrap();
    scenario
        .apply()
        .exits(0)
        .complains(&["warning: the history of this apply could not be kept", "Move it away"]);
    assert_eq!(fs::read_to_string(history(&scenario)).unwrap(), "notes of someone");
    let refused = scenario.run(&["show", "--report", "report.html"]).exits(1);
    refused
        .complains(&["the history of the last apply", "the next apply that does anything writes a new one"]);
}

#[test]
fn a_saved_plan_has_no_report_until_it_is_applied() {
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances:\n  a: { id: i-a, status: Running }\n");
    scenario.run(&["plan", "--out", "plan"]).exits(0);
    let refused = scenario.run(&["show", "plan", "--report", "report.html"]).exits(1);
    refused.complains(&["a saved plan has not been applied", "give --report to the apply of this plan"]);
    scenario.run(&["apply", "plan", "--report", "report.html"]).exits(0);
    assert!(page(&scenario, "report.html").contains("Apply complete</h1>"));
}

#[cfg(unix)]
#[test]
fn a_page_takes_the_place_of_an_older_one_also_through_a_link() {
    let scenario =
        Scenario::new("instances: [{ id: i-a }]\n", "instances:\n  a: { id: i-a, status: Running }\n");
    scenario.apply().exits(0);
    scenario.write("old.html", "an older page");
    std::os::unix::fs::symlink("old.html", scenario.folder().join("latest.html")).unwrap();
    scenario.run(&["show", "--report", "latest.html"]).exits(0);
    assert!(page(&scenario, "old.html").contains("Apply complete</h1>"));
    assert!(scenario.folder().join("latest.html").is_symlink());
}
