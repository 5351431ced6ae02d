//! Which region and endpoint a configuration, an environment and a profile make together.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

fn around(variables: &[(&str, &str)], home: Option<&Path>) -> Surroundings {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Surroundings {
        variables: Arc::new(move |name| variables.get(name).cloned()),
        home: home.map(Path::to_owned),
        clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        metadata_service: "http://127.0.0.1:1".to_owned(),
    }
}

fn in_region(name: &str) -> ProviderSettings {
    ProviderSettings { region: Some(Region::new(name).expect("valid")), ..ProviderSettings::default() }
}

#[test]
fn the_region_of_the_file_comes_first_then_the_environment_then_the_profile() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join(".aliyun")).expect("created");
    let text =
        r#"{"current":"a","profiles":[{"name":"a","region_id":"cn-a"},{"name":"b","region_id":"cn-b"}]}"#;
    std::fs::write(home.path().join(".aliyun/config.json"), text).expect("written");
    let all: Vec<(&str, &str)> = REGION_VARIABLES.iter().map(|name| (*name, *name)).collect();
    let found = |provider: &ProviderSettings, variables: &[(&str, &str)], home| {
        let variables: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (*name, value.to_lowercase().replace('_', "-"))).collect();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        region(provider, &wanted(provider), &around(&variables, home))
    };
    let plain = ProviderSettings::default();
    assert_eq!(found(&in_region("cn-file"), &all, Some(home.path())).expect("named").as_str(), "cn-file");
    for (position, name) in REGION_VARIABLES.iter().enumerate() {
        let region = found(&plain, &all[position..], Some(home.path())).expect("named");
        assert_eq!(region.as_str(), name.to_lowercase().replace('_', "-"));
    }
    assert_eq!(found(&plain, &[], Some(home.path())).expect("named").as_str(), "cn-a");
    let other = ProviderSettings { profile: Some("b".to_owned()), ..plain.clone() };
    assert_eq!(found(&other, &[], Some(home.path())).expect("named").as_str(), "cn-b");
    let error = found(&plain, &[], None).expect_err("nowhere").to_string();
    assert!(error.contains("provider: { region: cn-hangzhou }") && error.contains("ALIBABA_CLOUD_REGION_ID"));
    let error = found(&plain, &[("REGION", "a/b")], None).expect_err("no region");
    assert_eq!(error.to_string(), "the region in REGION");
}

#[test]
fn the_endpoint_is_that_of_the_file_the_environment_or_the_network() {
    let written =
        ProviderSettings { endpoint: Some("https://gateway.example".to_owned()), ..in_region("cn-x") };
    let vpc = ProviderSettings { network: Network::Vpc, ..in_region("cn-beijing") };
    let of_environment = [("ALIBABA_CLOUD_ENDPOINT_ECS", "ecs.proxy.example")];
    for (provider, variables, expected) in [
        (&written, &of_environment[..], "https://gateway.example"),
        (&vpc, &of_environment[..], "https://ecs.proxy.example"),
        (&vpc, &[("ECS_ENDPOINT", "ecs.older.example")][..], "https://ecs.older.example"),
        (&vpc, &[], "https://ecs-vpc.cn-beijing.aliyuncs.com"),
        (&in_region("cn-beijing"), &[], "https://ecs.cn-beijing.aliyuncs.com"),
    ] {
        let region = provider.region.clone().expect("written");
        let found = endpoint(provider, &region, &around(variables, None), "powerform.yaml").expect(expected);
        assert_eq!(found.to_string(), expected);
    }
}

#[test]
fn what_cannot_be_reached_is_refused_by_name() {
    let refused = |provider: &ProviderSettings, variables: &[(&str, &str)]| {
        let region = provider.region.clone().expect("written");
        let error = endpoint(provider, &region, &around(variables, None), "powerform.yaml");
        format!("{:#}", error.expect_err("refused"))
    };
    let slip = refused(&in_region("cn-hangzou"), &[]);
    assert!(slip.starts_with("the region \"cn-hangzou\" is not known: did you mean cn-hangzhou"), "{slip}");
    assert!(slip.contains("? If it is newer"), "{slip}");
    let strange = refused(&in_region("atlantis-central-1"), &[]);
    assert!(strange.contains("is not known. If it is newer"), "{strange}");
    assert!(slip.contains("provider.endpoint or ALIBABA_CLOUD_ENDPOINT_ECS"), "{slip}");
    let vpc = ProviderSettings { network: Network::Vpc, ..in_region("rus-west-1") };
    assert!(refused(&vpc, &[]).contains("the region rus-west-1 has no endpoint inside VPCs"));
    let plain = refused(&in_region("cn-beijing"), &[("ALIBABA_CLOUD_ENDPOINT_ECS", "http://10.0.0.1")]);
    assert!(plain.contains("ALIBABA_CLOUD_ENDPOINT_ECS") && plain.contains("plain http"), "{plain}");
}
