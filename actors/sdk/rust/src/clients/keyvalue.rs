//! `mesh:keyvalue`: values, counters, lists and sets by key.
//!
//! ```
//! use mesh_actor::prelude::*;
//! use mesh_actor::testing::{KeyValue, Lattice};
//!
//! let lattice = Lattice::new().keyvalue(&KeyValue::new());
//! let visits: Result<i64> = lattice.run(|| keyvalue::Store::default().increment("visits/a", 1));
//! assert_eq!(visits, Ok(1));
//! assert_eq!(lattice.calls(), ["default/mesh:keyvalue/increment"]);
//! ```
//!
//! What is absent is an answer, no error. The provider's errors keep their code: see
//! [`Error::code`].

use lattice_protocol::contract::Existed;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Increment, Key, Number, Value, Written, operation as op,
};

pub use lattice_protocol::contract::keyvalue::{
    Condition, KeyPage, Keys, ListPage, ListSide, Set, Swapped,
};

use super::pages::Pages;
use crate::{ByteBuf, Error, Result};

super::handle! {
    /// A store that a link leads to. Lists and sets are in it too.
    Store of keyvalue
}

impl<'a> Store<'a> {
    /// Returns the value of `key`.
    ///
    /// # Errors
    /// [`Error::Host`]; `bad_request` where the key holds a list or a set.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let held: Value = self.ask(op::GET, &of(key))?;
        Ok(held.value.map(ByteBuf::into_vec))
    }

    /// Returns the value of `key` as text.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Error::BadPayload`] where it is not UTF-8.
    pub fn get_text(&self, key: &str) -> Result<Option<String>> {
        let text = self.get(key)?.map(String::from_utf8).transpose();
        text.map_err(|cause| Error::payload(cause).of(|| format!("the value of {key:?}")))
    }

    /// Stores a value in the place of whatever the key held, for ever.
    ///
    /// # Errors
    /// [`Error::BadPayload`] beyond the bounds of the contract, [`Error::Host`].
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.set_with(&set(key, value.as_ref(), None)).map(drop)
    }

    /// Stores a value where the key holds nothing; returns whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_if_absent(&self, key: &str, value: impl AsRef<[u8]>) -> Result<bool> {
        self.set_with(&set(key, value.as_ref(), Some(Condition::Absent)))
    }

    /// Stores a value with a life and under a condition of your choice; returns whether the
    /// condition held.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_with(&self, request: &Set) -> Result<bool> {
        let Written { written } = self.ask(op::SET, request)?;
        Ok(written)
    }

    /// Takes away whatever the key holds; returns whether that was something.
    ///
    /// # Errors
    /// [`Error::Host`].
    pub fn delete(&self, key: &str) -> Result<bool> {
        let Existed { existed } = self.ask(op::DELETE, &of(key))?;
        Ok(existed)
    }

    /// Returns whether the key holds something.
    ///
    /// # Errors
    /// [`Error::Host`].
    pub fn exists(&self, key: &str) -> Result<bool> {
        let Existed { existed } = self.ask(op::EXISTS, &of(key))?;
        Ok(existed)
    }

    /// Adds to a counter, which may have been nothing, and returns the sum.
    ///
    /// # Errors
    /// [`Error::Host`]; `bad_request` where the key holds anything but a number, or the sum is
    /// beyond 64 bits.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let request = Increment { key: key.to_owned(), delta };
        let Number { value } = self.ask(op::INCREMENT, &request)?;
        Ok(value)
    }

    /// Stores a value if the key holds `expected`, where nothing means nothing.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<Swapped> {
        let request = CompareAndSet {
            key: key.to_owned(),
            expected: expected.map(ByteBuf::from),
            value: value.as_ref().to_vec(),
            ttl_ms: None,
        };
        self.ask(op::COMPARE_AND_SET, &request)
    }

    /// Takes a value away if the key holds `expected`.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_and_delete(&self, key: &str, expected: impl AsRef<[u8]>) -> Result<Swapped> {
        let expected = expected.as_ref().to_vec();
        let request = CompareAndDelete { key: key.to_owned(), expected };
        self.ask(op::COMPARE_AND_DELETE, &request)
    }

    /// Returns the keys that begin with `prefix`, in any order, fetched as they are asked for. One
    /// may come twice while others are written.
    pub fn keys(&self, prefix: &str) -> Pages<'a, String> {
        let (store, prefix) = (*self, prefix.to_owned());
        Pages::new(move |cursor| {
            let request = Keys { prefix: prefix.clone(), cursor, limit: None };
            store.keys_page(&request).map(|page| (page.keys, page.cursor))
        })
    }

    /// Returns a page of keys, so that a later call may go on after it.
    ///
    /// # Errors
    /// [`Error::Host`]; `bad_request` where the cursor is none of this store.
    pub fn keys_page(&self, request: &Keys) -> Result<KeyPage> {
        self.ask(op::KEYS, request)
    }
}

pub(super) fn of(key: &str) -> Key {
    Key { key: key.to_owned() }
}

fn set(key: &str, value: &[u8], condition: Option<Condition>) -> Set {
    Set { key: key.to_owned(), value: value.to_vec(), ttl_ms: None, condition }
}
