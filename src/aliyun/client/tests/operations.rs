//! Operations in every dialect, searches, batches, rehearsals, and turns.

use super::*;
use crate::aliyun::request::{Carriage, Format, Signature};
use crate::cloud::Search as _;
use crate::fleet::Selector;

fn xml(status: u16, body: &str) -> Reply {
    Reply::Say(status, "Content-Type: text/xml;charset=utf-8\r\n", body.to_owned())
}

fn client_in(dialect: Dialect, address: &str) -> Client {
    Client::with_policy(Setup { dialect, ..setup_of(address) }, QUICK).expect("a client")
}

fn dialects() -> Vec<Dialect> {
    let mut all = Vec::new();
    for signature in [Signature::V1, Signature::V3] {
        for format in [Format::Json, Format::Xml] {
            for carriage in [Carriage::Get, Carriage::PostQuery, Carriage::PostForm] {
                all.push(Dialect { signature, format, carriage });
            }
        }
    }
    all
}

#[tokio::test]
async fn every_dialect_says_the_same() {
    for dialect in dialects() {
        let answers = match dialect.format {
            Format::Json => vec![page(&["i-1"], ""), accepted(), failure(403, "IncorrectInstanceStatus")],
            Format::Xml => vec![
                xml(
                    200,
                    "<DescribeInstancesResponse><RequestId>R</RequestId><Instances><Instance><InstanceId>i-1</InstanceId>\
                     <Status>Running</Status></Instance></Instances></DescribeInstancesResponse>",
                ),
                xml(200, "<StartInstanceResponse><RequestId>R-1</RequestId></StartInstanceResponse>"),
                xml(403, "<Error><RequestId>R-9</RequestId><Code>IncorrectInstanceStatus</Code></Error>"),
            ],
        };
        let server = Server::start(answers).await;
        let client = client_in(dialect, &server.address);
        let seen = client.describe(&[id("i-1")]).await.expect("a look");
        assert_eq!((seen.len(), &seen[0].power), (1, &Power::Running), "{dialect:?}");
        assert_eq!(client.start(start_of("i-1")).await.expect("accepted").request_id.as_deref(), Some("R-1"));
        let policy = StopPolicy::default();
        let refusal = client.stop(StopRequest { id: id("i-1"), policy }).await.expect_err("refused");
        assert_eq!((refusal.advice, refusal.http_status), (Advice::WrongStatus, Some(403)), "{dialect:?}");
        let requests = server.requests();
        let actions: Vec<&str> = requests.iter().map(|request| request["Action"].as_str()).collect();
        assert_eq!(actions, ["DescribeInstances", "StartInstance", "StopInstance"]);
        let format = match (dialect.signature, dialect.format) {
            (Signature::V1, Format::Json) => "JSON",
            (Signature::V1, Format::Xml) => "XML",
            (Signature::V3, Format::Json) => "application/json",
            (Signature::V3, Format::Xml) => "application/xml",
        };
        assert!(requests.iter().all(|request| request["Format"] == format));
        assert_eq!(requests[1]["InstanceId"], "i-1");
        assert_eq!(server.methods(), [if dialect.carriage == Carriage::Get { "GET" } else { "POST" }; 3]);
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_named_and_nothing_is_sent() {
    let server = Server::start(vec![accepted()]).await;
    let mut setup = setup_of(&server.address);
    setup.dialect.signature = Signature::V3;
    setup.credentials = CredentialSource::fixed(credentials_of(Some("s3cr\net")));
    let client = Client::with_policy(setup, QUICK).expect("a client");
    let refusal = client.start(start_of("i-1")).await.expect_err("unusable");
    assert_eq!(refusal.advice, Advice::Final);
    assert!(
        refusal.message.starts_with("nothing was sent") && !refusal.message.contains("s3cr"),
        "{refusal}"
    );
    assert_eq!(server.requests().len(), 0);
}

fn item(id: &str, code: &str) -> String {
    format!(r#"{{"InstanceId":"{id}","Code":"{code}","Message":"of {id}"}}"#)
}

fn items(items: &[String]) -> Reply {
    let items = items.join(",");
    json(200, &format!(r#"{{"RequestId":"R-1","InstanceResponses":{{"InstanceResponse":[{items}]}}}}"#))
}

#[tokio::test]
async fn a_batch_is_judged_item_by_item_whatever_their_order() {
    let server = Server::start(vec![items(&[
        item("i-5", "200"),
        item("i-5", "InternalError"),
        item("i-3", "IncorrectInstanceStatus"),
        item("i-9", "200"),
        item("i-1", "200"),
        item("i-6", ""),
        item("i-4", "Someday.New"),
    ])])
    .await;
    let ids = ["i-1", "i-2", "i-3", "i-4", "i-5", "i-6"];
    let verdicts = client_of(&server.address).start_many(ids.map(start_of).to_vec()).await;
    let order: Vec<&str> = verdicts.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(order, ids);
    let advice: Vec<Result<Option<&str>, Advice>> = verdicts
        .iter()
        .map(|(_, verdict)| match verdict {
            Ok(accepted) => Ok(accepted.request_id.as_deref()),
            Err(refusal) => Err(refusal.advice),
        })
        .collect();
    assert_eq!(
        advice,
        [
            Ok(Some("R-1")),
            Err(Advice::OutcomeUnknown),
            Err(Advice::WrongStatus),
            Err(Advice::Final),
            Err(Advice::OutcomeUnknown),
            Err(Advice::OutcomeUnknown),
        ]
    );
    let status = verdicts[2].1.as_ref().expect_err("refused");
    assert_eq!((status.message.as_str(), status.request_id.as_deref()), ("of i-3", Some("R-1")));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["BatchOptimization"], "SuccessFirst");
    assert_eq!((requests[0]["InstanceId.1"].as_str(), requests[0]["InstanceId.6"].as_str()), ("i-1", "i-6"));
}

#[tokio::test]
async fn what_befalls_a_batch_as_a_whole_befalls_each_of_it() {
    for (act, advice) in [
        (failure(400, "Throttling.User"), Advice::Throttled { retry_after: None }),
        (failure(409, "InvalidOperation.Conflict"), Advice::Busy { sends: 5 }),
        (failure(403, "Forbidden.RAM"), Advice::Final),
        (Reply::Hang, Advice::OutcomeUnknown),
        (json(200, r#"{"RequestId":"R"}"#), Advice::OutcomeUnknown),
        (json(502, "<html>"), Advice::OutcomeUnknown),
    ] {
        let server = Server::start(vec![act]).await;
        let stops = ["i-1", "i-2"].map(|id_| StopRequest { id: id(id_), policy: StopPolicy::default() });
        let verdicts = client_of(&server.address).stop_many(stops.to_vec()).await;
        let all: Vec<Advice> =
            verdicts.iter().map(|(_, verdict)| verdict.as_ref().expect_err("refused").advice).collect();
        assert_eq!(all, [advice; 2]);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_batch_that_breaks_its_contract_is_not_sent() {
    let server = Server::start(vec![]).await;
    let client = client_of(&server.address);
    let start = |number: usize| start_of(&format!("i-{number}"));
    let too_many: Vec<StartRequest> = (0..101).map(start).collect();
    let twice = vec![start(1), start(2), start(1)];
    let restoring = vec![start(1), StartRequest { init_local_disk: true, ..start(2) }];
    for (requests, words) in [(too_many, "100"), (twice, "twice"), (restoring, "local disks")] {
        let asked = requests.len();
        let verdicts = client.start_many(requests).await;
        assert_eq!(verdicts.len(), asked);
        for (_, verdict) in verdicts {
            let refusal = verdict.expect_err("refused");
            assert!(refusal.advice == Advice::Final && refusal.message.contains(words), "{refusal}");
        }
    }
    let stop = |number: usize, force| StopRequest {
        id: id(&format!("i-{number}")),
        policy: StopPolicy { force, ..StopPolicy::default() },
    };
    let verdicts = client.stop_many(vec![stop(1, false), stop(2, true)]).await;
    assert!(verdicts.iter().all(|(_, verdict)| verdict.is_err()));
    assert!(client.start_many(Vec::new()).await.is_empty() && client.stop_many(Vec::new()).await.is_empty());
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_rehearsal_that_passes_is_a_permission_and_any_other_answer_is_none() {
    let passed = || failure(400, "DryRunOperation");
    let server = Server::start(vec![
        passed(),
        passed(),
        passed(),
        failure(400, "DRYRUN.SUCCESS"),
        failure(400, "DryRun.Success"),
        failure(403, "Forbidden.RAM"),
        accepted(),
    ])
    .await;
    let client = client_of(&server.address);
    let stop = StopRequest { id: id("i-1"), policy: StopPolicy::default() };
    let permitted = Permitted { request_id: Some("R-9".to_owned()) };
    assert_eq!(client.rehearse_look(&[]).await, Ok(permitted.clone()));
    assert_eq!(client.rehearse_start(&start_of("i-1")).await, Ok(permitted.clone()));
    assert_eq!(client.rehearse_stop(&stop).await, Ok(permitted.clone()));
    assert_eq!(client.rehearse_starts(&[id("i-1")]).await, Ok(permitted.clone()));
    assert_eq!(client.rehearse_stops(&[id("i-1")], StopPolicy::default()).await, Ok(permitted));
    let denied = client.rehearse_start(&start_of("i-1")).await.expect_err("denied");
    assert_eq!(denied.code.as_deref(), Some("Forbidden.RAM"));
    let acted = client.rehearse_start(&start_of("i-1")).await.expect_err("it was no rehearsal");
    assert_eq!(acted.advice, Advice::OutcomeUnknown);
    let requests = server.requests();
    assert!(requests.iter().all(|request| request["DryRun"] == "true"));
    assert_eq!(requests.len(), 7);
}

#[tokio::test]
async fn a_search_takes_all_pages_by_number_or_by_token() {
    let numbered: Vec<String> = (0..250).map(|number| format!("i-{number:03}")).collect();
    let part = |range: std::ops::Range<usize>, rest: &str| {
        let ids: Vec<&str> = numbered[range].iter().map(String::as_str).collect();
        page(&ids, rest)
    };
    let total = r#","TotalCount":250"#;
    let by_number = vec![part(0..100, total), part(100..200, total), part(200..250, total)];
    let by_token = vec![
        part(0..100, r#","TotalCount":250,"NextToken":"a""#),
        part(0..0, r#","NextToken":"b""#),
        part(100..250, ""),
    ];
    // The list has moved between the pages: what was seen twice was missed elsewhere.
    let moved = vec![
        part(0..100, total),
        part(50..150, total),
        part(50..100, total),
        part(0..200, r#","NextToken":"a""#),
        part(200..250, ""),
    ];
    for (script, calls) in [(by_number, 3), (by_token, 3), (moved, 5)] {
        let server = Server::start(script).await;
        let filter = Selector { name: Some("batch-*".to_owned()), ..Selector::default() };
        let found = client_of(&server.address).find(&filter).await.expect("a search");
        let found: Vec<&str> = found.iter().map(|found| found.sighting.id.as_str()).collect();
        assert_eq!(found, numbered);
        let requests = server.requests();
        assert_eq!(requests.len(), calls);
        assert!(requests.iter().all(|request| request["InstanceName"] == "batch-*"));
    }
    let server = Server::start(vec![page(&["i-1"], r#","TotalCount":18446744073709551615"#)]).await;
    let refusal = client_of(&server.address).find(&Selector::default()).await.expect_err("too many");
    assert_eq!((refusal.advice, server.requests().len()), (Advice::Final, 1));
}

#[tokio::test]
async fn statuses_are_asked_for_by_fifties_and_regions_at_once() {
    let status = |numbers: std::ops::Range<usize>| {
        let items: Vec<String> =
            numbers.map(|number| format!(r#"{{"InstanceId":"i-{number}","Status":"Stopped"}}"#)).collect();
        json(
            200,
            &format!(r#"{{"RequestId":"R","InstanceStatuses":{{"InstanceStatus":[{}]}}}}"#, items.join(",")),
        )
    };
    let server = Server::start(vec![status(0..50), status(50..100), status(100..119)]).await;
    let ids: Vec<InstanceId> = (0..120).map(|number| id(&format!("i-{number}"))).collect();
    let statuses = client_of(&server.address).statuses(&ids).await.expect("a look");
    assert_eq!(statuses.len(), 119, "one is not there");
    assert!(statuses.values().all(|power| *power == Power::Stopped));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request["PageSize"] == "50"));
    let server = Server::start(vec![json(
        200,
        r#"{"RequestId":"R","Regions":{"Region":[{"RegionId":"cn-hangzhou"}]}}"#,
    )])
    .await;
    let regions = client_of(&server.address).regions().await.expect("regions");
    assert_eq!(regions.iter().map(|region| region.id.as_str()).collect::<Vec<_>>(), ["cn-hangzhou"]);
}

#[tokio::test]
async fn a_throttled_read_is_sent_until_the_window_opens() {
    let mut script = vec![failure(400, "Throttling.User"); 20];
    script.push(page(&["i-1"], ""));
    let server = Server::start(script).await;
    let seen = client_of(&server.address).describe(&[id("i-1")]).await.expect("answered at last");
    assert_eq!((seen.len(), server.requests().len()), (1, 21), "throttled attempts do not count as tried");
}

#[tokio::test]
async fn a_write_is_handed_back_unsent_while_the_window_is_closed() {
    let asked = r#"{"RequestId":"R-9","Code":"Throttling.User","Message":"in words"}"#;
    let server = Server::start(vec![
        Reply::Say(400, "x-acs-retry-after: 60000\r\n", asked.to_owned()),
        page(&["i-1"], ""),
        accepted(),
    ])
    .await;
    let client = client_of(&server.address);
    assert_eq!(client.connection.limiter("StartInstance").at_once().get(), 16);
    client.start(start_of("i-1")).await.expect_err("throttled");
    assert_eq!(
        (
            client.connection.limiter("StartInstance").at_once().get(),
            client.connection.limiter("StopInstance").at_once().get()
        ),
        (8, 16)
    );
    let unsent = client.start(start_of("i-2")).await.expect_err("handed back");
    assert_eq!(unsent.code.as_deref(), Some("Throttling.User"));
    let Advice::Throttled { retry_after: Some(pause) } = unsent.advice else { panic!("{unsent:?}") };
    assert!(pause > Duration::from_secs(50) && pause <= Duration::from_secs(60));
    // Other actions have windows of their own.
    client.describe(&[id("i-1")]).await.expect("a look");
    client.stop(StopRequest { id: id("i-1"), policy: StopPolicy::default() }).await.expect("accepted");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_clock_that_is_off_is_known_from_any_answer_and_named_where_it_matters() {
    let date = "Date: Fri, 15 Jan 2027 09:00:00 GMT\r\n";
    let expired = r#"{"RequestId":"R","Code":"InvalidTimeStamp.Expired","Message":"expired"}"#;
    for signature in [Signature::V1, Signature::V3] {
        let server = Server::start(vec![Reply::Say(400, date, expired.to_owned())]).await;
        let client = client_in(Dialect { signature, ..Dialect::default() }, &server.address);
        assert_eq!(client.clock_skew(), None);
        let refusal = client.start(start_of("i-1")).await.expect_err("expired");
        assert!(refusal.message.contains("60 minutes behind ECS's"), "{refusal}");
        assert!(refusal.remedy.is_some_and(|remedy| remedy.contains("clock")));
        assert_eq!(client.clock_skew(), Some(jiff::SignedDuration::from_hours(-1)));
    }
}
