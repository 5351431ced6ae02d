//! The last part of the page: every event, with the id under which ECS keeps the request.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::html::{text, within};
use super::lanes::refusal_of;
use super::{Story, clock};
use crate::execute::{Action, Event, EventKind};
use crate::fleet::duration::Words;
use crate::plan::Plan;
use crate::render::words;

/// The most that the rows may take, in bytes.
const ROOM: usize = 400_000;

/// No event is looked at beyond these: so many of the shortest rows fill the room.
const MOST_ROWS: usize = 6_000;

pub(super) fn section(page: &mut String, story: &Story<'_>) {
    let history = story.history;
    let mut matters = vec![false; history.plan.changes.len()];
    for lane in &story.lanes {
        matters[lane.at] = lane.outcome.is_trouble() || !lane.retries.is_empty();
    }
    for position in &story.path {
        matters[story.lanes[*position].at] = true;
    }
    let mut by_weight: Vec<usize> = (0..history.events.len()).collect();
    by_weight.sort_by_key(|position| {
        let event = &history.events[*position];
        (event.change().is_some_and(|change| !matters[change]), Reverse(says_more(event)))
    });
    let pieces = by_weight
        .iter()
        .take(MOST_ROWS)
        .map(|position| (*position, row(&history.plan, &history.events[*position])));
    let (rows, left_out) = within(ROOM, pieces, history.events.len());
    let left_out = left_out + history.left_out;

    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<section id=\"events\" aria-labelledby=\"events-title\">\n<h2 id=\"events-title\">Events</h2>\n\
         <p>Times are since the apply began, at <time datetime=\"{0:.0}\">{1}</time>. A request id is what Alibaba \
         Cloud's support asks for.</p>\n",
        history.began_at,
        history.began_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    );
    if left_out > 0 {
        let _ = writeln!(
            page,
            "<p class=\"note\">This page has room for {} of the {} events: those of what went wrong, of what was sent \
             again and of the critical path come first. All of them are in the JSON lines that <code>powerform apply \
             --json-into FILE</code> writes.</p>",
            rows.len(),
            rows.len() + left_out
        );
    }
    if rows.is_empty() {
        page.push_str("<p>Nothing happened.</p>\n</section>\n");
        return;
    }
    page.push_str(
        "<div class=\"js tools\" id=\"event-tools\" hidden></div>\n\
         <div class=\"frame\" role=\"region\" aria-labelledby=\"events-title\" tabindex=\"0\">\n<table class=\"events\">\n\
         <thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Instance</th><th scope=\"col\">What happened</th>\
         <th scope=\"col\">Request id</th></tr></thead>\n<tbody>\n",
    );
    for (_, row) in rows {
        page.push_str(&row);
    }
    page.push_str("</tbody></table></div>\n</section>\n");
}

/// Whether an event says more than that everything goes its way.
fn says_more(event: &Event) -> bool {
    match event.kind {
        EventKind::Failed { .. }
        | EventKind::Retrying { .. }
        | EventKind::OutOfStock { .. }
        | EventKind::Readying { .. }
        | EventKind::Accepted { .. }
        | EventKind::Completed { .. }
        | EventKind::Skipped { .. }
        | EventKind::NotReached { .. }
        | EventKind::Interrupted
        | EventKind::Throttled { .. }
        | EventKind::LookFailed { .. } => true,
        EventKind::Began { .. } | EventKind::Moved { .. } => false,
    }
}

fn row(plan: &Plan, event: &Event) -> String {
    let Told { what, class, request_id } = tell(event);
    let mut row = String::with_capacity(160);
    row.push_str("<tr");
    if !class.is_empty() {
        let _ = write!(row, " class={class}");
    }
    if let Some(change) = event.change() {
        let _ = write!(row, " data-i={change}");
    }
    let subject = event.change().and_then(|change| plan.changes.get(change));
    let _ = write!(
        row,
        "><td>{}<td>{}<td>{}",
        clock(event.at),
        subject.map_or_else(|| "all".to_owned(), |change| text(&words::address(&change.address))),
        text(&what)
    );
    if let Some(id) = request_id.filter(|id| !id.is_empty()) {
        let _ = write!(row, "<td>{}", text(&words::name(id)));
    } else {
        row.push_str("<td>");
    }
    row.push('\n');
    row
}

/// An event in words.
struct Told<'e> {
    what: String,
    /// `f` for what failed, `q` for what deserves a look.
    class: &'static str,
    request_id: Option<&'e str>,
}

fn tell(event: &Event) -> Told<'_> {
    let told = |what: String, class, request_id| Told { what, class, request_id };
    match &event.kind {
        EventKind::Began { action, .. } => told(
            match action {
                Action::Start => "its turn to start came".to_owned(),
                Action::Stop => "its turn to stop came".to_owned(),
                Action::Wait => "is awaited".to_owned(),
            },
            "",
            None,
        ),
        EventKind::Accepted { action, request_id, .. } => {
            told(format!("ECS accepted the {}", action.word()), "", request_id.as_deref())
        }
        EventKind::Retrying { action, refusal, sends, .. } => {
            let said = words::message(&refusal.message);
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            let what =
                format!("the {} is tried again: {}{said}", action.word(), words::retrying(refusal, *sends));
            told(what, "q", refusal.request_id.as_deref())
        }
        EventKind::OutOfStock { refusal, again, until, .. } => {
            let (again, left) = (again.saturating_sub(event.at), until.saturating_sub(event.at));
            told(words::out_of_stock(refusal, again, left), "q", refusal.request_id.as_deref())
        }
        EventKind::Readying { probe, answer, .. } => {
            told(format!("Running, {}", words::readying(probe.as_ref(), answer.as_deref())), "", None)
        }
        EventKind::Moved { power, .. } => {
            told(words::seen(power.as_ref()), if power.is_none() { "q" } else { "" }, None)
        }
        EventKind::Completed { power, elapsed, stopped_mode, .. } => {
            let mut what = format!("{} after {}", words::name(power.word()), Words(*elapsed));
            if let Some(mode) = stopped_mode {
                let _ = write!(what, "; {}", words::stopped_otherwise(*mode));
            }
            told(what, if stopped_mode.is_some() { "q" } else { "" }, None)
        }
        EventKind::Failed { failure, action, .. } => {
            let request_id = refusal_of(failure).and_then(|refusal| refusal.request_id.as_deref());
            told(words::failure(failure, *action).what, "f", request_id)
        }
        EventKind::Skipped { because, root, .. } => told(words::skipped(because, root).what, "q", None),
        EventKind::NotReached { in_transition, .. } => told(words::left_over(*in_transition).what, "q", None),
        EventKind::Interrupted => {
            told("interrupted: nothing more is called from here on".to_owned(), "q", None)
        }
        EventKind::Throttled { action, until } => told(
            format!(
                "too many {} calls: ECS asks to wait, and the next one goes at {}",
                action.word(),
                clock(*until)
            ),
            "q",
            None,
        ),
        EventKind::LookFailed { refusal } => {
            let what =
                format!("a look failed and will be repeated: {}", words::message(&refusal.to_string()));
            told(what, "q", refusal.request_id.as_deref())
        }
    }
}
