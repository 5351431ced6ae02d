//! The first part of the page: how it ended, what needs attention, and the chain that took the time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::html::{text, within};
use super::lanes::{Lane, Outcome};
use super::timeline::capital;
use super::{Story, took};
use crate::fleet::Address;
use crate::fleet::duration::Words;
use crate::plan::Verdict;
use crate::render::ending::RunVerdict;
use crate::render::words::{self, Explanation};

/// The most that is said here of what went wrong, in bytes.
const ROOM: usize = 80_000;

/// The most links of the chain that are shown.
const LINKS: usize = 40;

pub(super) fn section(page: &mut String, story: &Story<'_>, verdict: RunVerdict) {
    let history = story.history;
    let (class, sign) = match verdict {
        RunVerdict::Complete => ("good", '✓'),
        RunVerdict::Incomplete => ("bad", '✕'),
        RunVerdict::Interrupted => ("odd", '…'),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<section id=\"outcome\" aria-labelledby=\"title\">\n<p class=\"stack\">{}</p>\n\
         <h1 id=\"title\" class=\"{class}\"><span class=\"seal\" aria-hidden=\"true\">{sign}</span>Apply {}</h1>\n\
         <p class=\"meta\">{}</p>\n",
        text(history.plan.stack.as_str()),
        verdict.word(),
        meta(story),
    );
    tiles(page, story);
    if !history.is_saved {
        page.push_str(
            "<p class=\"alarm\">The state could not be saved. Nothing is lost but explanations: the next apply looks at \
             the instances anew.</p>\n",
        );
    }
    trouble(page, story);
    chain(page, story);
    page.push_str("</section>\n");
}

fn meta(story: &Story<'_>) -> String {
    let history = story.history;
    let mut parts = vec![
        format!("<time datetime=\"{:.0}\">{}</time>", history.began_at, words::time(history.began_at)),
        format!("took <b>{}</b>", Words(history.took)),
        format!("by {}", text(&words::name(&history.who))),
    ];
    if history.shape.power_off {
        parts.push("everything powered off".to_owned());
    }
    if history.shape.refresh_only {
        parts.push("only recorded what is".to_owned());
    }
    for (what, patterns) in
        [("only", &history.shape.scope.targets), ("without", &history.shape.scope.excludes)]
    {
        if !patterns.is_empty() {
            let names: Vec<String> = patterns.iter().map(|it| text(&words::name(&it.0))).collect();
            parts.push(format!("{what} {}", words::list(&names, words::LISTED)));
        }
    }
    if let Some(most) = history.parallelism {
        parts.push(format!("at most {most} in transition"));
    }
    parts.join("<span class=\"dot\" aria-hidden=\"true\"> · </span>")
}

/// How many of each, trouble first; what was as wanted last.
fn tiles(page: &mut String, story: &Story<'_>) {
    page.push_str("<ul class=\"tiles\">\n");
    for outcome in Outcome::ALL {
        let number = story.lanes.iter().filter(|lane| lane.outcome == outcome).count();
        if number > 0 {
            let _ = writeln!(
                page,
                "<li class=\"tile {}\"><b>{number}</b> <span><span class=\"g\" aria-hidden=\"true\">{}</span>{}</span></li>",
                outcome.class(),
                outcome.sign(),
                outcome.word()
            );
        }
    }
    let count = |wanted: fn(&Verdict) -> bool| {
        story.history.plan.changes.iter().filter(|change| wanted(&change.verdict)).count()
    };
    for (number, word) in [
        (count(|it| matches!(it, Verdict::InSync)), "already in sync"),
        (count(|it| matches!(it, Verdict::Any)), "only looked at"),
    ] {
        if number > 0 {
            let _ = writeln!(page, "<li class=\"tile\"><b>{number}</b> <span>{word}</span></li>");
        }
    }
    page.push_str("</ul>\n");
}

