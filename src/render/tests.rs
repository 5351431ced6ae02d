//! Text from elsewhere does no harm in any output. Every function that makes one has a row here; that none was
//! forgotten is seen from the source.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{self, Source};
use crate::execute::{Event, Report};
use crate::fleet::{Durations, Goal, Power, ProviderAlias, Recorded, RecordedInstance, Seen};
use crate::history::History;
use crate::plan::saved::Account;
use crate::plan::{Pattern, Plan, SavedPlan, Shape, Then, Verdict};
use crate::render::checkup::Check;
use crate::render::fixtures::{self, assert_harmless, every_event, hostile, hostile_pieces, now};
use crate::render::graph::{self, Graph};
use crate::render::json::v1::{self, Diagnostic, Severity};
use crate::render::style::Style;
use crate::render::{annotations, human, markdown, problems, report};

/// What a text is read by, and so what it may not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A person at a terminal.
    Terminal,
    /// A program that reads JSON. Values are exact; what is in them is shown by nobody as it is.
    Json,
    /// graphviz.
    Dot,
    /// Mermaid, inside of Markdown.
    Mermaid,
    /// GitHub or GitLab, in a comment.
    Markdown,
    /// A browser.
    Browser,
}

/// Everything that outputs are made of, with the same text wherever text comes from elsewhere.
struct World {
    text: String,
    plan: Plan,
    drifted: Plan,
    events: Vec<Event>,
    report: Report,
    recorded: Recorded,
    saved: SavedPlan,
    checks: Vec<Check>,
    diagnostics: Vec<Diagnostic>,
}

impl World {
    fn of(text: &str) -> Self {
        let odd = Power::Unrecognised(text.into());
        let blocks = fixtures::every_block(text).into_iter().map(Verdict::Blocked);
        let held_up =
            crate::plan::Block::HeldUp { by: fixtures::address("e1"), root: fixtures::address("e2") };
        let then = Verdict::Wait { until: Goal::Running, then: Some(Then::Blocked(held_up)) };
        let verdicts = fixtures::every_verdict().into_iter().chain(blocks).chain([then]);
        let changes = verdicts.enumerate().map(|(number, verdict)| {
            let mut change =
                fixtures::change(&format!("e{number}[i-1]"), odd.clone(), Goal::Running, verdict);
            change = fixtures::drifted(change, odd.clone(), Power::Running);
            change.warnings = fixtures::every_warning(text);
            if let Seen::There(sighting) = &mut change.seen {
                let sighting = Arc::make_mut(sighting);
                sighting.name = text.to_owned();
                sighting.locks = fixtures::every_lock(text)
                    .into_iter()
                    .map(|reason| crate::fleet::Lock { reason, message: text.to_owned() })
                    .collect();
            }
            change
        });
        let mut changes: Vec<_> = changes.collect();
        let endless = format!("endless[i-{}]", "x".repeat(10_000));
        changes.push(fixtures::change(&endless, odd.clone(), Goal::Running, fixtures::start()));
        let mut plan = fixtures::plan(changes, &[]);
        let selector = crate::fleet::Selector {
            tags: [(text.to_owned(), Some(text.to_owned()))].into(),
            name: Some(text.to_owned()),
            ..crate::fleet::Selector::default()
        };
        let outcome = crate::plan::SelectionOutcome::NotSeen { why: text.to_owned() };
        let probes = fixtures::every_probe(text);
        let every = crate::fleet::Readiness::EVERY;
        let readiness = crate::fleet::Readiness { probes, delay: every, every, within: None };
        for group in &mut plan.groups {
            group.readiness = Some(std::sync::Arc::new(readiness.clone()));
        }
        plan.groups[0].selection = Some(crate::plan::Selecting { selector, outcome });
        let steps = plan.changes.len();
        let events: Vec<Event> = [0, 1].into_iter().flat_map(|change| every_event(change, text)).collect();
        let mut report = Report::default();
        // Each instance ends in another way.
        for (change, failure) in fixtures::every_failure(text).into_iter().enumerate() {
            report.hear(&fixtures::failed(9, change % steps, crate::execute::Action::Start, failure));
        }
        let mut recorded = Recorded::new(plan.stack.clone(), Uuid::nil());
        for change in &plan.changes {
            let one = RecordedInstance {
                address: change.address.clone(),
                goal: Goal::Running,
                power: odd.clone(),
                recorded_at: now(),
                took: Durations::default(),
            };
            recorded.instances.insert(change.key.clone(), one);
        }
        let mut shape = Shape::default();
        shape.scope.targets = vec![Pattern(text.to_owned())];
        let account = Account { source: text.to_owned(), fingerprint: None };
        let saved = SavedPlan {
            made_at: now(),
            lineage: None,
            serial: 0,
            configuration: text.to_owned(),
            shape,
            limits: Default::default(),
            accounts: [(ProviderAlias::main(), account)].into(),
            plan: plan.clone(),
        };
        let mut checks = vec![
            Check::ok("look", text),
            Check::warning("clock", text, text),
            Check::error("state", text, Some(text)),
            Check::skipped("start", text),
        ];
        checks.extend(
            fixtures::every_refusal(text).iter().map(|refusal| Check::refused("stop", text, refusal)),
        );
        let drifted = Plan { changes: plan.changes.clone(), groups: plan.groups.clone(), ..plan.clone() };
        let diagnostics = vec![Diagnostic::new(Severity::Error, text, text)];
        Self { text: text.to_owned(), plan, drifted, events, report, recorded, saved, checks, diagnostics }
    }

