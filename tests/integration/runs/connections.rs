//! Keys, endpoints and regions that do not work, and what is said about them.

use crate::harness::{SECRET, Scenario, World, side_by_side};

const ACCOUNT: &str = "instances: [{ id: i-a }]\n";
const CONFIGURATION: &str = "instances:\n  a: { id: i-a, status: Running }\n";

const KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";

fn served() -> Scenario {
    Scenario::in_world(World::Served, ACCOUNT, CONFIGURATION)
}

#[test]
fn keys_that_are_not_accepted_block_everything_and_say_what_to_check() {
    let token = "ALIBABA_CLOUD_SECURITY_TOKEN";
    let rows = [
        (KEY_ID, "sim-kez", "InvalidAccessKeyId.NotFound", "check ALIBABA_CLOUD_ACCESS_KEY_ID"),
        (
            KEY_SECRET,
            "an-entirely-other-secret",
            "SignatureDoesNotMatch",
            "set ALIBABA_CLOUD_ACCESS_KEY_SECRET to the one that belongs",
        ),
        (token, "a-token-that-nobody-gave-out", "InvalidSecurityToken", "ALIBABA_CLOUD_SECURITY_TOKEN"),
    ];
    side_by_side(&rows, |(variable, value, code, remedy)| {
        let mut scenario = served();
        scenario.set(variable, value);
        let plan = scenario.plan().prints(&["1 blocked", code]).complains(&[code, remedy, "(request "]);
        assert_eq!(plan.lines.planned_of("a").reason_code(), "not_seen");
        let applied = scenario.apply().exits(1);
        for text in [&plan.stdout, &plan.stderr, &applied.stdout, &applied.stderr] {
            assert!(*variable == KEY_ID || !text.contains(value), "{value} was printed:\n{text}");
        }
        assert!(applied.calls().is_empty());
    });
}

#[test]
fn missing_keys_are_named_before_anything_is_sent() {
    for (unset, said) in [
        (&[KEY_ID, KEY_SECRET][..], "no credentials were found"),
        (&[KEY_SECRET], "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not"),
        (&[KEY_ID], "ALIBABA_CLOUD_ACCESS_KEY_ID is not"),
    ] {
        let mut scenario = served();
        for name in unset {
            scenario.set(name, "");
        }
        for command in [&["plan"][..], &["apply", "--auto-approve"]] {
            let refused = scenario.run(command).exits(1).complains(&[said, KEY_ID]);
            assert!(refused.log.lines().is_empty());
        }
        assert!(!scenario.state().exists());
    }
}

#[test]
fn an_endpoint_where_nobody_listens_is_named_after_a_few_tries() {
    let scenario = served();
    // Bound and never listened on: nobody answers there, and nobody else is given the port.
    let unused = tokio::net::TcpSocket::new_v4().expect("a socket");
    unused.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = unused.local_addr().expect("an address");
    let text = std::fs::read_to_string(scenario.folder().join("powerform.yaml")).expect("a configuration");
    let (head, tail) = text.split_once("endpoint: \"").expect("an endpoint");
    let (_, tail) = tail.split_once('"').expect("its end");
    scenario.write("powerform.yaml", format!("{head}endpoint: \"http://{address}\"{tail}"));
    let plan = scenario.plan().complains(&[&address.to_string(), "could not be looked at"]);
    assert_eq!(plan.lines.planned_of("a").reason_code(), "not_seen");
}

#[test]
fn plain_http_is_for_this_machine_only() {
    let scenario = Scenario::new(ACCOUNT, CONFIGURATION);
    let head = "stack: scenario\nprovider: { region: cn-hangzhou, endpoint: \"http://ecs.cn-hangzhou.aliyuncs.com\" }\n";
    scenario.write("powerform.yaml", format!("{head}{CONFIGURATION}"));
    for command in [&["validate"][..], &["plan"]] {
        scenario.run(command).exits(1).complains(&["http://ecs.cn-hangzhou.aliyuncs.com", "write https://"]);
    }
    // The same from the environment, which validate does not read.
    let mut scenario = served();
    scenario.write(
        "powerform.yaml",
        format!("stack: scenario\nprovider: {{ region: cn-hangzhou }}\n{CONFIGURATION}"),
    );
    scenario.set("ALIBABA_CLOUD_ENDPOINT_ECS", "http://ecs.cn-hangzhou.aliyuncs.com");
    scenario.run(&["plan"]).exits(1).complains(&["ALIBABA_CLOUD_ENDPOINT_ECS", "write https://"]);
}

#[test]
fn the_environment_serves_what_the_file_leaves_out() {
    let mut scenario = served();
    let text = std::fs::read_to_string(scenario.folder().join("powerform.yaml")).expect("a configuration");
    let address = text.split('"').nth(1).expect("the endpoint").to_owned();
    scenario.write("powerform.yaml", format!("stack: scenario\n{CONFIGURATION}"));
    scenario.run(&["plan"]).exits(1).complains(&["no region is named", "ALIBABA_CLOUD_REGION_ID"]);
    scenario.set("ALIBABA_CLOUD_REGION_ID", "cn-hangzhou");
    scenario.set("ALIBABA_CLOUD_ENDPOINT_ECS", &address);
    assert_eq!(scenario.converge().calls(), ["Start i-a"]);
}

#[test]
fn a_secret_is_never_written_anywhere() {
    let scenario = served();
    scenario.run(&["apply", "--auto-approve", "--log", "trace"]).exits(0);
    for folder in [scenario.folder().to_owned(), scenario.folder().join("state")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_account = path == scenario.account();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(is_account || !text.contains(SECRET), "{}", path.display());
        }
    }
}
