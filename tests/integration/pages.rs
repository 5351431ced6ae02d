//! The page of an apply as those who read it have it: in a browser, by mouse and by keyboard, and by what a screen
//! reader is told.
//!
//! Pictures of what was seen are left in `target/tmp/report/`, for people to look at.

#![expect(clippy::unwrap_used, reason = "what a test needs and cannot have fails it")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::Scenario;

mod browser;

use browser::{Browser, address, keys};

/// A failure, one that is skipped for it, one that is blocked, one whose call is sent again, one that stops.
const ACCOUNT: &str = "instances:
  - { id: i-bp1db0000000000001, start: 900ms }
  - { id: i-bp1cache00000000001, start: 400ms }
  - { id: i-bp1app000000000001, start: 700ms }
  - { id: i-bp1app000000000002, start: 300ms }
  - { id: i-bp1edge0000000000001 }
  - { id: i-bp1site0000000000001 }
  - { id: i-bp1vault000000000001, locks: [security] }
  - { id: i-bp1batch000000000001, status: Running }
faults:
  - { action: StartInstance, instance: i-bp1app000000000001, nth: 1, times: 1, error: InternalError }
  - { action: StartInstance, instance: i-bp1edge0000000000001, error: InstanceExpired }
";

const CONFIGURATION: &str = "instances:
  db: { id: i-bp1db0000000000001, status: Running }
  cache: { id: i-bp1cache00000000001, status: Running }
  app: { ids: [i-bp1app000000000001, i-bp1app000000000002], status: Running, depends_on: [db, cache] }
  edge: { id: i-bp1edge0000000000001, status: Running, depends_on: [app] }
  site: { id: i-bp1site0000000000001, status: Running, depends_on: [edge] }
  vault: { id: i-bp1vault000000000001, status: Running }
  batch: { id: i-bp1batch000000000001, status: Stopped }
";

/// The instances whose rows are shown.
const SHOWN: &str = "return [...document.querySelectorAll('.lanes tbody tr')].filter(row => row.offsetHeight > 0)\
    .map(row => row.cells[0].textContent)";

/// What has the focus.
const FOCUS: &str = "return document.activeElement.id || document.activeElement.closest('tr')?.cells[0].textContent \
    || document.activeElement.textContent";

fn pictures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name)
}

fn applied(scenario: &Scenario, status: i32) -> PathBuf {
    scenario.run(&["apply", "--auto-approve", "--report", "report.html"]).exits(status);
    scenario.folder().canonicalize().unwrap().join("report.html")
}

/// Not part of an ordinary run, because a machine without a browser cannot do it; who asks for it by name, as `.ci/run`
/// does, wants it done, and is told if it cannot be.
#[test]
#[ignore = "skipped: needs chromium and chromedriver. Run it with: cargo test -- --ignored pages"]
fn the_page_of_an_apply_is_used_by_mouse_and_keyboard_in_a_browser() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    let file = applied(&scenario, 1);
    let browser = Browser::new();
    browser.look(1440, 1000, "light");
    browser.open(&file);
    assert_eq!(browser.text(&browser.one("h1")).trim_start_matches('✕').trim(), "Apply incomplete");
    assert_eq!(browser.see(SHOWN).as_array().unwrap().len(), 8);
    browser.picture(&pictures("wide-light.png"));

    by_keyboard(&browser);
    by_mouse(&browser);
    in_both_schemes(&browser, &file);
    read_aloud(&browser);
    on_a_narrow_screen(&browser, &file);
    without_scripts(&browser, &file);

    let requests = browser.requests();
    assert!(
        !requests.is_empty() && requests.iter().all(|it| it.starts_with(&address(&file))),
        "{requests:?}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn by_keyboard(browser: &Browser) {
    browser.press(keys::TAB);
    assert_eq!(browser.see(FOCUS), "Skip to the timeline");
    // Through the controls of the timeline to its rows, of which only one is in the order of tabs.
    browser.see("document.querySelector('#lanes').focus()");
    browser.until("the first row can be reached by tab", &{
        browser.press(keys::TAB);
        while browser.see("return document.activeElement.closest('tbody') === null") == true {
            browser.press(keys::TAB);
        }
        "return document.activeElement.closest('.lanes tbody tr') !== null".to_owned()
    });
    let rows: Vec<String> = serde_json::from_value(browser.see(SHOWN)).unwrap();
    assert_eq!(browser.see(FOCUS), rows[0]);
    for (key, row) in
        [(keys::DOWN, 1), (keys::DOWN, 2), (keys::UP, 1), (keys::END, 7), (keys::DOWN, 7), (keys::HOME, 0)]
    {
        browser.press(key);
        assert_eq!(browser.see(FOCUS), rows[row]);
    }
    let failed = rows.iter().position(|row| row.starts_with("edge")).unwrap();
    for _ in 0..failed {
        browser.press(keys::DOWN);
    }
    browser.press(keys::ENTER);
    assert_eq!(browser.see(FOCUS), "details");
    let details = browser.one("#details");
    assert_eq!((browser.role(&details), browser.name(&details)), ("region".to_owned(), "edge".to_owned()));
    let told = browser.text(&details);
    for text in ["i-bp1edge0000000000001", "failed", "InstanceExpired", "renew the subscription", "request "]
    {
        assert!(told.contains(text), "no {text:?} in {told}");
    }
    browser.picture(&pictures("wide-light-details.png"));
    browser.press(keys::ESCAPE);
    assert_eq!(browser.see("return document.querySelector('#details').hidden"), true);
    assert_eq!(browser.see(FOCUS), rows[failed], "the focus is where it was before");
}

