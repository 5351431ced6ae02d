//! `import`: what exists as a configuration, which is valid, and which a plan has nothing to do about.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use powerform::config::{self, Source};
use powerform::fleet::{Desired, Members};

use crate::harness::{Ran, SECRET, Scenario, World};

const ACCOUNT: &str = r#"instances:
  - { id: i-db, name: db, status: Running, tags: { role: db, env: prod } }
  - { id: i-web1, name: web-1, status: Running, tags: { role: web, env: prod } }
  - { id: i-web2, name: web-2, status: Running, tags: { role: web, env: prod } }
  - { id: i-job1, name: job, status: Stopped, tags: { role: batch, env: dev } }
  - { id: i-job2, name: job, status: Stopped, stopped_mode: StopCharging, tags: { role: batch, env: dev } }
  - { id: i-odd, name: "数据库 \"1\": #x", status: Starting, start: 1h }
  - { id: i-locked, name: "true", status: Running, locks: [security] }
  - { id: i-late, name: late, status: Stopped, charge: PrePaid, expires: 2020-01-01T00:00Z }
  - { id: i-member, status: Running, tags: { "acs:autoscaling:scalingGroupId": asg-1, role: web } }
  - { id: i-hk1, name: web-1, status: Running, region: cn-hongkong, tags: { role: web } }
  - { id: i-hk2, name: "1.10", status: Stopped, region: cn-hongkong, tags: { role: "~" } }
"#;

const ALL: usize = 11;

const TWO_REGIONS: &str = "stack: scenario
provider: { region: cn-hangzhou, simulator: account.yaml }
providers:
  hk: { region: cn-hongkong, simulator: account.yaml }
";

/// Two regions, and a configuration that has nothing yet.
fn estate() -> Scenario {
    let scenario = Scenario::new(ACCOUNT, "");
    scenario.write("powerform.yaml", format!("{TWO_REGIONS}instances: {{}}\n"));
    scenario
}

/// Searches and regions are what no other command asks for.
fn import(scenario: &Scenario, arguments: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["import"].iter().chain(arguments).copied().collect();
    scenario.start(&arguments).finish_among_others()
}

fn text_of(scenario: &Scenario, name: &str) -> String {
    std::fs::read_to_string(scenario.folder().join(name)).expect("it is there")
}

fn read(text: &str) -> Desired {
    let source = Source { name: "imported.yaml".to_owned(), text: text.as_bytes().to_owned() };
    config::read(&[source]).expect("valid").desired
}

/// Validates a file and plans it: there is nothing to do, and nothing to warn of.
fn is_in_sync(scenario: &Scenario, file: &str) {
    let ended = |arguments: &[&str]| scenario.start(arguments).finish_among_others();
    ended(&["validate", "-f", file]).exits(0);
    let planned = ended(&["plan", "--detailed-exitcode", "-f", file]).exits(0).prints(&["No changes."]);
    assert!(!planned.stdout.contains("warning"), "{}", planned.stdout);
}

#[test]
fn what_is_imported_is_valid_and_a_plan_has_nothing_to_do() {
    let scenario = estate();
    for (number, arguments) in [
        &[][..],
        &["--group-by", "tag:role"],
        &["--group-by", "tag:role", "--select"],
        &["--group-by", "tag:env", "--select", "--tag", "role", "--stack", "other"],
        &["--region", "cn-hongkong"],
        &["--name", "web-*", "--tag", "env=prod"],
    ]
    .into_iter()
    .enumerate()
    {
        let printed = import(&scenario, arguments).exits(0).stdout;
        let again = import(&scenario, arguments).exits(0).stdout;
        assert_eq!(printed, again, "imported twice, it is the same text");
        let file = format!("imported-{number}.yaml");
        scenario.write(&file, &printed);
        is_in_sync(&scenario, &file);
    }
    let desired = read(&text_of(&scenario, "imported-0.yaml"));
    assert_eq!(desired.stack.as_str(), "imported");
    let ids: BTreeSet<_> = desired.entries.iter().flat_map(|entry| entry.ids()).collect();
    assert_eq!((desired.entries.len(), ids.len()), (ALL, ALL), "every instance has an entry of its own");

    let selecting = read(&text_of(&scenario, "imported-2.yaml"));
    let selects = |name: &str| {
        let entry = selecting.entries.iter().find(|entry| entry.name.as_str() == name).expect(name);
        matches!(entry.members, Members::Selected(_))
    };
    assert!(selects("db") && selects("web-hk") && selects("role"));
    assert!(!selects("batch") && !selects("batch-economical"), "two stop modes are no one selection");
    assert!(!selects("web"), "a member of an Auto Scaling group has the same tag");
    assert_eq!(read(&text_of(&scenario, "imported-3.yaml")).stack.as_str(), "other");
    assert_eq!(read(&text_of(&scenario, "imported-4.yaml")).entries.len(), 2);
    assert_eq!(read(&text_of(&scenario, "imported-5.yaml")).entries.len(), 2);
}

