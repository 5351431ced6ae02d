//! What is kept of a run, and what is refused.

use super::*;
use crate::execute::Action;
use crate::render::fixtures::{at, every_event, every_failure, failed, hostile, now, web_shop};

fn history(events: Vec<Event>) -> History<'static> {
    let mut history = History {
        began_at: now(),
        took: Duration::from_millis(16_250),
        who: "ops@build-7".to_owned(),
        version: "0.1.0".to_owned(),
        shape: Shape::default(),
        parallelism: NonZeroUsize::new(4),
        lineage: Uuid::from_u128(0x1111),
        serial: 7,
        is_saved: true,
        plan: Cow::Owned(web_shop()),
        events: Vec::new(),
        left_out: 0,
    };
    events.iter().for_each(|event| history.hear(event));
    history
}

fn text(history: &History<'_>) -> String {
    String::from_utf8(write(history).unwrap()).unwrap()
}

fn stack() -> StackName {
    web_shop().stack
}

#[test]
fn whatever_happened_is_read_as_it_was_written() {
    let history = history(every_event(0, &hostile()));
    let again = read(text(&history).as_bytes(), &stack()).unwrap();
    assert_eq!(again.events, history.events);
    assert_eq!(again.plan.changes, history.plan.changes);
    assert_eq!(again.plan.groups, history.plan.groups);
    assert_eq!(again.report(), history.report());
    assert_eq!(text(&again), text(&history));
}

#[test]
fn the_text_says_what_it_is_before_anything_else() {
    assert!(
        text(&history(Vec::new())).starts_with("{\"kind\":\"powerform-last-apply\",\"format_version\":1,")
    );
}

#[test]
fn what_is_no_history_of_this_stack_is_refused_with_the_way_on() {
    let whole = text(&history(every_event(1, "x")));
    let misplaced = |change: usize| text(&history(vec![at(1, EventKind::Moved { change, power: None })]));
    for (text, named) in [
        ("", "is not the history of an apply"),
        (&whole[..whole.len() / 2], "the next apply that does anything writes a new one"),
        ("{\"kind\":\"other\",\"format_version\":1}", "something else"),
        (&whole.replacen("\"format_version\":1", "\"format_version\":2", 1), "newer powerform"),
        (&whole.replacen("\"stack\":\"web-shop\"", "\"stack\":\"other\"", 1), "that of the stack other"),
        (&misplaced(6), "instances that it does not name"),
    ] {
        let refused = read(text.as_bytes(), &stack()).unwrap_err().to_string();
        assert!(refused.contains(named), "{refused}");
    }
    read(misplaced(5).as_bytes(), &stack()).unwrap();
}

#[test]
fn however_much_happens_on_the_way_every_end_is_kept() {
    let way = at(1, EventKind::Moved { change: 0, power: None });
    let mut history = history(vec![way; MOST_EVENTS + 3]);
    let end = failed(2, 0, Action::Start, every_failure("x").remove(0));
    history.hear(&end);
    assert_eq!((history.events.len(), history.left_out), (MOST_EVENTS + 1, 3));
    assert_eq!(history.events.last(), Some(&end));
    assert_eq!(history.report().outcomes.len(), 1);
}

/// What earlier versions of the program have written stays readable. A change that breaks this is a new format.
#[test]
fn a_history_of_the_first_format_is_read_as_it_was_meant() {
    let text = include_str!("../../tests/data/history/v1.json");
    let history = read(text.as_bytes(), &stack()).unwrap();
    assert_eq!(history.who, "ops@build-7");
    assert_eq!(history.report().outcomes.len(), 7);
    assert_eq!(super::write(&history).unwrap(), text.as_bytes());
}
