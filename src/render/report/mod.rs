//! The page of one apply: its outcome, its timeline with the critical path, who needs whom, and every event.
//!
//! One HTML document that needs nothing else: no network, no script to be read, and nothing that ECS or a file says can
//! be anything but text in it. However large the apply, the page stays under [`LONGEST`]: what matters most is kept,
//! and the page says what was left out. The script adds filters, sorting, zoom and details, and changes no content.

mod axis;
mod critical;
mod events;
mod html;
mod lanes;
mod order;
mod outcome;
#[cfg(test)]
mod tests;
mod timeline;

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::fleet::duration::Words;
use crate::history::History;
use crate::render::ending::{Ending, RunVerdict};
use crate::render::words;
use critical::{HeldBy, critical_path, held_by};
use html::text;
use lanes::{Lane, lanes};

/// No page is longer, in bytes.
pub const LONGEST: usize = 1_000_000;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Everything that the parts of a page are made of.
struct Story<'h> {
    history: &'h History<'h>,
    lanes: Vec<Lane<'h>>,
    held_by: Vec<Option<HeldBy>>,
    /// The lanes of the chain that decided when the run ended, first one first.
    path: Vec<usize>,
    /// How long the axis of the timeline is.
    length: Duration,
}

/// The page of an apply.
#[must_use]
pub fn page(history: &History<'_>) -> String {
    let lanes = lanes(history);
    let held_by = held_by(&history.plan, &lanes, history.parallelism.is_some());
    let path = critical_path(&lanes, &held_by);
    let last = history.events.iter().map(|event| event.at).max().unwrap_or_default();
    // What is done after the last event, such as a last save, is not on the timeline. A little room is left behind it,
    // so that what is drawn at the very end can be seen.
    let length = (last + last / 32).max(Duration::from_millis(1));
    let story = Story { history, lanes, held_by, path, length };
    let report = history.report();
    let verdict = Ending::of(&history.plan, &report, history.is_saved).verdict;

    let mut page = String::with_capacity(256 * 1024);
    head(&mut page, history, verdict);
    page.push_str("<main>\n");
    outcome::section(&mut page, &story, verdict);
    timeline::section(&mut page, &story);
    order::section(&mut page, &story);
    events::section(&mut page, &story);
    page.push_str("</main>\n");
    foot(&mut page, history);
    page
}

/// The hash by which the policy of the page lets its script run, and no other.
fn script_hash() -> String {
    STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
}

fn head(page: &mut String, history: &History<'_>, verdict: RunVerdict) {
    let stack = text(history.plan.stack.as_str());
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{stack}: apply {}, {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#timeline\">Skip to the timeline</a>\n\
         <header>\n<div class=\"brand\">powerform</div>\n\
         <nav aria-label=\"Parts of this page\"><a href=\"#outcome\">Outcome</a><a href=\"#timeline\">Timeline</a>\
         <a href=\"#order\">Order</a><a href=\"#events\">Events</a></nav>\n\
         <div class=\"js themes\" role=\"group\" aria-label=\"Colours\" hidden></div>\n</header>\n",
        script_hash(),
        verdict.word(),
        words::time(history.began_at),
    );
}

fn foot(page: &mut String, history: &History<'_>) {
    let _ = write!(
        page,
        "<section id=\"details\" tabindex=\"-1\" aria-labelledby=\"details-title\" hidden>\n\
         <h2 id=\"details-title\">Details</h2><button type=\"button\" class=\"close\">Close</button>\
         <div class=\"body\"></div></section>\n\
         <div class=\"v\" id=\"said\" role=\"status\"></div>\n\
         <footer><p>State: lineage <code>{}</code>, serial {}{}. Made by powerform {}; this page loads nothing from \
         anywhere.</p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        history.lineage.hyphenated(),
        history.serial,
        if history.is_saved { "" } else { ", which could not be saved" },
        text(&words::name(&history.version)),
    );
}

/// A moment of the run, to the tenth of a second: `0:04.2`, `1:02:10.0`.
fn clock(at: Duration) -> String {
    let tenths = at.as_millis() / 100;
    let (seconds, tenths) = (tenths / 10, tenths % 10);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{tenths}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}.{tenths}"),
    }
}

/// How long, as people say it.
fn took(from: Duration, to: Duration) -> String {
    Words(to.saturating_sub(from)).to_string()
}
