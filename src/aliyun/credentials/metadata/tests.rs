//! The metadata service as a scripted server.

use std::time::Duration;

use super::*;
use crate::aliyun::metadata::{DISABLED, TOKEN_PATH};
use crate::aliyun::scripted::{Asked, Said, Server};
use crate::aliyun::surroundings::tests::surroundings;
use crate::aliyun::transport::Transport;

const GRANTED: &str = r#"{"AccessKeyId":"STS.i","AccessKeySecret":"s3cret","SecurityToken":"t0ken",
    "Expiration":"2027-01-15T14:00:00Z","LastUpdated":"2027-01-15T08:00:00Z","Code":"Success"}"#;

fn context(server: &Server, variables: &[(&str, &str)]) -> Context {
    let mut around = surroundings(variables, None);
    around.metadata_service.clone_from(&server.address);
    Context { surroundings: around, transport: Transport::default(), region: None, vpc: false }
}

/// An instance with the role `worker`; `token` is what the service does when it is asked for one.
fn instance(token: Said, older_way: bool) -> impl Fn(usize, &Asked) -> Said + Send + Sync {
    move |_, asked| {
        assert!(!asked.headers.contains_key("x-forwarded-for"));
        let allowed =
            older_way || asked.headers.get("x-aliyun-ecs-metadata-token").is_some_and(|t| t == "t-1");
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PUT", TOKEN_PATH) => {
                assert_eq!(asked.headers["x-aliyun-ecs-metadata-token-ttl-seconds"], "21600");
                token.clone()
            }
            ("GET", _) if !allowed => Said::Body(403, String::new()),
            ("GET", ROLES_PATH) => Said::Body(200, "worker\n".to_owned()),
            ("GET", path) if path == format!("{ROLES_PATH}worker") => Said::Body(200, GRANTED.to_owned()),
            _ => Said::Body(404, String::new()),
        }
    }
}

fn token() -> Said {
    Said::Body(200, "t-1".to_owned())
}

fn paths(server: &Server) -> Vec<String> {
    server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
}

#[tokio::test]
async fn a_token_is_asked_for_first_and_carried_by_the_rest() {
    let server = Server::start(instance(token(), false)).await;
    let grant = Metadata.fetch(&context(&server, &[])).await.expect("granted");
    assert_eq!(grant.credentials.access_key_id, "STS.i");
    assert_eq!(grant.credentials.source, "the RAM role worker of this ECS instance");
    assert_eq!(
        paths(&server),
        [format!("PUT {TOKEN_PATH}"), format!("GET {ROLES_PATH}"), format!("GET {ROLES_PATH}worker")]
    );
    for name in ROLE {
        let server = Server::start(instance(token(), false)).await;
        Metadata.fetch(&context(&server, &[(name, "worker")])).await.expect("granted");
        assert_eq!(server.asked().len(), 2, "{name} spares a question");
    }
}

#[tokio::test]
async fn without_a_token_the_older_way_is_gone_unless_it_is_forbidden() {
    for trouble in [Said::Body(404, String::new()), Said::Body(200, "a b\n".to_owned()), Said::Nothing] {
        let server = Server::start(instance(trouble.clone(), true)).await;
        let grant = Metadata.fetch(&context(&server, &[])).await;
        assert!(grant.is_ok(), "{trouble:?}: {grant:?}");
        let server = Server::start(instance(trouble.clone(), true)).await;
        let refused = Metadata.fetch(&context(&server, &[("ALIBABA_CLOUD_IMDSV1_DISABLED", "True")])).await;
        assert!(refused.is_err(), "{trouble:?}");
        assert_eq!(server.asked().len(), 1, "nothing is asked for without a token");
    }
    // A token that the service then refuses: once more without.
    let server = Server::start(|before, asked| match before {
        0 => Said::Body(200, "t-2".to_owned()),
        _ if asked.headers.contains_key("x-aliyun-ecs-metadata-token") => Said::Body(401, String::new()),
        _ => instance(token(), true)(before, asked),
    })
    .await;
    assert!(Metadata.fetch(&context(&server, &[])).await.is_ok());
}

#[tokio::test]
async fn an_instance_without_a_role_and_a_machine_that_is_none_are_passed_over() {
    let server = Server::start(|_, asked| match asked.method.as_str() {
        "PUT" => token(),
        _ => Said::Body(404, String::new()),
    })
    .await;
    let none = Metadata.fetch(&context(&server, &[])).await.expect_err("no role");
    assert!(matches!(&none, Missing::Absent(why) if why.contains("no RAM role")), "{none:?}");
    let missing = Metadata.fetch(&context(&server, &[(ROLE[0], "other")])).await.expect_err("no such role");
    assert_eq!(missing, Missing::broken("this instance has no RAM role other"));
    let nowhere = Context { surroundings: surroundings(&[], None), ..context(&server, &[]) };
    let nobody = Metadata.fetch(&nowhere).await.expect_err("nothing listens");
    assert!(matches!(&nobody, Missing::Absent(why) if why.contains("no ECS instance")), "{nobody:?}");
    let off = Metadata.fetch(&context(&server, &[(DISABLED, "TRUE")])).await.expect_err("off");
    assert_eq!(off, Missing::absent("ALIBABA_CLOUD_ECS_METADATA_DISABLED is true"));
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up_soon() {
    let server = Server::start(|_, _| Said::Silence).await;
    let begun = tokio::time::Instant::now();
    let context = context(&server, &[("ALIBABA_CLOUD_IMDSV1_DISABLED", "true")]);
    assert!(Metadata.fetch(&context).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn answers_that_are_none_are_refused_and_not_quoted() {
    for (body, words) in [
        ("s3cret", "not JSON"),
        (r#"{"Code":"Failed","AccessKeySecret":"s3cret"}"#, "Success"),
        (r#"{"AccessKeySecret":"s3cret"}"#, "Success"),
        (
            r#"{"Code":"Success","AccessKeyId":"i","AccessKeySecret":"s3cret","SecurityToken":"t"}"#,
            "Expiration",
        ),
    ] {
        let server = Server::start(move |before, _| match before {
            0 => token(),
            _ => Said::Body(200, body.to_owned()),
        })
        .await;
        let missing = fetch(&context(&server, &[]), Some("worker")).await.expect_err("refused");
        assert!(missing.why().contains(words) && !missing.why().contains("s3cret"), "{missing}");
    }
    for name in ["../x", "a/b", "a b", "..", "", &"x".repeat(65)] {
        let server = Server::start(instance(token(), false)).await;
        assert!(fetch(&context(&server, &[]), Some(name)).await.is_err(), "{name}");
        assert_eq!(server.asked().len(), 1, "{name} is put into no path");
    }
}