fn by_mouse(browser: &Browser) {
    let row = browser.one(".lanes tbody tr.b");
    browser.click(&row);
    assert!(browser.text(&browser.one("#details")).contains("until the security lock is lifted"));
    browser.click(&browser.named("#details button", "Close"));
    assert_eq!(browser.see("return document.querySelector('#details').hidden"), true);

    let started = browser.named("#lane-tools button", "started 4");
    browser.click(&started);
    let shown: Vec<String> = serde_json::from_value(browser.see(SHOWN)).unwrap();
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert_eq!(browser.text(&browser.one("#said")), "4 of 8 instances shown");
    assert_eq!(
        browser.see("return document.querySelector('[data-kind=s]').getAttribute('aria-pressed')"),
        "false"
    );
    browser.click(&started);

    let path = browser.named("#lane-tools button", "Critical path only");
    browser.click(&path);
    let shown: Vec<String> = serde_json::from_value(browser.see(SHOWN)).unwrap();
    assert!(shown.len() >= 2 && shown[0].starts_with("db"), "{shown:?}");
    browser.click(&path);

    let search = browser.named("#lane-tools input", "Find an instance");
    browser.write(&search, "APP");
    browser.until(
        "only app is shown",
        &format!("{} && false", SHOWN.replace("return ", "return ("))
            .replace(" && false", ").every(name => name.startsWith('app'))"),
    );
    browser.write(&search, "\u{e003}\u{e003}\u{e003}");
    browser.until("all are shown again", &format!("{}.length === 8", SHOWN));

    browser.click(&browser.named(".lanes thead button", "Instance"));
    let shown: Vec<String> = serde_json::from_value(browser.see(SHOWN)).unwrap();
    assert!(shown.is_sorted() && shown[0].starts_with("app"), "{shown:?}");
    assert_eq!(
        browser.see("return document.querySelector('.lanes th').getAttribute('aria-sort')"),
        "ascending"
    );
    browser.click(&browser.named(".lanes thead button", "Instance"));
    browser.click(&browser.named(".lanes thead button", "Instance"));

    let width = || browser.see("return document.querySelector('.lanes').offsetWidth").as_f64().unwrap();
    let before = width();
    browser.click(&browser.named("#lane-tools button", "Zoom in"));
    assert!(width() > 1.4 * before);
    browser.picture(&pictures("wide-light-zoomed.png"));
    browser.click(&browser.named("#lane-tools button", "Show the whole time"));
    assert!((width() - before).abs() < 1.0);

    browser.click(&browser.named("#event-tools button", "Only what deserves a look"));
    let events = "return [...document.querySelectorAll('.events tbody tr')].filter(row => row.offsetHeight > 0)\
        .map(row => row.cells[2].textContent).join('\\n')";
    let shown = browser.see(events).as_str().unwrap().to_owned();
    assert!(
        shown.contains("the start is tried again: InternalError") && !shown.contains("seen Starting"),
        "{shown}"
    );
    browser.click(&browser.named("#event-tools button", "Only what deserves a look"));
}

fn in_both_schemes(browser: &Browser, file: &Path) {
    let ground = || browser.see("return getComputedStyle(document.body).backgroundColor");
    let light = ground();
    browser.look(1440, 1000, "dark");
    let dark = ground();
    assert_ne!(light, dark, "it follows the system");
    browser.click(&browser.named(".themes button", "Light"));
    assert_eq!(ground(), light, "until someone chooses");
    browser.click(&browser.named(".themes button", "Auto"));
    assert_eq!(ground(), dark);
    browser.open(file);
    browser.picture(&pictures("wide-dark.png"));
    for part in ["timeline", "order", "events"] {
        browser.see(&format!("document.querySelector('#{part}').scrollIntoView()"));
        browser.picture(&pictures(&format!("wide-dark-{part}.png")));
    }
}

