//! The page as a whole: what it says, what cannot break it, how large it gets, and whether it can be read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use super::*;
use crate::execute::{Action, Event, EventKind, How};
use crate::fleet::{Goal, Power, Strength};
use crate::plan::{Plan, Shape, Verdict};
use crate::render::fixtures::{
    at, began, change, completed, every_block, every_event, every_failure, failed, hostile, now, plan, start,
    web_shop,
};

fn history(plan: Plan, events: Vec<Event>) -> History<'static> {
    History {
        began_at: now(),
        took: Duration::from_secs(9),
        who: "ops@build-7".to_owned(),
        version: "0.1.0".to_owned(),
        shape: Shape::default(),
        parallelism: None,
        lineage: uuid::Uuid::from_u128(0x1111),
        serial: 7,
        is_saved: true,
        plan: Cow::Owned(plan),
        events,
        left_out: 0,
    }
}

fn accepted(milliseconds: u64, change: usize, id: &str) -> Event {
    at(milliseconds, EventKind::Accepted { change, action: Action::Start, request_id: Some(id.to_owned()) })
}

fn running(milliseconds: u64, change: usize) -> Event {
    completed(milliseconds, change, Action::Start, How::Called, Power::Running)
}

/// `db` and `cache`, then two of `app`, then `edge`; each named instance starts and ends at these times.
fn chain(at_once: Option<u32>, times: &[(&str, u64, u64)]) -> History<'static> {
    let starting = |at: &str| change(at, Power::Stopped, Goal::Running, start());
    let mut plan = plan(
        ["db", "cache", "app[i-1]", "app[i-2]", "edge"].map(starting).into(),
        &[("app", "db", Strength::Hard), ("app", "cache", Strength::Soft), ("edge", "app", Strength::Hard)],
    );
    for group in &mut plan.groups {
        group.at_once = at_once.and_then(std::num::NonZeroU32::new);
    }
    let mut events = Vec::new();
    for (name, from, to) in times {
        let position = plan.changes.iter().position(|it| it.address.to_string() == *name).unwrap();
        events.push(began(*from, position, Action::Start));
        events.push(accepted(*from + 1, position, name));
        events.push(running(*to, position));
    }
    events.sort_by_key(|event| event.at);
    history(plan, events)
}

fn path_of(history: &History<'_>) -> Vec<String> {
    let lanes = lanes(history);
    let held_by = held_by(&history.plan, &lanes, history.parallelism.is_some());
    critical_path(&lanes, &held_by).iter().map(|it| lanes[*it].change.address.to_string()).collect()
}

#[test]
fn the_critical_path_leads_back_through_whoever_ended_last_before_each_turn() {
    for (at_once, parallelism, times, expected) in [
        (None, None, vec![("db", 0, 900)], "db"),
        (
            None,
            None,
            vec![
                ("db", 0, 4_000),
                ("cache", 0, 2_000),
                ("app[i-1]", 4_000, 5_000),
                ("app[i-2]", 4_000, 7_000),
                ("edge", 7_000, 9_000),
            ],
            "db app[i-2] edge",
        ),
        // A soft need orders, too.
        (
            None,
            None,
            vec![("db", 0, 1_000), ("cache", 0, 2_000), ("app[i-1]", 2_001, 5_000)],
            "cache app[i-1]",
        ),
        // One that ended late, but had nothing before it.
        (None, None, vec![("db", 0, 9_000), ("cache", 0, 1_000)], "db"),
        // Without a bound on them, instances of one entry do not wait for each other; with one they do.
        (
            None,
            None,
            vec![("db", 0, 1_000), ("app[i-1]", 1_000, 3_000), ("app[i-2]", 3_000, 6_000)],
            "db app[i-2]",
        ),
        (
            Some(1),
            None,
            vec![("db", 0, 1_000), ("app[i-1]", 1_000, 3_000), ("app[i-2]", 3_000, 6_000)],
            "db app[i-1] app[i-2]",
        ),
        (
            None,
            Some(1),
            vec![("db", 0, 1_000), ("cache", 1_000, 3_000), ("edge", 3_000, 4_000)],
            "db cache edge",
        ),
        // Nothing took any time.
        (Some(1), Some(1), vec![("db", 0, 0), ("cache", 0, 0), ("edge", 0, 0)], "db"),
    ] {
        let mut history = chain(at_once, &times);
        history.parallelism = parallelism.and_then(NonZeroUsize::new);
        assert_eq!(path_of(&history).join(" "), expected, "{times:?}");
    }
    assert!(path_of(&chain(None, &[])).is_empty());
}

