//! Error codes: the HTTP status and the message that ECS documents for each.
//!
//! Facts: the error tables of StartInstance, StopInstance, StartInstances, StopInstances, the reads, Cloud Assistant, AssumeRole and
//! AssumeRoleWithOIDC, and the table of common errors. A code that is not here can still be given by a fault; it is answered with status 400.

use std::time::Duration;

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The code that clients decide by.
    pub(super) code: String,
    /// The words for people.
    pub(super) message: String,
    /// When to come again, where a header says so.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    /// The refusal with a code's documented status and message.
    pub(super) fn of(code: &str) -> Self {
        let known = TABLE.iter().find(|(known, _, _)| *known == code);
        let (status, message) = known
            .map_or((400, "The request was refused for a reason that the account file made up."), |known| {
                (known.1, known.2)
            });
        Self { status, code: code.to_owned(), message: message.to_owned(), retry_after: None }
    }

    /// The same code in other words.
    pub(super) fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// The same, and a header that says when to come again.
    pub(super) fn again_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// A mandatory parameter is absent.
    pub(super) fn missing(name: &str) -> Self {
        Self::of("MissingParameter").saying(format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        ))
    }

    /// A parameter has a value that it cannot have.
    pub(super) fn invalid(name: &str, why: &str) -> Self {
        Self::of("InvalidParameter")
            .saying(format!("The specified parameter \"{name}\" is not valid: {why}."))
    }
}

const THE_STATUS: &str = "The current status of the resource does not support this operation.";
const UNKNOWN_ERROR: &str = "The request processing has failed due to some unknown error.";
const UNAVAILABLE: &str = "The request has failed due to a temporary failure of the server.";
const CONFLICT: &str = "The operation conflicts with another one on the resource that is still in progress.";
const NOT_AUTHORIZED: &str = "User not authorized to operate on the specified resource.";
const THROTTLED: &str = "Request was denied due to request throttling.";
const BAD_TOKEN: &str = "The specified parameter \"SecurityToken\" is not valid.";
const NO_KMS: &str = "ECS service have no right to access your KMS.";

