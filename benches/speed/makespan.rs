//! How long an apply takes beside what no program can beat, how late it notices that a boot has ended, and how often
//! it looks.
//!
//! Graphs of several shapes are started through the executor in made-up time, against a cloud in memory: 100 ms for a
//! call, 50 ms for a look. First nobody knows how long anything takes; then the record does, from two applies before;
//! then it does, but each boot takes up to a tenth more or less than before.
//!
//! No program can beat the longest chain of boots; nor all boots together shared among the slots; nor, where so many
//! calls a second are let through and each start is a call, the time until the last call and the shortest boot. The
//! slots and the limit are so few that they force twice the longest chain. Where all wait for one, as in the diamonds,
//! that holds for what comes before it and what comes after it by themselves. Beside them stands what an ideal program
//! would take that knows all boots and loses no time: by the longest chain first, and first come, first served.

pub(crate) mod memory;
pub(crate) mod run;
pub(crate) mod shape;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use powerform::execute::{CallBounds, Limits};

use self::memory::{Limit, Memory};
use self::run::{Known, desired};
use self::shape::{Graph, Order, Shape};
use super::goal::Goal;

const CALL: Duration = Duration::from_millis(100);
/// How many graphs of which size of each shape.
const GRAPHS: [(usize, u64); 3] = [(60, 20), (1_000, 3), (10_000, 1)];

/// What an apply is bounded by besides the longest chain.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bounded {
    Nothing,
    Slots,
    Rate,
}

/// Starts every graph in every way.
pub(crate) fn measure_all() -> anyhow::Result<Vec<Goal>> {
    println!("\nmakespan / what no program can beat, the worst of each row's graphs");
    println!(
        "{:<8} {:>6} {:<12} {:>6} {:>7} {:>8} {:>8} {:>9} {:>10} {:>10} {:>11} {:>10}",
        "bounded",
        "size",
        "shape",
        "graphs",
        "unknown",
        "recorded",
        "10 % off",
        "late (*)",
        "looks (**)",
        "looks/min",
        "ideal chain",
        "ideal come"
    );
    let mut worst = [(Bounded::Nothing, 1.02), (Bounded::Slots, 1.05), (Bounded::Rate, 1.05)]
        .map(|(bounded, most)| (bounded, most, Row::default()));
    for (bounded, _, all) in &mut worst {
        for (size, graphs) in GRAPHS {
            // A limit that binds fewer than these lets through less than five calls a second.
            if *bounded == Bounded::Rate && size < 10_000 {
                continue;
            }
            for shape in Shape::ALL {
                let mut row = Row::default();
                for seed in 0..graphs {
                    one_graph(shape, size, seed, *bounded, &mut row)?;
                }
                row.show(*bounded, size, shape, graphs);
                all.take_in(&row);
            }
        }
    }
    println!("(*) recorded: share noticed more than 2 % of the boot, or 250 ms, late");
    println!("(**) recorded: over those that a 1 s tick would send");
    let mut goals = Vec::new();
    for (bounded, most, row) in &worst {
        let name = bounded.name();
        goals.push(Goal::new(format!("makespan, recorded, {name}"), *most, "", row.recorded));
        if *bounded != Bounded::Nothing {
            let name = format!("makespan, recorded, {name}, over the ideal");
            goals.push(Goal::new(name, *most, "", row.over_ideal));
        }
        if *bounded == Bounded::Nothing {
            goals.push(Goal::new("makespan, unknown, over 1.10 x + 1 s", 1.0, "", row.unknown_of_limit));
            goals.push(Goal::new("latest notice of a boot's end, over 2 % or 250 ms", 1.0, "", row.delay));
            goals.push(Goal::new("boots noticed later than that, share", 0.0, "", row.late));
            goals.push(Goal::new("looks, over those of a 1 s tick", 1.0, "", row.looks));
        }
        goals.push(Goal::new(format!("looks in the busiest minute, {name}"), 120.0, "", row.busiest));
    }
    Ok(goals)
}

impl Bounded {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Slots => "slots",
            Self::Rate => "rate",
        }
    }
}

/// The worst of several graphs.
#[derive(Debug, Default)]
struct Row {
    unknown: f64,
    unknown_of_limit: f64,
    recorded: f64,
    off: f64,
    over_ideal: f64,
    delay: f64,
    late: f64,
    looks: f64,
    busiest: f64,
    ideal_by_chain: f64,
    ideal_as_they_come: f64,
}

