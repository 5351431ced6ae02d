//! The accounts of the examples are sound, and have the instances that their configurations speak of.

use std::collections::BTreeSet;

use super::*;

fn example(name: &str) -> (Account, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let account = Account::load(&folder.join("account.yaml")).unwrap();
    (account, std::fs::read_to_string(folder.join("powerform.yaml")).unwrap())
}

fn ids(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| word.starts_with("i-"))
        .collect()
}

#[test]
fn every_instance_of_a_configuration_is_in_its_account_and_the_other_way_round() {
    for name in ["web-shop", "blocked"] {
        let (account, configuration) = example(name);
        let known: BTreeSet<&str> = account.instances.iter().map(|instance| &*instance.id).collect();
        assert_eq!(ids(&configuration), known, "{name}");
        assert!(account.memory.ends_with(format!("../../state/{name}.cloud.json")), "{:?}", account.memory);
    }
}

#[test]
fn the_web_shop_is_up_in_a_dozen_seconds() {
    let (account, _) = example("web-shop");
    let start =
        |id: &str| account.instances[account.position(id).unwrap()].start.mul_f64(1.0 + account.jitter);
    // Two at once of three: the application takes two rounds.
    let chain =
        start("i-bp1database00000001") + 2 * start("i-bp1app000000000001") + start("i-bp1gateway000000001");
    assert!(chain <= Duration::from_secs(12), "{chain:?}");
}