#[test]
fn an_estate_of_several_regions_and_accounts_is_found_in_one_search_for_each_region() {
    let instances = |head: &str, regions: &[&str], count: usize| {
        let mut text = format!("{head}instances:\n");
        for number in 0..count {
            let region = regions[number % regions.len()];
            let role = ["web", "app", "batch"][number / 2 % 3];
            let status = if role == "batch" { "Stopped" } else { "Running" };
            text.push_str(&format!(
                "  - {{ id: i-{}{number}, region: {region}, name: {role}-{number}, status: {status}, tags: {{ role: {role} }} }}\n",
                region.replace('-', ""),
            ));
        }
        text
    };
    let scenario = Scenario::new(&instances("", &["cn-hangzhou", "cn-beijing"], 420), "");
    let other = "account: \"2\"\nkeys: [{ id: two-key, secret: two-secret }]\nregion: cn-hongkong\n";
    scenario.write("two.yaml", instances(other, &["cn-hongkong"], 120));
    scenario.write(
        "powerform.yaml",
        "stack: scenario\nprovider: { region: cn-hangzhou, simulator: account.yaml }\nproviders:\n  \
         bj: { region: cn-beijing, simulator: account.yaml }\n  hk: { region: cn-hongkong, simulator: two.yaml }\n\
         instances: {}\n",
    );
    let imported = import(&scenario, &["--group-by", "tag:role", "--select"]).exits(0);
    let looks = imported.log.requests_of("DescribeInstances").len();
    assert_eq!(
        (looks, imported.log.lines().len()),
        (6, 6),
        "210 instances are three pages, in each of two regions"
    );
    assert_eq!(import(&scenario, &["--group-by", "tag:role", "--select"]).exits(0).stdout, imported.stdout);
    let desired = read(&imported.stdout);
    let names: Vec<&str> = desired.entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        ["app", "app-bj", "app-hk", "batch", "batch-bj", "batch-hk", "web", "web-bj", "web-hk"]
    );
    assert!(desired.entries.iter().all(|entry| entry.selection().is_some()));
    scenario.write("imported.yaml", &imported.stdout);
    is_in_sync(&scenario, "imported.yaml");
    import(&scenario, &["--into", "imported.yaml"]).exits(0).complains(&["nothing new"]);
}

