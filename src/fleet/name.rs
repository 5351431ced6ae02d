//! Identifiers that validate themselves: a value of one of these types is always well formed.
//!
//! All are cheap to clone (one shared string), because a fleet of a hundred thousand names the same few many times.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name that does not have the form its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {kind}: {rule}")]
pub struct InvalidName {
    /// The text as it was given.
    pub text: String,
    /// What it should have been, with an article: "an instance id".
    pub kind: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the form and wraps the text.
            ///
            /// # Errors
            /// [`InvalidName`] with the rule in words.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(InvalidName { text: text.to_owned(), kind: $kind, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a stack: it names the state, and stands in file names.
    StackName,
    "a stack name",
    "it begins with a lower-case letter and has at most 63 lower-case letters, digits and hyphens",
    |text| shaped(text, 63, |c| c.is_ascii_lowercase(), |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
    })
);

name!(
    /// The name of an entry of the configuration.
    EntryName,
    "an entry name",
    "it begins with a letter and has at most 63 letters, digits, dots, hyphens and underscores",
    |text| shaped(text, 63, |c| c.is_ascii_alphabetic(), |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
    })
);

name!(
    /// The alias of a provider: one region of one account. The one that a file's `provider` block describes is
    /// [`ProviderAlias::main`].
    ProviderAlias,
    "a provider alias",
    "it begins with a letter and has at most 63 letters, digits, dots, hyphens and underscores",
    |text| shaped(text, 63, |c| c.is_ascii_alphabetic(), |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
    })
);

name!(
    /// The id of an ECS instance, for example `i-bp67acfmxazb4p****`. ECS promises no length, so none is checked.
    InstanceId,
    "an instance id",
    "it is \"i-\" followed by lower-case letters and digits",
    |text| text.strip_prefix("i-").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
);

name!(
    /// The id of an Alibaba Cloud region, for example `cn-hangzhou`. It becomes part of a host name, hence the rule.
    Region,
    "a region id",
    "it consists of letters, digits, hyphens and underscores",
    |text| !text.is_empty()
        && text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
);

fn shaped(text: &str, longest: usize, first: fn(char) -> bool, rest: fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(first) && chars.all(rest) && text.len() <= longest
}

impl ProviderAlias {
    /// The alias of the provider that the file's `provider` block describes.
    #[must_use]
    pub fn main() -> Self {
        Self(Arc::from("default"))
    }
}

/// Where an instance is known: the record and every request are keyed by this pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The provider that can see it.
    pub provider: ProviderAlias,
    /// Its id there.
    pub id: InstanceId,
}

/// Few instances are known to two providers: the id tells nearly all apart.
impl Hash for InstanceKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// How people name one instance of the configuration: `db` for an entry with `id`, `app[i-bp1...]` for one instance
/// of an entry with several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// The entry.
    pub entry: EntryName,
    /// The instance, where the entry lists or selects its instances.
    pub instance: Option<InstanceId>,
}

impl Address {
    /// Whether this is the other address, or names the entry that the other belongs to.
    #[must_use]
    pub fn takes_in(&self, other: &Self) -> bool {
        self == other || (self.instance.is_none() && self.entry == other.entry)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instance {
            None => write!(f, "{}", self.entry),
            Some(id) => write!(f, "{}[{id}]", self.entry),
        }
    }
}

impl FromStr for Address {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_suffix(']').and_then(|head| head.split_once('[')) {
            Some((entry, id)) => {
                Ok(Self { entry: EntryName::new(entry)?, instance: Some(InstanceId::new(id)?) })
            }
            None => Ok(Self { entry: EntryName::new(text)?, instance: None }),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_language() {
        for (text, valid) in [
            ("web-shop", true),
            ("w", true),
            ("", false),
            ("Web", false),
            ("1web", false),
            ("-web", false),
            ("web_shop", false),
            ("wéb", false),
        ] {
            assert_eq!(StackName::new(text).is_ok(), valid, "stack {text:?}");
        }
        assert!(StackName::new(&"a".repeat(63)).is_ok());
        assert!(StackName::new(&"a".repeat(64)).is_err());
        for (text, valid) in [
            ("db", true),
            ("App_1.x-y", true),
            ("", false),
            ("1db", false),
            ("a b", false),
            ("app[1]", false),
        ] {
            assert_eq!(EntryName::new(text).is_ok(), valid, "entry {text:?}");
        }
        for (text, valid) in [
            ("i-bp1db0000000000001", true),
            ("i-a", true),
            ("i-", false),
            ("I-bp1", false),
            ("i-BP1", false),
            ("bp1", false),
            ("i-bp1 ", false),
            ("i-bp1/../x", false),
        ] {
            assert_eq!(InstanceId::new(text).is_ok(), valid, "id {text:?}");
        }
    }

    #[test]
    fn addresses_read_back_as_they_are_written() {
        for text in ["db", "app[i-bp1app000000000003]", "a.b-c_d[i-1]"] {
            assert_eq!(text.parse::<Address>().expect("valid").to_string(), text);
        }
        for text in ["", "app[", "app[]", "app[x]", "[i-1]", "app[i-1]x"] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
