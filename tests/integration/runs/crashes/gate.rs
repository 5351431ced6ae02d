//! The gate before the cloud: it counts what one apply asks, and holds it up where the apply is to be killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

use crate::runs::faults::wire::{Deed, Seen, Wire};

/// What becomes of the request with which an apply is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The cloud never hears of it.
    Lost,
    /// It is done, and the program is not told.
    Unanswered,
    /// It is done, and the program may or may not have been told.
    Answered,
    /// It is on its way for long, and reaches the cloud when the next apply is at work.
    Late,
}

impl Fate {
    pub(super) const ALL: [Self; 4] = [Self::Lost, Self::Unanswered, Self::Answered, Self::Late];
}

/// A wire that stands before a served simulator, and can be told where to hold up.
pub(super) struct Gate {
    wire: Wire,
    shared: Arc<Shared>,
}

struct Shared {
    state: PathBuf,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    /// Where the apply that is under way is to be killed.
    cut: Option<(usize, Fate)>,
    /// The requests of this apply.
    requests: usize,
    /// Since when the one that it is to be killed with is here.
    reached: Option<Instant>,
    /// How many applies have been killed or have ended.
    ended: usize,
    complaints: Vec<String>,
}

impl Gate {
    pub(super) fn before(cloud: &str, state: &Path) -> Self {
        let shared =
            Arc::new(Shared { state: state.to_owned(), now: Mutex::default(), changed: Condvar::new() });
        let ours = Arc::clone(&shared);
        Self { wire: Wire::before(cloud, move |action, _| ours.pass(action)), shared }
    }

    pub(super) fn address(&self) -> &str {
        self.wire.address()
    }

    /// The next apply is to be killed with its nth request.
    pub(super) fn arm(&self, nth: usize, fate: Fate) {
        let mut now = self.shared.now.lock().unwrap();
        (now.cut, now.requests, now.reached) = (Some((nth, fate)), 0, None);
    }

    /// Whether the request is here with which the apply is to be killed.
    pub(super) fn is_reached(&self) -> bool {
        self.reached_for().is_some()
    }

    /// For how long it has been here.
    pub(super) fn reached_for(&self) -> Option<Duration> {
        self.shared.now.lock().unwrap().reached.map(|since| since.elapsed())
    }

    /// The apply is no more: what comes now is from the next.
    pub(super) fn ended(&self) {
        let mut now = self.shared.now.lock().unwrap();
        (now.cut, now.requests, now.reached) = (None, 0, None);
        now.ended += 1;
        self.shared.changed.notify_all();
    }

    /// Fails the test if something was not as it has to be at any request.
    pub(super) fn has_no_complaints(&self, row: &str) {
        let now = self.shared.now.lock().unwrap();
        assert!(now.complaints.is_empty(), "{row}: {:#?}", now.complaints);
    }

    /// Fails the test if a machine was called again, by the same apply or the next, without having been looked at in
    /// between.
    pub(super) fn every_repetition_was_looked_for(&self, row: &str) {
        let mut called_since: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for asked in self.wire.seen() {
            let ids = ids(&asked);
            assert!(!ids.is_empty(), "{row}: {} of nothing\n{}", asked.action, asked.head);
            for id in ids {
                if asked.action == "DescribeInstances" {
                    called_since.remove(&id);
                } else {
                    let action = asked.action.trim_end_matches('s').to_owned();
                    let fresh = called_since.entry(id.clone()).or_default().insert(action);
                    assert!(fresh, "{row}: {} was sent again for {id} without a look", asked.action);
                }
            }
        }
    }
}

impl Shared {
    fn pass(&self, action: &str) -> Deed {
        // Nothing has been read yet.
        if action.is_empty() {
            return Deed::Pass;
        }
        let torn = torn(&self.state);
        let mut now = self.now.lock().unwrap();
        now.complaints.extend(torn);
        now.requests += 1;
        self.changed.notify_all();
        let Some((nth, fate)) = now.cut.filter(|(nth, _)| *nth == now.requests) else { return Deed::Pass };
        #[expect(clippy::disallowed_methods, reason = "kills at random times are not held to any")]
        now.reached.replace(Instant::now());
        let own = now.ended;
        match fate {
            Fate::Answered => Deed::Pass,
            Fate::Unanswered => Deed::Mute,
            Fate::Lost => {
                drop(self.changed.wait_while(now, |now| now.ended == own).unwrap());
                Deed::ResetAfterRequest
            }
            Fate::Late => {
                // With the first look of the next apply, or with its first call.
                let arrives_with = 1 + nth % 2;
                let not_yet =
                    |now: &mut Now| now.ended == own || (now.ended == own + 1 && now.requests < arrives_with);
                drop(self.changed.wait_while(now, not_yet).unwrap());
                Deed::Pass
            }
        }
    }
}

/// What is wrong with the record, which is there whole or not at all.
fn torn(state: &Path) -> Option<String> {
    let text = std::fs::read(state).ok()?;
    serde_json::from_slice::<serde_json::Value>(&text).err().map(|error| format!("the record: {error}"))
}

/// The machines that a request names.
fn ids(asked: &Seen) -> Vec<String> {
    let line = asked.head.lines().next().unwrap_or_default();
    let line = line.split_once('?').map_or("", |(_, query)| query.split(' ').next().unwrap_or_default());
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut ids = Vec::new();
    for (name, value) in line.split('&').chain(asked.body.split('&')).filter_map(|pair| pair.split_once('='))
    {
        match decode(name).as_str() {
            "InstanceIds" => ids.extend(serde_json::from_str::<Vec<String>>(&decode(value)).unwrap()),
            name if name.starts_with("InstanceId") => ids.push(decode(value)),
            _ => {}
        }
    }
    ids
}
