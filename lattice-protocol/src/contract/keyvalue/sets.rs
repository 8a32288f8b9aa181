//! Sets: members without order, each once.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::limits::keyvalue as limits;
use super::super::{Message, bounded};
use super::{check_items, check_key};
use crate::codec::{DecodeError, at_most};

/// Adds members to a set or removes them. A key that holds nothing becomes a set; one that would get
/// more than [`limits::SET_MEMBERS_MAX`] members is left as it was, with `limit_exceeded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The key.
    pub key: String,
    /// The members: 1 to [`limits::ITEMS_MAX`], each of at most [`limits::ITEM_BYTES_MAX`] bytes, at most
    /// [`limits::ITEMS_BYTES_MAX`] in all.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::ITEMS_MAX }>")]
    pub members: Vec<ByteBuf>,
}

impl Message for Members {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        bounded::some(limits::ITEMS_MAX, "members", self.members.len())?;
        check_items(&self.members)
    }

    fn bulk_bytes(&self) -> usize {
        bounded::bulk_bytes(&self.members)
    }
}

/// Asks whether a set has a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contains {
    /// The key.
    pub key: String,
    /// The member; at most [`limits::ITEM_BYTES_MAX`] bytes.
    #[serde(with = "serde_bytes")]
    pub member: Vec<u8>,
}

impl Message for Contains {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        bounded::size(limits::ITEM_BYTES_MAX, "an item", self.member.len())
    }

    fn bulk_bytes(&self) -> usize {
        self.key.len() + self.member.len()
    }
}

/// Names the sets of a union or an intersection; a key that holds nothing is an empty set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetKeys {
    /// The keys: 1 to [`limits::SETS_MAX`].
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::SETS_MAX }>")]
    pub keys: Vec<String>,
}

impl Message for SetKeys {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::some(limits::SETS_MAX, "keys", self.keys.len())?;
        self.keys.iter().try_for_each(|key| check_key(key))
    }
}

/// Members in any order, each once. More than [`limits::SET_MEMBERS_MAX`] of them, or more than
/// [`limits::ITEMS_BYTES_MAX`] bytes, are `too_large` instead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberList {
    /// The members; none where there is no such set.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::SET_MEMBERS_MAX }>")]
    pub members: Vec<ByteBuf>,
}

impl Message for MemberList {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(limits::SET_MEMBERS_MAX, "members", self.members.len())?;
        check_items(&self.members)
    }

    fn bulk_bytes(&self) -> usize {
        bounded::bulk_bytes(&self.members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_their_members_are_bounded() {
        let members = |count| vec![ByteBuf::from(vec![0]); count];
        let add = |count| Members { key: "k".into(), members: members(count) }.check();
        assert!(add(1).is_ok() && add(limits::ITEMS_MAX).is_ok());
        assert!(add(0).is_err() && add(limits::ITEMS_MAX + 1).is_err());
        let list = |count| MemberList { members: members(count) }.check();
        assert!(list(0).is_ok() && list(limits::SET_MEMBERS_MAX).is_ok());
        assert!(list(limits::SET_MEMBERS_MAX + 1).is_err());
        let keys = |count| SetKeys { keys: vec!["k".into(); count] }.check();
        assert!(keys(1).is_ok() && keys(limits::SETS_MAX).is_ok());
        assert!(keys(0).is_err() && keys(limits::SETS_MAX + 1).is_err());
        assert!(SetKeys { keys: vec![String::new()] }.check().is_err());
    }
}
