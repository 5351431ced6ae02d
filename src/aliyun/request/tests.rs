use jiff::Timestamp;

use super::*;
use crate::aliyun::credentials::Credentials;
use crate::aliyun::sign;
use crate::fleet::{Charge, Selector, StopMode, StopPolicy};

fn id(text: &str) -> InstanceId {
    InstanceId::new(text).expect("valid")
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: "testid".to_owned(),
        access_key_secret: "testsecret".into(),
        security_token: token.map(Into::into),
        source: "a test".to_owned(),
    }
}

fn sent(request: &Request) -> Vec<(&str, &str)> {
    request.parameters.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect()
}

#[test]
fn a_look_names_its_region_and_its_ids_as_one_json_array() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let ids = [id("i-a1"), id("i-b2")];
    let first = Request::describe_instances(&region, &ids, &Page::First);
    assert_eq!(
        sent(&first),
        [("RegionId", "cn-hangzhou"), ("InstanceIds", r#"["i-a1","i-b2"]"#), ("PageSize", "100")]
    );
    assert_eq!(first.subject, "2 instances");
    let second = Request::describe_instances(&region, &ids, &Page::Number(2));
    assert_eq!(sent(&second)[2..], [("PageSize", "100"), ("PageNumber", "2")]);
    let next = Request::describe_instances(&region, &ids[..1], &Page::Token("t/1".to_owned()));
    assert_eq!(sent(&next)[2..], [("MaxResults", "100"), ("NextToken", "t/1")]);
    assert_eq!(next.subject, "i-a1");
}

#[test]
fn a_start_names_local_disks_only_when_they_are_to_be_restored() {
    let plain = StartRequest { id: id("i-a1"), init_local_disk: false };
    assert_eq!(sent(&Request::start_instance(&plain, None)), [("InstanceId", "i-a1")]);
    let restoring = StartRequest { init_local_disk: true, ..plain };
    assert_eq!(
        sent(&Request::start_instance(&restoring, Some("ops@example"))),
        [("InstanceId", "i-a1"), ("InitLocalDisk", "true"), ("OwnerAccount", "ops@example")]
    );
}

#[test]
fn a_stop_always_says_how() {
    for (mode, force, words) in [
        (StopMode::KeepCharging, false, ["KeepCharging", "false"]),
        (StopMode::StopCharging, true, ["StopCharging", "true"]),
    ] {
        let stop = StopRequest { id: id("i-a1"), policy: StopPolicy { mode, force } };
        assert_eq!(
            sent(&Request::stop_instance(&stop)),
            [("InstanceId", "i-a1"), ("StoppedMode", words[0]), ("ForceStop", words[1])]
        );
    }
}

#[test]
fn batches_name_their_instances_by_number_and_let_each_succeed_for_itself() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let ids = [id("i-a1"), id("i-b2")];
    assert_eq!(
        sent(&Request::start_instances(&region, &ids, None)),
        [
            ("RegionId", "cn-hangzhou"),
            ("BatchOptimization", "SuccessFirst"),
            ("InstanceId.1", "i-a1"),
            ("InstanceId.2", "i-b2")
        ]
    );
    let policy = StopPolicy { mode: StopMode::StopCharging, force: true };
    assert_eq!(
        sent(&Request::stop_instances(&region, &ids[..1], policy))[1..],
        [
            ("BatchOptimization", "SuccessFirst"),
            ("StoppedMode", "StopCharging"),
            ("ForceStop", "true"),
            ("InstanceId.1", "i-a1")
        ]
    );
}

#[test]
fn a_rehearsal_changes_nothing_and_a_batch_is_rehearsed_as_one() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let start = Request::start_instance(&StartRequest { id: id("i-a1"), init_local_disk: false }, None);
    let rehearsal = start.clone().rehearsed();
    assert_eq!(sent(&rehearsal), [("InstanceId", "i-a1"), ("DryRun", "true")]);
    assert_eq!((start.operation.effect, rehearsal.operation.effect), (Effect::Write, Effect::Read));
    let batch = Request::start_instances(&region, &[id("i-a1")], None).rehearsed();
    assert_eq!(
        sent(&batch)[1..],
        [("BatchOptimization", "AllTogether"), ("InstanceId.1", "i-a1"), ("DryRun", "true")]
    );
}

