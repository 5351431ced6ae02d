//! The plan as people read it before they approve it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::attributes::Drawings;
use super::outlook::outlook;
use crate::fleet::{EntryName, ProviderAlias, Region};
use crate::plan::{Change, Plan, Tally, Verdict, Warning, Why};
use crate::render::style::{Ink, Style};
use crate::render::words::{self, Order};

/// The whole plan: a block for each instance that changes, is blocked, has moved or has a warning; in which order it
/// will happen and how long it is expected to take; the counts last. Where several instances of an entry have the same
/// to say, one block stands for them. What is in sync is only counted. `all` gives every instance a block of its own.
///
/// Takes time in proportion to the number of instances, and names of any length do not change that.
#[must_use]
pub fn plan(plan: &Plan, style: Style, all: bool) -> String {
    let mut page = Page::new(plan, style, all);
    page.blocks(plan.changes.iter().filter(|change| all || has_news(change)));
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
    text.push_str(&selections(plan, style, all));
    text.push_str(&probes(plan, style));
    text.push_str(&outlook(plan, style, all));
    let warnings: usize = plan.changes.iter().map(|change| change.warnings.len()).sum();
    if warnings > 0 {
        let line = format!("{}: read {} above.", words::count(warnings, "warning"), them(warnings));
        let _ = writeln!(text, "{}", style.paint(Ink::Caution, line));
    }
    let _ = writeln!(text, "{}", style.paint(Ink::Heading, plan_line(&tally)));
    text
}

/// Only what moved outside powerform: a block for each instance, or for several of an entry that moved alike unless
/// `all` keeps them apart, then how many there are.
#[must_use]
pub fn drift(plan: &Plan, style: Style, all: bool) -> String {
    let mut page = Page::new(plan, style, all);
    page.blocks(plan.changes.iter().filter(|change| change.drift.is_some()));
    let mut text = page.text;
    let line = match plan.changes.len() {
        0 => "Nothing has moved outside powerform since the last apply.".to_owned(),
        1 => "1 instance has moved outside powerform since the last apply.".to_owned(),
        moved => format!("{moved} instances have moved outside powerform since the last apply."),
    };
    let _ = writeln!(text, "{}", style.paint(Ink::Heading, line));
    text
}

/// What each selection came to.
fn selections(plan: &Plan, style: Style, all: bool) -> String {
    let most = if all { usize::MAX } else { words::LISTED };
    let lines = plan.selections().map(|(group, selecting)| (&group.name, words::selecting(selecting, most)));
    paragraph("Selected:", lines, style)
}

/// Which instances an apply asks whether they are ready, and how. A plan asks none.
fn probes(plan: &Plan, style: Style) -> String {
    let lines = plan.groups_to_probe().map(|(group, readiness)| (&group.name, words::readiness(readiness)));
    paragraph("Apply will ask whether these are ready:", lines, style)
}

