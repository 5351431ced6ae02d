//! One look at everything that the configuration names: the fewest calls, side by side.
//!
//! A look that fails marks its own instances as not seen and nothing else; what that means is decided elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cloud::{Cloud, Clouds, LOOK_LIMIT, Refusal, Search};
use crate::fleet::{
    Actual, Desired, EntryIndex, InstanceId, InstanceKey, ProviderAlias, Seen, Selected, Selector, Sighting,
};

/// At most so many looks are under way at one time, for all providers together.
const LOOKS_AT_ONCE: usize = 16;

/// What a look came to.
#[derive(Debug)]
pub struct Observation {
    /// What was seen.
    pub actual: Actual,
    /// What failed, once for each provider: the first refusal and how many instances were not seen for that or
    /// another one.
    pub failures: Vec<LookFailure>,
}

/// Looks at one provider's instances that failed.
#[derive(Debug)]
pub struct LookFailure {
    /// The provider.
    pub provider: ProviderAlias,
    /// What the first of them met.
    pub refusal: Refusal,
    /// How many instances that are named by id were not seen.
    pub instances: usize,
    /// How many entries select instances that were not seen, so that nobody knows how many they are.
    pub selections: usize,
}

/// Looks at every instance of the configuration once: `ceil(N / 100)` calls for the N instances of a provider that are
/// named by id, and one search for each selector, however many entries have the same. What a search shows is not looked
/// at again.
///
/// `unconnected` are the providers that could not be joined to their clouds, and why; `looked_at` is now.
pub async fn observe<C: Cloud + Search + 'static>(
    desired: &Desired,
    clouds: &Clouds<C>,
    unconnected: &BTreeMap<ProviderAlias, Refusal>,
    looked_at: Timestamp,
) -> Observation {
    let mut wanted: BTreeMap<&ProviderAlias, Vec<InstanceId>> = BTreeMap::new();
    let mut selectors: BTreeMap<(&ProviderAlias, &Selector), Vec<EntryIndex>> = BTreeMap::new();
    for (index, entry) in (0u32..).map(EntryIndex).zip(&desired.entries) {
        let ids = wanted.entry(&entry.provider).or_default();
        match entry.selection() {
            Some(selection) => {
                selectors.entry((&entry.provider, &selection.selector)).or_default().push(index);
            }
            None => ids.extend(entry.ids().iter().cloned()),
        }
    }
    let mut actual = Actual::new(looked_at);
    actual.instances.reserve(wanted.values().map(Vec::len).sum());
    let mut taking = Taking { desired, actual, failures: BTreeMap::new() };
    let turns = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
    let mut looks = JoinSet::new();
    for (provider, ids) in wanted {
        let Some(cloud) = clouds.get(provider) else { continue };
        taking.actual.regions.insert(provider.clone(), cloud.region().clone());
        for ids in ids.chunks(LOOK_LIMIT) {
            let (cloud, provider, ids) = (Arc::clone(cloud), provider.clone(), ids.to_vec());
            let turns = Arc::clone(&turns);
            looks.spawn(async move {
                // The semaphore is never closed.
                let _turn = turns.acquire_owned().await;
                let answer = cloud.describe(&ids).await;
                (provider, Asked::ByIds(ids), answer)
            });
        }
    }
    for ((provider, selector), entries) in selectors {
        let Some(cloud) = clouds.get(provider) else { continue };
        let (cloud, provider, selector) = (Arc::clone(cloud), provider.clone(), selector.clone());
        let turns = Arc::clone(&turns);
        looks.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let answer = cloud.find(&selector).await;
            let sightings = answer.map(|found| found.into_iter().map(|found| found.sighting).collect());
            (provider, Asked::BySelector(entries), sightings)
        });
    }
    while let Some(look) = looks.join_next().await {
        match look {
            Ok((provider, asked, Ok(sightings))) => taking.take_in(&provider, asked, sightings),
            Ok((provider, asked, Err(refusal))) => taking.fail(&provider, asked, refusal),
            // Nobody cancels looks while they are awaited.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    for (index, entry) in (0u32..).map(EntryIndex).zip(&desired.entries) {
        let Some(refusal) = unconnected.get(&entry.provider) else { continue };
        let asked = match entry.selection() {
            Some(_) => Asked::BySelector(vec![index]),
            None => Asked::ByIds(entry.ids().to_vec()),
        };
        taking.fail(&entry.provider, asked, refusal.clone());
    }
    Observation { actual: taking.actual, failures: taking.failures.into_values().collect() }
}

