//! What each error code of ECS means for the caller, and what a person can do about it: one table.
//!
//! The codes are those that the official pages list for the operations used here, the common ones, and those that
//! the official Terraform provider treats specially. A new code is one line.

use crate::cloud::Advice;

/// Some codes that mean the same.
pub(super) struct Row {
    /// The codes. A `*` at the end or at the beginning stands for any text.
    pub(super) codes: &'static [&'static str],
    /// What may be done about them.
    pub(super) advice: Advice,
    /// What a person can do about them: a sentence without its full stop.
    pub(super) remedy: &'static str,
}

const fn row(codes: &'static [&'static str], advice: Advice, remedy: &'static str) -> Row {
    Row { codes, advice, remedy }
}

/// Busy for a moment: worth a few repetitions.
const BUSY: Advice = Advice::Busy { sends: 5 };

/// Where a code's trouble lies outside of what a user can see.
const FAULT_OF_REQUEST: &str = "powerform's request was not what ECS expects, or a proxy changed it: try without the \
     proxy, then with a newer powerform, and report it with the request id if it stays";

const PERMISSION: &str = "allow ecs:DescribeInstances, ecs:StartInstance and ecs:StopInstance for these credentials, \
     and ecs:StartInstances and ecs:StopInstances for batches: console > RAM > Identities > Users > the user > \
     Permissions";

const KMS: &str = "a disk of the instance is encrypted and its key cannot be used: enable the key and allow ECS to \
     use it: console > Key Management Service > Keys, and console > RAM > Roles > AliyunECSDiskEncryptDefaultRole";

const ARREARS: &str = "pay what is due or renew the subscription, and reactivate the instance: console > Expenses, \
     then console > ECS > Instances > the instance > Renew or Reactivate";

const NEW_TOKEN: &str = "get new temporary credentials and set ALIBABA_CLOUD_ACCESS_KEY_ID, \
     ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN together";

const KEY_DISABLED: &str = "enable the access key or use another: console > RAM > Identities > Users > the user > \
     AccessKey";

const NO_STOCK: &str = "the zone has no stock for the instance's type: try again later, or change its type: console > \
     ECS > Instances > the instance > Change Instance Type";

const OWNER: &str = "leave the owner account out, or write it as the login name of a RAM user, name@domain";

const WRONG_FILTER: &str = "ECS does not accept what was searched for: check the region and the ids in the \
     configuration, and report it with the request id if they are right";

const UNKNOWN_OPERATION: &str = "the endpoint does not offer this operation: check provider.endpoint in the \
     configuration and ALIBABA_CLOUD_ENDPOINT_ECS";

const CONFLICT: &str =
    "another operation on the instance is under way: wait until it has ended and run again";

const TEMPORARY: &str = "ECS could not work on it for now: run again in a few minutes, and if it stays, quote the \
     request id to Alibaba Cloud's support";