#[test]
fn what_a_person_wrote_stays_byte_for_byte_and_only_what_is_new_is_added() {
    let scenario = estate();
    let head = format!(
        "# Ours.\r\n{}defaults: {{ stop: {{ mode: StopCharging }} }}\r\n\r\ninstances:\r\n    \
         db: {{ id: i-db, status: Running }} # the one\r\n    \
         web:\r\n        select: {{ tags: {{ role: web, env: prod }} }}\r\n        status: Running\r\n    \
         # cache: next year\r\n",
        TWO_REGIONS.replace('\n', "\r\n")
    );
    let tail = "\r\n# No more than this.\r\nlimits: { starts: 3 }";
    scenario.write("powerform.yaml", format!("{head}{tail}"));
    import(&scenario, &["--into", "powerform.yaml"]).exits(0).complains(&["added 8 instances as 8 entries"]);
    let text = text_of(&scenario, "powerform.yaml");
    let added =
        text.strip_prefix(&head).and_then(|rest| rest.strip_suffix(tail)).expect("all else is as it was");
    assert!(added.lines().all(|line| line.starts_with("    ")), "{added}");
    assert_eq!(added.matches('\n').count(), added.matches("\r\n").count());
    assert!(added.contains("    web-1:\r\n      id: i-hk1\r\n      provider: hk\r\n"), "{added}");
    is_in_sync(&scenario, "powerform.yaml");

    import(&scenario, &["--into", "powerform.yaml"]).exits(0).complains(&["nothing new"]);
    assert_eq!(text_of(&scenario, "powerform.yaml"), text, "there is nothing to add any more");
}

#[test]
fn a_file_that_is_not_there_is_made_and_one_that_cannot_take_more_stays_as_it_is() {
    let scenario = estate();
    import(&scenario, &["-f", "powerform.yaml", "--into", "more.yaml"]).exits(0);
    assert!(
        text_of(&scenario, "more.yaml").starts_with("instances:\n"),
        "the rest is said in the other file"
    );
    scenario.start(&["validate", "-f", "powerform.yaml", "-f", "more.yaml"]).finish().exits(0);

    let braces = "{ stack: a, provider: { region: cn-hangzhou, simulator: account.yaml }, instances: {} }";
    for (text, why) in [
        (braces, "written in braces, as JSON is"),
        (
            "stack: a\nprovider: { region: cn-hangzhou, simulator: account.yaml }\ninstances: { db: { id: i-db, status: Any } }\n",
            "`instances` is written in braces",
        ),
    ] {
        scenario.write("fixed.yaml", text);
        import(&scenario, &["--into", "fixed.yaml"])
            .exits(1)
            .complains(&["nothing was added to fixed.yaml", why]);
        assert_eq!(text_of(&scenario, "fixed.yaml"), text);
    }
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_the_mode_stays_the_mode() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let scenario = estate();
    let file = scenario.folder().join("powerform.yaml");
    let mode = || std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("it is ours");
    symlink("powerform.yaml", scenario.folder().join("link.yaml")).expect("the folder is ours");
    import(&scenario, &["--into", "link.yaml"]).exits(0);
    assert!(scenario.folder().join("link.yaml").is_symlink());
    assert_eq!(mode(), 0o640);
    assert_eq!(read(&text_of(&scenario, "powerform.yaml")).entries.len(), ALL);
    let left: Vec<_> =
        std::fs::read_dir(scenario.folder()).expect("there").flatten().map(|file| file.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("import")), "{left:?}");
}

#[test]
fn a_region_that_no_provider_has_is_described_as_it_is_needed() {
    let scenario = estate();
    scenario.write_configuration("instances: {} # none\n");
    import(&scenario, &["--region", "cn-hongkong", "--into", "powerform.yaml"]).exits(0);
    let text = text_of(&scenario, "powerform.yaml");
    assert!(
        text.contains("instances: # none\n  \"1.10\"")
            || text.contains("instances: # none\n  instance-1.10:"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "\nproviders:\n  cn-hongkong:\n    region: cn-hongkong\n    simulator: account.yaml\n"
        ),
        "{text}"
    );
    is_in_sync(&scenario, "powerform.yaml");

    let everywhere = import(&scenario, &["--all-regions"]).exits(0).stdout;
    assert_eq!(read(&everywhere).entries.len(), ALL - 2, "the others are in the configuration");
    assert!(!everywhere.contains("beijing"), "regions without instances are left out");
}