#[test]
fn a_filter_asks_for_what_is_set_and_nothing_else() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let all = Request::find_instances(&region, &Selector::default(), &Page::First);
    assert_eq!(sent(&all), [("RegionId", "cn-hangzhou"), ("PageSize", "100")]);
    assert_eq!(all.subject, "all instances");
    let filter = Selector {
        tags: [("role".to_owned(), Some("batch".to_owned())), ("env".to_owned(), None)].into(),
        name: Some("batch-*".to_owned()),
        zone: Some("cn-hangzhou-i".to_owned()),
        vpc: Some("vpc-1".to_owned()),
        resource_group: Some("rg-1".to_owned()),
        charge: Some(Charge::PostPaid),
    };
    let some = Request::find_instances(&region, &filter, &Page::FirstByToken);
    assert_eq!(
        sent(&some)[1..],
        [
            ("Tag.1.Key", "env"),
            ("Tag.2.Key", "role"),
            ("Tag.2.Value", "batch"),
            ("InstanceName", "batch-*"),
            ("ZoneId", "cn-hangzhou-i"),
            ("VpcId", "vpc-1"),
            ("ResourceGroupId", "rg-1"),
            ("InstanceChargeType", "PostPaid"),
            ("MaxResults", "100")
        ]
    );
    assert_eq!(some.subject, "by InstanceName, ZoneId, VpcId, ResourceGroupId, InstanceChargeType, 2 tags");
}

const HOST: &str = "ecs.cn-hangzhou.aliyuncs.com";

fn at() -> Timestamp {
    "2025-01-02T03:04:05.999Z".parse().expect("valid")
}

fn start() -> Request {
    Request::start_instance(&StartRequest { id: id("i-a1"), init_local_disk: false }, None)
}

