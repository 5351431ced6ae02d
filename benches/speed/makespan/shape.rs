//! Graphs of instances in several shapes, how long they boot, and what no program can beat.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

/// How instances need one another, and how their boots are spread.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Ten layers; each instance needs one to three of the layer before.
    Layers,
    /// Each needs up to three of those before it, most of them near.
    Random,
    /// Chains of ten, side by side.
    Chain,
    /// Six in a row of one that many need, and one that needs them all.
    Diamond,
    /// As `Random`, but few boots take much longer than most, up to ten minutes.
    HeavyTailed,
}

impl Shape {
    pub(super) const ALL: [Self; 5] =
        [Self::Layers, Self::Random, Self::Chain, Self::Diamond, Self::HeavyTailed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Random => "random",
            Self::Chain => "chain",
            Self::Diamond => "diamond",
            Self::HeavyTailed => "heavy-tailed",
        }
    }

    /// A graph of so many instances.
    pub(super) fn graph(self, size: usize, random: &mut fastrand::Rng) -> Graph {
        let needs = (0..size).map(|position| {
            let mut needs = self.needs(position, size, random);
            needs.sort_unstable();
            needs.dedup();
            needs
        });
        let needs = needs.collect();
        let boots = (0..size).map(|_| match self {
            Self::HeavyTailed => {
                let seconds = 15.0 * (1.0 - random.f64()).powf(-1.0 / 1.5);
                Duration::from_secs_f64(seconds.min(600.0))
            }
            _ => Duration::from_millis(random.u64(15_000..90_000)),
        });
        Graph { needs, boots: boots.collect() }
    }

    fn needs(self, position: usize, size: usize, random: &mut fastrand::Rng) -> Vec<usize> {
        match self {
            Self::Layers => {
                let wide = size / 10;
                let layer = position / wide;
                let needs = 0..random.usize(1..=3);
                needs.filter(|_| layer > 0).map(|_| (layer - 1) * wide + random.usize(..wide)).collect()
            }
            Self::Random | Self::HeavyTailed => (0..random.usize(..=3))
                .filter(|_| position > 0)
                .map(|_| position - 1 - random.usize(..position.min(size / 4)))
                .collect(),
            Self::Chain => {
                position.checked_sub(1).filter(|_| !position.is_multiple_of(10)).into_iter().collect()
            }
            Self::Diamond => {
                let block = size / 6;
                let first = position / block * block;
                match position - first {
                    0 => first.checked_sub(1).into_iter().collect(),
                    place if place == block - 1 => (first + 1..position).collect(),
                    _ => vec![first],
                }
            }
        }
    }
}

/// Instances by their positions: which of those before it each one needs, and how long it boots.
pub(super) struct Graph {
    pub(super) needs: Vec<Vec<usize>>,
    pub(super) boots: Vec<Duration>,
}

/// In which order an ideal program starts what could be started: one that knows every boot, notices at once that one
/// has ended, and whose calls take no time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// Those on which the longest chain waits first.
    LongestChainFirst,
    /// Those that could be started first.
    FirstCome,
}

impl Graph {
    /// The configuration, with an entry for each instance.
    pub(super) fn yaml(&self) -> String {
        let mut yaml = "stack: graph\nprovider: { region: cn-hangzhou }\ninstances:\n".to_owned();
        for (position, needs) in self.needs.iter().enumerate() {
            let names: Vec<String> = needs.iter().map(|need| format!("n{need}")).collect();
            let _ = writeln!(
                yaml,
                "  n{position}: {{ id: {}, status: Running, depends_on: [{}], timeouts: {{ start: 15m }} }}",
                id(position),
                names.join(", ")
            );
        }
        yaml
    }