#[test]
fn what_was_already_there_held_nobody_up() {
    let mut history = chain(None, &[("db", 0, 10), ("app[i-1]", 10, 5_000)]);
    history.events.retain(|event| !matches!(event.kind, EventKind::Completed { change: 0, .. }));
    history.events.insert(1, completed(10, 0, Action::Start, How::AlreadyThere, Power::Running));
    assert_eq!(path_of(&history), ["app[i-1]"]);
}

#[test]
fn the_page_tells_the_outcome_the_remedies_the_path_and_every_request() {
    let mut events = vec![
        began(0, 0, Action::Start),
        accepted(100, 0, "REQUEST-DB"),
        running(4_000, 0),
        began(4_000, 2, Action::Start),
    ];
    events.push(failed(5_000, 2, Action::Start, every_failure("boom").remove(0)));
    let address = "app[i-bp1app000000000001]".parse().unwrap();
    events.push(at(
        5_000,
        EventKind::Skipped {
            change: 4,
            action: Action::Start,
            because: address,
            root: "db".parse().unwrap(),
        },
    ));
    let page = page(&history(web_shop(), events));
    for text in [
        "<title>web-shop: apply incomplete, 2026-11-22 08:00 UTC</title>",
        "Apply incomplete</h1>",
        "<b>1</b> <span><span class=\"g\" aria-hidden=\"true\">✕</span>failed</span>",
        "<b>app[i-bp1app000000000001]</b>: it is boom, neither at its goal nor Stopped as planned",
        "someone else has moved it: plan again to see what is left to do",
        "console &gt; Security Center",
        "2 steps, together 5s of it",
        "Waited 4s for db",
        "<td>REQUEST-DB",
        "<time datetime=\"2026-11-22T08:00:00Z\">",
    ] {
        assert!(page.contains(text), "no {text:?} in\n{page}");
    }
    assert_eq!(page.matches(" data-c>").count(), 2, "the rows on the critical path are marked");
}

#[test]
fn an_apply_without_anything_to_do_has_a_page_too() {
    let plan = plan(vec![change("db", Power::Running, Goal::Running, Verdict::InSync)], &[]);
    let page = page(&history(plan, Vec::new()));
    assert!(page.contains("Apply complete</h1>") && page.contains("Nothing was to be done."), "{page}");
}

#[test]
fn hostile_text_stays_text_and_short() {
    let marks = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"'><svg onload=alert(1)>",
        "`|*_[x](javascript:alert(1))",
        "\u{202e}evil\u{2066}",
        "]]><!--",
    ];
    for mark in marks.into_iter().map(str::to_owned).chain([hostile()]) {
        let mut events = every_event(0, &mark);
        events.extend(every_event(2, &mark));
        let mut blocks = web_shop();
        for (change, block) in blocks.changes.iter_mut().zip(every_block(&mark)) {
            change.verdict = Verdict::Blocked(block);
        }
        for plan in [web_shop(), blocks] {
            let clean = page(&history(plan.clone(), Vec::new()));
            let mut history = history(plan, events.clone());
            history.who = mark.clone();
            history.version = mark.clone();
            history.shape.scope.targets = vec![crate::plan::Pattern(mark.clone())];
            let page = page(&history);
            assert_eq!(page.matches("<script").count(), 1, "{mark}");
            assert_eq!(page.matches("</script").count(), 1, "{mark}");
            for tag in ["<img", "<svg", "<!--", "onerror=alert(1)>", "]]>"] {
                assert_eq!(page.matches(tag).count(), clean.matches(tag).count(), "{tag} of {mark}");
            }
            assert!(
                !page.contains(|c: char| (c.is_control() && c != '\n')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')),
                "{mark}"
            );
            assert!(page.len() < 400_000, "{} bytes", page.len());
        }
    }
}

