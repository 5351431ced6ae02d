//! Access keys: those of the account file, and temporary ones as STS gives them out.
//!
//! Nothing about a temporary key is stored. Its security token says what it is for and until when, sealed under a
//! secret of the account, and its own secret is derived from its id: so every process that serves the account accepts
//! it, whichever gave it out, and no file ever holds it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::account::{Account, Role};
use super::refusal::Refusal;

/// What the id of every temporary key begins with.
const TEMPORARY: &str = "STS.";

/// The length of a seal, in bytes.
const SEAL: usize = 32;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// The account itself, with a key of its file.
    Account,
    /// Someone who assumed a role.
    Role(Session),
    /// Nobody knows: the request was not signed, and did not have to be.
    Anonymous,
}

/// A role that someone assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The role.
    pub(super) role: String,
    /// The name that who assumed it gave the session.
    pub(super) name: String,
    /// When its keys end.
    pub(super) until: Timestamp,
}

/// A key that a request was signed with.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: SecretString,
    /// The security token that has to come along, if any.
    token: Option<SecretString>,
    pub(super) caller: Caller,
}

/// A temporary key, to be given to who assumed a role.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
}

/// What a security token says.
#[derive(Serialize, Deserialize)]
struct Sealed {
    id: String,
    session: Session,
}

/// The key of that id, with what its token says about it. Nothing is proven yet: that is the signature's.
///
/// # Errors
/// `InvalidAccessKeyId.NotFound`, also for a temporary key without its token, as ECS answers; and
/// `InvalidSecurityToken` in the kinds that a token can be wrong in.
pub(super) fn find(account: &Account, id: &str, token: Option<&str>) -> Result<Key, Refusal> {
    if let Some(known) = account.key(id) {
        let (id, secret, token) = (known.id.clone(), known.secret.clone(), known.token.clone());
        return Ok(Key { id, secret, token, caller: Caller::Account });
    }
    let token = token
        .filter(|_| id.starts_with(TEMPORARY))
        .ok_or_else(|| Refusal::of("InvalidAccessKeyId.NotFound"))?;
    let sealed = open(account, token).ok_or_else(|| Refusal::of("InvalidSecurityToken.Malformed"))?;
    if sealed.id != id || account.role(&sealed.session.role).is_none() {
        return Err(Refusal::of("InvalidSecurityToken.MismatchWithAccessKey"));
    }
    Ok(Key {
        id: id.to_owned(),
        secret: secret_of(account, id).into(),
        token: Some(token.to_owned().into()),
        caller: Caller::Role(sealed.session),
    })
}

/// Whether a key with its token is one of the account's, as far as it says of itself.
pub(super) fn is_of(account: &Account, id: &str, token: Option<&str>) -> bool {
    let sealed_for = |token| open(account, token).is_some_and(|sealed| sealed.id == id);
    account.key(id).is_some() || token.is_some_and(sealed_for)
}

impl Key {
    /// Whether the right token came along, and whether the key is still good.
    ///
    /// # Errors
    /// `MissingSecurityToken`, `InvalidSecurityToken.MismatchWithAccessKey` or `InvalidSecurityToken.Expired`.
    pub(super) fn check(&self, token: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        match (&self.token, token) {
            (None, None) => {}
            (Some(token), Some(given)) if token.expose_secret() == given => {}
            (Some(_), None) => return Err(Refusal::of("MissingSecurityToken")),
            (_, Some(_)) => return Err(Refusal::of("InvalidSecurityToken.MismatchWithAccessKey")),
        }
        match &self.caller {
            Caller::Role(session) if session.until <= now => Err(Refusal::of("InvalidSecurityToken.Expired")),
            Caller::Role(_) | Caller::Account | Caller::Anonymous => Ok(()),
        }
    }
}

/// A temporary key for a session. `unique` is what no other key was made from.
pub(super) fn issue(account: &Account, session: Session, unique: &str) -> Temporary {
    let id = format!("{TEMPORARY}{}", word(&seal(account, "id", unique.as_bytes())));
    let secret = secret_of(account, &id);
    let sealed = Sealed { id: id.clone(), session };
    // Texts and a time always have a JSON form.
    let said = serde_json::to_vec(&sealed).unwrap_or_default();
    let mut token = seal(account, "token", &said).to_vec();
    token.extend(said);
    Temporary { id, secret, token: STANDARD.encode(token) }
}

/// The number that stands for a role in ids: its name's digest.
pub(super) fn role_id(role: &Role) -> String {
    let digest = Sha256::digest(&role.arn);
    let number = digest.iter().take(7).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("3{:017}", number % 100_000_000_000_000_000)
}