    /// Parts that can only come one after the other: those that all after them need, directly or not, and that need all
    /// before them, and what lies between.
    pub(super) fn parts(&self) -> Vec<Self> {
        let size = self.boots.len();
        let mut next_follower = vec![usize::MAX; size];
        for (position, needs) in self.needs.iter().enumerate().rev() {
            needs.iter().for_each(|need| next_follower[*need] = position);
        }
        // Everything before a position leads to it if each of those has a follower that is not behind it.
        let leads_to = next_follower.iter().scan(0, |furthest, follower| {
            let before = *furthest;
            *furthest = before.max(*follower);
            Some(before)
        });
        let leads_to: Vec<bool> =
            leads_to.enumerate().map(|(position, furthest)| furthest <= position).collect();
        // Everything behind a position comes from it if each of those has a need that is not before it.
        let mut nearest = usize::MAX;
        let mut begins = vec![0, size];
        for position in (0..size).rev() {
            if leads_to[position] && nearest > position {
                begins.extend([position, position + 1]);
            }
            nearest = nearest.min(self.needs[position].iter().max().map_or(0, |need| need + 1));
        }
        begins.sort_unstable();
        begins.dedup();
        begins.windows(2).map(|part| self.part(part[0]..part[1])).collect()
    }

    /// Those at some positions, with what they need of one another.
    fn part(&self, positions: Range<usize>) -> Self {
        let needs =
            |needs: &Vec<usize>| needs.iter().filter_map(|need| need.checked_sub(positions.start)).collect();
        Self {
            needs: self.needs[positions.clone()].iter().map(needs).collect(),
            boots: self.boots[positions.clone()].to_vec(),
        }
    }

    /// The longest time that boots take one after the other.
    pub(super) fn longest_chain(&self) -> Duration {
        let mut ends: Vec<Duration> = Vec::with_capacity(self.boots.len());
        for (needs, boot) in self.needs.iter().zip(&self.boots) {
            let begin = needs.iter().filter_map(|need| ends.get(*need)).max().copied().unwrap_or_default();
            ends.push(begin + *boot);
        }
        ends.into_iter().max().unwrap_or_default()
    }

    /// How long all boots take together.
    pub(super) fn work(&self) -> Duration {
        self.boots.iter().sum()
    }

    /// How long an ideal program takes, with so many in transition at most, and so many starts let through a second, by
    /// a bucket that holds what comes in one and is full at first.
    pub(super) fn ideal(&self, slots: usize, starts_a_second: f64, order: Order) -> Duration {
        let mut followers = vec![Vec::new(); self.needs.len()];
        for (position, needs) in self.needs.iter().enumerate() {
            needs.iter().for_each(|need: &usize| followers[*need].push(position));
        }
        let mut chains = vec![Duration::ZERO; self.needs.len()];
        for position in (0..chains.len()).rev() {
            let behind = followers[position].iter().map(|follower| chains[*follower]).max();
            chains[position] = self.boots[position] + behind.unwrap_or_default();
        }
        let rank = |position: usize| match order {
            Order::LongestChainFirst => chains[position],
            Order::FirstCome => Duration::ZERO,
        };
        let mut missing: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut ready = BinaryHeap::new();
        let mut came: HashMap<usize, usize> = HashMap::new();
        let mut enter = |ready: &mut BinaryHeap<_>, position: usize| {
            let number = came.len();
            came.insert(position, number);
            ready.push((rank(position), Reverse(number), position));
        };
        (0..missing.len()).filter(|position| missing[*position] == 0).for_each(|at| enter(&mut ready, at));
        let mut moving = BinaryHeap::new();
        let mut now = Duration::ZERO;
        // When a bucket that was never used would hold all that it can, counted from the starts so far.
        let mut paid_until = Duration::ZERO;
        let one = Duration::from_secs_f64(1.0 / starts_a_second);
        loop {
            let mut let_through_at = None;
            while moving.len() < slots && !ready.is_empty() {
                let paid = paid_until.max(now) + one;
                let at = paid.saturating_sub(Duration::from_secs(1));
                if at > now {
                    let_through_at = Some(at);
                    break;
                }
                let Some((.., position)) = ready.pop() else { break };
                paid_until = paid;
                moving.push(Reverse((now + self.boots[position], position)));
            }
            let next_end = moving.peek().map(|Reverse((ended_at, _))| *ended_at);
            if let Some(at) = let_through_at.filter(|at| next_end.is_none_or(|end| *at < end)) {
                now = at;
                continue;
            }
            let Some(Reverse((ended_at, position))) = moving.pop() else { return now };
            now = ended_at;
            for follower in &followers[position] {
                missing[*follower] -= 1;
                if missing[*follower] == 0 {
                    enter(&mut ready, *follower);
                }
            }
        }
    }
}

/// The id of the instance at a position.
pub(crate) fn id(position: usize) -> String {
    format!("i-{position:020}")
}
