//! The second part of the page: one row for each instance, on one axis of time.
//!
//! A table whose last column is drawn: what a bar shows also stands there as a sentence, which is all that a screen
//! reader hears, and what is seen when a row is pointed at.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use super::html::{per_cent, text, within};
use super::lanes::{Lane, Outcome};
use super::{Story, axis, took};
use crate::execute::EventKind;
use crate::fleet::duration::Words;
use crate::render::words;

/// The most that the rows may take, in bytes.
const ROOM: usize = 330_000;

/// No row is looked at beyond these: so many of the shortest ones fill the room.
const MOST_ROWS: usize = 4_000;

/// The most retries that are marked in a row.
const MARKS: usize = 12;

/// The most times of throttling that are marked.
const BANDS: usize = 60;

/// A shorter wait is not worth a word.
const SHORT: Duration = Duration::from_millis(50);

pub(super) fn section(page: &mut String, story: &Story<'_>) {
    page.push_str("<section id=\"timeline\" aria-labelledby=\"timeline-title\">\n<h2 id=\"timeline-title\">Timeline</h2>\n");
    if story.lanes.is_empty() {
        page.push_str("<p>Nothing was to be done.</p>\n</section>\n");
        return;
    }
    let mut on_path = vec![false; story.lanes.len()];
    for position in &story.path {
        on_path[*position] = true;
    }
    // The chain and what went wrong are kept, whatever has to go.
    let mut by_weight: Vec<usize> = (0..story.lanes.len()).collect();
    by_weight.sort_by_key(|position| {
        let lane = &story.lanes[*position];
        (
            !on_path[*position],
            weight(lane.outcome),
            Reverse(lane.span().map(|(from, to)| to.saturating_sub(from))),
        )
    });
    let pieces = by_weight
        .iter()
        .take(MOST_ROWS)
        .map(|position| (place(story, *position), row(story, *position, on_path[*position])));
    let (rows, left_out) = within(ROOM, pieces, story.lanes.len());

    legend(page, story);
    if left_out > 0 {
        let _ = writeln!(
            page,
            "<p class=\"note\">This page has room for {} of the {} instances: the critical path, what went wrong, and \
             those that took longest. {} more are left out, and counted above.</p>",
            rows.len(),
            story.lanes.len(),
            left_out
        );
    }
    page.push_str("<div class=\"js tools\" id=\"lane-tools\" hidden></div>\n");
    let step = per_cent(axis::step(story.length).as_millis(), story.length.as_millis());
    let _ = write!(
        page,
        "<div class=\"frame\" id=\"lanes\" role=\"region\" aria-labelledby=\"timeline-title\" tabindex=\"0\">\n\
         <table class=\"lanes\" style=\"--t:{step}\">\n<thead><tr><th scope=\"col\">Instance</th>\
         <th scope=\"col\">Outcome</th><th scope=\"col\">Took</th><th scope=\"col\" class=\"l\">\
         <span class=\"v\">Timeline</span>{}{}</th></tr></thead>\n<tbody>\n",
        scale(story),
        bands(story)
    );
    for (_, row) in rows {
        page.push_str(&row);
    }
    page.push_str("</tbody></table></div>\n</section>\n");
}

/// What the drawing uses, and no more. It repeats for the eye what each row says in words.
fn legend(page: &mut String, story: &Story<'_>) {
    let lanes = || story.lanes.iter().filter(|lane| lane.turn.is_some());
    let ended = |outcome| lanes().any(|lane| lane.outcome == outcome);
    page.push_str("<ul class=\"legend\" aria-hidden=\"true\">");
    for (is_used, class, words) in [
        (lanes().any(|lane| lane.turn > Some(SHORT)), "w", "waits for others"),
        (lanes().any(|lane| lane.accepted > lane.turn), "c", "being called"),
        (ended(Outcome::Started), "t s", "starting"),
        (ended(Outcome::Stopped), "t p", "stopping"),
        (ended(Outcome::Arrived), "t a", "on its way by itself"),
        (ended(Outcome::Failed), "t f", "failed"),
        (ended(Outcome::NotReached), "t n", "not awaited"),
        (lanes().any(|lane| lane.arrived.is_some()), "r s", "becoming ready"),
        (!story.path.is_empty(), "t o", "critical path"),
        (lanes().any(|lane| !lane.retries.is_empty()), "m", "sent again"),
        (
            story.history.events.iter().any(|it| matches!(it.kind, EventKind::Throttled { .. })),
            "z",
            "throttled",
        ),
    ] {
        if is_used {
            // Writing to a string cannot fail.
            let _ = write!(page, "<li><i class=\"{class}\"></i>{words}</li>");
        }
    }
    page.push_str("</ul>\n");
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 0,
        Outcome::NotReached => 1,
        Outcome::Blocked => 2,
        Outcome::Skipped => 3,
        Outcome::Started | Outcome::Stopped | Outcome::Arrived => 4,
        Outcome::AlreadyThere | Outcome::Released => 5,
    }
}

/// Where a row stands: by its turn; what never had one comes last.
fn place(story: &Story<'_>, position: usize) -> (bool, Option<Duration>, usize) {
    let turn = story.lanes[position].turn;
    (turn.is_none(), turn, position)
}