/// Codes with a meaning of their own; those with a `*` are tried after all others, in this order.
pub(super) const TABLE: &[Row] = &[
    // Who asks, and when.
    row(
        &["SignatureDoesNotMatch"],
        Advice::Final,
        "check ALIBABA_CLOUD_ACCESS_KEY_SECRET: it must belong to the key of ALIBABA_CLOUD_ACCESS_KEY_ID",
    ),
    row(
        &["SignatureNonceUsed"],
        Advice::Final,
        "something between this machine and ECS repeats requests, usually a proxy: go around it (NO_PROXY) and run \
         again",
    ),
    row(
        &["IncompleteSignature", "IllegalTimestamp", "InvalidTimeStamp.Format"],
        Advice::Final,
        FAULT_OF_REQUEST,
    ),
    row(
        &["InvalidTimeStamp.Expired"],
        Advice::Final,
        "set the clock of this machine (it may differ from ECS's by 15 minutes at most), for example by NTP, and run \
         again",
    ),
    row(
        &["InvalidAccessKeyId.NotFound", "InvalidAccessKeyId"],
        Advice::Final,
        "check ALIBABA_CLOUD_ACCESS_KEY_ID: no such key exists (console > RAM > Identities > Users > the user > \
         AccessKey); a temporary one, which begins with STS., also needs ALIBABA_CLOUD_SECURITY_TOKEN",
    ),
    row(&["InvalidAccessKeyId.Inactive", "Forbidden.AccessKeyDisabled"], Advice::Final, KEY_DISABLED),
    row(
        &[
            "InvalidSecurityToken.Expired",
            "InvalidSecurityToken.Malformed",
            "InvalidSecurityToken.MismatchWithAccessKey",
            "InvalidSecurityToken*",
        ],
        Advice::Final,
        NEW_TOKEN,
    ),
    row(
        &[
            "Forbidden.RAM",
            "Forbidden.Unauthorized",
            "Forbidden.SubUser",
            "Forbidden.NotSupportRAM",
            "NoPermission",
            "Unauthorized.EmptyRegion",
        ],
        Advice::Final,
        PERMISSION,
    ),
    row(
        &["Forbidden.RiskControl"],
        Advice::Final,
        "Alibaba Cloud's risk control holds the account back: open a ticket in the console",
    ),
    row(
        &["RealNameAuthenticationError"],
        Advice::Final,
        "the account has not passed real-name verification: console > Account Center > Real-name Verification",
    ),
    row(
        &["InvalidAccount.NotFound"],
        Advice::Final,
        "the account behind the access key does not exist: check which key is used",
    ),
    row(&["InvalidOwner", "InvalidOwnerId", "InvalidOwnerAccount"], Advice::Final, OWNER),
    row(
        &["InsufficientBalance"],
        Advice::Final,
        "the account's balance is too low for a start: top it up: console > Expenses > Top Up",
    ),
    // The form of the request.
    row(
        &[
            "MissingParameter",
            "MissingParameter.RegionId",
            "InvalidParameter.IsNull",
            "InvalidParameter",
            "InvalidParamater",
            "UnsupportedParameter",
            "IdempotentParameterMismatch",
            "UnsupportedHTTPMethod",
            "InvalidParameter.TooManyInstanceIds",
            "InstanceIds.ExceedLimit",
            "InvalidCmdType.NotFound",
            "Abs.InvalidInstanceIds.MalFormed",
            "Missing*",
        ],
        Advice::Final,
        FAULT_OF_REQUEST,
    ),
    row(
        &["InvalidProtocol.NeedSsl"],
        Advice::Final,
        "the endpoint wants https: write https:// in provider.endpoint or ALIBABA_CLOUD_ENDPOINT_ECS",
    ),
    row(
        &[
            "InvalidAction",
            "InvalidAction.NotFound",
            "InvalidApi.NotFound",
            "InvalidVersion",
            "InvalidProduct.NotFound",
        ],
        Advice::Final,
        UNKNOWN_OPERATION,
    ),
    row(
        &["DryRunOperation", "DRYRUN.SUCCESS"],
        Advice::Final,
        "nothing to do: this was a rehearsal, and the request would have been accepted",
    ),
    // What it is about.
    row(
        &[
            "InvalidInstanceId.NotFound",
            "InvalidInstanceIds.NotFound",
            "InvalidInstance.NotFound",
            "Forbidden.InstanceNotFound",
        ],
        Advice::Final,
        "no such instance is there for these credentials: it was released, lives in another region or account, or \
         its id is mistyped; correct the configuration or take the entry out",
    ),
    row(
        &["InvalidRegionId.NotFound"],
        Advice::Final,
        "ECS knows no such region: correct provider.region in the configuration",
    ),
    row(
        &[
            "InvalidTag.Mismatch",
            "InvalidTagCount",
            "InvalidHpcClusterId.NotFound",
            "InvalidHpcClusterId.Creating",
            "InvalidInstanceChargeType.NotFound",
            "InvalidInternetChargeType.ValueNotSupported",
            "InvalidLockReason.NotFound",
            "InvalidFilterKey.NotFound",
            "InvalidNetworkType.NotFound",
            "InvalidStatus.NotFound",
            "InvalidZoneId.NotFound",
            "InvalidAcceptLanguage.NotFound",
            "InvalidResourceType.NotFound",
        ],
        Advice::Final,
        WRONG_FILTER,
    ),
    // The state of the instance.
    row(
        &["IncorrectInstanceStatus"],
        Advice::WrongStatus,
        "the instance was not in the status that the request needs: look at it with powerform plan and run again",
    ),
    row(
        &["IncorrectInstanceStatus.Initializing", "InstanceNotReady"],
        BUSY,
        "the instance is still being prepared: run again in a few minutes",
    ),
    row(
        &["InstanceLockedForSecurity"],
        Advice::Final,
        "ECS refuses until the security lock is lifted: console > Security Center",
    ),
    row(&["InstanceExpired", "InstanceExpiredOrInArrears"], Advice::Final, ARREARS),
    row(
        &["DiskInArrears"],
        Advice::Final,
        "a disk of the instance is not paid: console > Expenses, then console > ECS > Disks",
    ),
    row(
        &["DiskError"],
        Advice::Busy { sends: 2 },
        "a disk of the instance is not ready: wait until all its disks are In Use: console > ECS > Instances > the \
         instance > Block Storage",
    ),
    row(
        &["InvalidInstance.NotFoundSystemDisk"],
        Advice::Final,
        "the instance has no system disk: attach one: console > ECS > Instances > the instance > Block Storage",
    ),
    row(
        &[
            "InvalidParameter.KMSKeyId.NotFound",
            "InvalidParameter.KMSKeyId.CMKUnauthorized",
            "InvalidParameter.KMSKeyId.CMKNotEnabled",
            "InvalidParameter.KMSKeyId.KMSUnauthorized",
            "InvalidParameter.Encrypted.KmsNotEnable",
            "InvalidOperation.KMSKeyIdNotFound",
            "InvalidOperation.KMSServiceNotOpen",
            "InvalidParameter.KMSKeyId.*",
        ],
        Advice::Final,
        KMS,
    ),
    row(
        &["InstanceType.ParameterMismatch"],
        Advice::Final,
        "ECS stops this instance type, which has local disks, only after a confirmation: stop it in the console",
    ),
    row(
        &["InvalidInstanceId.NotSupport"],
        Advice::Final,
        "the instance does not support this way of stopping: use stop: { mode: KeepCharging }",
    ),
    row(
        &["OperationDenied.SystemInstanceNotSupport"],
        Advice::Final,
        "another Alibaba Cloud service manages this instance: use that service, and take the entry out",
    ),
    row(
        &[
            "HibernationConfigured.InstanceOperationForbidden",
            "HibernationConfigured.NotEnabled",
            "HibernationConfigured*",
        ],
        Advice::Final,
        "the instance's hibernation setting forbids it: wake it or change the setting in the console",
    ),
    // Cloud Assistant.
    row(
        &["InvalidInstance.NotMatch"],
        Advice::WrongStatus,
        "Cloud Assistant runs shell scripts in Linux instances that are Running: look at it with powerform plan, and \
         ask other systems by another probe",
    ),
    row(
        &["ClientNeedUpgrade"],
        Advice::Final,
        "the Cloud Assistant agent in the instance is too old: upgrade it: console > ECS > Cloud Assistant > ECS \
         Instances",
    ),
    row(
        &["CmdCount.ExceedQuota"],
        Advice::Final,
        "the region's quota of Cloud Assistant commands is used up: remove some: console > ECS > Cloud Assistant",
    ),
    row(
        &["RegionId.ApiNotSupported"],
        Advice::Final,
        "Cloud Assistant is not offered in this region: use another probe than guest",
    ),
    // Stock and quota.
    row(&["OperationDenied.NoStock"], Advice::Capacity, NO_STOCK),
    row(
        &["LackResource", "Invalid.PrivatePoolOptions.NoStock"],
        Advice::Capacity,
        "the capacity reservation or private pool is used up: free or enlarge it: console > ECS > Resource Assurance",
    ),
    row(
        &["InvalidDedicatedHost.NotEnoughResource"],
        Advice::Capacity,
        "the dedicated host is full: free some of it, or move the instance: console > ECS > Dedicated Hosts",
    ),
    row(
        &["OperationDenied.SpotPriceLowerThanPublicPrice"],
        Advice::Capacity,
        "the spot price limit is below the market: try again later, or raise the limit",
    ),
    row(
        &["OperationDenied.HostRepairing"],
        Advice::Capacity,
        "the host is under repair: try again later, or redeploy the instance in the console",
    ),
    row(
        &["QuotaExceed.ElasticQuota", "QuotaExceed*"],
        Advice::Final,
        "the account's quota of vCPUs or instances is used up: stop something or raise it: console > Quota Center",
    ),
    row(
        &["InvalidCapacityReservationId.NotFound"],
        Advice::Final,
        "the capacity reservation that the instance names does not exist: console > ECS > Resource Assurance",
    ),
    // ECS is busy.
    row(&["OperationConflict", "InvalidOperation.Conflict", "LastTokenProcessing"], BUSY, CONFLICT),
    row(
        &[
            "InternalError",
            "InternalError.Dispatch",
            "UnknownError",
            "ServiceUnavailable",
            "LimitedOperation.ServiceUnavailable",
        ],
        BUSY,
        TEMPORARY,
    ),
    row(
        &["ServiceUnavailable.RegionMaintaining"],
        Advice::Final,
        "the region is under maintenance: wait for its end (status page of Alibaba Cloud) and run again",
    ),
    // Whatever its HTTP status: ECS sends 400.
    row(
        &[
            "Throttling",
            "Throttling.User",
            "Throttling.Api",
            "Throttling.ConcurrentLimitExceeded",
            "Rejected.Throttling",
            "*Throttling*",
        ],
        Advice::Throttled { retry_after: None },
        "all users of the account share ECS's limit of calls a minute: run again in a minute, lower --parallelism, or \
         raise the limit: console > Quota Center > ECS > API Rate Quota",
    ),
];

