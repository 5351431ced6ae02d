//! The `provider` block.

use std::time::Duration;

use super::*;
use crate::config::{Configuration, Format, Network, ProviderSettings, RoleToAssume, Signature};
use crate::fleet::ProviderAlias;

fn main(mut configuration: Configuration) -> ProviderSettings {
    configuration.providers.remove(&ProviderAlias::main()).expect("always there")
}

fn document(block: &str) -> String {
    format!("stack: s\ninstances: {{}}\nprovider: {block}\n")
}

#[test]
fn what_is_left_out_has_its_default() {
    for text in ["stack: s\ninstances: {}".to_owned(), document("{}")] {
        let provider = main(accepted(text));
        assert_eq!(provider, ProviderSettings::default());
        assert_eq!((provider.batch_above, provider.max_in_flight.get()), (10, 16));
        assert_eq!(
            (provider.network, provider.signature, provider.format),
            (Network::Public, Signature::V1, Format::Json)
        );
    }
}

#[test]
fn every_key_is_read() {
    let block = r#"{ region: cn-hangzhou, profile: prod, network: vpc, signature: v3, format: xml, batch_above: 0,
        max_in_flight: 3, assume_role: { arn: "acs:ram::123:role/ops", session_name: powerform, duration: 1h,
        external_id: partner-7, policy: '{"Version":"1"}' } }"#;
    let provider = main(accepted(document(block)));
    assert_eq!(provider.profile.as_deref(), Some("prod"));
    assert_eq!((provider.network.word(), provider.signature.word()), ("vpc", "v3"));
    assert_eq!((provider.format, provider.batch_above), (Format::Xml, 0));
    assert_eq!(provider.max_in_flight.get(), 3);
    let role = provider.assume_role.expect("written");
    assert!(!format!("{role:?}").contains("partner-7"), "{role:?}");
    assert_eq!(
        role,
        RoleToAssume {
            arn: "acs:ram::123:role/ops".to_owned(),
            session_name: "powerform".to_owned(),
            duration: Some(Duration::from_secs(3600)),
            external_id: Some("partner-7".to_owned()),
            policy: Some(r#"{"Version":"1"}"#.to_owned()),
        }
    );
}

#[test]
fn mistakes_are_named() {
    for (block, problems) in [
        ("{ network: vpn }", vec!["3:22 `network` must be public or vpc, and this is \"vpn\""]),
        ("{ signature: V1 }", vec!["3:24 `signature` must be v1 or v3, and this is \"V1\""]),
        ("{ format: yaml }", vec!["3:21 `format` must be json or xml, and this is \"yaml\""]),
        ("{ profile: '' }", vec!["3:22 \"\" is not the name of a profile"]),
        ("{ profile: }", vec!["3:13 `profile` has no value"]),
        (
            "{ batch_above: -1 }",
            vec!["3:26 `batch_above` must be a whole number, or 0 for never, and this is \"-1\""],
        ),
        (
            "{ batch_above: many }",
            vec!["3:26 `batch_above` must be a whole number, or 0 for never, and this is text"],
        ),
        (
            "{ max_in_flight: 0 }",
            vec!["3:28 `max_in_flight` must be a whole number from 1, and this is \"0\""],
        ),
        (
            "{ assume_role: {} }",
            vec!["3:13 `assume_role` has no `arn`", "3:13 `assume_role` has no `session_name`"],
        ),
        (
            "{ assume_role: { arn: ops, session_name: a b, duration: 1m, policy: no, role: x } }",
            vec![
                "3:33 \"ops\" is not a role's name in full",
                "3:52 \"a b\" is not the name of a session",
                "3:67 a role is taken on for 15 minutes at least and 12 hours at most",
                "3:79 the policy is not a JSON object: expected ident at line 1 column 2",
                "3:83 unknown key \"role\" in `assume_role`",
            ],
        ),
    ] {
        assert_eq!(found(document(block)), problems, "{block}");
    }
}

#[test]
fn keys_without_effect_beside_a_simulator_are_warned_of() {
    let block = "{ simulator: account.yaml, profile: prod, network: vpc, signature: v3, format: xml, batch_above: 1 }";
    let configuration = accepted(document(block));
    assert_eq!(
        lines(&configuration.warnings),
        [
            "3:38 `profile` has no effect beside a `simulator`",
            "3:53 `network` has no effect beside a `simulator`"
        ]
    );
}