/// What a screen reader is told: every control has a name, every row is one, and headings lead through the page.
fn read_aloud(browser: &Browser) {
    let controls = browser.all("button, input, a, summary, [tabindex]");
    assert!(controls.len() > 30, "{}", controls.len());
    for control in controls {
        // Nobody is told of what is not shown.
        let role = browser.role(&control);
        let is_told = !["none", "generic", ""].contains(&role.as_str());
        assert!(
            !is_told || !browser.name(&control).is_empty(),
            "a {role} without a name: {:?}",
            browser.text(&control)
        );
    }
    for (selector, role) in [
        ("main", "main"),
        ("nav", "navigation"),
        (".lanes", "table"),
        (".lanes tbody tr:first-child", "row"),
        (".lanes tbody tr:first-child th", "rowheader"),
        (".lanes tbody tr:first-child td.o", "cell"),
        (".events", "table"),
        ("#said", "status"),
    ] {
        assert_eq!(browser.role(&browser.one(selector)), role, "{selector}");
    }
    let picture = browser.name(&browser.one(".drawing svg"));
    assert!(picture.starts_with("The dependencies of scenario"), "{picture}");
    let headings = browser.see("return [...document.querySelectorAll('h1,h2,h3')].filter(it => it.offsetHeight > 0).map(it => Number(it.tagName[1]))");
    let headings: Vec<u8> = serde_json::from_value(headings).unwrap();
    assert_eq!(headings.iter().filter(|level| **level == 1).count(), 1, "{headings:?}");
    assert!(headings.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{headings:?}");
    let twice = browser.see(
        "const ids = [...document.querySelectorAll('[id]')].map(it => it.id); \
         return ids.filter((id, at) => ids.indexOf(id) !== at)",
    );
    assert_eq!(twice, json!([]), "ids that are not unique");
    assert_eq!(browser.see("return document.documentElement.lang"), "en");
    assert_eq!(browser.see("return document.querySelectorAll('[tabindex]:not([tabindex=\"0\"]):not([tabindex=\"-1\"])').length"), 0);
}

fn on_a_narrow_screen(browser: &Browser, file: &Path) {
    for scheme in ["light", "dark"] {
        browser.look(390, 844, scheme);
        browser.open(file);
        let width = browser.see("return document.documentElement.scrollWidth");
        assert_eq!(width, 390, "nothing hangs over the edge");
        browser.picture(&pictures(&format!("narrow-{scheme}.png")));
        browser.see("document.querySelector('#timeline').scrollIntoView()");
        browser.picture(&pictures(&format!("narrow-{scheme}-timeline.png")));
        browser.click(&browser.one(".lanes tbody tr.f"));
        browser.picture(&pictures(&format!("narrow-{scheme}-details.png")));
        browser.press(keys::ESCAPE);
    }
}

/// All that there is to be read is in the page itself.
fn without_scripts(browser: &Browser, file: &Path) {
    browser.look(1440, 1000, "light");
    browser.command("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    browser.open(file);
    let see = |what: &str| {
        let seen = browser.command("Runtime.evaluate", json!({"expression": what, "returnByValue": true}));
        seen["result"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let text = see("document.body.innerText") + &see("document.querySelector('.events').textContent");
    for told in
        ["Apply incomplete", "InstanceExpired", "The critical path is the chain", "ECS accepted the start"]
    {
        assert!(text.contains(told), "no {told:?} in {text}");
    }
    for control in ["Close", "Fit", "Find"] {
        assert!(!text.contains(control), "a control that would do nothing is shown: {text}");
    }
    browser.picture(&pictures("without-scripts.png"));
    browser.command("Emulation.setScriptExecutionDisabled", json!({"value": false}));
}

#[test]
#[ignore = "skipped: needs chromium and chromedriver. Run it with: cargo test -- --ignored pages"]
fn the_page_of_an_apply_of_500_machines_opens_whole() {
    let ids = |name: &str| (1..=250).map(|number| format!("i-bp1{name}{number:010}")).collect::<Vec<_>>();
    let [first, second] = [ids("app"), ids("worker")];
    let all: Vec<String> = first.iter().chain(&second).map(|id| format!("{{ id: {id} }}")).collect();
    let scenario = Scenario::new(
        &format!("instances: [{}]\n", all.join(", ")),
        &format!(
            "instances:\n  app: {{ ids: [{}], status: Running, at_once: 100 }}\n  worker: {{ ids: [{}], status: Running, depends_on: [app] }}\n",
            first.join(", "),
            second.join(", ")
        ),
    );
    let file = applied(&scenario, 0);
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(size < 1_000_000, "{size} bytes");
    let browser = Browser::new();
    browser.look(1440, 1000, "light");
    browser.open(&file);
    assert_eq!(browser.see("return document.querySelectorAll('.lanes tbody tr').length"), 500);
    let times: Value = browser.see(
        "const it = performance.getEntriesByType('navigation')[0]; \
         return { ready: Math.round(it.domInteractive), loaded: Math.round(it.loadEventEnd), \
         painted: Math.round(performance.getEntriesByType('paint')[0]?.startTime) }",
    );
    println!("{size} bytes; milliseconds until painted, ready and loaded: {times}");
    browser.picture(&pictures("500-light.png"));
    browser.see("document.querySelector('#timeline').scrollIntoView()");
    browser.picture(&pictures("500-light-timeline.png"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
