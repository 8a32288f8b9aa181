//! How keys, and what they hold, are written.
//!
//! A key is `length of the tenant (u16) | tenant | key`, big-endian: a tenant ends where it ends, and
//! the keys of one are beside each other in their order. What it holds is `1 | end of life (u64) |
//! value`, `2 | identity | first | length` of a list, `3 | identity | count` of a set. The values of
//! a list and the members of a set are in tables of their own, by that identity.

use redb::StorageError;

use crate::stop::Stop;

/// Whose keys they are.
#[derive(Clone, Debug)]
pub struct Tenant(Vec<u8>);

impl Tenant {
    /// Returns the tenant that the shared rules name.
    pub fn new(prefix: &str) -> Self {
        let length = u16::try_from(prefix.len()).unwrap_or(u16::MAX);
        Self([&length.to_be_bytes()[..], prefix.as_bytes()].concat())
    }

    /// Returns a key of it.
    pub fn key(&self, text: String) -> Key {
        Key { bytes: self.prefixed(&text), text }
    }

    /// Returns what the stored keys begin with whose texts begin with `text`.
    pub fn prefixed(&self, text: &str) -> Vec<u8> {
        [&self.0, text.as_bytes()].concat()
    }

    /// Returns the text of a stored key, if it is one of this tenant.
    pub fn text<'a>(&self, stored: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(stored.strip_prefix(self.0.as_slice())?).ok()
    }
}

/// A key, as it is called and as it is stored.
#[derive(Clone, Debug)]
pub struct Key {
    /// As an actor calls it.
    pub text: String,
    /// As it is stored.
    pub bytes: Vec<u8>,
}

/// Where the values of a list are: from `first` on, without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    /// Its identity.
    pub id: u64,
    /// Place of the first value.
    pub first: u64,
    /// How many there are.
    pub length: u64,
}

/// Where the members of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its identity.
    pub id: u64,
    /// How many there are.
    pub count: u64,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held<'a> {
    /// A value.
    Value {
        /// When its life is over, in milliseconds since 1970; 0 means never.
        ends_ms: u64,
        /// The value.
        bytes: &'a [u8],
    },
    /// A list.
    List(List),
    /// A set.
    Set(Set),
}

impl<'a> Held<'a> {
    /// Reads what a key holds.
    ///
    /// # Errors
    /// That the database is damaged.
    pub fn read(record: &'a [u8]) -> Result<Self, Stop> {
        Self::parse(record)
            .ok_or_else(|| StorageError::Corrupted("an entry is unreadable".to_owned()).into())
    }

    fn parse(record: &'a [u8]) -> Option<Self> {
        let (sort, rest) = record.split_first()?;
        let (first, rest) = number(rest)?;
        Some(match sort {
            1 => Self::Value { ends_ms: first, bytes: rest },
            2 => {
                let (place, rest) = number(rest)?;
                let (length, _) = number(rest)?;
                Self::List(List { id: first, first: place, length })
            }
            3 => Self::Set(Set { id: first, count: number(rest)?.0 }),
            _ => return None,
        })
    }

    /// Writes it.
    pub fn record(&self) -> Vec<u8> {
        match *self {
            Self::Value { ends_ms, bytes } => [&[1], &ends_ms.to_be_bytes()[..], bytes].concat(),
            Self::List(List { id, first, length }) => {
                [&[2], &id.to_be_bytes()[..], &first.to_be_bytes(), &length.to_be_bytes()].concat()
            }
            Self::Set(Set { id, count }) => {
                [&[3], &id.to_be_bytes()[..], &count.to_be_bytes()].concat()
            }
        }
    }

    /// Returns it unless its life is over.
    pub fn alive(self, now_ms: u64) -> Option<Self> {
        match self {
            Self::Value { ends_ms, .. } if ends_ms != 0 && ends_ms <= now_ms => None,
            held => Some(held),
        }
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_ends_where_it_ends() {
        let (a, ab) = (Tenant::new("a"), Tenant::new("ab"));
        let key = ab.key("c".into());
        assert_eq!((ab.text(&key.bytes), a.text(&key.bytes)), (Some("c"), None));
        assert_ne!(a.key("bc".into()).bytes, key.bytes);
    }

    #[test]
    fn what_is_written_can_be_read() {
        for held in [
            Held::Value { ends_ms: 0, bytes: b"" },
            Held::Value { ends_ms: u64::MAX, bytes: b"value" },
            Held::List(List { id: 1, first: u64::MAX, length: 3 }),
            Held::Set(Set { id: 7, count: 8 }),
        ] {
            let record = held.record();
            assert_eq!(Held::parse(&record), Some(held));
            assert_eq!(Held::parse(&record[..8]), None);
        }
        assert_eq!(Held::parse(&[9; 40]), None);
        assert!(Held::read(b"").is_err());
    }

    #[test]
    fn a_life_is_over_at_its_end() {
        let held = Held::Value { ends_ms: 10, bytes: b"v" };
        assert_eq!((held.alive(9), held.alive(10)), (Some(held), None));
    }
}
