//! Which instance is asked about.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::config::{self, Source};
use crate::fleet::{InstanceKey, Lock, LockReason, Sighting};

const TEXT: &str = "stack: test
instances:
  any: { id: i-any, status: Any }
  down: { id: i-down, status: Stopped }
  up: { ids: [i-up1, i-up2], status: Running }
";

fn desired() -> Desired {
    let source = Source { name: "test.yaml".to_owned(), text: TEXT.into() };
    config::read(&[source]).expect("valid").desired
}

fn seen(instances: &[(&str, Power, bool)]) -> Actual {
    let sight = |(id, power, locked): &(&str, Power, bool)| {
        let id = InstanceId::new(id).expect("valid");
        let mut sighting = Sighting::plain(id.clone(), power.clone());
        if *locked {
            sighting.locks.push(Lock { reason: LockReason::Security, message: String::new() });
        }
        (InstanceKey { provider: ProviderAlias::main(), id }, Seen::There(Arc::new(sighting)))
    };
    let instances: HashMap<_, _> = instances.iter().map(sight).collect();
    Actual { instances, ..Actual::new(jiff::Timestamp::UNIX_EPOCH) }
}

#[test]
fn the_instance_that_says_most_is_asked_about() {
    let (running, stopped) = (Power::Running, Power::Stopped);
    for (instances, start, stop) in [
        (&[][..], ("up[i-up1]", "not visible"), ("down", "not visible")),
        (&[("i-up2", running.clone(), false)][..], ("up[i-up2]", "Running"), ("up[i-up2]", "Running")),
        (
            &[
                ("i-any", stopped.clone(), false),
                ("i-down", running.clone(), false),
                ("i-up1", stopped.clone(), true),
                ("i-up2", stopped.clone(), false),
            ][..],
            ("up[i-up2]", "Stopped"),
            ("down", "Running"),
        ),
        (
            &[("i-down", stopped.clone(), false), ("i-up1", stopped, true), ("i-any", running, false)][..],
            ("down", "Stopped"),
            ("any", "Running"),
        ),
    ] {
        let actual = seen(instances);
        for (needs, goal, (address, status)) in
            [(Power::Stopped, Goal::Running, start), (Power::Running, Goal::Stopped, stop)]
        {
            let candidate = candidate(&desired(), &actual, &needs, goal).expect("an instance");
            assert_eq!((candidate.address.to_string().as_str(), candidate.seen.as_str()), (address, status));
        }
    }
}
