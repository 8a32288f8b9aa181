//! Names that exist only if they are well formed: lattices, actors, contracts, links, labels,
//! operations, digests.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// Why a text is not a name of the wanted sort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not {wanted}: it must be {rule}")]
pub struct NameError {
    shown: String,
    wanted: &'static str,
    rule: &'static str,
}

impl NameError {
    fn new(text: &str, wanted: &'static str, rule: &'static str) -> Self {
        // Shown to people: enough of the text to find it again, whatever its length.
        Self { shown: text.chars().take(80).collect(), wanted, rule }
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $wanted:literal, $rule:literal, $valid:expr;)*) => {$(
        $(#[$doc])*
        #[doc = concat!("\n\nIt is ", $rule, ".")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(NameError::new(text, $wanted, $rule))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::codec::parse_text(deserializer)
            }
        }
    )*};
}

fn made_of(text: &str, longest: usize, allowed: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.len() <= longest && text.bytes().all(allowed)
}

fn printable(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

names! {
    /// The name of a lattice: one token of every subject.
    LatticeName, "a lattice name", "1 to 63 characters of a-z, 0-9 and -",
    |text| made_of(text, limits::LATTICE_NAME_BYTES_MAX, |b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
    });

    /// The name that people call an actor by.
    ActorName, "an actor name", "1 to 128 characters of A-Z, a-z, 0-9, -, _ and ., and no public key",
    |text| made_of(text, limits::ACTOR_NAME_BYTES_MAX, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
    }) && text.parse::<crate::keys::TargetKey>().is_err();

    /// The name of a contract, such as `mesh:keyvalue`.
    ContractName, "a contract", "words of a-z, 0-9, - and _ joined by colons, such as mesh:keyvalue",
    |text| made_of(text, limits::CONTRACT_BYTES_MAX, |b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b':')
    }) && text.split(':').count() > 1 && text.split(':').all(|word| !word.is_empty());

    /// The name of one of several links for the same contract.
    LinkName, "a link name", "1 to 64 characters of A-Z, a-z, 0-9, - and _",
    |text| made_of(text, limits::LINK_NAME_BYTES_MAX, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')
    });

    /// A key or a value of a label.
    LabelText, "a label", "1 to 128 printable characters",
    |text| printable(text, limits::LABEL_BYTES_MAX);

    /// The SHA-256 of a module's bytes: its name in the object store.
    Digest, "a digest", "64 characters of 0-9 and a-f",
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
}

impl LatticeName {
    /// Returns the name of the lattice that is meant where nobody names one: `default`.
    pub fn default_lattice() -> Self {
        Self(Arc::from("default"))
    }
}

impl LinkName {
    /// Returns the name of the link that is meant where nobody names one: `default`.
    pub fn default_link() -> Self {
        Self(Arc::from("default"))
    }
}

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        let sum = sha2::Sha256::digest(bytes);
        Self(Arc::from(data_encoding::HEXLOWER.encode(&sum)))
    }
}

/// Returns whether `text` can be an operation: 1 to 256 bytes without control characters.
pub fn is_operation(text: &str) -> bool {
    printable(text, limits::OPERATION_BYTES_MAX)
}