/// A heading and a line for each entry, a blank line after them; nothing if there is no line.
fn paragraph<'p>(
    heading: &str,
    lines: impl Iterator<Item = (&'p EntryName, String)>,
    style: Style,
) -> String {
    let mut text = String::new();
    for (entry, words) in lines {
        if text.is_empty() {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "{}", style.paint(Ink::Heading, heading));
        }
        for (at, line) in style.lines(&format!("{entry}: {words}"), 4).iter().enumerate() {
            let _ = writeln!(text, "{:indent$}{line}", "", indent = if at == 0 { 2 } else { 4 });
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn them(number: usize) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// The counts in one line: `Plan: 4 to start, 1 to stop, 0 to wait for, 1 blocked, 7 in sync.`
#[must_use]
pub fn plan_line(tally: &Tally) -> String {
    let Tally { start, stop, wait, blocked, release, in_sync, any, unknown } = *tally;
    let mut line = format!(
        "Plan: {start} to start, {stop} to stop, {wait} to wait for, {blocked} blocked, {in_sync} in sync"
    );
    let entries = if unknown == 1 { "selection not seen" } else { "selections not seen" };
    for (number, what) in [(release, "to release"), (any, "only looked at"), (unknown, entries)] {
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

    /// `  (i-bp1..., named "shop-db", cn-hangzhou)`, without what the address says already; empty if that is everything.
    fn of_change(self, change: &Change) -> String {
        let mut parts = Vec::new();
        if change.address.instance.is_none() {
            parts.push(words::name(change.key.id.as_str()).into_owned());
        }
        if let Some(sighting) = change.seen.sighting()
            && !sighting.name.is_empty()
            && sighting.name != change.address.entry.as_str()
            && sighting.name != change.key.id.as_str()
        {
            parts.push(format!("named \"{}\"", words::name(&sighting.name).replace('"', "\\\"")));
        }
        parts.extend(self.region_of(change, change.address.instance.is_none()));
        parenthesised(&parts)
    }

    /// `  (cn-hangzhou)`, where that is not the same for all of the plan.
    fn of_several(self, change: &Change) -> String {
        parenthesised(&self.region_of(change, false))
    }

    fn region_of(self, change: &Change, always: bool) -> Vec<String> {
        let region = change.region.as_ref().filter(|_| self.several_regions || always);
        let provider = self.several_providers.then(|| format!("provider {}", change.key.provider));
        region.map(ToString::to_string).into_iter().chain(provider).collect()
    }
}

fn parenthesised(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
}

/// From so many instances of an entry on that have the same to say, one block stands for them.
const SEVERAL: usize = 3;

struct Page {
    text: String,
    style: Style,
    all: bool,
    order: Order,
    drawings: Drawings,
    places: Places,
}

impl Page {
    fn new(plan: &Plan, style: Style, all: bool) -> Self {
        Self {
            text: String::new(),
            style,
            all,
            order: Order::of(plan),
            drawings: Drawings::new(style),
            places: Places::of(plan),
        }
    }

    /// Blocks for these changes, which come in the order of their entries.
    fn blocks<'p>(&mut self, changes: impl Iterator<Item = &'p Change>) {
        let mut changes = changes.peekable();
        while let Some(first) = changes.next() {
            let entry = &first.address.entry;
            let mut own = vec![first];
            while let Some(next) = changes.next_if(|next| next.address.entry == *entry) {
                own.push(next);
            }
            self.entry(own);
        }
    }

    /// Blocks for changes of one entry. What has the same to say stands together, in the order of the first of each.
    fn entry(&mut self, changes: Vec<&Change>) {
        if self.all || changes.len() < SEVERAL {
            for change in changes {
                let body = self.body(change);
                self.single(change, &body);
            }
            return;
        }
        let mut alike: Vec<(String, Vec<&Change>)> = Vec::new();
        let mut known: HashMap<(&'static str, String, String), usize> = HashMap::new();
        for change in changes {
            let body = self.body(change);
            let key = (words::heading(change), self.places.of_several(change), body.clone());
            let position = *known.entry(key).or_insert_with(|| {
                alike.push((body, Vec::new()));
                alike.len() - 1
            });
            alike[position].1.push(change);
        }
        for (body, changes) in alike {
            match changes.as_slice() {
                [first, ..] if changes.len() >= SEVERAL => self.several(first, &changes, &body),
                few => few.iter().for_each(|change| self.single(change, &body)),
            }
        }
    }

    fn single(&mut self, change: &Change, body: &str) {
        let address = words::address(&change.address);
        let place = self.places.of_change(change);
        let heading = format!("# {address} {}", words::heading(change));
        let (sign, ink) = sign(&change.verdict);
        self.heading(&heading, &place);
        let _ = writeln!(self.text, "  {} instance \"{address}\" {{", self.style.paint(ink, sign));
        self.text.push_str(body);
        self.text.push_str("    }\n\n");
    }

    /// The place stands under the heading where both do not fit on one line.
    fn heading(&mut self, heading: &str, place: &str) {
        let fits = self.style.columns().is_none_or(|columns| 2 + heading.width() + place.width() <= columns);
        let heading = self.style.paint(Ink::Heading, heading);
        // Writing to a string cannot fail, here and below.
        if fits {
            let _ = writeln!(self.text, "  {heading}{place}");
            return;
        }
        let _ = writeln!(self.text, "  {heading}");
        for line in self.style.lines(place.trim_start(), 4) {
            let _ = writeln!(self.text, "    {line}");
        }
    }

    fn several(&mut self, first: &Change, changes: &[&Change], body: &str) {
        let entry = &first.address.entry;
        let place = self.places.of_several(first);
        let heading = format!("# {entry}: {} instances {}", changes.len(), words::heading_of_several(first));
        let (sign, ink) = sign(&first.verdict);
        self.heading(&heading, &place);
        let _ = writeln!(self.text, "  {} each of these instances {{", self.style.paint(ink, sign));
        self.text.push_str(body);
        let shown = changes.iter().take(words::LISTED);
        let mut names: Vec<Cow<'_, str>> = shown.map(|change| words::name(change.key.id.as_str())).collect();
        if changes.len() > names.len() {
            names.push(format!("{} more (--all shows each)", changes.len() - names.len()).into());
        }
        for line in self.style.lines(&words::list(&names, names.len()), 8) {
            let _ = writeln!(self.text, "        {line}");
        }
        self.text.push_str("    }\n\n");
    }

    /// What stands between the braces: the attributes, and everything that is said about the instance.
    fn body(&mut self, change: &Change) -> String {
        let mut body = Body { text: self.drawings.draw(change).to_owned(), style: self.style };
        let reason = words::reason(change);
        match change.verdict {
            Verdict::Blocked(_) => body.say(Some(Ink::Trouble), &reason),
            _ => body.say(None, &reason),
        }
        if let Some(drift) = &change.drift
            && !says_drift(change)
        {
            body.say(None, &words::drift(drift));
        }
        if let Some(after) = self.order.of_change(change) {
            body.say(None, after);
        }
        if let Verdict::Wait { until, then: Some(then) } = &change.verdict {
            let ink = if then.request().is_some() { None } else { Some(Ink::Trouble) };
            body.say(ink, &words::then(then, *until));
        }
        for warning in &change.warnings {
            let words = words::warning(warning);
            match warning {
                // All of it in red: what is lost is lost.
                Warning::InitLocalDisk { .. } => body.say(Some(Ink::Trouble), &format!("DATA LOSS: {words}")),
                _ => body.say_under("warning:", Ink::Caution, &words.to_string()),
            }
        }
        body.text
    }
}

struct Body {
    text: String,
    style: Style,
}

impl Body {
    fn say(&mut self, ink: Option<Ink>, text: &str) {
        for line in self.style.lines(text, 8) {
            let _ = match ink {
                Some(ink) => writeln!(self.text, "        {}", self.style.paint(ink, line)),
                None => writeln!(self.text, "        {line}"),
            };
        }
    }

    /// A sentence under a heading in its colour.
    fn say_under(&mut self, heading: &str, ink: Ink, text: &str) {
        let whole = format!("{heading} {text}");
        for line in self.style.lines(&whole, 8) {
            let _ = match line.strip_prefix(heading) {
                Some(rest) => writeln!(self.text, "        {}{rest}", self.style.paint(ink, heading)),
                None => writeln!(self.text, "        {line}"),
            };
        }
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