/// What a look asked for.
enum Asked {
    /// These instances.
    ByIds(Vec<InstanceId>),
    /// What these entries select, which all select by the same.
    BySelector(Vec<EntryIndex>),
}

/// What has come of the looks so far.
struct Taking<'a> {
    desired: &'a Desired,
    actual: Actual,
    failures: BTreeMap<ProviderAlias, LookFailure>,
}

impl Taking<'_> {
    fn take_in(&mut self, provider: &ProviderAlias, asked: Asked, sightings: Vec<Sighting>) {
        match asked {
            Asked::ByIds(ids) => take_in(&mut self.actual, provider, ids, sightings),
            Asked::BySelector(entries) => {
                for index in entries {
                    let Some(selection) = self.desired.entries[index.at()].selection() else { continue };
                    let ids = sightings.iter().map(|sighting| &sighting.id);
                    let mut ids: Vec<InstanceId> =
                        ids.filter(|id| selection.except.binary_search(id).is_err()).cloned().collect();
                    ids.sort_unstable();
                    self.actual.selected.insert(index, Selected::Matched(ids));
                }
                for sighting in sightings {
                    let key = InstanceKey { provider: provider.clone(), id: sighting.id.clone() };
                    self.actual.instances.insert(key, Seen::There(Arc::new(sighting)));
                }
            }
        }
    }

    fn fail(&mut self, provider: &ProviderAlias, asked: Asked, refusal: Refusal) {
        let why = refusal.to_string();
        let failure = self.failures.entry(provider.clone()).or_insert_with(|| LookFailure {
            provider: provider.clone(),
            refusal,
            instances: 0,
            selections: 0,
        });
        match asked {
            Asked::ByIds(ids) => {
                failure.instances += ids.len();
                for id in ids {
                    let key = InstanceKey { provider: provider.clone(), id };
                    self.actual.instances.insert(key, Seen::NotSeen { why: why.clone() });
                }
            }
            Asked::BySelector(entries) => {
                failure.selections += entries.len();
                for index in entries {
                    self.actual.selected.insert(index, Selected::NotSeen { why: why.clone() });
                }
            }
        }
    }
}

