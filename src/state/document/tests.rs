use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fleet::{
    Address, Durations, EntryName, Goal, InstanceId, InstanceKey, Power, ProviderAlias, RecordedInstance,
};

const READ: &str = include_str!("../../../tests/data/state/v1-read.json");
const WRITTEN: &str = include_str!("../../../tests/data/state/v1-written.json");

fn stack() -> StackName {
    StackName::new("web-shop").unwrap()
}

fn instance(address: &str, recorded_at: i64) -> RecordedInstance {
    RecordedInstance {
        address: address.parse().unwrap(),
        goal: Goal::Running,
        power: Power::Running,
        recorded_at: jiff::Timestamp::from_second(recorded_at).unwrap(),
        took: Durations::default(),
    }
}

fn key(provider: &str, id: &str) -> InstanceKey {
    InstanceKey { provider: ProviderAlias::new(provider).unwrap(), id: InstanceId::new(id).unwrap() }
}

fn record(instances: impl IntoIterator<Item = (InstanceKey, RecordedInstance)>) -> Recorded {
    let mut record = Recorded::new(stack(), Uuid::from_u128(7));
    record.serial = 3;
    record.instances.extend(instances);
    record
}

fn why(text: &str) -> String {
    match read(text.as_bytes(), &stack()) {
        Err(Refused::Damaged { why }) => why,
        other => panic!("not refused as damaged: {other:?}"),
    }
}

#[test]
fn version_1_reads_and_writes_as_it_always_did() {
    let record = read(READ.as_bytes(), &stack()).unwrap();
    assert_eq!(String::from_utf8(write(&record)).unwrap(), WRITTEN);
    assert_eq!(read(WRITTEN.as_bytes(), &stack()).unwrap(), record);
    assert_eq!(
        read_edition(READ.as_bytes(), &stack()).unwrap(),
        Edition { lineage: record.lineage, serial: 42 }
    );
    let db = &record.instances[&key("default", "i-bp1db0000000000001")];
    assert_eq!((db.goal, &db.power), (Goal::Running, &Power::Running));
    assert_eq!(db.took.starts, [Duration::from_millis(4012), Duration::from_millis(3998)]);
    assert_eq!(record.instances[&key("hk", "i-bp1app000000000002")].took.stops.len(), Durations::KEPT);
}

#[test]
fn text_that_is_cut_off_anywhere_is_refused() {
    let text = WRITTEN.trim_end();
    for length in 0..text.len() {
        let why = why(&text[..length]);
        assert!(why.contains(if length == 0 { "empty" } else { "ends in the middle" }), "{length}: {why}");
        assert!(read_edition(&text.as_bytes()[..length], &stack()).is_err(), "{length}");
    }
}

#[test]
fn damage_is_named_and_the_way_out_told() {
    let without = |field: &str| WRITTEN.replacen(&format!("\"{field}\""), "\"other\"", 1);
    for (text, named) in [
        (" \n\t ".to_owned(), "it is empty"),
        ("\0\0\0\0".to_owned(), "not JSON"),
        ("not json".to_owned(), "not JSON"),
        (format!("{WRITTEN}{WRITTEN}"), "not JSON"),
        ("[]".to_owned(), "expected a JSON object"),
        ("3".to_owned(), "not the record of a stack"),
        (without("format_version"), "missing field `format_version`"),
        (without("stack"), "missing field `stack`"),
        (without("lineage"), "missing field `lineage`"),
        (without("serial"), "missing field `serial`"),
        (without("instances"), "missing field `instances`"),
        (without("provider"), "missing field `provider`"),
        (without("id"), "missing field `id`"),
        (without("goal"), "missing field `goal`"),
        (without("status"), "missing field `status`"),
        (without("recorded_at"), "missing field `recorded_at`"),
        (WRITTEN.replace("\"format_version\": 1", "\"format_version\": 0"), "format_version"),
        (WRITTEN.replace("\"format_version\": 1", "\"format_version\": \"1\""), "format_version"),
        (WRITTEN.replace("\"format_version\": 1", "\"format_version\": 1.5"), "format_version"),
        (WRITTEN.replace("\"serial\": 42", "\"serial\": -1"), "-1"),
        (
            WRITTEN.replace("\"serial\": 42", "\"serial\": 18446744073709551615"),
            "its serial 18446744073709551615 is",
        ),
        (
            WRITTEN.replace("\"serial\": 42", "\"serial\": 9223372036854775808"),
            "its serial 9223372036854775808 is",
        ),
        (WRITTEN.replace("0b5c1f4e", "zzzzzzzz"), "lineage"),
        (WRITTEN.replace("\"goal\": \"Any\"", "\"goal\": \"Asleep\""), "Asleep"),
        (WRITTEN.replace("\"web-shop\"", "\"Web Shop\""), "not a stack name"),
        (WRITTEN.replace("\"gateway\"", "\"../gateway\""), "not an entry name"),
        (WRITTEN.replace("\"gateway\"", "\"db\""), "holds the address db twice"),
        (WRITTEN.replace("i-bp1gateway000000001", "i-bp1db0000000000001"), "twice, at db and at gateway"),
        (format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), ""),
        (format!("{{\"x\":{}", "{\"x\":".repeat(100_000)), ""),
    ] {
        assert!(why(&text).contains(named), "{}\ndoes not name {named:?}", why(&text));
    }
    let shown = read(b"", &stack()).unwrap_err().to_string();
    assert!(shown.contains("Move it away and run plan again: nothing but explanations is lost"), "{shown}");
    let endless = read(&vec![0; LONGEST + 1], &stack()).unwrap_err().to_string();
    assert!(endless.contains("larger than 512 MiB"), "{endless}");
    assert!(read(b"{\"format_version\": 1, \"stack\": \"\xff\"}", &stack()).is_err());
}

