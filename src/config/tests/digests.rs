use super::*;

const PLAIN: &str = "stack: s\n\
                     provider: { region: cn-hangzhou }\n\
                     instances:\n\
                     \x20 a: { id: i-a, status: Running, depends_on: [b] }\n\
                     \x20 b: { ids: [i-b, i-c], status: Running }\n";

#[test]
fn form_does_not_change_the_digest() {
    let digest = accepted(PLAIN).digest;
    assert_eq!(digest.len(), 64);
    assert!(digest.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
    for (what, text) in [
        ("comments", format!("# hello\n{PLAIN}# bye\n")),
        (
            "order and style",
            "instances:\n  b:\n    status: running\n    ids:\n      - i-c\n      - \"i-b\"\n  a:\n    depends_on: \
             { b: { required: true } }\n    status: 'Running'\n    id: i-a\nprovider:\n  region: cn-hangzhou\nstack: s"
                .to_owned(),
        ),
        ("what is the default anyway", format!("{PLAIN}defaults: {{ timeouts: {{ start: 600s }} }}\n")),
        ("a version requirement that is met", format!("required_version: '> 0'\n{PLAIN}")),
        ("windows line ends", PLAIN.replace('\n', "\r\n")),
        (
            "aliases",
            PLAIN.replace("a: { id: i-a, status: Running", "a: { id: i-a, status: &s Running").replace(
                "ids: [i-b, i-c], status: Running",
                "ids: [i-b, i-c], status: *s",
            ),
        ),
    ] {
        assert_eq!(accepted(text).digest, digest, "{what}");
    }
    let (first, second) = PLAIN.split_once("instances").unwrap();
    let parts = [source(format!("instances{second}")), source(first)];
    assert_eq!(read(&parts).unwrap().digest, digest, "split into two files");
}

#[test]
fn every_change_of_meaning_changes_the_digest() {
    let mut seen = vec![(PLAIN.to_owned(), accepted(PLAIN).digest)];
    for (from, to) in [
        ("stack: s", "stack: t"),
        ("cn-hangzhou", "cn-beijing"),
        ("region: cn-hangzhou", "region: cn-hangzhou, endpoint: \"https://localhost\""),
        ("region: cn-hangzhou", "region: cn-hangzhou, simulator: account.yaml"),
        ("region: cn-hangzhou", "region: cn-hangzhou, profile: prod"),
        ("region: cn-hangzhou", "region: cn-hangzhou, network: vpc"),
        ("region: cn-hangzhou", "region: cn-hangzhou, signature: v3"),
        ("region: cn-hangzhou", "region: cn-hangzhou, format: xml"),
        ("region: cn-hangzhou", "region: cn-hangzhou, batch_above: 11"),
        ("region: cn-hangzhou", "region: cn-hangzhou, max_in_flight: 10"),
        ("region: cn-hangzhou", "assume_role: { arn: \"acs:ram::1:role/a\", session_name: aa }"),
        ("region: cn-hangzhou", "assume_role: { arn: \"acs:ram::1:role/b\", session_name: aa }"),
        ("region: cn-hangzhou", "assume_role: { arn: \"acs:ram::1:role/a\", session_name: bb }"),
        (
            "region: cn-hangzhou",
            "assume_role: { arn: \"acs:ram::1:role/a\", session_name: aa, duration: 1h }",
        ),
        (
            "region: cn-hangzhou",
            "assume_role: { arn: \"acs:ram::1:role/a\", session_name: aa, external_id: x }",
        ),
        (
            "region: cn-hangzhou",
            "assume_role: { arn: \"acs:ram::1:role/a\", session_name: aa, policy: '{}' }",
        ),
        ("instances:", "backend: { local: { path: x.json } }\ninstances:"),
        ("instances:", "limits: { starts: 0 }\ninstances:"),
        ("instances:", "limits: { starts: 1 }\ninstances:"),
        ("instances:", "limits: { stops: 1 }\ninstances:"),
        ("a: {", "aa: {"),
        ("i-a,", "i-aa,"),
        ("id: i-a,", "ids: [i-a],"),
        ("[i-b, i-c]", "[i-b, i-c, i-d]"),
        ("i-a, status: Running", "i-a, status: Any"),
        (", depends_on: [b]", ""),
        ("[b]", "{ b: { required: false } }"),
        ("id: i-a,", "id: i-a, timeouts: { start: 1s },"),
        ("id: i-a,", "id: i-a, timeouts: { stop: 1s },"),
        ("id: i-a,", "id: i-a, timeouts: { ready: 1s },"),
        ("id: i-a,", "id: i-a, stop: { mode: StopCharging },"),
        ("id: i-a,", "id: i-a, stop: { force: true },"),
        ("id: i-a,", "id: i-a, prevent_stop: true,"),
        ("id: i-a,", "id: i-a, allow_autoscaling: true,"),
        ("id: i-a,", "id: i-a, init_local_disk: true,"),
        ("id: i-a,", "id: i-a, at_once: 1,"),
        ("id: i-a,", "id: i-a, at_once: 2,"),
    ] {
        let text = PLAIN.replacen(from, to, 1);
        assert_ne!(text, PLAIN, "{from} is in the text");
        let digest = accepted(&text).digest;
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == digest) {
            panic!("these two mean the same:\n{text}\n{other}");
        }
        seen.push((text, digest));
    }
}