#[test]
fn without_a_configuration_the_environment_says_who_asks_and_where() {
    let mut scenario = Scenario::in_world(World::Served, ACCOUNT, "");
    std::fs::remove_file(scenario.folder().join("powerform.yaml")).expect("it is there");
    let address = scenario.address();
    scenario.set("ALIBABA_CLOUD_ENDPOINT_ECS", &address);
    import(&scenario, &[]).exits(1).complains(&[
        "no region is named",
        "--region cn-hangzhou",
        "--all-regions",
    ]);
    let both = import(&scenario, &["--region", "cn-hongkong", "--region", "cn-hangzhou"]).exits(0).stdout;
    let turned = import(&scenario, &["--region", "cn-hangzhou", "--region", "cn-hongkong"]).exits(0).stdout;
    assert_eq!(both, turned);
    assert_eq!(import(&scenario, &["--all-regions"]).exits(0).stdout, both);
    scenario.write("imported.yaml", &both);
    assert!(both.contains("\nproviders:\n  cn-hongkong:\n    region: cn-hongkong\n"), "{both}");
    is_in_sync(&scenario, "imported.yaml");
    let far = import(&scenario, &["--region", "cn-hongkong"]).exits(0).stdout;
    assert!(far.contains("\nprovider:\n  region: cn-hongkong\n\ninstances:\n"), "{far}");
    scenario.set("ALIBABA_CLOUD_REGION_ID", "cn-hongkong");
    assert_eq!(import(&scenario, &[]).exits(0).stdout, far);
    import(&scenario, &["--into", "powerform.yaml"]).exits(0);
    assert_eq!(text_of(&scenario, "powerform.yaml"), far, "a file that is new is a whole document");
}

#[test]
fn what_cannot_be_looked_at_is_named_and_the_rest_is_imported() {
    let scenario = estate();
    scenario.write(
        "powerform.yaml",
        "stack: scenario\nprovider: { region: cn-hangzhou, simulator: account.yaml }\n\
         providers: { far: { region: cn-hangzuo, simulator: account.yaml } }\ninstances: {}\n",
    );
    let ran = import(&scenario, &[]).exits(1).complains(&["cn-hangzuo (far)", "did you mean cn-hangzhou"]);
    assert_eq!(read(&ran.stdout).entries.len(), ALL - 2);

    import(&scenario, &["--region", "cn-beijing"])
        .exits(1)
        .complains(&["no instance in cn-beijing", "--all-regions"]);
    import(&scenario, &["--region", "cn-hangzhou", "--tag", "role=wbe"])
        .exits(1)
        .complains(&["--tag role=wbe"]);
    for (arguments, why) in [
        (&["--group-by", "role"][..], "write tag: and the key"),
        (&["--tag", "=x"], "write a tag as role=web"),
        (&["--tag", "a=1", "--tag", "a=2"], "--tag a is given twice"),
        (&["--select"], "--group-by"),
        (&["--stack", "No"], "not a stack name"),
        (&["--region", "cn hangzhou"], "not a region id"),
    ] {
        let ran = import(&scenario, arguments).exits(1).complains(&[why]);
        assert!(ran.log.lines().is_empty(), "nothing was asked");
    }
}