    fn configuration(&self) -> Vec<Source> {
        let quoted = serde_json::to_string(&self.text).expect("text");
        let text = format!(
            "stack: {quoted}\nprovider: {{ endpoint: {quoted}, {quoted}: 1 }}\ninstances:\n  {quoted}: {{ id: {quoted}, \
             status: {quoted}, depends_on: [{quoted}] }}\n# {}\n",
            self.text
        );
        // No file's name is longer.
        let name = self.text.chars().take(255).collect();
        vec![Source { name, text: text.into_bytes() }]
    }

    fn history(&self) -> History<'_> {
        let mut history = History {
            began_at: now(),
            took: Duration::from_secs(9),
            who: self.text.clone(),
            version: self.text.clone(),
            shape: self.saved.shape.clone(),
            parallelism: None,
            lineage: Uuid::nil(),
            serial: 1,
            is_saved: true,
            plan: Cow::Borrowed(&self.plan),
            events: Vec::new(),
            left_out: 0,
        };
        self.events.iter().for_each(|event| history.hear(event));
        history
    }
}

type Row = (&'static str, Reader, fn(&World) -> Vec<String>);

/// Every function under `src/render` that makes an output, by its file and name.
const OUTPUTS: &[Row] = &[
    ("human/plan.rs plan", Reader::Terminal, |world| {
        let narrow = Style::plain().within(Some(40));
        vec![
            human::plan(&world.plan, Style::plain(), true),
            human::plan(&world.plan, Style::plain(), false),
            human::plan(&world.plan, narrow, true),
        ]
    }),
    ("human/plan.rs drift", Reader::Terminal, |world| {
        vec![
            human::drift(&world.drifted, Style::plain(), true),
            human::drift(&world.drifted, Style::plain(), false),
        ]
    }),
    ("human/plan.rs plan_line", Reader::Terminal, |world| vec![human::plan_line(&world.plan.tally())]),
    ("human/saved.rs saved_plan", Reader::Terminal, |world| vec![human::saved_plan(&world.saved)]),
    ("human/summary.rs apply_summary", Reader::Terminal, |world| {
        let summary = |all| human::apply_summary(&world.plan, &world.report, false, Style::plain(), all);
        vec![summary(true), summary(false)]
    }),
    ("human/record.rs state", Reader::Terminal, |world| vec![human::state(&world.recorded, Style::plain())]),
    ("human/record.rs state_list", Reader::Terminal, |world| vec![human::state_list(&world.recorded)]),
    ("human/record.rs state_show", Reader::Terminal, |world| {
        let all = world.plan.changes.iter();
        all.filter_map(|change| human::state_show(&world.recorded, &change.address)).collect()
    }),
    ("human/record.rs nothing_recorded", Reader::Terminal, |world| {
        vec![human::nothing_recorded(&world.recorded).to_owned()]
    }),
    ("human/checkup.rs checkup", Reader::Terminal, |world| {
        vec![human::checkup(&world.checks, Style::plain())]
    }),
    ("checkup.rs word", Reader::Terminal, |world| {
        world.checks.iter().map(|check| check.finding.word().to_owned()).collect()
    }),
    ("problems.rs problems", Reader::Terminal, |world| {
        let sources = world.configuration();
        let found = config::read(&sources).expect_err("it holds nothing that is right");
        [40, 100].map(|width| problems::problems(&sources, &found, false, width)).into()
    }),
    ("json/v1/plan.rs plan", Reader::Json, |world| v1::plan(now(), &world.plan).collect()),
    ("json/v1/plan.rs resource_drifts", Reader::Json, |world| {
        v1::resource_drifts(now(), &world.drifted).collect()
    }),
    ("json/v1/plan.rs planned_changes", Reader::Json, |world| {
        v1::planned_changes(now(), &world.plan).collect()
    }),
    ("json/v1/plan.rs change_summary", Reader::Json, |world| {
        vec![v1::change_summary(now(), &world.plan.tally())]
    }),
    ("json/v1/plan.rs saved_plan", Reader::Json, |world| vec![v1::saved_plan(&world.saved)]),
    ("json/v1/apply.rs event_line", Reader::Json, |world| {
        let mut apply = v1::Apply::new();
        world.events.iter().filter_map(|event| apply.event_line(now(), &world.plan, event)).collect()
    }),
    ("json/v1/apply.rs progress_lines", Reader::Json, |world| {
        let mut apply = v1::Apply::new();
        let mut lines = Vec::new();
        for event in &world.events {
            apply.event_line(now(), &world.plan, event);
            lines.extend(apply.progress_lines(now(), &world.plan, Duration::from_secs(3_600)));
        }
        lines
    }),
    ("json/v1/summary.rs apply_summary", Reader::Json, |world| {
        vec![v1::apply_summary(now(), &world.plan, &world.report, true)]
    }),
    ("json/v1/state.rs state", Reader::Json, |world| vec![v1::state(&world.recorded)]),
    ("json/v1/state.rs state_list", Reader::Json, |world| vec![v1::state_list(&world.recorded)]),
    ("json/v1/checkup.rs checkup", Reader::Json, |world| vec![v1::checkup(&world.checks)]),
    ("json/v1/diagnostic.rs diagnostic", Reader::Json, |world| {
        world.diagnostics.iter().map(|diagnostic| v1::diagnostic(now(), diagnostic)).collect()
    }),
    ("json/v1/diagnostic.rs validation", Reader::Json, |world| {
        let sources = world.configuration();
        let found = config::read(&sources).expect_err("it holds nothing that is right");
        vec![v1::validation(&world.diagnostics), v1::validation(&v1::diagnostics(&sources, &found))]
    }),
    ("annotations.rs github", Reader::Terminal, |world| vec![annotations::github(&world.diagnostics)]),
    ("annotations.rs gitlab", Reader::Json, |world| vec![annotations::gitlab(&world.diagnostics)]),
    ("json/v1/mod.rs version", Reader::Json, |_| vec![v1::version(now(), "0.1.0")]),
    ("graph/dot.rs dot", Reader::Dot, |world| vec![graph::dot(&Graph::of_plan(&world.plan))]),
    ("graph/mermaid.rs mermaid", Reader::Mermaid, |world| vec![graph::mermaid(&Graph::of_plan(&world.plan))]),
    ("graph/svg.rs svg", Reader::Browser, |world| vec![graph::svg(&Graph::of_plan(&world.plan))]),
    ("graph/mod.rs words", Reader::Terminal, |world| {
        Graph::of_plan(&world.plan).nodes.iter().map(|node| node.mark().words().to_owned()).collect()
    }),
    ("markdown/mod.rs saved_plan", Reader::Markdown, |world| vec![markdown::saved_plan(&world.saved)]),
    ("report/mod.rs page", Reader::Browser, |world| vec![report::page(&world.history())]),
];

/// Parts that outputs are made of. They have tests of their own.
const PARTS: [&str; 4] = ["words/", "escape.rs", "visible.rs", "style.rs"];

/// The functions in the source of `src/render` that give text to others, as in [`OUTPUTS`].
fn functions_that_give_text() -> BTreeSet<String> {
    fn look_into(folder: &Path, base: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("the source is there") {
            let path = entry.expect("the source is there").path();
            let name = path.strip_prefix(base).expect("below it").to_string_lossy().into_owned();
            let is_of_tests = name.split('/').any(|part| part.starts_with("tests") || part == "fixtures.rs");
            if is_of_tests || PARTS.iter().any(|part| name.starts_with(part)) {
                continue;
            }
            if path.is_dir() {
                look_into(&path, base, found);
            } else if name.ends_with(".rs") {
                let source = fs::read_to_string(&path).expect("the source is there");
                for after in source.split("pub fn ").skip(1) {
                    let signature = after.split('{').next().unwrap_or_default();
                    let (function, returned) = (
                        signature.split(['(', '<']).next().unwrap_or_default(),
                        signature.rsplit("->").next().unwrap_or_default(),
                    );
                    if signature.contains("->") && (returned.contains("String") || returned.contains("str")) {
                        found.insert(format!("{name} {function}"));
                    }
                }
            }
        }
    }
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render");
    let mut found = BTreeSet::new();
    look_into(&base, &base, &mut found);
    found
}

#[test]
fn every_function_that_makes_an_output_has_a_row() {
    let rows: BTreeSet<String> = OUTPUTS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let functions = functions_that_give_text();
    let (missing, gone) = (&functions - &rows, &rows - &functions);
    assert!(
        missing.is_empty() && gone.is_empty(),
        "these make an output and have no row in OUTPUTS: {missing:?}; these have a row and are gone: {gone:?}"
    );
}

#[test]
fn text_from_elsewhere_does_no_harm_in_any_output() {
    let clean = World::of("harmless");
    let clean: Vec<Vec<String>> = OUTPUTS.iter().map(|(.., make)| make(&clean)).collect();
    for text in hostile_pieces().into_iter().map(str::to_owned).chain([hostile()]) {
        let world = World::of(&text);
        for ((name, reader, make), clean) in OUTPUTS.iter().zip(&clean) {
            let outputs = make(&world);
            assert!(!outputs.is_empty(), "{name} makes nothing");
            // Whatever opens something in a language opens it as often as without the text.
            let same_count = |what: &str| {
                let count =
                    |outputs: &[String]| outputs.iter().map(|text| text.matches(what).count()).sum::<usize>();
                assert_eq!(count(&outputs), count(clean), "{what:?} in {name} of {text:?}");
            };
            for output in &outputs {
                let longest = output.lines().map(str::len).max().unwrap_or(0);
                match reader {
                    Reader::Terminal => {
                        assert!(longest < 5_000, "{name} of {text:?}: a line of {longest} bytes");
                        assert_harmless(output);
                    }
                    Reader::Json => {
                        let line: Result<serde_json::Value, _> = serde_json::from_str(output);
                        let line = line.unwrap_or_else(|error| panic!("{name} of {text:?}: {error}"));
                        assert!(!output.trim_end().contains(char::is_control), "{name} of {text:?}");
                        if let Some(message) = line["@message"].as_str() {
                            assert_harmless(message);
                        }
                    }
                    Reader::Markdown => markdown::tests::assert_sound(output),
                    Reader::Dot | Reader::Mermaid | Reader::Browser => {
                        let is_obeyed = |c: char| {
                            (c.is_control() && c != '\n')
                                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                        };
                        assert!(!output.contains(is_obeyed), "{name} of {text:?}");
                        assert!(output.len() < 1_000_000, "{name} of {text:?}: {} bytes", output.len());
                    }
                }
            }
            match reader {
                Reader::Terminal | Reader::Json | Reader::Dot => {}
                Reader::Markdown => same_count("<details>"),
                Reader::Mermaid => {
                    ["```", "<script", "<img", "](", "@everyone"].iter().for_each(|it| same_count(it))
                }
                Reader::Browser => {
                    for opens in ["<script", "</script", "<img", "<!--", "]]>", "<a ", "onerror=alert(1)>"] {
                        same_count(opens);
                    }
                }
            }
        }
    }
}
