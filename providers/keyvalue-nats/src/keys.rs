//! Keys of the contract as keys of a bucket.
//!
//! `<prefix>.<key>`, each in base32 without padding: a bucket takes few characters, and none of
//! those of base32 is a dot. So a prefix ends where it ends, whatever key an actor sends.

use data_encoding::BASE32_NOPAD;
use lattice_protocol::contract::limits::keyvalue::KEY_BYTES_MAX;

/// The keys of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space(String);

impl Space {
    /// Returns the keys under `prefix`.
    pub fn new(prefix: &str) -> Self {
        // An empty token is none to NATS: a letter that base32 does not have stands before.
        Self(format!("0{}.", BASE32_NOPAD.encode(prefix.as_bytes())))
    }

    /// Returns the key of the bucket for a key of the contract.
    pub fn key(&self, key: &str) -> String {
        format!("{}{}", self.0, BASE32_NOPAD.encode(key.as_bytes()))
    }

    /// Returns the pattern of all of them.
    pub fn pattern(&self) -> String {
        format!("{}>", self.0)
    }

    /// Returns the key of the contract for a key of the bucket, if it is one of these.
    pub fn parse(&self, key: &str) -> Option<String> {
        let bytes = BASE32_NOPAD.decode(key.strip_prefix(&self.0)?.as_bytes()).ok()?;
        let key = String::from_utf8(bytes).ok()?;
        let valid = (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.chars().any(char::is_control);
        valid.then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_reaches_into_another() {
        let prefixes = ["", "a", "ab", "a.", "a.b", "*", ">", "0", "ü"];
        let spaces = prefixes.map(Space::new);
        for (at, one) in spaces.iter().enumerate() {
            for key in ["k", ".k", "b.k", "*", ">", "ü \\"] {
                let stored = one.key(key);
                assert!(stored.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{stored}");
                for (other_at, other) in spaces.iter().enumerate() {
                    let parsed = other.parse(&stored);
                    assert_eq!(parsed.as_deref(), (at == other_at).then_some(key), "{stored}");
                }
            }
        }
        assert_eq!(Space::new("a").parse("0ME.a"), None);
    }
}
