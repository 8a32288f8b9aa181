//! `mesh:keyvalue`: values, counters, lists and sets by key.
//!
//! A key holds a value, a list or a set. To use it as another sort is `bad_request`; `delete`,
//! `exists` and `keys` take any. A list or set without content does not exist. Each operation is
//! atomic; two of them are not, and `compare_and_set` is for what must be.
//!
//! What is absent is an answer, not an error. A provider that is full answers `limit_exceeded`,
//! one whose store does not answer `provider_unavailable`.

mod lists;
mod sets;
mod values;

pub use lists::{Length, ListPage, ListPop, ListPush, ListRange, ListRemove, ListSide, Values};
pub use sets::{Contains, MemberList, Members, SetKeys};
pub use values::{
    CompareAndDelete, CompareAndSet, Condition, Increment, KeyPage, Keys, Number, Set, Swapped,
    Value, Written,
};

use serde::{Deserialize, Serialize};

pub use super::Existed;
use super::limits::keyvalue as limits;
use super::{Message, bounded};
use crate::codec::DecodeError;

// Whether a condition held, or something was there before, is another answer the second time:
// operations that tell it are not idempotent.
super::contract! { "mesh:keyvalue";
    /// [`Key`](super::Key) to [`Value`](super::Value).
    GET = "get", Provider, true;
    /// [`Set`](super::Set) to [`Written`](super::Written).
    SET = "set", Provider, false;
    /// [`Key`](super::Key) to [`Existed`](super::Existed): takes away whatever the key holds.
    DELETE = "delete", Provider, false;
    /// [`Key`](super::Key) to [`Existed`](super::Existed).
    EXISTS = "exists", Provider, true;
    /// [`Increment`](super::Increment) to [`Number`](super::Number).
    INCREMENT = "increment", Provider, false;
    /// [`CompareAndSet`](super::CompareAndSet) to [`Swapped`](super::Swapped).
    COMPARE_AND_SET = "compare_and_set", Provider, false;
    /// [`CompareAndDelete`](super::CompareAndDelete) to [`Swapped`](super::Swapped).
    COMPARE_AND_DELETE = "compare_and_delete", Provider, false;
    /// [`Keys`](super::Keys) to [`KeyPage`](super::KeyPage).
    KEYS = "keys", Provider, true;
    /// [`ListPush`](super::ListPush) to [`Length`](super::Length).
    LIST_PUSH = "list_push", Provider, false;
    /// [`ListPop`](super::ListPop) to [`Values`](super::Values).
    LIST_POP = "list_pop", Provider, false;
    /// [`ListRange`](super::ListRange) to [`ListPage`](super::ListPage).
    LIST_RANGE = "list_range", Provider, true;
    /// [`ListRemove`](super::ListRemove) to [`Length`](super::Length): how many were removed.
    LIST_REMOVE = "list_remove", Provider, false;
    /// [`Key`](super::Key) to [`Length`](super::Length).
    LIST_LENGTH = "list_length", Provider, true;
    /// [`Key`](super::Key) to [`Existed`](super::Existed): like `delete`, of a list alone.
    LIST_CLEAR = "list_clear", Provider, false;
    /// [`Members`](super::Members) to [`Length`](super::Length): how many were new.
    SET_ADD = "set_add", Provider, false;
    /// [`Members`](super::Members) to [`Length`](super::Length): how many were there.
    SET_REMOVE = "set_remove", Provider, false;
    /// [`Contains`](super::Contains) to [`Existed`](super::Existed).
    SET_CONTAINS = "set_contains", Provider, true;
    /// [`Key`](super::Key) to [`MemberList`](super::MemberList).
    SET_MEMBERS = "set_members", Provider, true;
    /// [`SetKeys`](super::SetKeys) to [`MemberList`](super::MemberList).
    SET_UNION = "set_union", Provider, true;
    /// [`SetKeys`](super::SetKeys) to [`MemberList`](super::MemberList).
    SET_INTERSECTION = "set_intersection", Provider, true;
}

/// Names one key: the request of `get`, `delete`, `exists`, `list_length`, `list_clear` and
/// `set_members`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    pub key: String,
}

impl Message for Key {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)
    }
}

/// Checks a key: 1 to [`limits::KEY_BYTES_MAX`] bytes without control characters.
fn check_key(key: &str) -> Result<(), DecodeError> {
    bounded::name(limits::KEY_BYTES_MAX, "a key", key)
}

/// Checks a value: at most [`limits::VALUE_BYTES_MAX`] bytes.
fn check_value(value: &[u8]) -> Result<(), DecodeError> {
    bounded::size(limits::VALUE_BYTES_MAX, "a value", value.len())
}

/// Checks values of a list or members of a set, each and all.
fn check_items(items: &[super::ByteBuf]) -> Result<(), DecodeError> {
    bounded::items(limits::ITEM_BYTES_MAX, limits::ITEMS_BYTES_MAX, "an item", items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded() {
        let key = |key: String| Key { key }.check();
        assert_eq!(key("a".repeat(limits::KEY_BYTES_MAX)), Ok(()));
        assert_eq!(key("cart:1/ü x".into()), Ok(()));
        let long = key("a".repeat(limits::KEY_BYTES_MAX + 1));
        assert!(matches!(long, Err(DecodeError::TooLarge { .. })));
        assert!(key(String::new()).is_err() && key("a\n".into()).is_err());
        assert!(Key::decode(b"\x81\xa3key\xa0").is_err());
    }
}
