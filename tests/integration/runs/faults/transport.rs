//! Connections that do not come about, break or say nothing, and answers that are none.

use std::io::Write as _;
use std::net::TcpListener;

use jiff::{SignedDuration, Timestamp};

use super::wire::{Deed, Wire, answer};
use super::{account, all_running, ids, served_with, started_once_each_and_never_blindly};
use crate::harness::{Scenario, side_by_side};

const PAGE: &str = "<html><body><h1>Bad gateway</h1></body></html>";

/// A served account of two machines behind a wire.
fn behind(manner: impl Fn(&str, usize) -> Deed + Send + Sync + 'static) -> (Scenario, Wire) {
    let mut scenario = served_with("", &account(2, ""), &all_running(2));
    let wire = Wire::before(&scenario.address(), manner);
    scenario.redirect(wire.address());
    scenario.write_configuration(&all_running(2));
    (scenario, wire)
}

/// The deed for the first request of an action, and none after it.
fn once(action: &'static str, deed: Deed) -> impl Fn(&str, usize) -> Deed + Send + Sync {
    move |asked, nth| if asked == action && nth == 1 { deed.clone() } else { Deed::Pass }
}

#[test]
fn a_fault_of_the_wire_is_outlived_by_looks_and_by_calls() {
    let json = "content-type: application/json\r\n";
    let html = "content-type: text/html\r\n";
    let xml = "<?xml version=\"1.0\"?><Error><RequestId>R</RequestId><Code>ServiceUnavailable</Code>\
               <Message>Later.</Message></Error>";
    let mut rows = Vec::new();
    for action in ["DescribeInstances", "StartInstance"] {
        rows.extend([
            (action, "reset after the request", Deed::ResetAfterRequest),
            (action, "reset before the answer", Deed::ResetBeforeAnswer),
            (action, "closed without a word", Deed::Say(Vec::new())),
            (action, "half a status line", Deed::Say(b"HTTP/1.1 20".to_vec())),
            (action, "no HTTP", Deed::Say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec())),
            (
                action,
                "less than announced",
                Deed::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{".to_vec()),
            ),
            (action, "500 with a page", answer(500, html, PAGE)),
            (action, "502 with a page", answer(502, html, PAGE)),
            (action, "503 with a page", answer(503, html, PAGE)),
            (action, "504 with nothing", answer(504, "", "")),
            (action, "200 with a page", answer(200, html, PAGE)),
            (action, "200 with nothing", answer(200, json, "")),
            (action, "garbage", answer(200, json, "\u{0}\u{1}{[")),
            (action, "truncated JSON", answer(200, json, "{\"RequestId\":\"R\",\"Instances\":{\"Ins")),
            (action, "an error in XML", answer(503, "content-type: text/xml\r\n", xml)),
        ]);
    }
    side_by_side(&rows, |(action, name, deed)| {
        let (scenario, wire) = behind(once(action, deed.clone()));
        let applied = scenario.converge();
        started_once_each_and_never_blindly(&applied.log, &ids(2));
        assert_eq!(applied.lines.summary_of("started").len(), 2, "{action}: {name}");
        let asked = wire.seen().iter().filter(|seen| seen.action == *action).count();
        let needed = applied.log.requests_of(action).len();
        let reached = usize::from(*deed == Deed::ResetBeforeAnswer);
        // One that the cloud never saw went missing; one that it did see and that was a call was not sent again.
        assert!(asked + reached > needed, "{action}: {name} happened");
        if *action == "StartInstance" {
            assert_eq!(asked, 3 - reached, "{action}: {name}");
        }
    });
}

#[test]
fn connections_that_are_reset_before_a_word_are_made_again() {
    let (scenario, _wire) =
        behind(
            |asked, nth| {
                if asked.is_empty() && matches!(nth, 1 | 2 | 4) { Deed::ResetAtOnce } else { Deed::Pass }
            },
        );
    started_once_each_and_never_blindly(&scenario.converge().log, &ids(2));
}

#[test]
fn a_look_that_is_never_answered_is_given_up_and_repeated() {
    // It costs as long as the program waits for it, so there is one of its kind.
    let (scenario, wire) = behind(once("DescribeInstances", Deed::Mute));
    let applied = scenario.apply().exits(0);
    started_once_each_and_never_blindly(&applied.log, &ids(2));
    let looks: Vec<_> = wire.seen().into_iter().filter(|seen| seen.action == "DescribeInstances").collect();
    assert!(looks.len() > 2 && looks[0].head != looks[1].head, "signed anew: {looks:#?}");
}

