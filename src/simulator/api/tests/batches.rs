use super::*;

fn park() -> World {
    account(
        "instances:
  - { id: i-a }
  - { id: i-b, status: Running }
  - { id: i-c, locks: [security] }
  - { id: i-d, region: cn-hongkong }
  - { id: i-e }
  - { id: i-f, status: Released }
faults: [{ action: StartInstance, instance: i-e, error: DiskError }]",
    )
}

fn named(ids: &[&str]) -> String {
    let ids = ids.iter().enumerate().map(|(place, id)| format!("&InstanceId.{}={id}", place + 1));
    format!("RegionId=cn-hangzhou{}", ids.collect::<String>())
}

/// Instance, status before and after, code.
fn items(world: &World, action: &str, query: &str) -> Vec<[String; 4]> {
    let answer = call(world, action, query).unwrap();
    let items = answer["InstanceResponses"]["InstanceResponse"].as_array().unwrap();
    let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
    let names = ["InstanceId", "PreviousStatus", "CurrentStatus", "Code"];
    items.iter().map(|item| names.map(|name| text(item, name))).collect()
}

#[test]
fn success_first_judges_every_instance_for_itself() {
    let ids = named(&["i-a", "i-b", "i-c", "i-d", "i-e", "i-f", "i-z", "i-a"]);
    let query = format!("{ids}&BatchOptimization=SuccessFirst");
    let expected = [
        ["i-a", "Stopped", "Starting", "200"],
        ["i-b", "Running", "Running", "IncorrectInstanceStatus"],
        ["i-c", "Stopped", "Stopped", "InstanceLockedForSecurity"],
        ["i-d", "", "", "InvalidInstanceId.NotFound"],
        ["i-e", "Stopped", "Stopped", "DiskError"],
        ["i-f", "", "", "InvalidInstanceId.NotFound"],
        ["i-z", "", "", "InvalidInstanceId.NotFound"],
    ];
    assert_eq!(items(&park(), "StartInstances", &query), expected.map(|item| item.map(str::to_owned)));
    let stopped = items(&park(), "StopInstances", &format!("{query}&StoppedMode=StopCharging"));
    assert_eq!(stopped[1], ["i-b", "Running", "Stopping", "200"].map(str::to_owned));
    assert_eq!(stopped[4][3], "IncorrectInstanceStatus", "the fault is one of starts");
}

#[test]
fn all_together_is_all_or_nothing() {
    for (action, ids, expected) in [
        ("StartInstances", ["i-a", "i-b"].as_slice(), "IncorrectInstanceStatus"),
        ("StartInstances", &["i-a", "i-c", "i-b"], "InstanceLockedForSecurity"),
        ("StartInstances", &["i-a", "i-d"], "InvalidInstanceId.NotFound"),
        ("StartInstances", &["i-e"], "DiskError"),
        ("StartInstances", &["i-a"], "ok"),
        ("StopInstances", &["i-b"], "ok"),
    ] {
        assert_eq!(code(&park(), action, &named(ids)), expected, "{action} {ids:?}");
        let said = format!("{}&BatchOptimization=AllTogether", named(ids));
        assert_eq!(code(&park(), action, &said), expected, "{action} {ids:?}");
    }
}

#[test]
fn a_dry_run_of_success_first_proves_nothing() {
    for (ids, how, expected) in [
        (["i-a"].as_slice(), "", "DRYRUN.SUCCESS"),
        (&["i-a", "i-b"], "", "IncorrectInstanceStatus"),
        (&["i-a", "i-b"], "&BatchOptimization=SuccessFirst", "DRYRUN.SUCCESS"),
    ] {
        let query = format!("{}&DryRun=True{how}", named(ids));
        assert_eq!(code(&park(), "StartInstances", &query), expected, "{query}");
    }
}

#[test]
fn what_is_wrong_with_a_batch_has_its_code() {
    let many = |count: usize| {
        let ids: Vec<String> = (0..count).map(|number| format!("i-{number}")).collect();
        named(&ids.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for (query, expected) in [
        ("InstanceId.1=i-a".to_owned(), (400, "MissingParameter.RegionId")),
        (many(0), (403, "InvalidInstanceId.NotFound")),
        (many(100), (404, "InvalidInstanceId.NotFound")),
        (many(101), (403, "InvalidParameter.TooManyInstanceIds")),
        (named(&["a"]), (403, "Abs.InvalidInstanceIds.MalFormed")),
        (format!("{}&BatchOptimization=Both", named(&["i-a"])), (400, "InvalidParameter")),
        (format!("{}&ForceStop=maybe", named(&["i-a"])), (400, "InvalidParameter")),
        (format!("{}&StoppedMode=Sometimes", named(&["i-a"])), (400, "InvalidParameter")),
    ] {
        let refusal = call(&park(), "StopInstances", &query).unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), expected, "{query}");
    }
}

#[test]
fn the_code_of_a_good_item_may_be_a_number() {
    let world =
        account("quirks: { numeric_codes: true }\ninstances: [{ id: i-a }, { id: i-b, status: Running }]");
    let query = format!("{}&BatchOptimization=SuccessFirst", named(&["i-a", "i-b"]));
    let answer = call(&world, "StartInstances", &query).unwrap();
    let items = &answer["InstanceResponses"]["InstanceResponse"];
    assert_eq!(items[0]["Code"], serde_json::json!(200));
    assert_eq!(items[1]["Code"], "IncorrectInstanceStatus");
}
