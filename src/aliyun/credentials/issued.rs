//! Temporary credentials as the services of Alibaba Cloud spell them.

use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Credentials;
use super::provider::{Grant, Lifetime};

/// A JSON object whose values may be secrets.
pub(in crate::aliyun) struct SecretObject(Map<String, Value>);

impl fmt::Debug for SecretObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretObject([REDACTED])")
    }
}

/// A text is not the object that it should be. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::aliyun) enum NotAnObject {
    /// The JSON ends or breaks there.
    #[error("it is not JSON (line {0}, column {1})")]
    NotJson(usize, usize),
    /// Some other JSON.
    #[error("it is not a JSON object")]
    OtherJson,
}

impl SecretObject {
    pub(in crate::aliyun) fn read(bytes: &[u8]) -> Result<Self, NotAnObject> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(NotAnObject::OtherJson),
            // The words of the error itself may quote a secret.
            Err(error) => Err(NotAnObject::NotJson(error.line(), error.column())),
        }
    }

    pub(in crate::aliyun) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// A text that is there and not empty.
    pub(in crate::aliyun) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str().filter(|text| !text.is_empty())
    }

    pub(in crate::aliyun) fn secret(&self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    /// A whole number, also one in quotes.
    pub(in crate::aliyun) fn number(&self, key: &str) -> Option<i64> {
        let value = self.0.get(key)?;
        value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// Whether it says true, also in quotes.
    pub(in crate::aliyun) fn truth(&self, key: &str) -> bool {
        match self.0.get(key) {
            Some(Value::Bool(truth)) => *truth,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// What is below a key.
    pub(in crate::aliyun) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }
}

/// Credentials with an end, as AssumeRole, the instance metadata and a credentials URI give them.
#[derive(Debug)]
pub(in crate::aliyun) struct Issued {
    pub(in crate::aliyun) access_key_id: String,
    pub(in crate::aliyun) access_key_secret: SecretString,
    pub(in crate::aliyun) security_token: SecretString,
    pub(in crate::aliyun) expires: Timestamp,
}

impl Issued {
    /// Reads them. The error names the key that is missing.
    pub(in crate::aliyun) fn read(object: &SecretObject) -> Result<Self, String> {
        let missing = |key: &str| format!("it has no {key}");
        let text = |key: &str| object.text(key).ok_or_else(|| missing(key));
        let expires = text("Expiration")?;
        Ok(Self {
            access_key_id: text("AccessKeyId")?.to_owned(),
            access_key_secret: text("AccessKeySecret")?.into(),
            security_token: text("SecurityToken")?.into(),
            expires: read_time(expires).ok_or("its Expiration is no time")?,
        })
    }

    pub(super) fn grant(self, source: String) -> Grant {
        let credentials = Credentials {
            access_key_id: self.access_key_id,
            access_key_secret: self.access_key_secret,
            security_token: Some(self.security_token),
            source,
        };
        Grant { lifetime: Lifetime::Until(self.expires), ..Grant::lasting(credentials) }
    }
}

/// A time in ISO 8601, with or without seconds; a zone is taken as it is, and none as UTC.
pub(in crate::aliyun) fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn times_are_read_as_services_write_them() {
        let noon: Timestamp = "2026-11-21T12:00:00Z".parse().expect("valid");
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:00Z",
            " 2026-11-21T12:00:00.000Z ",
            "2026-11-21T20:00:00+08:00",
            "2026-11-21 12:00:00",
        ] {
            assert_eq!(read_time(text), Some(noon), "{text}");
        }
        for text in ["", "soon", "1800000000", "2026-13-01T00:00:00Z"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_is_quoted() {
        let whole = r#"{"AccessKeyId":"STS.i","AccessKeySecret":"s3cret","SecurityToken":"t0ken",
            "Expiration":"2026-11-21T12:00:00Z"}"#;
        let issued = Issued::read(&SecretObject::read(whole.as_bytes()).expect("JSON"));
        assert_eq!(issued.expect("whole").security_token.expose_secret(), "t0ken");
        for (from, to, words) in [
            ("AccessKeyId", "Id", "it has no AccessKeyId"),
            ("s3cret", "", "it has no AccessKeySecret"),
            ("\"t0ken\"", "null", "it has no SecurityToken"),
            ("2026", "s3cret", "its Expiration is no time"),
        ] {
            let object = SecretObject::read(whole.replace(from, to).as_bytes()).expect("JSON");
            assert_eq!(Issued::read(&object).expect_err("incomplete"), words);
        }
        let error = SecretObject::read(br#"{"a":"s3cret" "b"}"#).expect_err("no JSON");
        assert_eq!(error.to_string(), "it is not JSON (line 1, column 15)");
        assert_eq!(SecretObject::read(b"\"s3cret\"").err(), Some(NotAnObject::OtherJson));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,a0 ]{0,60}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                if let Ok(object) = SecretObject::read(bytes) {
                    let _ = Issued::read(&object);
                }
            }
        }
    }
}