/// The row that a code stands in: its own, or else the first whose pattern it fits. Letter case is ignored.
pub(super) fn find(code: &str) -> Option<&'static Row> {
    let exact = TABLE.iter().find(|row| row.codes.iter().any(|known| known.eq_ignore_ascii_case(code)));
    exact.or_else(|| {
        let code = code.to_ascii_lowercase();
        TABLE.iter().find(|row| row.codes.iter().any(|pattern| fits(pattern, &code)))
    })
}

/// Whether a code in lower case fits a pattern with a `*` at its end, and perhaps at its beginning too.
fn fits(pattern: &str, code: &str) -> bool {
    let Some(pattern) = pattern.strip_suffix('*') else { return false };
    match pattern.strip_prefix('*') {
        Some(middle) => code.contains(&middle.to_ascii_lowercase()),
        None => code.starts_with(&pattern.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_code_stands_in_two_rows_and_every_remedy_is_a_sentence_without_its_stop() {
        let mut seen = HashSet::new();
        for row in TABLE {
            for code in row.codes {
                assert!(seen.insert(code.to_ascii_lowercase()), "{code} stands in two rows");
            }
            assert!(row.remedy.len() > 20 && !row.remedy.ends_with('.'), "{}", row.remedy);
            assert!(!row.remedy.contains("  "), "{}", row.remedy);
        }
    }

    #[test]
    fn a_code_of_its_own_row_is_not_caught_by_a_pattern() {
        assert!(find("Throttling.Someday").is_some_and(|row| matches!(row.advice, Advice::Throttled { .. })));
        assert!(find("Rejected.throttling.gateway").is_some());
        assert!(find("MissingInstanceId").is_some_and(|row| row.advice == Advice::Final));
        assert!(find("InternalErrorX").is_none());
        assert!(find("incorrectinstancestatus").is_some_and(|row| row.advice == Advice::WrongStatus));
        assert!(find("IncorrectInstanceStatus.Initializing").is_some_and(|row| row.advice == BUSY));
        assert!(find("").is_none());
    }
}