fn open(account: &Account, token: &str) -> Option<Sealed> {
    let token = STANDARD.decode(token).ok()?;
    let (sealed, said) = token.split_at_checked(SEAL)?;
    (seal(account, "token", said) == sealed).then_some(())?;
    serde_json::from_slice(said).ok()
}

fn secret_of(account: &Account, id: &str) -> String {
    word(&seal(account, "secret", id.as_bytes()))
}

/// What only this account can say about some bytes.
fn seal(account: &Account, purpose: &str, said: &[u8]) -> [u8; SEAL] {
    // An account file without a key is refused, so there is one.
    let key = account.keys.first();
    let secret = key.map_or("", |key| key.secret.expose_secret());
    // Accounts of one number and one secret, served together, still have keys of their own.
    let key_id = key.map_or("", |key| key.id.as_str());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC accepts keys of any length");
    for part in [account.id.as_bytes(), key_id.as_bytes(), purpose.as_bytes()] {
        mac.update(part);
        mac.update(&[0]);
    }
    mac.update(said);
    mac.finalize().into_bytes().into()
}

/// Letters and digits that stand for the bytes.
fn word(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letter = |byte: &u8| ALPHABET.get(usize::from(*byte) % ALPHABET.len()).copied().map(char::from);
    bytes.iter().filter_map(letter).take(30).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn account(secret: &str) -> Account {
        let text = format!(
            "account: '1'\nregion: cn-hangzhou\nkeys: [{{ id: k, secret: {secret} }}, {{ id: STS.k, secret: t, token: x }}]
roles: [{{ arn: 'acs:ram::1:role/ops' }}]"
        );
        Account::parse(text.as_bytes(), Path::new("account.yaml")).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn session() -> Session {
        Session { role: "acs:ram::1:role/ops".to_owned(), name: "me".to_owned(), until: at(1000) }
    }

    #[test]
    fn a_temporary_key_is_known_to_every_process_until_it_ends() {
        let issued = issue(&account("s"), session(), "request-1");
        assert!(issued.id.starts_with("STS.") && issued.id.len() == 34, "{}", issued.id);
        let key = find(&account("s"), &issued.id, Some(&issued.token)).unwrap();
        assert_eq!(key.secret.expose_secret(), issued.secret);
        assert_eq!(key.caller, Caller::Role(session()));
        let code = |second| key.check(Some(&issued.token), at(second)).map_err(|refusal| refusal.code);
        assert_eq!(code(999), Ok(()));
        assert_eq!(code(1000), Err("InvalidSecurityToken.Expired".to_owned()));
        assert_ne!(issue(&account("s"), session(), "request-2").id, issued.id);
    }

    #[test]
    fn a_token_that_is_not_the_keys_is_told_apart() {
        let account = account("s");
        let issued = issue(&account, session(), "1");
        let other = issue(&account, session(), "2");
        let foreign = issue(&self::account("other"), session(), "1");
        let mut forged = STANDARD.decode(&issued.token).unwrap();
        forged[SEAL + 10] ^= 1;
        let unknown_role = issue(&account, Session { role: "acs:ram::1:role/gone".into(), ..session() }, "3");
        let code = |id: &str, token: Option<&str>| {
            find(&account, id, token).map_or_else(|refusal| refusal.code, |_| "ok".to_owned())
        };
        let not_found = "InvalidAccessKeyId.NotFound";
        let malformed = "InvalidSecurityToken.Malformed";
        let mismatch = "InvalidSecurityToken.MismatchWithAccessKey";
        for (id, token, expected) in [
            (issued.id.as_str(), Some(issued.token.as_str()), "ok"),
            (&issued.id, None, not_found),
            (&issued.id, Some(&other.token), mismatch),
            (&issued.id, Some(&foreign.token), malformed),
            (&issued.id, Some(&STANDARD.encode(forged)), malformed),
            (&issued.id, Some("nonsense"), malformed),
            (&issued.id, Some(""), malformed),
            (&unknown_role.id, Some(&unknown_role.token), mismatch),
            ("unknown", Some(&issued.token), not_found),
            ("k", None, "ok"),
            ("STS.k", Some("x"), "ok"),
        ] {
            assert_eq!(code(id, token), expected, "{id} {token:?}");
        }
    }

    #[test]
    fn secrets_of_temporary_keys_are_never_printed() {
        let issued = issue(&account("s"), session(), "1");
        let key = find(&account("s"), &issued.id, Some(&issued.token)).unwrap();
        let printed = format!("{key:?}");
        assert!(!printed.contains(&issued.secret) && !printed.contains(&issued.token), "{printed}");
    }
}
