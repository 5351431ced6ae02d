//! The plan as people read it before they approve it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::attributes::Drawings;
use crate::fleet::{ProviderAlias, Region};
use crate::plan::{Change, Plan, Tally, Verdict, Why};
use crate::render::style::{Ink, Style};
use crate::render::words::{self, Order};

/// The whole plan: a block for each instance that changes, is blocked, has moved or has a warning, then the summary.
/// What is in sync is only counted, unless `all` asks for every instance.
///
/// Takes time in proportion to the number of instances, and names of any length do not change that.
#[must_use]
pub fn plan(plan: &Plan, style: Style, all: bool) -> String {
    let mut page = Page::new(plan, style);
    for change in plan.changes.iter().filter(|change| all || has_news(change)) {
        page.block(change);
    }
    let Page { mut text, .. } = page;
    let tally = plan.tally();
    if !tally.holds_anything() {
        let all_seen = plan.changes.iter().all(|change| change.seen.sighting().is_some());
        let line = if all_seen {
            "No changes. Every instance is as wanted."
        } else {
            "No changes. Not every instance was seen: read above."
        };
        let _ = writeln!(text, "{}\n", style.paint(Ink::Heading, line));
    }
    let _ = writeln!(text, "{}", style.paint(Ink::Heading, plan_line(&tally)));
    let warnings: usize = plan.changes.iter().map(|change| change.warnings.len()).sum();
    if warnings > 0 {
        let line = format!("{}: read {} above.", words::count(warnings, "warning"), them(warnings));
        let _ = writeln!(text, "{}", style.paint(Ink::Caution, line));
    }
    text
}

/// Only what moved outside powerform: a block for each instance, then how many there are.
#[must_use]
pub fn drift(plan: &Plan, style: Style) -> String {
    let mut page = Page::new(plan, style);
    for change in plan.changes.iter().filter(|change| change.drift.is_some()) {
        page.block(change);
    }
    let mut text = page.text;
    let line = match plan.changes.len() {
        0 => "Nothing has moved outside powerform since the last apply.".to_owned(),
        1 => "1 instance has moved outside powerform since the last apply.".to_owned(),
        moved => format!("{moved} instances have moved outside powerform since the last apply."),
    };
    let _ = writeln!(text, "{}", style.paint(Ink::Heading, line));
    text
}

fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// The counts in one line: `Plan: 4 to start, 1 to stop, 0 to wait for, 1 blocked, 7 in sync.`
#[must_use]
pub fn plan_line(tally: &Tally) -> String {
    let Tally { start, stop, wait, blocked, release, in_sync, any } = *tally;
    let mut line = format!(
        "Plan: {start} to start, {stop} to stop, {wait} to wait for, {blocked} blocked, {in_sync} in sync"
    );
    for (number, what) in [(release, "to release"), (any, "only looked at")] {
        if number > 0 {
            let _ = write!(line, ", {number} {what}");
        }
    }
    line.push('.');
    line
}

/// Whether an instance is worth a block of its own.
fn has_news(change: &Change) -> bool {
    match change.verdict {
        Verdict::Start { .. }
        | Verdict::Stop { .. }
        | Verdict::Wait { .. }
        | Verdict::Blocked(_)
        | Verdict::Release => true,
        Verdict::Any if change.seen.sighting().is_none() => true,
        Verdict::InSync | Verdict::Any => change.drift.is_some() || !change.warnings.is_empty(),
    }
}

/// What has to be said of the place of an instance: only what is not the same for all of them.
#[derive(Debug, Clone, Copy)]
struct Places {
    several_regions: bool,
    several_providers: bool,
}

impl Places {
    fn of(plan: &Plan) -> Self {
        let regions: BTreeSet<&Region> = plan.changes.iter().filter_map(|c| c.region.as_ref()).collect();
        let providers: BTreeSet<&ProviderAlias> = plan.changes.iter().map(|c| &c.key.provider).collect();
        Self { several_regions: regions.len() > 1, several_providers: providers.len() > 1 }
    }

    /// `  (i-bp1..., cn-hangzhou)`, without what the address says already; empty if that is everything.
    fn of_change(self, change: &Change) -> String {
        let mut parts = Vec::new();
        if change.address.instance.is_none() {
            parts.push(words::name(change.key.id.as_str()).into_owned());
        }
        if let Some(region) = &change.region
            && (self.several_regions || !parts.is_empty())
        {
            parts.push(region.to_string());
        }
        if self.several_providers {
            parts.push(format!("provider {}", change.key.provider));
        }
        if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
    }
}

struct Page {
    text: String,
    style: Style,
    order: Order,
    drawings: Drawings,
    places: Places,
}

impl Page {
    fn new(plan: &Plan, style: Style) -> Self {
        Self {
            text: String::new(),
            style,
            order: Order::of(plan),
            drawings: Drawings::new(style),
            places: Places::of(plan),
        }
    }

    fn block(&mut self, change: &Change) {
        let address = words::address(&change.address);
        let place = self.places.of_change(change);
        let heading = format!("# {address} {}", words::heading(change));
        let (sign, ink) = sign(&change.verdict);
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "  {}{place}", self.style.paint(Ink::Heading, heading));
        let _ = writeln!(self.text, "  {} instance \"{address}\" {{", self.style.paint(ink, sign));
        self.text.push_str(self.drawings.draw(change));
        self.reasons(change);
        self.text.push_str("    }\n\n");
    }

    fn reasons(&mut self, change: &Change) {
        let reason = words::reason(change);
        match change.verdict {
            Verdict::Blocked(_) => self.line(Some(Ink::Trouble), &reason),
            _ => self.line(None, &reason),
        }
        if let Some(drift) = &change.drift
            && !says_drift(change)
        {
            self.line(None, &words::drift(drift));
        }
        if let Some(after) = self.order.of_change(change).map(ToOwned::to_owned) {
            self.line(None, &after);
        }
        if let Verdict::Wait { until, then: Some(then) } = &change.verdict {
            let ink = if then.calls() { None } else { Some(Ink::Trouble) };
            self.line(ink, &words::then(then, *until));
        }
        for warning in &change.warnings {
            let explanation = words::warning(warning);
            let _ =
                writeln!(self.text, "        {} {explanation}", self.style.paint(Ink::Caution, "warning:"));
        }
    }

    fn line(&mut self, ink: Option<Ink>, text: &str) {
        let _ = match ink {
            Some(ink) => writeln!(self.text, "        {}", self.style.paint(ink, text)),
            None => writeln!(self.text, "        {text}"),
        };
    }
}

/// Whether the reason of a change tells its drift already.
fn says_drift(change: &Change) -> bool {
    match change.verdict {
        Verdict::Start { .. } | Verdict::Stop { .. } | Verdict::Wait { .. } | Verdict::Release => {
            change.why == Some(Why::Drifted)
        }
        Verdict::InSync => change.goal.is_none(),
        Verdict::Blocked(_) | Verdict::Any => false,
    }
}

fn sign(verdict: &Verdict) -> (char, Ink) {
    match verdict {
        Verdict::Start { .. } => ('~', Ink::Up),
        Verdict::Stop { .. } => ('~', Ink::Down),
        Verdict::Wait { .. } => ('~', Ink::Change),
        Verdict::Blocked(_) => ('!', Ink::Trouble),
        Verdict::Release => ('-', Ink::Down),
        Verdict::InSync | Verdict::Any => (' ', Ink::Aside),
    }
}
