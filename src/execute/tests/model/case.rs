//! What is drawn for one trial: an estate, its machines, all that goes wrong with them, and what bounds the run.
//!
//! Every value says what it means, so that the smallest failing case can be read as a story.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::execute::tests::sketch::Sketch;
use crate::fleet::{AtOnce, Desired, Goal, ProviderAlias, Strength};

/// How bad it may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing goes wrong.
    Calm,
    /// Only what a run has to survive without anybody noticing: throttling, lost answers, busy instances, old reads.
    Rough,
    /// Anything.
    Storm,
    /// Anything, and an interruption.
    Interrupted,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) entries: Vec<EntryCase>,
    pub(super) parallelism: Option<usize>,
    pub(super) batch_above: usize,
    pub(super) max_in_flight: usize,
    /// How old the plan is when the run begins, in seconds.
    pub(super) age: u64,
    /// What a request takes at most, there and back, in milliseconds.
    pub(super) latency: u64,
    /// Whether some requests take seconds.
    pub(super) slow_answers: bool,
    /// A read shows what was up to so many seconds ago, each read another moment.
    pub(super) lag: u64,
    /// What the latencies and lags are drawn from.
    pub(super) seed: u64,
    pub(super) clicks: Vec<Click>,
    pub(super) blind: Vec<Blind>,
    pub(super) throttled: Vec<Throttled>,
    /// What becomes of whole requests, by their number.
    pub(super) requests: Vec<(usize, Fate)>,
    /// In tenths of a second since the run began.
    pub(super) interrupt: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct EntryCase {
    pub(super) goal: Goal,
    /// Its instances live at another provider.
    pub(super) far: bool,
    /// What it needs of the entries before it.
    pub(super) needs: Vec<Option<Strength>>,
    pub(super) at_once: Option<u32>,
    /// For starts and stops, in seconds.
    pub(super) timeout: u64,
    pub(super) init_local_disk: bool,
    pub(super) prevent_stop: bool,
    pub(super) machines: Vec<MachineCase>,
}

#[derive(Debug, Clone)]
pub(super) struct MachineCase {
    pub(super) at_first: AtFirst,
    /// How long it takes to start or stop, in tenths of a second.
    pub(super) takes: u64,
    /// What becomes of its calls, one after the other; when they are used up, calls succeed.
    pub(super) fates: Vec<Fate>,
    /// From so many seconds after the look on, every call is refused for good.
    pub(super) locked_from: Option<u64>,
    /// What the run is told that it takes, in tenths of a second.
    pub(super) expected: Option<u64>,
}

/// What a machine is at the look that the plan rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtFirst {
    Stopped,
    Running,
    /// On its way up since then, and up after what it takes.
    Starting,
    Stopping,
    PendingThenStopped,
    PendingThenRunning,
    /// On its way up since a moment ago, so that an old read may still show it as Stopped.
    JustStarted,
    JustStopped,
    StartingForEver,
    Strange,
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Done, and the answer lost.
    LoseAnswer,
    /// Lost on the way there.
    LoseRequest,
    /// `InstanceNotReady` and its like.
    Busy,
    /// `InternalError`, with nothing done.
    InternalError,
    /// `InternalError`, though it was done.
    InternalErrorAfter,
    /// `IncorrectInstanceStatus`, whatever the status is.
    WrongStatus,
    /// Refused for good.
    Final,
    NoCapacity,
    /// Refused because too many come.
    Throttled,
    /// Accepted, and then it hangs for ever.
    Hang,
    /// Accepted, and then it falls back.
    FallBack,
    /// Accepted, and it takes five times as long.
    Slow,
}

/// Someone else's doing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Click {
    /// In tenths of a second since the look.
    pub(super) at: u64,
    /// Which instance, counted round.
    pub(super) which: usize,
    pub(super) does: Does,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Start,
    Stop,
    /// Power off and on at once, with no way between.
    Flip,
    Release,
    Strange,
}

/// A span in which looks at a provider fail, in seconds since the look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blind {
    pub(super) far: bool,
    pub(super) from: u64,
    pub(super) seconds: u64,
    /// Refused for good, rather than unanswered.
    pub(super) is_final: bool,
}

