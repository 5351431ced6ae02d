//! What an error of ECS means: advice for loops, a remedy for people.
//!
//! Pure. The table decides; messages are never parsed for logic, but for the two errors whose cause can be told from
//! what the answer quotes: a wrong signature and a wrong clock.

mod diagnosis;
mod table;

use std::time::Duration;

use super::request::Effect;
use crate::cloud::Advice;

pub use diagnosis::{Diagnosis, clock_skew, signature_mismatch};

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What may be done next.
    pub advice: Advice,
    /// What a person can do about it: a sentence without its full stop.
    pub remedy: &'static str,
}

const LOOK_IT_UP: &str = "look the code up in the error center of ECS's documentation, or quote the request id to \
     Alibaba Cloud's support";

const TOO_MANY: &str = "ECS takes no more calls for now: run again in a minute";

/// The meaning of a refusal with a readable code.
///
/// A code that names throttling is [`Advice::Throttled`] whatever its HTTP status (ECS sends 400), and so are a code
/// that is not known with status 429, or with a 4xx status and a pause that the server asks for. A code that is not
/// known is final below status 500; from there on the request may have taken effect, so a write's outcome is unknown.
#[must_use]
pub fn meaning_of(code: &str, http_status: u16, effect: Effect, retry_after: Option<Duration>) -> Meaning {
    if let Some(row) = table::find(code) {
        let advice = match row.advice {
            Advice::Throttled { .. } => Advice::Throttled { retry_after },
            other => other,
        };
        return Meaning { advice, remedy: row.remedy };
    }
    match (http_status, effect) {
        (429, _) => Meaning { advice: Advice::Throttled { retry_after }, remedy: TOO_MANY },
        (400..=499, _) if retry_after.is_some() => {
            Meaning { advice: Advice::Throttled { retry_after }, remedy: TOO_MANY }
        }
        (500.., Effect::Write) => Meaning { advice: Advice::OutcomeUnknown, remedy: LOOK_IT_UP },
        _ => Meaning { advice: Advice::Final, remedy: LOOK_IT_UP },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL: Advice = Advice::Final;
    const BUSY: Advice = Advice::Busy { sends: 5 };
    const THROTTLED: Advice = Advice::Throttled { retry_after: None };

    /// Every code of the StartInstance page, and every advice that the contract names.
    #[test]
    fn every_code_of_the_start_page_has_its_advice_and_a_remedy() {
        for (status, code, advice) in [
            (400, "MissingParameter", FINAL),
            (400, "DryRunOperation", FINAL),
            (400, "LackResource", Advice::Capacity),
            (400, "InvalidDedicatedHost.NotEnoughResource", Advice::Capacity),
            (400, "InvalidInstance.NotFoundSystemDisk", FINAL),
            (400, "Invalid.PrivatePoolOptions.NoStock", Advice::Capacity),
            (403, "IncorrectInstanceStatus", Advice::WrongStatus),
            (403, "IncorrectInstanceStatus.Initializing", BUSY),
            (403, "InstanceNotReady", BUSY),
            (500, "InstanceNotReady", BUSY),
            (403, "InstanceLockedForSecurity", FINAL),
            (403, "InstanceExpired", FINAL),
            (403, "InsufficientBalance", FINAL),
            (403, "DiskInArrears", FINAL),
            (403, "DiskError", Advice::Busy { sends: 2 }),
            (403, "OperationDenied.NoStock", Advice::Capacity),
            (403, "OperationDenied.SpotPriceLowerThanPublicPrice", Advice::Capacity),
            (403, "OperationDenied.HostRepairing", Advice::Capacity),
            (403, "QuotaExceed.ElasticQuota", FINAL),
            (403, "InvalidParameter.KMSKeyId.NotFound", FINAL),
            (403, "InvalidParameter.KMSKeyId.CMKUnauthorized", FINAL),
            (403, "InvalidParameter.KMSKeyId.CMKNotEnabled", FINAL),
            (403, "InvalidParameter.KMSKeyId.KMSUnauthorized", FINAL),
            (404, "InvalidInstanceId.NotFound", FINAL),
            (404, "InvalidCapacityReservationId.NotFound", FINAL),
            (409, "OperationConflict", BUSY),
            (409, "InvalidOperation.Conflict", BUSY),
            (403, "LastTokenProcessing", BUSY),
            (500, "InternalError", BUSY),
            (400, "UnknownError", BUSY),
            (503, "ServiceUnavailable", BUSY),
            (503, "LimitedOperation.ServiceUnavailable", BUSY),
            (503, "ServiceUnavailable.RegionMaintaining", FINAL),
            (400, "Throttling", THROTTLED),
            (400, "Throttling.User", THROTTLED),
            (400, "Throttling.Api", THROTTLED),
            (403, "Rejected.Throttling", THROTTLED),
        ] {
            let meaning = meaning_of(code, status, Effect::Write, None);
            assert_eq!(meaning.advice, advice, "{code}");
            assert!(meaning.remedy != LOOK_IT_UP, "{code} has no remedy of its own");
        }
    }

    /// The codes that the official pages list for each operation used here, besides those of StartInstance above.
    const LISTED: &[(&str, &str)] = &[
        (
            "any operation",
            "MissingParameter MissingInstanceId InvalidParameter.IsNull MissingParameter.RegionId InvalidParameter \
             InvalidParamater UnsupportedParameter IncompleteSignature SignatureDoesNotMatch SignatureNonceUsed \
             IllegalTimestamp InvalidTimeStamp.Format InvalidTimeStamp.Expired InvalidAccessKeyId.NotFound \
             InvalidAccessKeyId.Inactive InvalidSecurityToken.Expired InvalidSecurityToken.Malformed \
             InvalidSecurityToken.MismatchWithAccessKey InsufficientBalance IdempotentParameterMismatch InvalidOwner \
             InvalidOwnerId InvalidOwnerAccount Throttling Throttling.User Throttling.Api \
             Throttling.ConcurrentLimitExceeded Rejected.Throttling InvalidAction InvalidAction.NotFound \
             InvalidApi.NotFound InvalidVersion InvalidProduct.NotFound UnsupportedHTTPMethod Forbidden.RAM \
             Forbidden.Unauthorized Forbidden.SubUser Forbidden.NotSupportRAM NoPermission \
             Forbidden.AccessKeyDisabled Forbidden.RiskControl RealNameAuthenticationError InvalidAccount.NotFound \
             LastTokenProcessing InvalidInstanceId.NotFound InvalidRegionId.NotFound OperationConflict \
             InvalidOperation.Conflict InternalError UnknownError ServiceUnavailable \
             LimitedOperation.ServiceUnavailable ServiceUnavailable.RegionMaintaining InvalidProtocol.NeedSsl \
             Forbidden.InstanceNotFound",
        ),
        (
            "StopInstance",
            "DryRunOperation InvalidParameter.Encrypted.KmsNotEnable DiskError IncorrectInstanceStatus \
             InstanceLockedForSecurity InstanceExpiredOrInArrears InstanceType.ParameterMismatch \
             InvalidInstanceId.NotSupport OperationDenied.SystemInstanceNotSupport \
             HibernationConfigured.InstanceOperationForbidden HibernationConfigured.NotEnabled \
             InvalidParameter.KMSKeyId.NotFound InvalidParameter.KMSKeyId.CMKUnauthorized \
             InvalidParameter.KMSKeyId.CMKNotEnabled InvalidParameter.KMSKeyId.KMSUnauthorized \
             InvalidOperation.KMSKeyIdNotFound InvalidOperation.KMSServiceNotOpen",
        ),
        (
            "StartInstances and StopInstances",
            "DRYRUN.SUCCESS Invalid.PrivatePoolOptions.NoStock InvalidParameter.TooManyInstanceIds \
             Abs.InvalidInstanceIds.MalFormed IncorrectInstanceStatus InstanceExpired InstanceExpiredOrInArrears \
             InstanceLockedForSecurity InvalidInstance.NotFoundSystemDisk InstanceNotReady InsufficientBalance \
             OperationDenied.NoStock OperationDenied.SpotPriceLowerThanPublicPrice OperationDenied.HostRepairing \
             InvalidInstanceId.NotSupport OperationDenied.SystemInstanceNotSupport InvalidInstanceIds.NotFound \
             InvalidOperation.Conflict InternalError LimitedOperation.ServiceUnavailable",
        ),
        (
            "DescribeInstances",
            "DryRunOperation InvalidTag.Mismatch InvalidTagCount InvalidHpcClusterId.NotFound \
             InvalidHpcClusterId.Creating InvalidInstanceChargeType.NotFound \
             InvalidInternetChargeType.ValueNotSupported InvalidLockReason.NotFound InvalidFilterKey.NotFound \
             InvalidNetworkType.NotFound InvalidStatus.NotFound InvalidRegionId.NotFound InvalidInstanceIds.NotFound",
        ),
        (
            "DescribeInstanceStatus",
            "InvalidParameter.TooManyInstanceIds Abs.InvalidInstanceIds.MalFormed InvalidZoneId.NotFound \
             InvalidRegionId.NotFound",
        ),
        (
            "DescribeRegions",
            "Unauthorized.EmptyRegion InvalidAcceptLanguage.NotFound InvalidResourceType.NotFound",
        ),
        (
            "RunCommand and DescribeInvocationResults",
            "RegionId.ApiNotSupported InvalidInstance.NotMatch InstanceIds.ExceedLimit InvalidCmdType.NotFound \
             CmdCount.ExceedQuota InvalidInstance.NotFound InternalError.Dispatch ClientNeedUpgrade",
        ),
    ];

    #[test]
    fn every_code_that_is_listed_for_an_operation_has_a_remedy_of_its_own() {
        for (operation, codes) in LISTED {
            for code in codes.split_whitespace() {
                for effect in [Effect::Read, Effect::Write] {
                    assert!(
                        meaning_of(code, 400, effect, None).remedy != LOOK_IT_UP,
                        "{code} of {operation}"
                    );
                }
            }
        }
    }

    #[test]
    fn codes_that_are_not_known_are_final_unless_the_server_failed_or_asks_for_a_pause() {
        let pause = Some(Duration::from_millis(1500));
        for (status, effect, retry_after, advice) in [
            (400, Effect::Write, None, FINAL),
            (404, Effect::Read, None, FINAL),
            (500, Effect::Write, None, Advice::OutcomeUnknown),
            (503, Effect::Write, pause, Advice::OutcomeUnknown),
            (500, Effect::Read, None, FINAL),
            (429, Effect::Write, None, THROTTLED),
            (400, Effect::Write, pause, Advice::Throttled { retry_after: pause }),
        ] {
            assert_eq!(
                meaning_of("Someday.New", status, effect, retry_after).advice,
                advice,
                "{status} {effect:?} {retry_after:?}"
            );
        }
        let throttled = meaning_of("Throttling.User", 400, Effect::Write, pause);
        assert_eq!(throttled.advice, Advice::Throttled { retry_after: pause });
    }
}
