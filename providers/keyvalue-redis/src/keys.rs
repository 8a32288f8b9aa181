//! Keys of the contract as keys of Redis.
//!
//! `mesh:<prefix>:<key>`, the prefix with its colons and percent signs escaped: so it ends where it
//! ends, and no prefix reaches into another whatever key an actor sends.

/// First part of every key, beside whatever else the database holds.
const ROOT: &str = "mesh:";

/// The keys of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space(String);

impl Space {
    /// Returns the keys under `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self(format!("{ROOT}{}:", prefix.replace('%', "%25").replace(':', "%3A")))
    }

    /// Returns the key of Redis for a key of the contract.
    pub fn key(&self, key: &str) -> String {
        [&self.0, key].concat()
    }

    /// Returns the key of the contract for a key of Redis, if it is one of these and one at all:
    /// others may have written into the database.
    pub fn parse<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        let key = std::str::from_utf8(key).ok()?.strip_prefix(&self.0)?;
        let bound = lattice_protocol::contract::limits::keyvalue::KEY_BYTES_MAX;
        let valid = (1..=bound).contains(&key.len()) && !key.chars().any(char::is_control);
        valid.then_some(key)
    }

    /// Returns the pattern of the keys of Redis whose keys of the contract begin with `prefix`.
    pub fn pattern(&self, prefix: &str) -> String {
        let mut pattern = String::with_capacity(self.0.len() + prefix.len() + 8);
        for part in self.0.chars().chain(prefix.chars()) {
            if matches!(part, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
                pattern.push('\\');
            }
            pattern.push(part);
        }
        pattern.push('*');
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_prefix_reaches_into_another() {
        let prefixes = ["a", "a:", "a:b", "ab", "a%", "a%3A", "%", ":", "", "a*", "mesh:a"];
        let spaces = prefixes.map(Space::new);
        for (at, one) in spaces.iter().enumerate() {
            for (other_at, other) in spaces.iter().enumerate() {
                for key in ["k", ":k", "b:k", "%3Ak", "*"] {
                    let owned = other.parse(one.key(key).as_bytes()).is_some();
                    assert_eq!(owned, at == other_at, "{one:?} {other:?} {key}");
                }
            }
        }
        assert_eq!(Space::new("a:").key("cart:7"), "mesh:a%3A:cart:7");
    }

    #[test]
    fn what_is_no_key_of_the_contract_is_none() {
        let space = Space::new("a");
        assert_eq!(space.parse(b"mesh:a:ok"), Some("ok"));
        for key in [&b"mesh:a:"[..], b"mesh:a:\n", b"mesh:a:\xff", b"mesh:b:x", b"x"] {
            assert_eq!(space.parse(key), None);
        }
        assert_eq!(space.parse(space.key(&"k".repeat(513)).as_bytes()), None);
    }

    #[test]
    fn a_pattern_means_its_letters() {
        assert_eq!(Space::new("a*").pattern("x?[1-2]\\"), r"mesh:a\*:x\?\[1\-2\]\\*");
    }
}
