//! Several instances in one call: what is logged, what is limited, what other processes see.

use super::*;
use crate::simulator::log::ItemLine;

/// Instance and answer of every item.
fn items(line: &RequestLine) -> Vec<(&str, &str)> {
    line.items.iter().map(|ItemLine { instance, answer, .. }| (instance.as_str(), answer.as_str())).collect()
}

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

#[tokio::test]
async fn a_batch_is_one_call_and_every_instance_has_an_answer_in_the_log() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a, start: 5s }, { id: i-b, start: 5s }, { id: i-c }, { id: i-d }]
limits: { StartInstances: { rate: 4/min, retry_after: true } }
faults:
  - { action: StartInstance, instance: i-b, nth: 1, error: InternalError }
  - { action: StartInstance, instance: i-c, nth: 2, drop: after }",
    );
    let server = cloud.serve().await;
    let batch = |ids: &'static [&'static str], how: &'static str| {
        let names: Vec<String> = (1..=ids.len()).map(|number| format!("InstanceId.{number}")).collect();
        let server = &server;
        async move {
            let mut all = vec![("Action", "StartInstances"), REGION, ("BatchOptimization", how)];
            all.extend(names.iter().map(String::as_str).zip(ids.iter().copied()));
            server.try_call(&all).await
        }
    };
    let first = batch(&["i-a", "i-b", "i-z"], "SuccessFirst").await.unwrap();
    assert_eq!(first.status, 200, "{}", first.body);
    let second = batch(&["i-b", "i-c", "i-a"], "AllTogether").await.unwrap();
    assert_eq!((second.status, second.code().as_str()), (403, "IncorrectInstanceStatus"));
    assert!(batch(&["i-b", "i-c"], "AllTogether").await.is_err(), "the answer is lost after acting");
    cloud.hand.set(1_000);
    assert_eq!(batch(&["i-d"], "AllTogether").await.unwrap().status, 200);
    let refused = batch(&["i-d"], "AllTogether").await.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "Throttling.User"));
    assert_eq!(refused.headers["x-acs-retry-after"], "59000");
    let other = cloud.serve().await;
    assert_eq!(
        (other.status("i-a").await, other.status("i-c").await),
        ("Starting".into(), "Starting".into())
    );
    other.end().await;
    server.end().await;

    let log: Vec<RequestLine> =
        cloud.log().into_iter().filter(|line| line.action == "StartInstances").collect();
    let told: Vec<_> = log.iter().map(|line| (line.answer.as_str(), line.answered, line.ids)).collect();
    assert_eq!(
        told,
        [
            ("accepted", true, Some(3)),
            ("IncorrectInstanceStatus", true, Some(3)),
            ("accepted", false, Some(2)),
            ("accepted", true, Some(1)),
            ("Throttling.User", true, Some(1)),
        ]
    );
    let not_found = ("i-z", "InvalidInstanceId.NotFound");
    assert_eq!(items(&log[0]), [("i-a", "accepted"), ("i-b", "InternalError"), not_found]);
    assert_eq!(items(&log[1]), ["i-b", "i-c", "i-a"].map(|id| (id, "IncorrectInstanceStatus")));
    assert_eq!(items(&log[2]), [("i-b", "accepted"), ("i-c", "accepted")]);
    assert_eq!(items(&log[4]), [("i-d", "Throttling.User")]);
    assert_eq!(log[0].items[0].phases.len(), 2);
    assert!(log[0].items[1].phases.is_empty());
    assert_eq!(log[0].parameters.get("BatchOptimization").map(String::as_str), Some("SuccessFirst"));
    assert_eq!((log[0].region.as_str(), &log[0].instance), ("cn-hangzhou", &None));
}

#[tokio::test]
async fn throttling_that_lasts_says_when_it_is_over() {
    let cloud = Cloud::new(
        "instances: [{ id: i-a }]
faults: [{ action: StartInstance, throttle: 5s, retry_after: true }, { action: StopInstance, for: 5s, http: 503 }]",
    );
    let server = cloud.serve().await;
    for (moment, wait) in [(0, "5000"), (1_500, "3500")] {
        cloud.hand.set(moment);
        let refused = server.start("i-a").await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "Throttling.User"));
        assert_eq!(refused.headers["x-acs-retry-after"], wait);
    }
    let stop = [("Action", "StopInstance"), ("InstanceId", "i-a")];
    assert_eq!(server.call(&stop).await.status, 503);
    cloud.hand.set(5_000);
    let accepted = server.start("i-a").await;
    assert_eq!((accepted.status, accepted.headers.get("x-acs-retry-after")), (200, None));
    assert_eq!(server.call(&stop).await.status, 503);
    cloud.hand.set(6_500);
    assert_eq!(server.call(&stop).await.code(), "IncorrectInstanceStatus", "it reached the instance");
    server.end().await;
}
