//! Asks the store in the words of the contract, with keys that nobody else uses.

use std::fmt::Debug;

use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Contains, Increment, Key, KeyPage, Keys, Length,
    ListPage, ListPop, ListPush, ListRange, ListRemove, ListSide, MemberList, Members, Number, Set,
    SetKeys, Swapped, Value, Values, Written, operation,
};
use lattice_protocol::contract::{ByteBuf, Existed, Message};
use lattice_protocol::{Error, ErrorCode};

use super::Outcome;
use crate::Link;
pub use crate::checks::same;
use crate::checks::unique;

/// Asks a store over one link.
#[derive(Clone)]
pub struct Desk {
    pub link: Link,
    run: String,
}

/// Bytes as the contract has them in lists.
pub fn items<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Vec<ByteBuf> {
    items.into_iter().map(|item| ByteBuf::from(item.as_ref())).collect()
}

/// Fails unless the store answered with an error of `code`, one that says that nothing was done.
pub fn refused<T: Debug>(what: &str, answer: Asked<T>, code: ErrorCode) -> Outcome {
    match answer {
        Ok(answer) => Err(format!("{what}: answered {}, wanted {code}", short(&answer))),
        Err(error) if error.code != code => Err(format!("{what}: {error}, wanted {code}")),
        Err(error) if error.started => Err(format!("{what}: {error} says that work had begun")),
        Err(_) => Ok(()),
    }
}

/// Shows what may be long.
fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(300) {
        None => text,
        Some((end, _)) => format!("{}… ({} characters)", text.get(..end).unwrap_or(""), text.len()),
    }
}

/// What the store answered.
pub type Asked<T> = Result<T, Error>;

/// Takes an answer out of a result whose error is a failure of the check.
pub trait Told<T> {
    /// Says what was asked where it failed.
    fn told(self, what: &str) -> Result<T, String>;
}

impl<T> Told<T> for Asked<T> {
    fn told(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

impl Desk {
    /// Begins a run.
    pub fn new(link: &Link) -> Self {
        Self { link: link.clone(), run: unique("run") }
    }

    /// Asks over another link, in the same run.
    pub fn beside(&self, link: &Link) -> Self {
        Self { link: link.clone(), run: self.run.clone() }
    }

    /// Returns the run, which is part of each of its keys.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns what the keys of this run begin with, but those that need another beginning.
    pub fn prefix(&self) -> String {
        format!("{}/", self.run)
    }

    /// Returns a key of this run.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.run)
    }

    /// Removes every key of the run.
    pub async fn tidy(&self) -> Outcome {
        for key in self.all_keys(&self.prefix(), None).await? {
            self.delete(&key).await.told("delete")?;
        }
        let left = self.all_keys(&self.prefix(), None).await?;
        same("keys that are left", left.len(), 0)
    }

    /// Reads every page of keys.
    pub async fn all_keys(&self, prefix: &str, limit: Option<u32>) -> Result<Vec<String>, String> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        // More than any page of a listing that ends.
        for _ in 0..100_000 {
            let page = self.keys(prefix, cursor, limit).await.told("keys")?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
        Err(format!("the keys under {prefix:?} have no last page"))
    }

    async fn of_key<R: Message>(&self, operation: &str, key: &str) -> Asked<R> {
        self.link.ask(operation, &Key { key: key.into() }).await
    }

    pub async fn get(&self, key: &str) -> Asked<Option<Vec<u8>>> {
        let answer: Value = self.of_key(operation::GET, key).await?;
        Ok(answer.value.map(ByteBuf::into_vec))
    }

    pub async fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Asked<bool> {
        self.set_for(key, value, None, None).await
    }

    pub async fn set_for(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        ttl_ms: Option<u64>,
        condition: Option<Condition>,
    ) -> Asked<bool> {
        let value = value.as_ref().to_vec();
        let request = Set { key: key.into(), value, ttl_ms, condition };
        let answer: Written = self.link.ask(operation::SET, &request).await?;
        Ok(answer.written)
    }

    pub async fn delete(&self, key: &str) -> Asked<bool> {
        Ok(self.of_key::<Existed>(operation::DELETE, key).await?.existed)
    }

    pub async fn exists(&self, key: &str) -> Asked<bool> {
        Ok(self.of_key::<Existed>(operation::EXISTS, key).await?.existed)
    }

    pub async fn increment(&self, key: &str, delta: i64) -> Asked<i64> {
        let request = Increment { key: key.into(), delta };
        Ok(self.link.ask::<Number>(operation::INCREMENT, &request).await?.value)
    }

    pub async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: impl AsRef<[u8]>,
        ttl_ms: Option<u64>,
    ) -> Asked<(bool, Option<Vec<u8>>)> {
        let (expected, value) = (expected.map(ByteBuf::from), value.as_ref().to_vec());
        let request = CompareAndSet { key: key.into(), expected, value, ttl_ms };
        let answer: Swapped = self.link.ask(operation::COMPARE_AND_SET, &request).await?;
        Ok((answer.swapped, answer.current.map(ByteBuf::into_vec)))
    }