/// An apply of so many instances in three layers, with a failure, and every one called in its turn.
fn fleet(size: usize, id: impl Fn(usize) -> String) -> History<'static> {
    let entry = |number: usize| ["db", "app", "edge"][number * 3 / size.max(1)];
    let changes = (0..size)
        .map(|number| {
            let at = format!("{}[{}]", entry(number), id(number));
            change(&at, Power::Stopped, Goal::Running, start())
        })
        .collect();
    let plan = plan(changes, &[("app", "db", Strength::Hard), ("edge", "app", Strength::Hard)]);
    let mut events = Vec::new();
    for number in 0..size {
        let from = (number * 3 / size.max(1)) as u64 * 60_000;
        let to = from + 30_000 + (number as u64 * 7_919) % 29_000;
        events.push(began(from, number, Action::Start));
        events.push(accepted(from + 200, number, "0C2DB2B2-1D5C-4F5F-8C3A-1B2C3D4E5F60"));
        events.push(at(from + 1_000, EventKind::Moved { change: number, power: Some(Power::Starting) }));
        events.push(match number {
            7 => failed(to, number, Action::Start, every_failure("boom").remove(2)),
            _ => running(to, number),
        });
    }
    events.sort_by_key(|event| event.at);
    history(plan, events)
}

#[test]
fn a_page_of_500_machines_is_whole_and_one_of_any_number_stays_under_a_megabyte() {
    let ordinary = |number: usize| format!("i-bp1{number:016}");
    let whole = page(&fleet(500, ordinary));
    assert!(whole.len() < 600_000, "{} bytes", whole.len());
    assert!(!whole.contains("This page has room for"));
    assert_eq!(whole.matches("<th scope=row>").count(), 500);
    assert_eq!(whole.matches("<td>ECS accepted the start").count(), 500);

    for (size, id) in [
        (5_000, &ordinary as &dyn Fn(usize) -> String),
        (20_000, &ordinary),
        (3_000, &|number| format!("i-{}{number}", "x".repeat(300))),
    ] {
        let page = page(&fleet(size, id));
        assert!(page.len() < LONGEST, "{size}: {} bytes", page.len());
        assert_eq!(page.matches("<p class=\"note\">This page has room for").count(), 2, "{size}");
        assert!(page.contains(&format!("of the {size} instances")), "{size}");
        // What went wrong and what decided the time is never what is left out.
        assert!(page.contains("<tr class=f data-i=7"), "{size}");
        assert_eq!(page.matches(" data-c>").count(), 3, "{size}");
    }
}

#[test]
fn many_who_share_a_reason_share_a_line() {
    let plan = fleet(400, |number| format!("i-{number}")).plan.into_owned();
    let skip = |change: usize| EventKind::Skipped {
        change,
        action: Action::Start,
        because: "db[i-7]".parse().unwrap(),
        root: "db[i-7]".parse().unwrap(),
    };
    let events = (134..400).map(|change| at(1, skip(change))).collect();
    let page = page(&history(plan, events));
    assert!(page.contains("and 261 more</b>: not tried because of db[i-7]"), "{page}");
}

#[test]
fn only_the_script_of_the_page_may_run() {
    let page = page(&history(web_shop(), Vec::new()));
    let (_, rest) = page.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    assert!(
        page.contains(&format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'"))
    );
    // The name of SVG's language, and the tips of its arrows, are no addresses.
    let page = page.replace("http://www.w3.org/2000/svg", "").replace("url(#", "");
    for outside in ["http://", "https://", "url(", "@import", "src="] {
        assert!(!page.contains(outside), "the page names {outside}");
    }
}

/// The share of light that comes from a colour, as WCAG 2 counts it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_colour_can_be_told_from_its_ground_in_light_and_in_dark() {
    let palette: HashMap<&str, [&str; 2]> = STYLE
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
            Some((name, [light, dark]))
        })
        .collect();
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 0.01);
    for scheme in [0, 1] {
        let of = |name: &str| palette[name][scheme];
        for ground in ["ground", "panel", "raised"] {
            for text in ["ink", "dim", "up", "down", "self", "bad", "care"] {
                let contrast = contrast(of(text), of(ground));
                assert!(contrast >= 4.5, "{text} on {ground} in scheme {scheme}: {contrast:.2}");
            }
            // What is drawn, and the frames of controls.
            for drawn in ["wait", "focus"] {
                let contrast = contrast(of(drawn), of(ground));
                assert!(contrast >= 3.0, "{drawn} on {ground} in scheme {scheme}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn times_are_told_to_the_tenth_of_a_second() {
    for (milliseconds, shown) in
        [(0, "0:00.0"), (4_250, "0:04.2"), (250_199, "4:10.1"), (3_730_000, "1:02:10.0")]
    {
        assert_eq!(clock(Duration::from_millis(milliseconds)), shown);
    }
}
