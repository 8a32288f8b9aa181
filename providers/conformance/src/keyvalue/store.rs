//! The store that is examined, by its operations.

use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Increment, Key, KeyPage, Keys, Length, ListPage,
    ListPop, ListPush, ListRange, ListSide, MemberList, Members, Number, Set, SetKeys, Swapped,
    Value, Values, Written, operation,
};
use lattice_protocol::contract::{ByteBuf, Existed};

use crate::Link;
use crate::checks::{ask, same};

/// A store, with keys that no other run uses.
#[derive(Clone)]
pub struct Store {
    /// The way to it.
    pub link: Link,
    /// What the keys of this run begin with.
    pub run: String,
}

/// Makes items of texts.
pub fn items(texts: &[&str]) -> Vec<ByteBuf> {
    texts.iter().map(|text| ByteBuf::from(text.as_bytes())).collect()
}

impl Store {
    /// Returns a key of this run.
    pub fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.run)
    }

    /// Names a key.
    pub fn of(&self, name: &str) -> Key {
        Key { key: self.key(name) }
    }

    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let value: Value = ask(&self.link, operation::GET, &self.of(name)).await?;
        Ok(value.value.map(ByteBuf::into_vec))
    }

    /// Says that a key must hold this.
    pub async fn holds(&self, name: &str, wanted: Option<&[u8]>) -> Result<(), String> {
        same(&format!("the value of {name}"), self.get(name).await?.as_deref(), wanted)
    }

    pub async fn set(&self, name: &str, value: &[u8]) -> Result<(), String> {
        let written = self.set_if(name, value, None, None).await?;
        same("written without a condition", written, true)
    }

    pub async fn set_if(
        &self,
        name: &str,
        value: &[u8],
        ttl_ms: Option<u64>,
        condition: Option<Condition>,
    ) -> Result<bool, String> {
        let set = Set { key: self.key(name), value: value.to_vec(), ttl_ms, condition };
        let written: Written = ask(&self.link, operation::SET, &set).await?;
        Ok(written.written)
    }

    pub async fn exists(&self, name: &str) -> Result<bool, String> {
        let existed: Existed = ask(&self.link, operation::EXISTS, &self.of(name)).await?;
        Ok(existed.existed)
    }

    pub async fn delete(&self, name: &str) -> Result<bool, String> {
        let existed: Existed = ask(&self.link, operation::DELETE, &self.of(name)).await?;
        Ok(existed.existed)
    }

    pub async fn increment(&self, name: &str, delta: i64) -> Result<i64, Error> {
        let request = Increment { key: self.key(name), delta };
        let number: Number = self.link.ask(operation::INCREMENT, &request).await?;
        Ok(number.value)
    }

    pub async fn swap(
        &self,
        name: &str,
        expected: Option<&[u8]>,
        value: &[u8],
    ) -> Result<Swapped, Error> {
        let request = CompareAndSet {
            key: self.key(name),
            expected: expected.map(ByteBuf::from),
            value: value.to_vec(),
            ttl_ms: None,
        };
        self.link.ask(operation::COMPARE_AND_SET, &request).await
    }

    pub async fn delete_if(&self, name: &str, expected: &[u8]) -> Result<Swapped, Error> {
        let request = CompareAndDelete { key: self.key(name), expected: expected.to_vec() };
        self.link.ask(operation::COMPARE_AND_DELETE, &request).await
    }

    pub async fn page(
        &self,
        prefix: &str,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<KeyPage, String> {
        let keys = Keys { prefix: prefix.to_owned(), cursor, limit };
        ask(&self.link, operation::KEYS, &keys).await
    }

    pub async fn push(&self, name: &str, values: &[&str], side: ListSide) -> Result<u64, String> {
        let push = ListPush { key: self.key(name), values: items(values), side };
        let length: Length = ask(&self.link, operation::LIST_PUSH, &push).await?;
        Ok(length.length)
    }

    pub async fn pop(
        &self,
        name: &str,
        side: ListSide,
        count: u32,
    ) -> Result<Vec<ByteBuf>, String> {
        let pop = ListPop { key: self.key(name), side, count };
        let values: Values = ask(&self.link, operation::LIST_POP, &pop).await?;
        Ok(values.values)
    }

    pub async fn range(
        &self,
        name: &str,
        start: i64,
        limit: Option<u32>,
    ) -> Result<ListPage, String> {
        let range = ListRange { key: self.key(name), start, limit };
        ask(&self.link, operation::LIST_RANGE, &range).await
    }

    pub async fn add(&self, name: &str, members: &[&str]) -> Result<u64, String> {
        let members = Members { key: self.key(name), members: items(members) };
        let length: Length = ask(&self.link, operation::SET_ADD, &members).await?;
        Ok(length.length)
    }

    /// Returns the members that an operation over several sets gives, sorted.
    pub async fn over(&self, operation: &str, names: &[&str]) -> Result<Vec<ByteBuf>, String> {
        let keys = SetKeys { keys: names.iter().map(|name| self.key(name)).collect() };
        let list: MemberList = ask(&self.link, operation, &keys).await?;
        let mut members = list.members;
        members.sort();
        Ok(members)
    }
}
