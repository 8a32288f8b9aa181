//! Lists and sets of a key-value store.

use lattice_protocol::contract::keyvalue::{
    Contains, Length, ListPop, ListPush, ListRange, ListRemove, MemberList, Members, SetKeys,
    Values, operation as op,
};
use lattice_protocol::contract::{Existed, Message};

use super::keyvalue::{ListPage, ListSide, Store, of};
use crate::{ByteBuf, Result};

impl Store<'_> {
    /// Adds values at an end of a list, one after the other; returns how many it has then.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host), and
    /// [`Error::BadPayload`](crate::Error::BadPayload) beyond the bounds of the contract, as all of
    /// these; `bad_request` where the key holds anything else.
    pub fn list_push(
        &self,
        key: &str,
        side: ListSide,
        values: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<u64> {
        self.length(op::LIST_PUSH, &ListPush { key: key.to_owned(), values: bufs(values), side })
    }

    /// Takes up to `count` values from an end of a list.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn list_pop(&self, key: &str, side: ListSide, count: u32) -> Result<Vec<Vec<u8>>> {
        let request = ListPop { key: key.to_owned(), side, count };
        let taken: Values = self.ask(op::LIST_POP, &request)?;
        Ok(vecs(taken.values))
    }

    /// Returns up to `limit` values of a list from index `start` on, and its length. A negative
    /// index counts from the back.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn list_range(&self, key: &str, start: i64, limit: u32) -> Result<ListPage> {
        let request = ListRange { key: key.to_owned(), start, limit: Some(limit) };
        self.ask(op::LIST_RANGE, &request)
    }

    /// Removes up to `count` values that are equal to one, all where that is 0; returns how many.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn list_remove(&self, key: &str, value: impl AsRef<[u8]>, count: u32) -> Result<u64> {
        let value = value.as_ref().to_vec();
        self.length(op::LIST_REMOVE, &ListRemove { key: key.to_owned(), value, count })
    }

    /// Returns how many values a list has.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn list_length(&self, key: &str) -> Result<u64> {
        self.length(op::LIST_LENGTH, &of(key))
    }

    /// Takes away a list; returns whether there was one.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn list_clear(&self, key: &str) -> Result<bool> {
        let Existed { existed } = self.ask(op::LIST_CLEAR, &of(key))?;
        Ok(existed)
    }

    /// Adds members to a set; returns how many were new.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push); `limit_exceeded` where the set would have too many.
    pub fn set_add(
        &self,
        key: &str,
        members: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<u64> {
        self.length(op::SET_ADD, &Members { key: key.to_owned(), members: bufs(members) })
    }

    /// Removes members from a set; returns how many were there.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn set_remove(
        &self,
        key: &str,
        members: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<u64> {
        self.length(op::SET_REMOVE, &Members { key: key.to_owned(), members: bufs(members) })
    }

    /// Returns whether a set has a member.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn set_contains(&self, key: &str, member: impl AsRef<[u8]>) -> Result<bool> {
        let request = Contains { key: key.to_owned(), member: member.as_ref().to_vec() };
        let Existed { existed } = self.ask(op::SET_CONTAINS, &request)?;
        Ok(existed)
    }

    /// Returns the members of a set, in any order.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn set_members(&self, key: &str) -> Result<Vec<Vec<u8>>> {
        self.members(op::SET_MEMBERS, &of(key))
    }

    /// Returns what is in any of the sets.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push); `too_large` where that is too much.
    pub fn set_union(&self, keys: &[&str]) -> Result<Vec<Vec<u8>>> {
        self.members(op::SET_UNION, &all(keys))
    }

    /// Returns what is in all of the sets.
    ///
    /// # Errors
    /// As [`list_push`](Self::list_push).
    pub fn set_intersection(&self, keys: &[&str]) -> Result<Vec<Vec<u8>>> {
        self.members(op::SET_INTERSECTION, &all(keys))
    }

    fn length<Req: Message>(&self, operation: &str, request: &Req) -> Result<u64> {
        let Length { length } = self.ask(operation, request)?;
        Ok(length)
    }

    fn members<Req: Message>(&self, operation: &str, request: &Req) -> Result<Vec<Vec<u8>>> {
        let list: MemberList = self.ask(operation, request)?;
        Ok(vecs(list.members))
    }
}

fn all(keys: &[&str]) -> SetKeys {
    SetKeys { keys: keys.iter().map(ToString::to_string).collect() }
}

fn bufs(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<ByteBuf> {
    values.into_iter().map(|value| ByteBuf::from(value.as_ref())).collect()
}

fn vecs(values: Vec<ByteBuf>) -> Vec<Vec<u8>> {
    values.into_iter().map(ByteBuf::into_vec).collect()
}
