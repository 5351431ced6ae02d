//! The door. This file has the account and what the tests of both versions share.

mod version1;
mod version3;

use std::path::Path;

use super::*;
use crate::aliyun::sign;
use crate::simulator::keys::{self, Session, Temporary};

const NOW: &str = "2026-11-22T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn account() -> Account {
    let text = "account: '1'\nregion: cn-hangzhou
keys: [{ id: k, secret: s }, { id: STS.k, secret: t, token: 'to/k+en' }]
roles: [{ arn: 'acs:ram::1:role/ops' }]";
    Account::parse(text.as_bytes(), Path::new("account.yaml")).unwrap()
}

/// A temporary key that ends some seconds from now.
fn temporary(seconds: i64) -> Temporary {
    let until = now().checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let session = Session { role: "acs:ram::1:role/ops".to_owned(), name: "me".to_owned(), until };
    keys::issue(&account(), session, "unique")
}

fn check(incoming: &Incoming) -> Result<Passed, Refusal> {
    Scheme::of(incoming).check(&account(), incoming, false, now())
}

fn code_of(incoming: &Incoming) -> String {
    check(incoming).map_or_else(|refusal| refusal.code, |_| "ok".to_owned())
}

/// Both versions say where the operation is named, also where the official SDKs name it twice.
#[test]
fn a_header_names_the_operation_unless_a_parameter_does() {
    let of = |query: &str, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let incoming = Incoming::read("GET", "/", query, headers.collect(), b"");
        let scheme = Scheme::of(&incoming);
        (scheme, scheme.asked(&incoming).action.map(str::to_owned))
    };
    let (header, b) = (("x-acs-action", "B"), Some("B".to_owned()));
    assert_eq!(of("Action=A", &[]), (Scheme::Version1, Some("A".to_owned())));
    assert_eq!(of("Action=A", &[header]), (Scheme::Version1, Some("A".to_owned())));
    assert_eq!(of("", &[header]), (Scheme::Version3, b.clone()));
    assert_eq!(of("Action=A", &[header, ("authorization", "ACS3-HMAC-SHA256 x")]), (Scheme::Version3, b));
    assert_eq!(of("", &[]), (Scheme::Version1, None));
}

#[test]
fn only_operations_that_say_so_are_open_to_anyone() {
    let anonymous = Incoming::read("GET", "/", "Action=AssumeRoleWithOIDC", Vec::new(), b"");
    let check = |unsigned| Scheme::of(&anonymous).check(&account(), &anonymous, unsigned, now());
    assert_eq!(check(true).unwrap().caller, Caller::Anonymous);
    assert_eq!(check(false).unwrap_err().code, "MissingParameter");
    let wrong = Incoming::read("GET", "/", "Action=AssumeRoleWithOIDC&Signature=x", Vec::new(), b"");
    let refusal = Scheme::of(&wrong).check(&account(), &wrong, true, now()).unwrap_err();
    assert_eq!(refusal.code, "MissingParameter", "a signature that is there is checked");
}
