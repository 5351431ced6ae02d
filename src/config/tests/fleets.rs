//! Selections, providers, readiness, turns and stock: what the keys of an entry mean.

use std::num::NonZeroU16;
use std::time::Duration;

use super::*;
use crate::fleet::{
    AtOnce, Charge, HttpTarget, Members, OnFailure, OnNoStock, Probe, ProbeAddress, ProviderAlias, Readiness,
    RollingOrder, Selection, Selector,
};
use crate::fleet::{Entry, InstanceId};

fn entry(keys: &str) -> Entry {
    let text =
        format!("stack: s\nproviders: {{ hk: {{ region: cn-hongkong }} }}\ninstances:\n  a: {{ {keys} }}\n");
    accepted(text).desired.entries.remove(0)
}

fn readiness(keys: &str) -> Readiness {
    let entry = entry(&format!("id: i-a, status: Running, ready: {{ {keys} }}"));
    entry.readiness.expect("asked for").as_ref().clone()
}

fn port(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a port")
}

#[test]
fn a_selection_says_what_instances_are_like() {
    let selected = entry(
        "select: { tags: { role: batch, env: , tier: 1.10 }, name: \"batch-*\", zone: cn-hangzhou-i, vpc: vpc-1, \
         resource_group: rg-1, charge: PrePaid, except: [i-c, i-b, i-c] }, status: Stopped, provider: hk",
    );
    let text = |text: &str| Some(text.to_owned());
    let tags = [("env", None), ("role", text("batch")), ("tier", text("1.10"))];
    let selection = Selection {
        selector: Selector {
            tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
            name: text("batch-*"),
            zone: text("cn-hangzhou-i"),
            vpc: text("vpc-1"),
            resource_group: text("rg-1"),
            charge: Some(Charge::PrePaid),
        },
        except: ["i-b", "i-c"].map(|id| InstanceId::new(id).expect("valid")).to_vec(),
        at_least: 1,
    };
    assert_eq!(selected.members, Members::Selected(Box::new(selection)));
    assert_eq!(selected.provider, ProviderAlias::new("hk").expect("valid"));
    for (keys, least) in [
        ("select: { name: a }", 1),
        ("select: { name: a, at_least: 0 }", 0),
        ("select: { name: a }, at_least: 3", 3),
    ] {
        let selected = entry(&format!("{keys}, status: any"));
        assert_eq!(selected.selection().expect("a selection").at_least, least, "{keys}");
    }
}

#[test]
fn probes_say_whom_they_ask_and_what() {
    let tcp = readiness("tcp: 5432");
    assert_eq!(tcp.probes, [Probe::Tcp { port: port(5432), address: ProbeAddress::Private }]);
    assert_eq!((tcp.delay, tcp.every, tcp.within), (Duration::ZERO, Duration::from_secs(2), None));
    let all = readiness(
        "tcp: 22, address: db.internal, http: { port: 8080, path: \"/ready?full=1\", address: public, status: 204, \
         contains: up }, command: [./check.sh, 2], guest: \"pg_isready -q\", delay: 20s, every: 5s, within: 3m",
    );
    let probes = [
        Probe::Tcp { port: port(22), address: ProbeAddress::Host("db.internal".to_owned()) },
        Probe::Http {
            target: HttpTarget::Instance {
                port: port(8080),
                path: "/ready?full=1".to_owned(),
                address: ProbeAddress::Public,
            },
            status: Some(204),
            contains: Some("up".to_owned()),
        },
        Probe::Command { words: vec!["./check.sh".to_owned(), "2".to_owned()] },
        Probe::Guest { script: "pg_isready -q".to_owned() },
    ];
    assert_eq!(all.probes, probes);
    let seconds = Duration::from_secs;
    assert_eq!((all.delay, all.every, all.within), (seconds(20), seconds(5), Some(seconds(180))));
    let url = readiness("http: { url: \"https://shop.example.com/healthz\" }, delay: 1s");
    let target = HttpTarget::Url("https://shop.example.com/healthz".to_owned());
    assert_eq!(url.probes, [Probe::Http { target, status: None, contains: None }]);
    assert_eq!(readiness("delay: 1m").probes, []);
}