    pub async fn compare_and_delete(
        &self,
        key: &str,
        expected: impl AsRef<[u8]>,
    ) -> Asked<(bool, Option<Vec<u8>>)> {
        let request = CompareAndDelete { key: key.into(), expected: expected.as_ref().to_vec() };
        let answer: Swapped = self.link.ask(operation::COMPARE_AND_DELETE, &request).await?;
        Ok((answer.swapped, answer.current.map(ByteBuf::into_vec)))
    }

    pub async fn keys(
        &self,
        prefix: &str,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Asked<KeyPage> {
        self.link.ask(operation::KEYS, &Keys { prefix: prefix.into(), cursor, limit }).await
    }

    pub async fn push<T: AsRef<[u8]>>(
        &self,
        key: &str,
        side: ListSide,
        values: impl IntoIterator<Item = T>,
    ) -> Asked<u64> {
        let request = ListPush { key: key.into(), values: items(values), side };
        Ok(self.link.ask::<Length>(operation::LIST_PUSH, &request).await?.length)
    }

    pub async fn pop(&self, key: &str, side: ListSide, count: u32) -> Asked<Vec<ByteBuf>> {
        let request = ListPop { key: key.into(), side, count };
        Ok(self.link.ask::<Values>(operation::LIST_POP, &request).await?.values)
    }

    pub async fn range(&self, key: &str, start: i64, limit: Option<u32>) -> Asked<ListPage> {
        let request = ListRange { key: key.into(), start, limit };
        self.link.ask(operation::LIST_RANGE, &request).await
    }

    pub async fn list_remove(&self, key: &str, value: impl AsRef<[u8]>, count: u32) -> Asked<u64> {
        let request = ListRemove { key: key.into(), value: value.as_ref().to_vec(), count };
        Ok(self.link.ask::<Length>(operation::LIST_REMOVE, &request).await?.length)
    }

    pub async fn list_length(&self, key: &str) -> Asked<u64> {
        Ok(self.of_key::<Length>(operation::LIST_LENGTH, key).await?.length)
    }

    pub async fn list_clear(&self, key: &str) -> Asked<bool> {
        Ok(self.of_key::<Existed>(operation::LIST_CLEAR, key).await?.existed)
    }

    pub async fn set_add<T: AsRef<[u8]>>(
        &self,
        key: &str,
        members: impl IntoIterator<Item = T>,
    ) -> Asked<u64> {
        let request = Members { key: key.into(), members: items(members) };
        Ok(self.link.ask::<Length>(operation::SET_ADD, &request).await?.length)
    }

    pub async fn set_remove<T: AsRef<[u8]>>(
        &self,
        key: &str,
        members: impl IntoIterator<Item = T>,
    ) -> Asked<u64> {
        let request = Members { key: key.into(), members: items(members) };
        Ok(self.link.ask::<Length>(operation::SET_REMOVE, &request).await?.length)
    }

    pub async fn set_contains(&self, key: &str, member: impl AsRef<[u8]>) -> Asked<bool> {
        let request = Contains { key: key.into(), member: member.as_ref().to_vec() };
        Ok(self.link.ask::<Existed>(operation::SET_CONTAINS, &request).await?.existed)
    }

    /// Reads the members of a set, sorted.
    pub async fn set_members(&self, key: &str) -> Asked<Vec<ByteBuf>> {
        Ok(sorted(self.of_key(operation::SET_MEMBERS, key).await?))
    }

    /// Reads a union or an intersection, sorted.
    pub async fn of_sets<K: AsRef<str>>(&self, operation: &str, keys: &[K]) -> Asked<Vec<ByteBuf>> {
        let keys = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        Ok(sorted(self.link.ask(operation, &SetKeys { keys }).await?))
    }
}

fn sorted(MemberList { mut members }: MemberList) -> Vec<ByteBuf> {
    members.sort();
    members
}