/// A span in which calls at a provider are refused because too many come, in seconds since the look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Throttled {
    pub(super) far: bool,
    pub(super) starts: bool,
    pub(super) from: u64,
    pub(super) seconds: u64,
    /// What the answer says to wait, in milliseconds.
    pub(super) retry_after: Option<u64>,
}

fn fates(weather: Weather) -> BoxedStrategy<Vec<Fate>> {
    use Fate::*;
    let survivable = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec![LoseAnswer]),
        1 => Just(vec![LoseRequest]),
        1 => Just(vec![LoseRequest, LoseAnswer]),
        1 => Just(vec![Busy, InternalError]),
        1 => Just(vec![InternalErrorAfter]),
        1 => Just(vec![Throttled, WrongStatus, Busy, Throttled]),
        1 => Just(vec![Busy, Busy, WrongStatus, InternalError]),
    ];
    let any = prop_oneof![
        Just(LoseAnswer),
        Just(LoseRequest),
        Just(Busy),
        Just(InternalError),
        Just(InternalErrorAfter),
        Just(WrongStatus),
        Just(Final),
        Just(NoCapacity),
        Just(Throttled),
        Just(Hang),
        Just(FallBack),
        Just(Slow),
    ];
    match weather {
        Weather::Calm => Just(vec![]).boxed(),
        Weather::Rough => survivable.boxed(),
        _ => prop_oneof![4 => Just(vec![]), 1 => survivable, 2 => vec(any, 1..6)].boxed(),
    }
}

fn machine(weather: Weather) -> impl Strategy<Value = MachineCase> {
    use AtFirst::*;
    let stormy = matches!(weather, Weather::Storm | Weather::Interrupted);
    let usual = prop_oneof![
        10 => Just(Stopped),
        8 => Just(Running),
        1 => Just(Starting),
        1 => Just(Stopping),
        1 => Just(PendingThenStopped),
        1 => Just(PendingThenRunning),
    ];
    let odd =
        prop_oneof![Just(JustStarted), Just(JustStopped), Just(StartingForEver), Just(Strange), Just(Absent)];
    let at_first = if stormy { prop_oneof![5 => usual, 1 => odd].boxed() } else { usual.boxed() };
    let locked = if stormy { option::weighted(0.05, 0u64..60).boxed() } else { Just(None).boxed() };
    (at_first, 0u64..250, fates(weather), locked, option::weighted(0.3, 1u64..400)).prop_map(
        |(at_first, takes, fates, locked_from, expected)| MachineCase {
            at_first,
            takes,
            fates,
            locked_from,
            expected,
        },
    )
}

fn entry(weather: Weather) -> impl Strategy<Value = EntryCase> {
    let need = prop_oneof![
        5 => Just(None),
        2 => Just(Some(Strength::Hard)),
        1 => Just(Some(Strength::Soft)),
    ];
    let goal = prop_oneof![5 => Just(Goal::Running), 4 => Just(Goal::Stopped), 1 => Just(Goal::Any)];
    let stormy = matches!(weather, Weather::Storm | Weather::Interrupted);
    let timeout =
        if stormy { prop_oneof![Just(20u64), Just(40), Just(90)].boxed() } else { Just(120u64).boxed() };
    (
        goal,
        prop::bool::weighted(0.2),
        vec(need, 8),
        option::weighted(0.3, 1u32..3),
        timeout,
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.05),
        prop_oneof![6 => vec(machine(weather), 1..4), 1 => vec(machine(weather), 5..9)],
    )
        .prop_map(|(goal, far, needs, at_once, timeout, init_local_disk, prevent_stop, machines)| {
            EntryCase { goal, far, needs, at_once, timeout, init_local_disk, prevent_stop, machines }
        })
}