fn row(story: &Story<'_>, position: usize, is_on_path: bool) -> String {
    let lane = &story.lanes[position];
    let change = lane.change;
    let mut row = String::with_capacity(512);
    let path = if is_on_path { " data-c" } else { "" };
    let _ = write!(row, "<tr class={} data-i={}{path}><th scope=row>", lane.outcome.class(), lane.at,);
    let address = text(&words::address(&change.address));
    match address.split_once('[') {
        Some((entry, rest)) => {
            let _ = write!(row, "{entry}<em>[{rest}</em>");
        }
        None => row.push_str(&address),
    }
    if change.address.instance.is_none() {
        let _ = write!(row, "<small>{}</small>", text(&words::name(change.key.id.as_str())));
    }
    let duration = lane.span().map_or_else(String::new, |(from, to)| took(from, to));
    let sort = lane.span().map_or(0, |(from, to)| to.saturating_sub(from).as_millis());
    let _ = write!(
        row,
        "<td class=o><span class=g aria-hidden=true>{}</span><span>{}</span><td class=d data-n={sort}>{duration}<td class=l>",
        lane.outcome.sign(),
        lane.outcome.word()
    );
    bar(&mut row, story, lane);
    let _ = writeln!(row, "<span class=told>{}</span>", text(&sentence(story, position, is_on_path)));
    row
}

/// What is drawn: waiting, being called, on its way, and what was sent again.
fn bar(row: &mut String, story: &Story<'_>, lane: &Lane<'_>) {
    let Some((turn, ended)) = lane.span() else { return };
    let mut piece = |class: &str, from: Duration, to: Duration| {
        if to > from {
            let whole = story.length.as_millis();
            let left = per_cent(from.as_millis(), whole);
            let width = per_cent(to.saturating_sub(from).as_millis(), whole);
            let _ = write!(row, "<i class={class} style=left:{left};width:{width}></i>");
        }
    };
    if turn > SHORT {
        piece("w", Duration::ZERO, turn);
    }
    let on_its_way = match (lane.accepted, lane.outcome) {
        (Some(accepted), _) => accepted.max(turn),
        (None, Outcome::Failed) => turn,
        (None, Outcome::Arrived | Outcome::NotReached) => turn,
        (None, _) => ended,
    };
    piece("c", turn, on_its_way);
    let until = lane.arrived.unwrap_or(ended);
    piece("t", on_its_way, until);
    piece("r", until, ended);
    for retry in lane.retries.iter().take(MARKS) {
        let left = per_cent(retry.as_millis(), story.length.as_millis());
        let _ = write!(row, "<i class=m style=left:{left}></i>");
    }
}

/// Everything that the bar shows, in words.
fn sentence(story: &Story<'_>, position: usize, is_on_path: bool) -> String {
    let lane = &story.lanes[position];
    let mut parts = Vec::new();
    if let Some(turn) = lane.turn.filter(|turn| *turn > SHORT) {
        let whom = story.held_by[position].map(|held| {
            let by = words::address(&story.lanes[held.lane].change.address);
            if held.is_need { format!(" for {by}") } else { format!(" for a free slot, until {by} ended") }
        });
        parts.push(format!("waited {}{}", Words(turn), whom.unwrap_or_default()));
    }
    if !lane.retries.is_empty() {
        parts.push(format!("sent again {}", words::count(lane.retries.len(), "time")));
    }
    if let Some(accepted) = lane.accepted {
        parts.push(format!("call accepted at {}", super::clock(accepted)));
    }
    if let Some(arrived) = lane.arrived {
        parts.push(format!("arrived at {}, awaited until ready", super::clock(arrived)));
    }
    if let Some((turn, ended)) = lane.span() {
        let word = lane.outcome.word();
        parts.push(format!("{word} at {}, {} after its turn", super::clock(ended), took(turn, ended)));
    }
    let mut sentence = parts.join("; ");
    if let Some(explanation) = &lane.explanation {
        if !sentence.is_empty() {
            sentence.push_str(". ");
        }
        sentence.push_str(&format!("{} → {}", capital(&explanation.what), explanation.remedy));
    }
    if sentence.is_empty() {
        sentence.push_str("nothing was called for it");
    }
    if is_on_path {
        sentence.push_str(". On the critical path");
    }
    capital(&sentence) + "."
}

pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn scale(story: &Story<'_>) -> String {
    let whole = story.length.as_millis();
    let mut out = String::from("<span class=\"tick\" style=\"left:0\">0s</span>");
    for tick in axis::ticks(story.length) {
        // A label at the very end would hang over the edge.
        let last = if tick.as_millis() * 100 > whole * 96 { " end" } else { "" };
        let _ = write!(
            out,
            "<span class=\"tick{last}\" style=\"left:{}\">{}</span>",
            per_cent(tick.as_millis(), whole),
            Words(tick)
        );
    }
    out
}

/// When all calls of an action waited, because ECS had refused one as one too many.
fn bands(story: &Story<'_>) -> String {
    let whole = story.length.as_millis();
    let mut out = String::new();
    let throttled = story.history.events.iter().filter_map(|event| match &event.kind {
        EventKind::Throttled { action, until } => Some((event.at, *until, *action)),
        _ => None,
    });
    for (from, until, action) in throttled.take(BANDS) {
        let until = until.min(story.length);
        let _ = write!(
            out,
            "<i class=\"z\" style=\"left:{};width:{}\"><span class=\"v\">too many {} calls at {}: all of them wait until \
             {}</span></i>",
            per_cent(from.as_millis(), whole),
            per_cent(until.saturating_sub(from).as_millis(), whole),
            action.word(),
            super::clock(from),
            super::clock(until)
        );
    }
    out
}