#[test]
fn a_newer_format_is_refused_whatever_its_shape() {
    for text in [r#"{"format_version": 2}"#, r#"{"instances": [], "format_version": 2}"#] {
        let refused = read(text.as_bytes(), &stack()).unwrap_err();
        assert_eq!(refused, Refused::Newer { version: 2 });
        assert_eq!(read_edition(text.as_bytes(), &stack()).unwrap_err(), refused);
        assert!(refused.to_string().contains("newer powerform"), "{refused}");
        assert!(refused.to_string().contains("Upgrade"), "{refused}");
    }
}

#[test]
fn the_record_of_another_stack_is_refused() {
    let wanted = StackName::new("other").unwrap();
    let refused = Refused::OtherStack { found: stack(), wanted: wanted.clone() };
    assert_eq!(read(WRITTEN.as_bytes(), &wanted), Err(refused.clone()));
    assert_eq!(read_edition(WRITTEN.as_bytes(), &wanted), Err(refused));
}

#[test]
fn an_instance_that_lost_its_address_to_another_stands_under_its_id() {
    for (old, new) in [("i-1", "i-2"), ("i-2", "i-1")] {
        let written = write(&record([
            (key("default", old), instance("db", 1)),
            (key("default", new), instance("db", 2)),
        ]));
        let read = read(&written, &stack()).unwrap();
        assert_eq!(read.instances[&key("default", new)].address.to_string(), "db");
        assert_eq!(read.instances[&key("default", old)].address.to_string(), format!("db[{old}]"));
    }
}

#[test]
fn of_two_records_of_one_id_at_one_address_the_newer_stays() {
    let written = write(&record([
        (key("a", "i-1"), instance("db[i-1]", 2)),
        (key("b", "i-1"), instance("db[i-1]", 1)),
    ]));
    let read = read(&written, &stack()).unwrap();
    assert_eq!(read.instances.into_keys().collect::<Vec<_>>(), [key("a", "i-1")]);
}

prop_compose! {
    fn any_instance()(
        goal in prop_oneof![Just(Goal::Running), Just(Goal::Stopped), Just(Goal::Any)],
        word in prop_oneof![Just("Running".to_owned()), Just("Pending".to_owned()), ".*"],
        at in -1_000_000_000_000_i64..4_000_000_000_000,
        starts in prop::collection::vec(any::<u64>(), 0..=Durations::KEPT),
        stops in prop::collection::vec(any::<u64>(), 0..=Durations::KEPT),
    ) -> RecordedInstance {
        RecordedInstance {
            address: Address { entry: EntryName::new("x").unwrap(), instance: None },
            goal,
            power: Power::from_word(&word),
            recorded_at: jiff::Timestamp::from_millisecond(at).unwrap(),
            took: Durations {
                starts: starts.into_iter().map(Duration::from_millis).collect(),
                stops: stops.into_iter().map(Duration::from_millis).collect(),
            },
        }
    }
}

proptest! {
    #[test]
    fn every_record_reads_back_as_it_was_written(
        serial in 0..=u64::MAX / 2,
        lineage: u128,
        instances in prop::collection::btree_map("[a-z0-9]{1,8}", any_instance(), 0..8),
    ) {
        let mut record = Recorded::new(stack(), Uuid::from_u128(lineage));
        record.serial = serial;
        for (number, (id, mut instance)) in instances.into_iter().enumerate() {
            let id = InstanceId::new(&format!("i-{id}")).unwrap();
            let several = number % 2 == 0;
            instance.address = Address {
                entry: EntryName::new(if several { "app" } else { "db" }).unwrap(),
                instance: Some(id.clone()),
            };
            if !several {
                instance.address =
                    Address { entry: EntryName::new(&format!("single{number}")).unwrap(), instance: None };
            }
            record.instances.insert(InstanceKey { provider: ProviderAlias::main(), id }, instance);
        }
        let written = write(&record);
        prop_assert_eq!(read(&written, &stack()).unwrap(), record);
    }

    #[test]
    fn no_text_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &stack());
        let _ = read_edition(&bytes, &stack());
    }

    #[test]
    fn no_single_wrong_byte_makes_the_reader_panic(place in 0..WRITTEN.len(), byte: u8) {
        let mut bytes = WRITTEN.as_bytes().to_vec();
        bytes[place] = byte;
        let _ = read(&bytes, &stack());
    }
}