/// Draws a case.
pub(super) fn case(weather: Weather) -> impl Strategy<Value = Case> {
    let stormy = matches!(weather, Weather::Storm | Weather::Interrupted);
    let calm = weather == Weather::Calm;
    let does = prop_oneof![
        3 => Just(Does::Start),
        3 => Just(Does::Stop),
        2 => Just(Does::Flip),
        1 => Just(Does::Release),
        1 => Just(Does::Strange),
    ];
    let click = (0u64..900, 0usize..24, does).prop_map(|(at, which, does)| Click { at, which, does });
    let span = if stormy { 60u64 } else { 12 };
    let blind = (any::<bool>(), 0u64..60, 1..=span, prop::bool::weighted(0.3))
        .prop_map(|(far, from, seconds, is_final)| Blind { far, from, seconds, is_final });
    let throttled = (any::<bool>(), any::<bool>(), 0u64..30, 1..=span, option::of(50u64..9_000)).prop_map(
        |(far, starts, from, seconds, retry_after)| Throttled { far, starts, from, seconds, retry_after },
    );
    let lost = prop_oneof![
        Just(Fate::LoseAnswer),
        Just(Fate::LoseRequest),
        Just(Fate::InternalError),
        Just(Fate::InternalErrorAfter)
    ];
    let limits = (
        option::of(1usize..5),
        prop_oneof![Just(0usize), Just(1), Just(2), Just(10)],
        prop_oneof![Just(1usize), Just(2), Just(16)],
        prop_oneof![4 => Just(0u64), 1 => 1u64..15],
    );
    let slow = if stormy { prop::bool::weighted(0.3).boxed() } else { Just(false).boxed() };
    let wire = (10u64..800, slow, 0u64..21, any::<u64>());
    let few = |most: usize| if stormy { 0..most } else { 0..1 };
    let trouble = (
        prop_oneof![1 => vec(click.clone(), few(2)), 1 => vec(click, few(6))],
        vec(blind, few(3)),
        vec(throttled, if calm { 0..1 } else { 0..3 }),
        vec((0usize..8, lost), few(3)),
        0u64..1_200,
    );
    (vec(entry(weather), 1..7), limits, wire, trouble).prop_map(
        move |(mut entries, limits, (latency, slow_answers, lag, seed), trouble)| {
            for at in 0..entries.len() {
                let goals: Vec<Goal> = entries.iter().map(|entry| entry.goal).collect();
                let entry = &mut entries[at];
                entry.needs.truncate(at);
                for (need, other) in entry.needs.iter_mut().zip(goals) {
                    // The configuration refuses this.
                    if *need == Some(Strength::Hard) && entry.goal == Goal::Running && other == Goal::Stopped
                    {
                        *need = None;
                    }
                }
            }
            let (clicks, blind, throttled, requests, interrupt) = trouble;
            Case {
                entries,
                parallelism: limits.0,
                batch_above: limits.1,
                max_in_flight: limits.2,
                age: limits.3,
                latency,
                slow_answers,
                lag: if calm || lag < 8 { 0 } else { lag },
                seed,
                clicks,
                blind,
                throttled,
                requests,
                interrupt: (weather == Weather::Interrupted).then_some(interrupt),
            }
        },
    )
}

pub(super) fn provider(far: bool) -> ProviderAlias {
    if far { ProviderAlias::new("hk").expect("valid") } else { ProviderAlias::main() }
}

impl Case {
    /// What is wanted.
    pub(super) fn desired(&self) -> Desired {
        let names: Vec<String> = (0..self.entries.len()).map(|at| format!("e{at}")).collect();
        let mut sketch = Sketch::new();
        for (entry, name) in self.entries.iter().zip(&names) {
            let needs: Vec<(&str, Strength)> = names
                .iter()
                .zip(&entry.needs)
                .filter_map(|(name, need)| Some((name.as_str(), (*need)?)))
                .collect();
            sketch = sketch.entry(name, entry.goal, entry.machines.len(), &needs).with(|made| {
                made.provider = provider(entry.far);
                made.at_once = entry.at_once.and_then(NonZeroU32::new).map(AtOnce::Count);
                made.timeouts.start = Duration::from_secs(entry.timeout);
                made.timeouts.stop = Duration::from_secs(entry.timeout);
                made.init_local_disk = entry.init_local_disk;
                made.prevent_stop = entry.prevent_stop;
            });
        }
        sketch.desired()
    }
}
