//! Why there are no credentials.

use std::fmt::Write as _;

/// Why there are no credentials to sign with. Holds names, paths and reasons, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There are none anywhere.
    #[error("{}", not_found(.0))]
    NotFound(
        /// Every place that was looked at, in order.
        Vec<PassedOver>,
    ),
    /// The place that was to give them doesn't.
    #[error("{place} gives no credentials: {why}")]
    Unusable {
        /// The place.
        place: String,
        /// Why, and what to do.
        why: String,
    },
}

/// A place without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The place.
    pub place: String,
    /// Why it was passed over.
    pub why: String,
}

fn not_found(places: &[PassedOver]) -> String {
    let mut text = String::from("no credentials were found. Looked at, in this order:");
    for (number, PassedOver { place, why }) in (1..).zip(places) {
        // Writing to a string cannot fail.
        let _ = write!(text, " ({number}) {place}: {why};");
    }
    text.pop();
    text.push_str(
        ". Set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET (and ALIBABA_CLOUD_SECURITY_TOKEN for \
         temporary credentials), or run `aliyun configure`; keys are made in the console > RAM > Users > the user > \
         AccessKey",
    );
    text
}
