//! One look at everything that the configuration names: the fewest calls, side by side.
//!
//! A look that fails marks its own instances as not seen and nothing else; what that means is decided elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cloud::{Cloud, Clouds, LOOK_LIMIT, Refusal};
use crate::fleet::{Actual, Desired, InstanceId, InstanceKey, ProviderAlias, Seen, Sighting};

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
    /// How many instances were not seen.
    pub instances: usize,
}

/// Looks at every instance of the configuration once, `ceil(N / 100)` calls for the N instances of a provider.
///
/// `looked_at` is now.
pub async fn observe<C: Cloud + 'static>(
    desired: &Desired,
    clouds: &Clouds<C>,
    looked_at: Timestamp,
) -> Observation {
    let mut wanted: BTreeMap<&ProviderAlias, Vec<InstanceId>> = BTreeMap::new();
    for entry in &desired.entries {
        wanted.entry(&entry.provider).or_default().extend(entry.ids().iter().cloned());
    }
    let turns = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
    let mut looks = JoinSet::new();
    let mut actual = Actual::new(looked_at);
    for (provider, ids) in wanted {
        let Some(cloud) = clouds.get(provider) else { continue };
        actual.regions.insert(provider.clone(), cloud.region().clone());
        for ids in ids.chunks(LOOK_LIMIT) {
            let (cloud, provider, ids) = (Arc::clone(cloud), provider.clone(), ids.to_vec());
            let turns = Arc::clone(&turns);
            looks.spawn(async move {
                // The semaphore is never closed.
                let _turn = turns.acquire_owned().await;
                let answer = cloud.describe(&ids).await;
                (provider, ids, answer)
            });
        }
    }
    let mut failures: BTreeMap<ProviderAlias, LookFailure> = BTreeMap::new();
    while let Some(look) = looks.join_next().await {
        let (provider, ids, answer) = match look {
            Ok(look) => look,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Nobody cancels looks while they are awaited.
                Err(_) => continue,
            },
        };
        match answer {
            Ok(sightings) => take_in(&mut actual, &provider, ids, sightings),
            Err(refusal) => {
                let why = refusal.to_string();
                let instances = ids.len();
                for id in ids {
                    let key = InstanceKey { provider: provider.clone(), id };
                    actual.instances.insert(key, Seen::NotSeen { why: why.clone() });
                }
                failures
                    .entry(provider.clone())
                    .and_modify(|failure| failure.instances += instances)
                    .or_insert(LookFailure { provider, refusal, instances });
            }
        }
    }
    Observation { actual, failures: failures.into_values().collect() }
}

fn take_in(actual: &mut Actual, provider: &ProviderAlias, ids: Vec<InstanceId>, sightings: Vec<Sighting>) {
    let mut there: HashMap<InstanceId, Sighting> =
        sightings.into_iter().map(|sighting| (sighting.id.clone(), sighting)).collect();
    for id in ids {
        let seen = there.remove(&id).map_or(Seen::Absent, |sighting| Seen::There(Box::new(sighting)));
        actual.instances.insert(InstanceKey { provider: provider.clone(), id }, seen);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::cloud::{Accepted, Advice, StartRequest, StopRequest};
    use crate::fleet::{Entry, EntryName, Goal, Members, Power, Region, StackName};

    /// A region that counts its looks, misses one instance and refuses every look at another.
    struct Twin {
        region: Region,
        looks: Mutex<Vec<usize>>,
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

    fn id(number: usize) -> InstanceId {
        InstanceId::new(&format!("i-{number:04}")).expect("valid")
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
        let twin = Arc::new(Twin {
            region: Region::new("cn-hangzhou").expect("valid"),
            looks: Mutex::new(Vec::new()),
            missing: id(5),
            poison: id(950),
        });
        let clouds = Clouds::from([(ProviderAlias::main(), Arc::clone(&twin))]);
        let observation = observe(&desired, &clouds, Timestamp::UNIX_EPOCH).await;
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