#[test]
fn what_never_works_is_named_with_what_to_check() {
    let html = "content-type: text/html\r\n";
    let login = answer(302, "location: http://login.example/\r\n", "");
    let rows = [
        ("503 for ever", answer(503, html, PAGE), "HTTP status 503", "usually a proxy or gateway"),
        ("a login page", login, "HTTP status 302", "follows no redirects"),
        ("a proxy's refusal", answer(407, html, PAGE), "HTTP status 407", "the proxy wants a login"),
        ("a page for ever", answer(200, html, PAGE), "Bad gateway", "usually a proxy or gateway"),
        ("resets for ever", Deed::ResetAfterRequest, "the connection to", "breaks the connection"),
    ];
    side_by_side(&rows, |(_, deed, said, remedy)| {
        let deed = deed.clone();
        let (scenario, _wire) = behind(move |_, _| deed.clone());
        let plan = scenario.plan().complains(&[said, remedy]).prints(&["2 blocked"]);
        assert_eq!(plan.lines.planned_of("all[i-000]").reason_code(), "not_seen");
        assert!(scenario.apply().exits(1).calls().is_empty());
    });
}

#[test]
fn an_answer_that_does_not_end_is_cut_off() {
    let (scenario, wire) = behind(|_, _| Deed::Flood);
    let plan = scenario.plan().prints(&["2 blocked"]).complains(&["it is longer than"]);
    assert_eq!(plan.lines.planned_of("all[i-000]").reason_code(), "not_seen");
    assert_eq!(wire.seen().len(), 1, "another answer would be as long");
    assert!((1..60_000_000).contains(&wire.flooded()), "{} bytes were taken", wire.flooded());
}

#[test]
fn an_endpoint_that_is_gone_for_a_while_in_the_middle_of_an_apply_costs_no_more_than_time() {
    // Eight connections in a row, from the first start on.
    let (scenario, _wire) =
        behind(
            |asked, nth| {
                if asked.is_empty() && (2..10).contains(&nth) { Deed::ResetAtOnce } else { Deed::Pass }
            },
        );
    started_once_each_and_never_blindly(&scenario.converge().log, &ids(2));
}

#[test]
fn an_endpoint_that_speaks_no_tls_is_told_apart_from_one_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"220 mail.example ready\r\n");
        }
    });
    let mut scenario = served_with("", &account(1, ""), &all_running(1));
    scenario.redirect(&address);
    scenario.write_configuration(&all_running(1));
    let plan = scenario
        .plan()
        .prints(&["1 blocked"])
        .complains(&["no connection to 127.0.0.1", "could not be looked at"]);
    assert!(plan.stderr.to_lowercase().contains("tls") || plan.stderr.contains("corrupt"), "{}", plan.stderr);
    assert!(plan.log.lines().is_empty());
}

#[test]
fn a_clock_that_is_an_hour_off_is_named() {
    let rows = [(3630, "60 minutes behind ECS's"), (-3630, "60 minutes ahead of ECS's")];
    side_by_side(&rows, |(seconds, words)| {
        let seconds = *seconds;
        let wire = Wire::before_nothing(move |_, _| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the program's clock is the machine's, and this one is off from it"
            )]
            let date = Timestamp::now() + SignedDuration::from_secs(seconds);
            let date = date.strftime("date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string();
            let body = "{\"RequestId\":\"R-clock\",\"Code\":\"InvalidTimeStamp.Expired\",\
                        \"Message\":\"Specified time stamp or date value is expired.\"}";
            answer(400, &date, body)
        });
        let mut scenario = served_with("", &account(1, ""), &all_running(1));
        scenario.redirect(wire.address());
        scenario.write_configuration(&all_running(1));
        let plan = scenario.plan();
        let plan = plan.complains(&["the clock of this machine is", words, "NTP", "R-clock"]);
        assert_eq!(plan.lines.planned_of("all[i-000]").reason_code(), "not_seen");
        assert_eq!(wire.seen().len(), 1, "asking again would not set the clock");
    });
}