/// Code, HTTP status, message. Sorted by subject, then as in the documentation.
const TABLE: &[(&str, u16, &str)] = &[
    // The request as such.
    (
        "MissingParameter",
        400,
        "An input parameter that is mandatory for processing this request is not supplied.",
    ),
    (
        "MissingParameter.RegionId",
        400,
        "The input parameter \"RegionId\" that is mandatory for processing this request is not supplied.",
    ),
    (
        "MissingSecurityToken",
        400,
        "SecurityToken is mandatory for this action: the access key is a temporary one.",
    ),
    ("InvalidParameter", 400, "A specified parameter is not valid."),
    ("UnsupportedParameter", 400, "A specified parameter is not supported here."),
    ("IncompleteSignature", 400, "The request signature does not conform to Aliyun standards."),
    ("SignatureDoesNotMatch", 400, "Specified signature is not matched with our calculation."),
    ("SignatureNonceUsed", 400, "Specified signature nonce was used already."),
    ("IllegalTimestamp", 400, "The input parameter \"Timestamp\" that is mandatory is not a time."),
    ("InvalidTimeStamp.Format", 400, "Specified time stamp or date value is not well formatted."),
    ("InvalidTimeStamp.Expired", 400, "Specified time stamp or date value is expired."),
    ("InvalidAccessKeyId.NotFound", 404, "Specified access key is not found."),
    ("InvalidAccessKeyId.Inactive", 400, "Specified access key is disabled."),
    ("InvalidSecurityToken.Expired", 400, "Specified SecurityToken is expired."),
    ("InvalidSecurityToken.Malformed", 400, BAD_TOKEN),
    ("InvalidSecurityToken.MismatchWithAccessKey", 400, BAD_TOKEN),
    (
        "IdempotentParameterMismatch",
        400,
        "The request uses the same client token as an earlier, different one.",
    ),
    ("InvalidOwner", 400, "The specified owner is not valid."),
    ("InvalidOwnerId", 400, "The specified OwnerId is not valid."),
    ("InvalidOwnerAccount", 400, "The specified OwnerAccount is not valid."),
    ("InvalidAction", 403, "The specified action is not valid."),
    ("InvalidAction.NotFound", 404, "Specified api is not found, please check your url and method."),
    ("InvalidApi.NotFound", 404, "Specified api is not found, please check your url and method."),
    ("InvalidVersion", 404, "Specified parameter Version is not valid."),
    ("InvalidProduct.NotFound", 404, "Specified product is not found at this endpoint."),
    ("UnsupportedHTTPMethod", 403, "This http method is not supported."),
    // The account.
    ("Throttling", 400, THROTTLED),
    ("Throttling.User", 400, "Request was denied due to user flow control."),
    ("Throttling.Api", 400, "Request was denied due to api flow control."),
    ("Throttling.ConcurrentLimitExceeded", 400, THROTTLED),
    ("Rejected.Throttling", 400, THROTTLED),
    ("Forbidden.RAM", 403, NOT_AUTHORIZED),
    ("Forbidden.Unauthorized", 403, NOT_AUTHORIZED),
    ("Forbidden.SubUser", 403, NOT_AUTHORIZED),
    ("Forbidden.NotSupportRAM", 403, NOT_AUTHORIZED),
    ("NoPermission", 403, NOT_AUTHORIZED),
    ("Forbidden.AccessKeyDisabled", 403, "The access key is disabled."),
    ("Forbidden.RiskControl", 403, "This operation is forbidden by the risk control system."),
    ("RealNameAuthenticationError", 403, "Your account has not passed the real-name authentication yet."),
    ("InvalidAccount.NotFound", 403, "The specified account does not exist."),
    ("LastTokenProcessing", 403, "The last request with this token is still being processed."),
    // The instance: StartInstance.
    ("DryRunOperation", 400, "Request validation has been passed with DryRun flag set."),
    ("DRYRUN.SUCCESS", 400, "The request passed validation with the DryRun flag set."),
    ("LackResource", 400, "There is not enough resource in the capacity reservation."),
    (
        "InvalidDedicatedHost.NotEnoughResource",
        400,
        "There is no available dedicated host to perform the operation.",
    ),
    ("InvalidInstance.NotFoundSystemDisk", 400, "The specified instance does not have system disk."),
    ("Invalid.PrivatePoolOptions.NoStock", 400, "The PrivatePool has been used up."),
    ("IncorrectInstanceStatus", 403, THE_STATUS),
    (
        "IncorrectInstanceStatus.Initializing",
        403,
        "The specified instance status does not support this operation.",
    ),
    ("InstanceNotReady", 403, "The specified instance is not ready for use."),
    (
        "InstanceLockedForSecurity",
        403,
        "The specified operation is denied as your instance is locked for security reasons.",
    ),
    ("InstanceExpired", 403, "The prePaid instance has been expired."),
    ("InsufficientBalance", 403, "Your account does not have enough balance."),
    ("DiskInArrears", 403, "The specified operation is denied as your disk has expired."),
    ("DiskError", 403, "IncorrectDiskStatus."),
    (
        "OperationDenied.NoStock",
        403,
        "The requested resource is sold out in the specified zone; try other types of resources or other regions \
         and zones.",
    ),
    (
        "OperationDenied.SpotPriceLowerThanPublicPrice",
        403,
        "The spot instance price is lower than public price.",
    ),
    (
        "OperationDenied.HostRepairing",
        403,
        "The specified operation is denied as the host of ECS instance is being repaired.",
    ),
    (
        "QuotaExceed.ElasticQuota",
        403,
        "No additional quota is available for the specified ECS instance type.",
    ),
    ("InvalidParameter.KMSKeyId.NotFound", 403, "The specified KMSKeyId does not exist."),
    ("InvalidParameter.KMSKeyId.CMKUnauthorized", 403, "The CMK needs to be added ECS tag."),
    ("InvalidParameter.KMSKeyId.CMKNotEnabled", 403, "The CMK needs to be enabled."),
    ("InvalidParameter.KMSKeyId.KMSUnauthorized", 403, NO_KMS),
    ("InvalidInstanceId.NotFound", 404, "The specified InstanceId does not exist."),
    ("InvalidCapacityReservationId.NotFound", 404, "The specified capacity reservation does not exist."),
    ("OperationConflict", 409, CONFLICT),
    ("InvalidOperation.Conflict", 409, CONFLICT),
    ("InternalError", 500, UNKNOWN_ERROR),
    ("UnknownError", 500, UNKNOWN_ERROR),
    ("ServiceUnavailable", 503, UNAVAILABLE),
    ("ServiceUnavailable.RegionMaintaining", 503, "The region is under maintenance."),
    // StopInstance.
    ("InvalidParameter.Encrypted.KmsNotEnable", 400, "The KMS service is not enabled."),
    (
        "InstanceExpiredOrInArrears",
        403,
        "The specified operation is denied as your instance has expired or is in arrears.",
    ),
    ("InstanceType.ParameterMismatch", 403, "The instance type and the specified parameters do not match."),
    ("InvalidInstanceId.NotSupport", 403, "The specified instance does not support this operation."),
    ("OperationDenied.SystemInstanceNotSupport", 403, "The instance is managed by another service."),
    (
        "HibernationConfigured.InstanceOperationForbidden",
        403,
        "The operation is not allowed for hibernation.",
    ),
    ("HibernationConfigured.NotEnabled", 403, "The instance is not configured for hibernation."),
    ("InvalidOperation.KMSKeyIdNotFound", 403, "The KMS key of a disk does not exist."),
    ("InvalidOperation.KMSServiceNotOpen", 403, "The KMS service is not open."),
    ("LimitedOperation.ServiceUnavailable", 503, UNAVAILABLE),
    // Reads.
    ("InvalidRegionId.NotFound", 404, "The specified RegionId does not exist."),
    ("InvalidZoneId.NotFound", 404, "The specified ZoneId does not exist."),
    ("InvalidStatus.NotFound", 404, "The specified Status does not exist."),
    ("InvalidInstanceChargeType.NotFound", 404, "The specified InstanceChargeType does not exist."),
    ("InvalidLockReason.NotFound", 404, "The specified LockReason does not exist."),
    ("InvalidInstanceIds.NotFound", 404, "The specified InstanceIds do not exist."),
    ("InvalidTag.Mismatch", 400, "A specified tag has a value and no key."),
    ("InvalidTagCount", 400, "The specified tags are beyond the permitted range."),
    ("InvalidParameter.TooManyInstanceIds", 403, "No more than 100 InstanceIds can be specified."),
    ("Abs.InvalidInstanceIds.MalFormed", 403, "The specified InstanceIds are not well formed."),
    ("InvalidAcceptLanguage.NotFound", 404, "The specified AcceptLanguage does not exist."),
    ("InvalidResourceType.NotFound", 404, "The specified ResourceType does not exist."),
    // Cloud Assistant.
    ("RegionId.ApiNotSupported", 400, "The api is not supported in this region."),
    ("ClientNeedUpgrade", 400, "The Cloud Assistant client of the instance has to be upgraded."),
    (
        "InvalidInstance.NotMatch",
        403,
        "The specified instance is not running, or does not match the command.",
    ),
    ("InstanceIds.ExceedLimit", 403, "The number of instances exceeds the limit of 100."),
    ("InvalidCmdType.NotFound", 403, "The specified type of the command does not exist."),
    ("CmdCount.ExceedQuota", 403, "The total number of commands in the current region exceeds the quota."),
    ("InvalidInstance.NotFound", 404, "The specified instance does not exist."),
    ("InternalError.Dispatch", 500, "The command could not be dispatched."),
    // STS.
    ("InvalidParameter.RoleArn", 400, "The parameter RoleArn is wrongly formed."),
    ("InvalidParameter.RoleSessionName", 400, "The parameter RoleSessionName is wrongly formed."),
    ("InvalidParameter.DurationSeconds", 400, "The Min/Max value of DurationSeconds is 15min/1hr."),
    ("InvalidParameter.PolicyGrammar", 400, "The parameter Policy has not passed grammar check."),
    ("InvalidParameter.PolicySize", 400, "The size of Policy must be smaller than 1024 bytes."),
    ("InvalidParameter.OIDCProviderArn", 400, "The parameter OIDCProviderArn is wrongly formed."),
    ("EntityNotExist.Role", 404, "The specified Role not exists."),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The error table of the StartInstance page, word for word.
    #[test]
    fn the_refusals_of_start_instance_have_their_documented_status_and_words() {
        for (code, status, message) in [
            (
                "IncorrectInstanceStatus",
                403,
                "The current status of the resource does not support this operation.",
            ),
            ("DiskError", 403, "IncorrectDiskStatus."),
            ("InstanceNotReady", 403, "The specified instance is not ready for use."),
            (
                "InvalidParameter.KMSKeyId.KMSUnauthorized",
                403,
                "ECS service have no right to access your KMS.",
            ),
            (
                "InstanceLockedForSecurity",
                403,
                "The specified operation is denied as your instance is locked for security reasons.",
            ),
            ("InvalidInstanceId.NotFound", 404, "The specified InstanceId does not exist."),
            ("InternalError", 500, "The request processing has failed due to some unknown error."),
        ] {
            let refusal = Refusal::of(code);
            assert_eq!((refusal.status, refusal.message.as_str()), (status, message), "{code}");
        }
    }

    #[test]
    fn a_code_that_nobody_documented_is_answered_with_400() {
        assert_eq!(Refusal::of("OutOfTea").status, 400);
        assert_eq!(Refusal::of("OutOfTea").code, "OutOfTea");
    }

    #[test]
    fn no_code_stands_twice_in_the_table() {
        let mut seen = HashSet::new();
        for (code, _, _) in TABLE {
            assert!(seen.insert(code), "{code}");
        }
    }
}
