//! Values and counters, and the keys that there are.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::limits::keyvalue as limits;
use super::super::{Message, bounded};
use super::{check_key, check_value};
use crate::codec::DecodeError;

/// What a key holds: the response of `get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The value; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ByteBuf>,
}

impl Message for Value {
    fn check(&self) -> Result<(), DecodeError> {
        check_value(bounded::content(&self.value))
    }

    fn bulk_bytes(&self) -> usize {
        bounded::content(&self.value).len()
    }
}

/// When a value may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Only where the key holds nothing.
    Absent,
    /// Only where the key holds something.
    Present,
}

/// Stores a value in the place of whatever the key held, its life included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The key.
    pub key: String,
    /// The value; at most [`limits::VALUE_BYTES_MAX`] bytes.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// Milliseconds after which it is gone, 1 to [`limits::TTL_MAX_MS`]; absent means never. A store
    /// may keep it up to a second longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// When it may be written; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl Message for Set {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        check_value(&self.value)?;
        check_ttl(self.ttl_ms)
    }

    fn bulk_bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// Whether a value was written: false where the condition did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Whether it was.
    pub written: bool,
}

impl Message for Written {}

/// Adds to a counter. It is a value, decimal digits as text, so that `get` and `set` read and write
/// it; a key that holds nothing counts as 0. Another text, `+1` and `007` included, or a sum beyond
/// 64 bits, is `bad_request`. The life of the value stays what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increment {
    /// The key.
    pub key: String,
    /// What to add; may be negative. Default 1.
    #[serde(default = "one")]
    pub delta: i64,
}

fn one() -> i64 {
    1
}

impl Message for Increment {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)
    }
}

/// What a counter is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// The sum.
    pub value: i64,
}

impl Message for Number {}

/// Stores a value if the key holds what the caller thinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareAndSet {
    /// The key.
    pub key: String,
    /// What the key must hold, byte for byte; absent means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ByteBuf>,
    /// The value to store; at most [`limits::VALUE_BYTES_MAX`] bytes.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// As in [`Set::ttl_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

impl Message for CompareAndSet {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        check_value(bounded::content(&self.expected))?;
        check_value(&self.value)?;
        check_ttl(self.ttl_ms)
    }

    fn bulk_bytes(&self) -> usize {
        self.key.len() + self.value.len() + bounded::content(&self.expected).len()
    }
}

/// Deletes a value if the key holds what the caller thinks: so a lock is given back only by who
/// has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareAndDelete {
    /// The key.
    pub key: String,
    /// What the key must hold, byte for byte.
    #[serde(with = "serde_bytes")]
    pub expected: Vec<u8>,
}

impl Message for CompareAndDelete {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        check_value(&self.expected)
    }

    fn bulk_bytes(&self) -> usize {
        self.key.len() + self.expected.len()
    }
}

/// Whether the key held what was expected, and so was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swapped {
    /// Whether it did.
    pub swapped: bool,
    /// What the key holds instead, where it did not; absent where that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<ByteBuf>,
}

impl Message for Swapped {
    fn check(&self) -> Result<(), DecodeError> {
        check_value(bounded::content(&self.current))
    }

    fn bulk_bytes(&self) -> usize {
        bounded::content(&self.current).len()
    }
}

/// Asks for the keys that begin with a prefix, a page at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// What the keys begin with. Default empty: every key.
    #[serde(default)]
    pub prefix: String,
    /// Where the page before ended; absent means the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Keys of the page, roughly; absent or 0 means 100, more than 1,000 is cut to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Keys {
    /// Returns how many keys the page should have: the wish within the limits, or the default.
    pub fn entries(&self) -> u32 {
        bounded::page_entries(self.limit)
    }
}

impl Message for Keys {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::text(limits::KEY_BYTES_MAX, "a prefix", &self.prefix)?;
        bounded::cursor(self.cursor.as_deref())
    }
}

/// Some keys, in any order. A key that is there all the while comes in one of the pages, perhaps in
/// two; a page may be empty though others follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPage {
    /// The keys, at most 1,000.
    #[serde(deserialize_with = "bounded::list::<_, _, { bounded::PAGE }>")]
    pub keys: Vec<String>,
    /// Where the next page begins; absent after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Message for KeyPage {
    fn check(&self) -> Result<(), DecodeError> {
        crate::codec::at_most(bounded::PAGE, "keys", self.keys.len())?;
        self.keys.iter().try_for_each(|key| check_key(key))?;
        bounded::cursor(self.cursor.as_deref())
    }
}

/// Checks a life.
fn check_ttl(ttl_ms: Option<u64>) -> Result<(), DecodeError> {
    ttl_ms.map_or(Ok(()), |ttl_ms| bounded::within(1, limits::TTL_MAX_MS, "a ttl_ms", ttl_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> Set {
        Set { key: "k".into(), value: vec![], ttl_ms: None, condition: None }
    }

    #[test]
    fn values_are_bounded() {
        let value = |size| Set { value: vec![0; size], ..set() }.check();
        assert_eq!(value(limits::VALUE_BYTES_MAX), Ok(()));
        assert!(matches!(value(limits::VALUE_BYTES_MAX + 1), Err(DecodeError::TooLarge { .. })));
        let large = ByteBuf::from(vec![0; limits::VALUE_BYTES_MAX + 1]);
        assert!(Value { value: Some(large.clone()) }.check().is_err());
        assert!(Swapped { swapped: false, current: Some(large.clone()) }.check().is_err());
        let Set { key, value, ttl_ms, .. } = set();
        assert!(CompareAndSet { key, expected: Some(large), value, ttl_ms }.check().is_err());
    }

    #[test]
    fn a_life_is_bounded() {
        let ttl = |ttl_ms| Set { ttl_ms: Some(ttl_ms), ..set() }.check();
        assert!(ttl(1).is_ok() && ttl(limits::TTL_MAX_MS).is_ok());
        assert!(ttl(0).is_err() && ttl(limits::TTL_MAX_MS + 1).is_err());
    }

    #[test]
    fn no_value_and_an_empty_one_are_told_apart() {
        let none = Value { value: None };
        let empty = Value { value: Some(ByteBuf::new()) };
        assert_eq!(none.encode().unwrap(), b"\x80");
        assert_eq!(Value::decode(b"\x81\xa5value\xc0").as_ref(), Ok(&none));
        assert_eq!(Value::decode(&empty.encode().unwrap()).as_ref(), Ok(&empty));
    }

    #[test]
    fn a_counter_counts_by_one_unless_told() {
        assert_eq!(Increment::decode(b"\x81\xa3key\xa1k").unwrap().delta, 1);
    }
}