impl Row {
    fn take_in(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.unknown, other.unknown),
            (&mut self.unknown_of_limit, other.unknown_of_limit),
            (&mut self.recorded, other.recorded),
            (&mut self.off, other.off),
            (&mut self.over_ideal, other.over_ideal),
            (&mut self.delay, other.delay),
            (&mut self.late, other.late),
            (&mut self.looks, other.looks),
            (&mut self.busiest, other.busiest),
            (&mut self.ideal_by_chain, other.ideal_by_chain),
            (&mut self.ideal_as_they_come, other.ideal_as_they_come),
        ] {
            *mine = mine.max(others);
        }
    }

    fn show(&self, bounded: Bounded, size: usize, shape: Shape, graphs: u64) {
        println!(
            "{:<8} {size:>6} {:<12} {graphs:>6} {:>7.3} {:>8.3} {:>8.3} {:>9.4} {:>10.2} {:>10.0} {:>11.3} {:>10.3}",
            bounded.name(),
            shape.name(),
            self.unknown,
            self.recorded,
            self.off,
            self.late,
            self.looks,
            self.busiest,
            self.ideal_by_chain,
            self.ideal_as_they_come
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "ratios for people")]
fn one_graph(shape: Shape, size: usize, seed: u64, bounded: Bounded, row: &mut Row) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let graph = shape.graph(size, &mut random);
    let off = Graph {
        needs: graph.needs.clone(),
        boots: graph.boots.iter().map(|boot| boot.mul_f64(0.9 + 0.2 * random.f64())).collect(),
    };
    let setting = Setting::of(bounded, &graph);
    let bound = setting.bound(&graph).as_secs_f64();

    let unknown = setting.apply(&graph, &Known::new())?;
    let recorded = setting.apply(&graph, &unknown.learnt)?;
    let recorded = setting.apply(&graph, &recorded.learnt)?;
    let other = setting.apply(&off, &recorded.learnt)?;
    let slots = setting.limits.parallelism.map_or(size, NonZeroUsize::get);
    let ideal = |order| graph.ideal(slots, setting.calls_a_second.unwrap_or(f64::MAX), order);
    let by_chain = ideal(Order::LongestChainFirst);
    let ratio = |took: Duration| took.as_secs_f64() / bound;
    row.take_in(&Row {
        unknown: ratio(unknown.took),
        unknown_of_limit: unknown.took.as_secs_f64() / (1.10 * bound + 1.0),
        recorded: ratio(recorded.took),
        off: other.took.as_secs_f64() / setting.bound(&off).as_secs_f64(),
        over_ideal: recorded.took.as_secs_f64() / by_chain.as_secs_f64(),
        delay: recorded.worst_delay,
        late: recorded.late as f64 / size as f64,
        looks: recorded.looks.len() as f64 / recorded.looks_of_a_tick as f64,
        busiest: [&unknown, &recorded, &other].map(run::Run::busiest_minute).into_iter().max().unwrap_or(0)
            as f64,
        ideal_by_chain: ratio(by_chain),
        ideal_as_they_come: ratio(ideal(Order::FirstCome)),
    });
    Ok(())
}

/// What bounds the applies of a graph.
struct Setting {
    limits: Limits,
    calls_a_second: Option<f64>,
}

impl Setting {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number of slots"
    )]
    fn of(bounded: Bounded, graph: &Graph) -> Self {
        let twice = 2.0 * graph.longest_chain().as_secs_f64();
        let singly = CallBounds { batch_above: 0, ..CallBounds::default() };
        match bounded {
            Bounded::Nothing => Self { limits: Limits::default(), calls_a_second: None },
            Bounded::Slots => {
                let slots = NonZeroUsize::new((graph.work().as_secs_f64() / twice) as usize);
                let parallelism = slots.or(Some(NonZeroUsize::MIN));
                Self { limits: Limits { parallelism, ..Limits::default() }, calls_a_second: None }
            }
            Bounded::Rate => {
                let calls_a_second = graph.boots.len() as f64 / twice;
                Self { limits: Limits::of_main(singly), calls_a_second: Some(calls_a_second) }
            }
        }
    }

    /// What no program can beat. Parts that can only come one after the other take as long as all of them together.
    fn bound(&self, graph: &Graph) -> Duration {
        graph.parts().iter().map(|part| self.bound_of(part)).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    fn bound_of(&self, part: &Graph) -> Duration {
        let by_slots = self.limits.parallelism.map(|slots| part.work().div_f64(slots.get() as f64));
        let by_rate = self.calls_a_second.map(|rate| {
            // A bucket that is full at first lets that many through at once.
            let calls = (part.boots.len() as f64 - rate.max(1.0)).max(0.0);
            let shortest = part.boots.iter().min().copied().unwrap_or_default();
            Duration::from_secs_f64(calls / rate) + shortest
        });
        [Some(part.longest_chain()), by_slots, by_rate].into_iter().flatten().max().unwrap_or_default()
    }

    fn apply(&self, graph: &Graph, known: &Known) -> anyhow::Result<run::Run> {
        let desired = desired(graph.yaml())?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(async {
            let cloud = Arc::new(Memory::new(&graph.boots, CALL));
            if let Some(rate) = self.calls_a_second {
                cloud.limit(Limit::bucket(rate));
            }
            run::run(&desired, &cloud, self.limits.clone(), known).await
        })
    }
}