#[test]
fn who_may_not_look_is_told_so_and_not_that_there_is_nothing() {
    let scenario = Scenario::new(
        "permissions: { deny: [DescribeInstances] }\ninstances: [{ id: i-db, status: Running }]\n",
        "instances: {}\n",
    );
    for arguments in [&[][..], &["--all-regions"]] {
        let ran =
            import(&scenario, arguments).exits(1).complains(&["Forbidden.RAM", "ecs:DescribeInstances"]);
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn a_folder_a_stack_that_is_there_and_a_tag_that_nothing_has_are_spoken_of() {
    let scenario = estate();
    std::fs::create_dir(scenario.folder().join("folder")).expect("the folder is ours");
    for (arguments, why) in [
        (&["--into", "folder"][..], "folder is a folder"),
        (&["--into", "powerform.yaml", "--stack", "other"], "powerform.yaml has one"),
    ] {
        import(&scenario, arguments).exits(1).complains(&[why]);
    }
    import(&scenario, &["--group-by", "tag:rôle"])
        .exits(0)
        .complains(&["warning", "did you mean \"tag:role\"?"]);
    import(&scenario, &["--region", "cn-hongkong", "--into", "powerform.yaml"]).exits(0);
    import(&scenario, &[])
        .exits(0)
        .complains(&["found 9 instances", "2 others are already in powerform.yaml"]);
}

#[test]
fn who_may_not_list_regions_is_told_to_name_them() {
    let scenario = Scenario::new(
        "permissions: { deny: [DescribeRegions] }\ninstances: [{ id: i-db, status: Running }]\n",
        "instances: {}\n",
    );
    import(&scenario, &["--all-regions"]).exits(1).complains(&["ecs:DescribeRegions", "--region"]);
    import(&scenario, &[]).exits(0).prints(&["id: i-db"]);
}

#[cfg(unix)]
#[test]
fn all_regions_are_asked_with_credentials_that_were_looked_for_once() {
    let mut scenario = Scenario::in_world(World::Served, ACCOUNT, "");
    let keys =
        format!(r#"{{\\\"access_key_id\\\":\\\"sim-key\\\",\\\"access_key_secret\\\":\\\"{SECRET}\\\"}}"#);
    let command = format!(r#"sh -c 'echo asked >> asked; echo \"{keys}\"'"#);
    let profile = format!(r#"{{"name":"ours","mode":"External","process_command":"{command}"}}"#);
    std::fs::create_dir(scenario.folder().join(".aliyun")).expect("the folder is ours");
    scenario.write(".aliyun/config.json", format!(r#"{{"current":"ours","profiles":[{profile}]}}"#));
    scenario.provide("profile: ours");
    scenario.write_configuration("instances: {}\n");
    let printed = import(&scenario, &["--all-regions"]).exits(0).stdout;
    assert_eq!(read(&printed).entries.len(), ALL);
    assert_eq!(text_of(&scenario, "asked"), "asked\n");
    assert!(printed.contains("  cn-hongkong:\n    region: cn-hongkong\n    profile: ours\n"), "{printed}");
    is_in_sync(&scenario, "powerform.yaml");
}

#[test]
fn an_interruption_ends_the_look_and_writes_nothing() {
    let scenario = Scenario::new(
        "instances: [{ id: i-db, status: Running }]\nfaults: [{ action: DescribeInstances, delay: 1h }]\n",
        "instances: {}\n",
    );
    let before = text_of(&scenario, "powerform.yaml");
    let mut process = scenario.start(&["import", "--into", "powerform.yaml"]);
    process.until_log("it is asked", |log| !log.requests_of("DescribeInstances").is_empty());
    process.running().signal(Signal::SIGINT);
    process.finish_among_others().exits(130).complains(&["interrupted: nothing was called"]);
    assert_eq!(text_of(&scenario, "powerform.yaml"), before);
}

#[test]
fn several_files_are_one_configuration_and_one_of_them_is_added_to() {
    let scenario = estate();
    std::fs::create_dir(scenario.folder().join("fleet")).expect("the folder is ours");
    std::fs::copy(scenario.account(), scenario.folder().join("fleet/account.yaml")).expect("copied");
    scenario.write("fleet/head.yaml", TWO_REGIONS);
    scenario.write("fleet/web.yaml", "# Ours.\ninstances:\n  web: { id: i-web1, status: Running }\n");
    scenario.write("fleet/rest.yaml", "instances:\n  db: { id: i-db, status: Running }\n");
    let web = text_of(&scenario, "fleet/web.yaml");
    for (region, complaint) in [
        ("cn-hongkong", "added 2 instances"),
        ("cn-hangzhou", "2 others are already in the configuration"),
        ("cn-hangzhou", "nothing new: all instances that were found are already in the configuration"),
    ] {
        let arguments = ["-f", "fleet", "--region", region, "--into", "fleet/rest.yaml"];
        import(&scenario, &arguments).exits(0).complains(&[complaint]);
    }
    assert_eq!(text_of(&scenario, "fleet/web.yaml"), web);
    is_in_sync(&scenario, "fleet");
}
