//! Whose credentials they are, as far as that can be told without asking anybody.

use sha2::{Digest as _, Sha256};

/// What stays the same about the credentials of one place, however often their keys are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// An access key that lasts. It belongs to one user of one account, and does not say which.
    Key(String),
    /// A role that is taken on. Its ARN names its account.
    Role(String),
    /// The RAM role of the instance that this runs on, by its name. Another account may have a role of that name.
    InstanceRole(String),
    /// Keys that rotate, from somewhere that does not say whose they are.
    Unknown,
}

impl Account {
    /// A text that is the same as long as the account is, and holds no secret: SHA-256 in lower-case hexadecimal. Nothing
    /// where nothing stays the same.
    ///
    /// Two roles of one account have one fingerprint, so that one of them may plan and the other one apply. Two keys of
    /// one account have two, and so have a key and a role, because nobody can tell that they belong together. Two
    /// instance roles with one name have one, whatever their accounts.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let (kind, what) = match self {
            Self::Key(id) => ("key", id.as_str()),
            Self::Role(arn) => match account_of(arn) {
                Some(account) => ("account", account),
                None => ("role", arn.as_str()),
            },
            Self::InstanceRole(name) => ("instance role", name.as_str()),
            Self::Unknown => return None,
        };
        let digest = Sha256::digest(format!("powerform account 1\n{kind}\n{what}"));
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The account in `acs:ram::1234567890123456:role/ops`.
fn account_of(arn: &str) -> Option<&str> {
    let (account, _) = arn.strip_prefix("acs:ram::")?.split_once(":role/")?;
    (!account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_accounts_apart_as_far_as_the_credentials_do() {
        let key = |id: &str| Account::Key(id.to_owned()).fingerprint();
        let role = |arn: &str| Account::Role(arn.to_owned()).fingerprint();
        let instance = |name: &str| Account::InstanceRole(name.to_owned()).fingerprint();
        assert_eq!(role("acs:ram::123:role/plan"), role("acs:ram::123:role/apply"));
        assert_eq!(key("LTAI1"), key("LTAI1"));
        let different = [
            key("LTAI1"),
            key("LTAI2"),
            key("123"),
            role("acs:ram::123:role/plan"),
            role("acs:ram::124:role/plan"),
            role("acs:ram::x:role/plan"),
            role("plan"),
            instance("plan"),
            instance("123"),
        ];
        for (position, one) in different.iter().enumerate() {
            assert!(one.is_some() && !different[..position].contains(one), "{position}");
        }
        assert_eq!(Account::Unknown.fingerprint(), None);
        let text = key("LTAI1").expect("is there");
        assert!(text.len() == 64 && !text.contains("LTAI"), "{text}");
    }
}
