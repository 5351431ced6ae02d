//! Every code that may refuse a start or a look, met in a whole run: what may pass is tried again, what will not is
//! explained, and one machine's refusal is nobody else's.

use super::{account, all_running, ids, served_with, started_once_each_and_never_blindly};
use crate::harness::side_by_side;

/// What may pass: sent again after a look, and accepted then.
const PASSING: &[&str] = &[
    "IncorrectInstanceStatus",
    "IncorrectInstanceStatus.Initializing",
    "InstanceNotReady",
    "DiskError",
    "OperationConflict",
    "InvalidOperation.Conflict",
    "LastTokenProcessing",
    "InternalError",
    "UnknownError",
    "ServiceUnavailable",
    "LimitedOperation.ServiceUnavailable",
];

/// What is refused before it is looked at: sent again in its turn.
const UNSEEN: &[&str] = &[
    "Throttling",
    "Throttling.User",
    "Throttling.Api",
    "Throttling.ConcurrentLimitExceeded",
    "Rejected.Throttling",
    "Throttling.Of.Tomorrow",
];

/// What is final for the run, and a word of what to do about it.
#[rustfmt::skip]
const FINAL: &[(&str, &str)] = &[
    ("SignatureDoesNotMatch", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ("IncompleteSignature", "newer powerform"),
    ("IllegalTimestamp", "newer powerform"),
    ("InvalidTimeStamp.Format", "newer powerform"),
    ("InvalidAccessKeyId.Inactive", "enable the access key"),
    ("Forbidden.AccessKeyDisabled", "enable the access key"),
    ("InvalidAccessKeyId.NotFound", "no such key exists"),
    ("InvalidAccessKeyId", "no such key exists"),
    ("InvalidSecurityToken.Expired", "get new temporary credentials"),
    ("InvalidSecurityToken.Malformed", "get new temporary credentials"),
    ("InvalidSecurityToken.MismatchWithAccessKey", "get new temporary credentials"),
    ("Forbidden.RAM", "allow ecs:DescribeInstances"),
    ("Forbidden.Unauthorized", "allow ecs:DescribeInstances"),
    ("Forbidden.SubUser", "allow ecs:DescribeInstances"),
    ("Forbidden.NotSupportRAM", "allow ecs:DescribeInstances"),
    ("NoPermission", "allow ecs:DescribeInstances"),
    ("Forbidden.RiskControl", "open a ticket"),
    ("RealNameAuthenticationError", "real-name verification"),
    ("InvalidAccount.NotFound", "check which key is used"),
    ("InvalidOwner", "leave the owner account out"),
    ("InvalidOwnerId", "leave the owner account out"),
    ("InvalidOwnerAccount", "leave the owner account out"),
    ("InsufficientBalance", "top it up"),
    ("MissingParameter", "newer powerform"),
    ("InvalidParameter", "newer powerform"),
    ("IdempotentParameterMismatch", "newer powerform"),
    ("UnsupportedHTTPMethod", "newer powerform"),
    ("InvalidProtocol.NeedSsl", "write https://"),
    ("InvalidAction", "check provider.endpoint"),
    ("InvalidVersion", "check provider.endpoint"),
    ("InvalidProduct.NotFound", "check provider.endpoint"),
    ("InvalidInstanceId.NotFound", "correct the configuration"),
    ("Forbidden.InstanceNotFound", "correct the configuration"),
    ("InvalidRegionId.NotFound", "correct provider.region"),
    ("InstanceLockedForSecurity", "Security Center"),
    ("InstanceExpired", "renew the subscription"),
    ("InstanceExpiredOrInArrears", "renew the subscription"),
    ("DiskInArrears", "is not paid"),
    ("InvalidInstance.NotFoundSystemDisk", "attach one"),
    ("InvalidParameter.KMSKeyId.NotFound", "Key Management Service"),
    ("InvalidParameter.KMSKeyId.CMKUnauthorized", "Key Management Service"),
    ("InvalidParameter.KMSKeyId.CMKNotEnabled", "Key Management Service"),
    ("InvalidParameter.KMSKeyId.KMSUnauthorized", "Key Management Service"),
    ("InstanceType.ParameterMismatch", "in the console"),
    ("InvalidInstanceId.NotSupport", "KeepCharging"),
    ("OperationDenied.SystemInstanceNotSupport", "use that service"),
    ("HibernationConfigured.InstanceOperationForbidden", "hibernation"),
    ("OperationDenied.NoStock", "no stock"),
    ("LackResource", "capacity reservation"),
    ("Invalid.PrivatePoolOptions.NoStock", "private pool"),
    ("InvalidDedicatedHost.NotEnoughResource", "dedicated host"),
    ("OperationDenied.SpotPriceLowerThanPublicPrice", "spot price"),
    ("OperationDenied.HostRepairing", "under repair"),
    ("QuotaExceed.ElasticQuota", "Quota Center"),
    ("InvalidCapacityReservationId.NotFound", "capacity reservation"),
    ("ServiceUnavailable.RegionMaintaining", "under maintenance"),
    ("AnEntirelyNewCode", "look the code up"),
];

#[test]
fn every_code_meets_a_start_in_one_run_and_each_has_its_end() {
    let codes: Vec<&str> =
        PASSING.iter().chain(UNSEEN).copied().chain(FINAL.iter().map(|(code, _)| *code)).collect();
    let ids = ids(codes.len());
    let faults: Vec<String> = ids
        .iter()
        .zip(&codes)
        .map(|(id, code)| format!("  - {{ action: StartInstance, instance: {id}, nth: 1, error: {code} }}\n"))
        .collect();
    let account = account(codes.len(), &format!("faults:\n{}", faults.concat()));
    // One by one, and in batches that are refused item by item.
    side_by_side(&[0, 10], |batch_above| {
        let keys = format!("batch_above: {batch_above}");
        let scenario = served_with(&keys, &account, &all_running(codes.len()));
        let applied = scenario.apply().exits(1);
        let batches = applied.log.requests_of("StartInstances").len();
        assert_eq!(batches > 0, *batch_above > 0, "{batches} batches");
        let address = |id: &String| format!("all[{id}]");
        let sends =
            |id: &String| applied.log.calls().iter().filter(|call| call.is("StartInstance", id)).count();
        let (again, refused) = ids.split_at(PASSING.len() + UNSEEN.len());
        for (id, code) in again.iter().zip(&codes) {
            assert_eq!(sends(id), 2, "{code}, batch_above: {batch_above}");
            assert_eq!(applied.lines.end_of(&address(id))["type"], "apply_complete", "{code}");
        }
        started_once_each_and_never_blindly(&applied.log, &ids[..PASSING.len()]);
        for (id, (code, remedy)) in refused.iter().zip(FINAL) {
            assert_eq!(sends(id), 1, "{code}, batch_above: {batch_above}");
            let error = &applied.lines.end_of(&address(id))["hook"]["error"];
            assert_eq!(error["code"], *code);
            assert!(error["remedy"].as_str().is_some_and(|it| it.contains(remedy)), "{error}");
            assert!(error["request_id"].as_str().is_some_and(|it| it.len() == 36), "{error}");
        }
        assert_eq!(applied.lines.summary()["counts"]["failed"], FINAL.len());
        // What was said once is not held against anybody.
        let again = scenario.converge();
        assert_eq!(again.calls().len(), FINAL.len());
    });
}

#[test]
fn the_codes_of_stops_have_their_ends_too() {
    let passing =
        ["IncorrectInstanceStatus", "DiskError", "OperationConflict", "InternalError", "Throttling.Api"];
    let endings = [
        ("InstanceLockedForSecurity", "Security Center"),
        ("InstanceExpiredOrInArrears", "renew the subscription"),
        ("InstanceType.ParameterMismatch", "in the console"),
        ("InvalidInstanceId.NotSupport", "KeepCharging"),
        ("OperationDenied.SystemInstanceNotSupport", "use that service"),
        ("HibernationConfigured.NotEnabled", "hibernation"),
        ("InvalidParameter.Encrypted.KmsNotEnable", "Key Management Service"),
        ("InvalidOperation.KMSKeyIdNotFound", "Key Management Service"),
        ("InvalidOperation.KMSServiceNotOpen", "Key Management Service"),
    ];
    let codes: Vec<&str> = passing.into_iter().chain(endings.map(|(code, _)| code)).collect();
    let ids = ids(codes.len());
    let faults: Vec<String> = ids
        .iter()
        .zip(&codes)
        .map(|(id, code)| format!("  - {{ action: StopInstance, instance: {id}, nth: 1, error: {code} }}\n"))
        .collect();
    let account = account(codes.len(), &format!("faults:\n{}", faults.concat()));
    let account =
        account.replace(" }, {", ", status: Running }, {").replacen(" }]", ", status: Running }]", 1);
    let configuration = all_running(codes.len()).replace("status: Running", "status: Stopped");
    side_by_side(&[0, 10], |batch_above| {
        let scenario = served_with(&format!("batch_above: {batch_above}"), &account, &configuration);
        let applied = scenario.apply().exits(1);
        let sends =
            |id: &String| applied.log.calls().iter().filter(|call| call.is("StopInstance", id)).count();
        for (position, (id, code)) in ids.iter().zip(&codes).enumerate() {
            let end = applied.lines.end_of(&format!("all[{id}]"));
            match position.checked_sub(passing.len()) {
                None => assert_eq!((sends(id), &end["type"]), (2, &"apply_complete".into()), "{code}"),
                Some(position) => {
                    assert_eq!((sends(id), &end["hook"]["error"]["code"]), (1, &(*code).into()));
                    let remedy = end["hook"]["error"]["remedy"].as_str().unwrap();
                    assert!(remedy.contains(endings[position].1), "{code}: {remedy}");
                }
            }
        }
        assert_eq!(scenario.converge().calls().len(), endings.len());
    });
}

#[test]
fn a_look_is_repeated_after_what_may_pass_and_ends_with_what_will_not() {
    let passing = ["InternalError", "UnknownError", "ServiceUnavailable", "SignatureNonceUsed"];
    let endings = [
        "Forbidden.RAM",
        "InvalidRegionId.NotFound",
        "InvalidAccessKeyId.Inactive",
        "InvalidSecurityToken.Expired",
        "UnsupportedHTTPMethod",
        "AnEntirelyNewCode",
    ];
    let mut rows: Vec<(&str, bool)> = passing.iter().chain(UNSEEN).map(|code| (*code, true)).collect();
    rows.extend(endings.map(|code| (code, false)));
    side_by_side(&rows, |(code, passes)| {
        let fault = format!("faults: [{{ action: DescribeInstances, nth: 1, error: {code} }}]\n");
        let scenario = served_with("", &account(2, &fault), &all_running(2));
        let plan = scenario.plan();
        let looks = plan.log.requests_of("DescribeInstances").len();
        if *passes {
            assert_eq!((looks, plan.lines.planned_of("all[i-000]").action()), (2, "start"), "{code}");
        } else {
            assert_eq!((looks, plan.lines.planned_of("all[i-000]").action()), (1, "blocked"), "{code}");
            plan.complains(&[code, "(request "]);
        }
    });
}

#[test]
fn a_nonce_that_is_refused_is_replaced_at_once() {
    let fault = "faults: [{ action: StartInstance, nth: 1, times: 2, error: SignatureNonceUsed }]\n";
    let scenario = served_with("batch_above: 0", &account(1, fault), &all_running(1));
    assert_eq!(scenario.converge().calls(), ["Start i-000"; 3]);
}