fn take_in(actual: &mut Actual, provider: &ProviderAlias, ids: Vec<InstanceId>, sightings: Vec<Sighting>) {
    let key = |id| InstanceKey { provider: provider.clone(), id };
    let mut absent: HashSet<InstanceId> = ids.into_iter().collect();
    for sighting in sightings {
        if let Some(id) = absent.take(&sighting.id) {
            actual.instances.insert(key(id), Seen::There(Arc::new(sighting)));
        }
    }
    actual.instances.extend(absent.into_iter().map(|id| (key(id), Seen::Absent)));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::cloud::{Accepted, Advice, Found, StartRequest, StopRequest};
    use crate::fleet::{Entry, EntryName, Goal, Members, Power, Region, Selection, StackName};

    /// A region that counts its looks, misses one instance and refuses every look at another.
    struct Twin {
        region: Region,
        looks: Mutex<Vec<usize>>,
        searches: Mutex<Vec<String>>,
        missing: InstanceId,
        poison: InstanceId,
    }

    impl Cloud for Twin {
        fn region(&self) -> &Region {
            &self.region
        }

        async fn describe(&self, ids: &[InstanceId]) -> Result<Vec<Sighting>, Refusal> {
            self.looks.lock().expect("whole").push(ids.len());
            if ids.contains(&self.poison) {
                return Err(Refusal::new(Advice::Final, "no"));
            }
            let there = ids.iter().filter(|id| **id != self.missing);
            Ok(there.map(|id| Sighting::plain(id.clone(), Power::Running)).collect())
        }

        async fn start(&self, _: StartRequest) -> Result<Accepted, Refusal> {
            Err(Refusal::new(Advice::Final, "only looks are expected"))
        }

        async fn stop(&self, _: StopRequest) -> Result<Accepted, Refusal> {
            Err(Refusal::new(Advice::Final, "only looks are expected"))
        }

        async fn start_many(&self, _: Vec<StartRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
            panic!("only looks are expected")
        }

        async fn stop_many(&self, _: Vec<StopRequest>) -> Vec<(InstanceId, Result<Accepted, Refusal>)> {
            panic!("only looks are expected")
        }
    }

    impl Search for Twin {
        async fn find(&self, selector: &Selector) -> Result<Vec<Found>, Refusal> {
            let name = selector.name.clone().unwrap_or_default();
            self.searches.lock().expect("whole").push(name.clone());
            if name == "poison" {
                return Err(Refusal::new(Advice::Final, "no"));
            }
            let fit = (0..5).map(|number| Sighting::plain(id(number), Power::Stopped));
            Ok(fit.map(|sighting| Found { sighting, tags: BTreeMap::new() }).collect())
        }
    }

    fn id(number: usize) -> InstanceId {
        InstanceId::new(&format!("i-{number:04}")).expect("valid")
    }

    fn twin() -> Twin {
        Twin {
            region: Region::new("cn-hangzhou").expect("valid"),
            looks: Mutex::new(Vec::new()),
            searches: Mutex::new(Vec::new()),
            missing: id(5),
            poison: id(950),
        }
    }

    fn selecting(name: &str, provider: &str, pattern: &str, except: &[usize]) -> Entry {
        let selection = Selection {
            selector: Selector { name: Some(pattern.to_owned()), ..Selector::default() },
            except: except.iter().map(|number| id(*number)).collect(),
            at_least: 1,
        };
        let members = Members::Selected(Box::new(selection));
        let provider = ProviderAlias::new(provider).expect("valid");
        Entry { provider, ..Entry::plain(EntryName::new(name).expect("valid"), Goal::Running, members) }
    }

    #[tokio::test]
    async fn equal_selectors_are_searched_for_once_and_what_is_excepted_stays_out() {
        let entries = vec![
            selecting("a", "default", "batch-*", &[1, 3]),
            selecting("b", "default", "batch-*", &[]),
            selecting("c", "default", "poison", &[]),
            selecting("d", "hk", "batch-*", &[]),
        ];
        let desired = Desired { stack: StackName::new("test").expect("valid"), entries };
        let twin = Arc::new(twin());
        let clouds = Clouds::from([(ProviderAlias::main(), Arc::clone(&twin))]);
        let hk = ProviderAlias::new("hk").expect("valid");
        let unconnected = BTreeMap::from([(hk, Refusal::new(Advice::Final, "no credentials"))]);
        let observation = observe(&desired, &clouds, &unconnected, Timestamp::UNIX_EPOCH).await;
        let mut searches = twin.searches.lock().expect("whole").clone();
        searches.sort();
        assert_eq!(searches, ["batch-*", "poison"]);
        assert!(twin.looks.lock().expect("whole").is_empty(), "what a search shows is not looked at again");
        let selected: Vec<_> = observation.actual.selected.values().cloned().collect();
        let matched =
            |numbers: &[usize]| Selected::Matched(numbers.iter().map(|number| id(*number)).collect());
        let not_seen = |why: &str| Selected::NotSeen { why: why.to_owned() };
        assert_eq!(
            selected,
            [matched(&[0, 2, 4]), matched(&[0, 1, 2, 3, 4]), not_seen("no"), not_seen("no credentials")]
        );
        let failed: Vec<_> = observation
            .failures
            .iter()
            .map(|failure| (failure.provider.as_str(), failure.instances, failure.selections))
            .collect();
        assert_eq!(failed, [("default", 0, 1), ("hk", 0, 1)]);
    }

    #[tokio::test]
    async fn a_thousand_instances_take_ten_looks_and_a_failed_one_costs_only_its_own() {
        let desired = Desired {
            stack: StackName::new("test").expect("valid"),
            entries: vec![Entry::plain(
                EntryName::new("app").expect("valid"),
                Goal::Running,
                Members::Several((0..1000).map(id).collect()),
            )],
        };
        let twin = Arc::new(twin());
        let clouds = Clouds::from([(ProviderAlias::main(), Arc::clone(&twin))]);
        let observation = observe(&desired, &clouds, &BTreeMap::new(), Timestamp::UNIX_EPOCH).await;
        assert_eq!(*twin.looks.lock().expect("whole"), [100; 10]);
        let seen = |number| {
            let key = InstanceKey { provider: ProviderAlias::main(), id: id(number) };
            &observation.actual.instances[&key]
        };
        assert_eq!(seen(4).power(), Some(&Power::Running));
        assert_eq!(*seen(5), Seen::Absent);
        assert_eq!(*seen(900), Seen::NotSeen { why: "no".to_owned() });
        assert_eq!(observation.actual.instances.len(), 1000);
        assert_eq!(observation.failures.len(), 1);
        assert_eq!(observation.failures[0].instances, 100);
    }
}