/// The numbers are those of the vector `v1-start-instance-post-query`, with an id that has no asterisks.
#[test]
fn an_attempt_of_version_1_is_signed_as_the_rules_say() {
    let nonce = "00000000-0000-4000-8000-000000000001";
    let rest = |format: &str, parameter: &str| {
        format!(
            "AccessKeyId=testid&Action=StartInstance&Format={format}{parameter}&SignatureMethod=HMAC-SHA1\
             &SignatureNonce=00000000-0000-4000-8000-000000000001&SignatureVersion=1.0\
             &Timestamp=2025-01-02T03%3A04%3A05Z&Version=2014-05-26"
        )
    };
    for (carriage, format, method, word) in [
        (Carriage::PostQuery, Format::Json, "POST", "JSON"),
        (Carriage::Get, Format::Xml, "GET", "XML"),
        (Carriage::PostForm, Format::Json, "POST", "JSON"),
    ] {
        let dialect = Dialect { signature: Signature::V1, format, carriage };
        let signed = sign_attempt(&start(), dialect, HOST, &credentials(None), at(), nonce);
        let canonical = rest(word, "&InstanceId=i-a1");
        assert_eq!(signed.string_to_sign(), sign::string_to_sign_v1(method, &canonical));
        let signature = sign::percent_encode(&sign::signature_v1("testsecret", signed.string_to_sign()));
        let (query, body) = match carriage {
            Carriage::PostForm => (rest(word, ""), "InstanceId=i-a1"),
            Carriage::Get | Carriage::PostQuery => (canonical, ""),
        };
        assert_eq!(signed.query(), format!("{query}&Signature={signature}"));
        assert_eq!((signed.method().as_str(), signed.body()), (method, body));
        let accept = if format == Format::Json { "application/json" } else { "application/xml" };
        assert!(signed.headers().any(|header| header == ("accept", accept)));
        let is_form = signed.headers().any(|header| header == ("content-type", FORM));
        assert_eq!(is_form, carriage == Carriage::PostForm);
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// As a server checks it: from the headers, by the list of those that were signed.
#[test]
fn an_attempt_of_version_3_is_signed_as_the_rules_say() {
    for (carriage, token) in [
        (Carriage::PostQuery, None),
        (Carriage::Get, Some("to/ken")),
        (Carriage::PostForm, None),
        (Carriage::PostForm, Some("to/ken")),
    ] {
        let dialect = Dialect { signature: Signature::V3, format: Format::Json, carriage };
        let signed = sign_attempt(&start(), dialect, HOST, &credentials(token), at(), "n-1");
        let headers: Vec<(&str, &str)> = signed.headers().collect();
        let header = |name: &str| {
            headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value).expect(name)
        };
        let authorization = sign::read_authorization_v3(header("authorization")).expect("readable");
        assert_eq!(authorization.access_key_id, "testid");
        let must_be_signed =
            |name: &str| name.starts_with("x-acs-") || name == "host" || name == "content-type";
        for (name, _) in &headers {
            let is_signed = authorization.signed_headers.iter().any(|signed| signed == name);
            assert_eq!(is_signed, must_be_signed(name), "{name}");
        }
        let named = sign::named_headers_v3(&authorization.signed_headers, &headers).expect("all are there");
        let payload = sign::hashed_payload_v3(signed.body().as_bytes());
        let canonical =
            sign::canonical_request_v3(signed.method().as_str(), "/", signed.query(), &named, &payload);
        assert_eq!(signed.string_to_sign(), sign::string_to_sign_v3(&canonical));
        assert_eq!(authorization.signature, sign::signature_v3("testsecret", signed.string_to_sign()));
        for (name, value) in [
            ("host", HOST),
            ("x-acs-action", "StartInstance"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2025-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", "n-1"),
            ("x-acs-content-sha256", &payload),
            ("accept", "application/json"),
        ] {
            assert_eq!(header(name), value);
        }
        let (query, body) =
            if carriage == Carriage::PostForm { ("", "InstanceId=i-a1") } else { ("InstanceId=i-a1", "") };
        assert_eq!((signed.query(), signed.body()), (query, body));
        assert_eq!(headers.contains(&("x-acs-security-token", "to/ken")), token.is_some());
    }
}

#[test]
fn a_query_that_proxies_would_refuse_goes_into_a_form() {
    let region = Region::new("cn-hangzhou").expect("valid");
    let tags = (0..20).map(|number| (format!("key-{number}"), Some("值".repeat(60)))).collect();
    let long = Request::find_instances(&region, &Selector { tags, ..Selector::default() }, &Page::First);
    let ids: Vec<InstanceId> = (0..100).map(|number| id(&format!("i-bp1{number:017}"))).collect();
    let full = Request::start_instances(&region, &ids, None);
    for signature in [Signature::V1, Signature::V3] {
        let dialect = Dialect { signature, ..Dialect::default() };
        let signed = sign_attempt(&long, dialect, HOST, &credentials(None), at(), "n-1");
        assert!(signed.body().len() > 6 * 1024 && signed.query().len() < 512);
        let signed = sign_attempt(&full, dialect, HOST, &credentials(None), at(), "n-1");
        assert!(signed.body().is_empty() && signed.query().len() < 8 * 1024);
    }
}

#[test]
fn temporary_credentials_sign_their_token_too_and_a_signed_request_prints_no_secret() {
    let credentials = credentials(Some("to/ken"));
    let signed = sign_attempt(&start(), Dialect::default(), HOST, &credentials, Timestamp::UNIX_EPOCH, "n1");
    assert!(signed.query().contains("&SecurityToken=to%2Fken&"));
    assert!(signed.string_to_sign().contains("to%252Fken"));
    let dialect = Dialect { signature: Signature::V3, ..Dialect::default() };
    let version_3 = sign_attempt(&start(), dialect, HOST, &credentials, Timestamp::UNIX_EPOCH, "n1");
    let printed = format!("{signed:?} {signed:#?} {version_3:?}");
    for secret in ["to/ken", "to%2Fken", "testsecret", "Signature="] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
