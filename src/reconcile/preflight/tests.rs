use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::fleet::{
    Actual, Desired, Entry, EntryIndex, EntryName, Goal, InstanceId, InstanceKey, Members, Need, Power,
    ProviderAlias, Seen, Sighting, StackName, Strength,
};

/// A region that answers after a second as it was told to, and counts who asks at the same time.
#[derive(Default)]
struct Twin {
    refusals: BTreeMap<&'static str, Refusal>,
    asked: AtomicUsize,
    asking: AtomicUsize,
    most: AtomicUsize,
}

impl Twin {
    async fn answer(&self, id: &InstanceId) -> Result<(), Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let asking = self.asking.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(asking, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.asking.fetch_sub(1, Ordering::SeqCst);
        self.refusals.get(id.as_str()).cloned().map_or(Ok(()), Err)
    }
}

impl Rehearse for Twin {
    async fn would_start(&self, request: StartRequest) -> Result<(), Refusal> {
        self.answer(&request.id).await
    }

    async fn would_stop(&self, request: StopRequest) -> Result<(), Refusal> {
        self.answer(&request.id).await
    }
}

/// A plan for instances `i-a`, `i-b` and so on, each needing those that it names.
fn plan_of(instances: &[(&str, Goal, Power, &[u32])]) -> Plan {
    let mut seen = HashMap::new();
    let entries = instances
        .iter()
        .map(|(name, goal, power, needs)| {
            let id = InstanceId::new(&format!("i-{name}")).expect("valid");
            let key = InstanceKey { provider: ProviderAlias::main(), id: id.clone() };
            seen.insert(key, Seen::There(Arc::new(Sighting::plain(id.clone(), power.clone()))));
            let needs = needs.iter().map(|at| Need { entry: EntryIndex(*at), strength: Strength::Hard });
            let name = EntryName::new(name).expect("valid");
            Entry { needs: needs.collect(), ..Entry::plain(name, *goal, Members::Single(id)) }
        })
        .collect();
    let desired = Desired { stack: StackName::new("test").expect("valid"), entries };
    let actual = Actual { instances: seen, ..Actual::new(Timestamp::UNIX_EPOCH) };
    crate::plan::plan(&desired, None, &actual).expect("no cycle")
}

fn refusal(advice: Advice, code: Option<&str>) -> Refusal {
    Refusal { code: code.map(str::to_owned), ..Refusal::new(advice, "no") }
}

async fn asked(plan: &mut Plan, twin: Twin, at_once: usize) -> (Vec<Unsettled>, Arc<Twin>) {
    let twin = Arc::new(twin);
    let clouds = Clouds::from([(ProviderAlias::main(), Arc::clone(&twin))]);
    let at_once = NonZeroUsize::new(at_once).expect("more than nothing");
    (preflight(plan, &clouds, at_once).await, twin)
}

#[tokio::test(start_paused = true)]
async fn every_call_is_asked_about_once_and_no_more_than_allowed_at_one_time() {
    let mut plan = plan_of(&[
        ("a", Goal::Running, Power::Stopped, &[]),
        ("b", Goal::Running, Power::Stopped, &[]),
        ("c", Goal::Stopped, Power::Running, &[]),
        ("d", Goal::Running, Power::Running, &[]),
        ("e", Goal::Stopped, Power::Running, &[]),
        ("f", Goal::Running, Power::Starting, &[]),
    ]);
    let before = plan.changes.clone();
    let (unsettled, twin) = asked(&mut plan, Twin::default(), 3).await;
    assert_eq!((unsettled, &plan.changes), (vec![], &before), "all is allowed: nothing changes");
    assert_eq!(twin.asked.load(Ordering::SeqCst), 4, "what is not called is not asked about");
    assert_eq!(twin.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_would_stay_blocks_and_holds_up_and_any_other_answer_is_handed_back() {
    for (advice, code, blocks) in [
        (Advice::Final, Some("Forbidden.RAM"), true),
        (Advice::Capacity, Some("OperationDenied.NoStock"), true),
        (Advice::Final, None, false),
        (Advice::Busy { sends: 5 }, Some("InstanceNotReady"), false),
        (Advice::WrongStatus, Some("IncorrectInstanceStatus"), false),
        (Advice::Throttled { retry_after: None }, Some("Throttling.User"), false),
        (Advice::OutcomeUnknown, None, false),
    ] {
        let mut plan = plan_of(&[
            ("a", Goal::Running, Power::Stopped, &[]),
            ("b", Goal::Running, Power::Stopped, &[0]),
            ("c", Goal::Running, Power::Stopped, &[]),
        ]);
        let no = refusal(advice, code);
        let twin = Twin { refusals: BTreeMap::from([("i-a", no.clone())]), ..Twin::default() };
        let (unsettled, _) = asked(&mut plan, twin, 16).await;
        let tally = plan.tally();
        assert_eq!((tally.blocked, tally.start), if blocks { (2, 1) } else { (0, 3) }, "{no:?}");
        let handed_back: Vec<(String, &Refusal)> =
            unsettled.iter().map(|one| (one.address.to_string(), &one.refusal)).collect();
        assert_eq!(handed_back, if blocks { vec![] } else { vec![("a".to_owned(), &no)] });
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_another_status_is_not_doubted_for_its_status() {
    let mut plan = plan_of(&[("a", Goal::Running, Power::Stopping, &[])]);
    let no = refusal(Advice::WrongStatus, Some("IncorrectInstanceStatus"));
    let twin = Twin { refusals: BTreeMap::from([("i-a", no)]), ..Twin::default() };
    let (unsettled, _) = asked(&mut plan, twin, 1).await;
    assert_eq!((unsettled, plan.tally().start), (vec![], 1));
}

#[test]
fn a_refusal_keeps_what_helps_to_find_it_and_to_mend_it() {
    let base = Refusal { request_id: Some("R-1".to_owned()), ..refusal(Advice::Final, Some("X")) };
    let link = |link: &str| Refusal { recommend: Some(link.to_owned()), ..base.clone() };
    for (refusal, remedy) in [
        (Refusal { remedy: Some("do this".into()), ..link("https://a") }, Some("do this")),
        (link("https://a"), Some("see https://a")),
        (link("javascript:a"), None),
    ] {
        let expected = Block::Refused {
            call: Call::Stop,
            code: "X".to_owned(),
            message: "no".to_owned(),
            request_id: Some("R-1".to_owned()),
            remedy: remedy.map(str::to_owned),
        };
        assert_eq!(block(Call::Stop, "X".to_owned(), refusal), expected);
    }
}