/// What needs attention: each kind of trouble, and within it each explanation once, however many share it.
fn trouble(page: &mut String, story: &Story<'_>) {
    let mut kinds: BTreeMap<(Outcome, usize), (&Explanation, Vec<&Lane<'_>>)> = BTreeMap::new();
    let mut known: BTreeMap<(Outcome, String), usize> = BTreeMap::new();
    for lane in story.lanes.iter().filter(|lane| lane.outcome.is_trouble()) {
        let Some(explanation) = &lane.explanation else { continue };
        let number = known.len();
        let place = *known.entry((lane.outcome, explanation.to_string())).or_insert(number);
        kinds.entry((lane.outcome, place)).or_insert((explanation, Vec::new())).1.push(lane);
    }
    // What is held up says nothing of its own: where the blocking begins comes first.
    let of = kinds.len();
    let pieces = kinds.iter().map(|(place, (explanation, lanes))| (*place, item(explanation, lanes)));
    let (pieces, left_out) = within(ROOM, pieces, of);
    if pieces.is_empty() {
        return;
    }
    page.push_str("<h2>What needs attention</h2>\n<div class=\"todo\">\n");
    let mut last = None;
    for ((outcome, _), piece) in pieces {
        if last != Some(outcome) {
            if last.is_some() {
                page.push_str("</ul>\n");
            }
            let _ = writeln!(
                page,
                "<h3 class=\"{}\"><span class=\"g\" aria-hidden=\"true\">{}</span>{}</h3><ul>",
                outcome.class(),
                outcome.sign(),
                capital(outcome.word())
            );
            last = Some(outcome);
        }
        page.push_str(&piece);
    }
    page.push_str("</ul>\n");
    if left_out > 0 {
        let _ = writeln!(
            page,
            "<p class=\"note\">There is no room here for {} more; the timeline has them.</p>",
            words::count(left_out, "explanation")
        );
    }
    page.push_str("</div>\n");
}

fn item(explanation: &Explanation, lanes: &[&Lane<'_>]) -> String {
    let names: Vec<String> = lanes.iter().map(|lane| name(lane)).collect();
    format!(
        "<li><b>{}</b>: {}<span class=\"remedy\"><span aria-hidden=\"true\">→ </span>{}</span></li>\n",
        words::list(&names, words::LISTED),
        text(&explanation.what),
        text(&explanation.remedy)
    )
}

fn name(lane: &Lane<'_>) -> String {
    let Address { instance, .. } = &lane.change.address;
    let address = text(&words::address(&lane.change.address));
    match instance {
        Some(_) => address,
        None => format!("{address} <code>{}</code>", text(&words::name(lane.change.key.id.as_str()))),
    }
}

/// The chain that decided when it ended, with how long each link took and what passed between them.
fn chain(page: &mut String, story: &Story<'_>) {
    let links: Vec<(&Lane<'_>, Duration, Duration)> = story
        .path
        .iter()
        .filter_map(|position| {
            let lane = &story.lanes[*position];
            let (turn, ended) = lane.span()?;
            Some((lane, turn, ended))
        })
        .collect();
    let Some((last, _, end)) = links.last() else { return };
    let own: Duration = links.iter().map(|(_, turn, ended)| ended.saturating_sub(*turn)).sum();
    let _ = write!(
        page,
        "<h2 id=\"path\">What took the time</h2>\n<p>{} ended last, after {}. The critical path is the chain that led \
         to it: {}, together {} of it. Everything else ended within that time.</p>\n<ol class=\"path\">\n",
        text(&words::address(&last.change.address)),
        Words(*end),
        words::count(links.len(), "step"),
        Words(own)
    );
    let skipped = links.len().saturating_sub(LINKS);
    if skipped > 0 {
        let _ = writeln!(page, "<li class=\"gap\">{} before these</li>", words::count(skipped, "step"));
    }
    for (lane, turn, ended) in &links[skipped..] {
        let _ = writeln!(
            page,
            "<li class=\"{}\"><b>{}</b> <span><span class=\"g\" aria-hidden=\"true\">{}</span>{} in {}</span></li>",
            lane.outcome.class(),
            text(&words::address(&lane.change.address)),
            lane.outcome.sign(),
            lane.outcome.word(),
            took(*turn, *ended)
        );
    }
    page.push_str("</ol>\n");
}