#[test]
fn an_entry_may_do_without_the_readiness_of_the_defaults() {
    let text = "stack: s
defaults: { ready: { tcp: 22 }, pause: 5s, on_failure: stop, on_no_stock: { retry_for: 15m } }
instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, ready: {}, pause: 1s, on_failure: continue, on_no_stock: fail }
";
    let entries = accepted(text).desired.entries;
    assert!(entries[0].readiness.is_some());
    assert_eq!((entries[0].pause, entries[0].on_failure), (Duration::from_secs(5), OnFailure::Stop));
    assert_eq!(entries[0].on_no_stock, OnNoStock::RetryFor(Duration::from_secs(900)));
    assert_eq!((&entries[1].readiness, entries[1].on_no_stock), (&None, OnNoStock::Fail));
    assert_eq!((entries[1].pause, entries[1].on_failure), (Duration::from_secs(1), OnFailure::Continue));
}

#[test]
fn turns_may_be_a_share_and_in_the_order_of_the_list() {
    let rolling = entry("ids: [i-c, i-a, i-b], status: Running, at_once: 25%, order: as listed");
    assert_eq!((rolling.at_once, rolling.order), (Some(AtOnce::Percent(25)), Some(RollingOrder::AsListed)));
    let ids: Vec<&str> = rolling.ids().iter().map(InstanceId::as_str).collect();
    assert_eq!(ids, ["i-c", "i-a", "i-b"]);
    let by_zone = entry("ids: [i-c, i-a], status: Running, order: zones, at_once: 3");
    assert_eq!(by_zone.order, Some(RollingOrder::Zones));
    assert_eq!(
        by_zone.ids()[0].as_str(),
        "i-a",
        "the order of a list carries no meaning but where it is asked for"
    );
}

#[test]
fn every_key_that_could_change_an_apply_changes_the_digest() {
    let base = "id: i-a, status: Running";
    let digest = |keys: &str| {
        let text = format!("stack: s\nproviders: {{ hk: {{}} }}\ninstances: {{ a: {{ {keys} }} }}\n");
        accepted(text).digest
    };
    let mut digests = vec![digest(base)];
    for keys in [
        "provider: hk",
        "at_once: 1",
        "at_once: 1%",
        "order: zones",
        "pause: 1s",
        "on_failure: stop",
        "on_no_stock: { retry_for: 1m }",
        "on_no_stock: { retry_for: 2m }",
        "ready: { tcp: 1 }",
        "ready: { tcp: 1, every: 3s }",
        "ready: { tcp: 1, within: 3s }",
        "ready: { tcp: 1, delay: 3s }",
        "ready: { tcp: 1, address: public }",
        "ready: { tcp: 1, address: h }",
        "ready: { http: { port: 1 } }",
        "ready: { http: { port: 1, status: 200 } }",
        "ready: { http: { url: \"http://h\" } }",
        "ready: { command: [a] }",
        "ready: { guest: a }",
    ] {
        digests.push(digest(&format!("{base}, {keys}")));
    }
    for select in [
        "tags: { a: }",
        "tags: { a: b }",
        "name: b",
        "zone: b",
        "vpc: b",
        "resource_group: b",
        "charge: PrePaid",
        "name: b, except: [i-b]",
        "name: b, at_least: 2",
    ] {
        digests.push(digest(&format!("select: {{ {select} }}, status: Running")));
    }
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
    assert_eq!(
        digest(base),
        digest(&format!("{base}, ready: {{}}, on_failure: continue, on_no_stock: fail"))
    );
}

#[test]
fn providers_are_described_once_and_known_by_their_aliases() {
    let text = "stack: s
provider: { region: cn-hangzhou }
providers:
  hk: { region: cn-hongkong, profile: hk }
  unused: { region: cn-beijing }
instances:
  a: { id: i-a, status: Running }
  b: { id: i-b, status: Running, provider: hk, depends_on: [a] }
  c: { id: i-c, status: Running, provider: default }
";
    let configuration = accepted(text);
    let used: Vec<&str> = configuration.providers_in_use().into_iter().map(ProviderAlias::as_str).collect();
    assert_eq!(used, ["default", "hk"]);
    let hk = &configuration.providers[&ProviderAlias::new("hk").expect("valid")];
    assert_eq!(hk.profile.as_deref(), Some("hk"));
    assert_eq!(hk.region.as_ref().map(|region| region.as_str()), Some("cn-hongkong"));
    for (providers, problem) in [
        ("{ default: {} }", "2:14 \"default\" is what `provider` describes"),
        ("{ 1x: {} }", "2:14 \"1x\" is not a provider alias"),
        ("{ hk: {}, hk: {} }", "2:22 the key \"hk\" is written twice"),
        ("{ hk: { zone: a } }", "2:20 unknown key \"zone\" in a provider"),
        ("[hk]", "2:12 `providers` must be a mapping, and this is a list"),
    ] {
        assert_eq!(found(format!("stack: s\nproviders: {providers}\ninstances: {{}}\n")), [problem]);
    }
}
