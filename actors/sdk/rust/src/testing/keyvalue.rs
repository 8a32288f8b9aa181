//! A key-value store in memory, for tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Condition, Increment, Key, KeyPage, Keys, NAME, Number, Set,
    Swapped, Value, Written, operation as op,
};
use lattice_protocol::contract::{ByteBuf, Existed, Message};

use super::Lattice;
use crate::{Error, ErrorCode, HostError, Result};

/// Values and counters in memory; a clone is the same store. Nothing expires in it, and it has
/// neither lists nor sets.
#[derive(Clone, Debug, Default)]
pub struct KeyValue(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl KeyValue {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the value of a key as text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    fn answer(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>> {
        match operation {
            op::GET => answer(payload, |Key { key }| {
                Ok(Value { value: self.0.borrow().get(&key).cloned().map(ByteBuf::from) })
            }),
            op::EXISTS => answer(payload, |Key { key }| {
                Ok(Existed { existed: self.0.borrow().contains_key(&key) })
            }),
            op::DELETE => answer(payload, |Key { key }| {
                Ok(Existed { existed: self.0.borrow_mut().remove(&key).is_some() })
            }),
            op::SET => answer(payload, |request| Ok(self.set(request))),
            op::INCREMENT => answer(payload, |request| self.increment(request)),
            op::COMPARE_AND_SET => answer(payload, |request: CompareAndSet| {
                let new = Some(request.value);
                Ok(self.swap(
                    request.key,
                    request.expected.as_ref().map(|bytes| bytes.as_slice()),
                    new,
                ))
            }),
            op::COMPARE_AND_DELETE => answer(payload, |request: CompareAndDelete| {
                Ok(self.swap(request.key, Some(&request.expected), None))
            }),
            op::KEYS => answer(payload, |request: Keys| {
                let keys = self.0.borrow();
                let found = keys.keys().filter(|key| key.starts_with(&request.prefix)).cloned();
                Ok(KeyPage { keys: found.collect(), cursor: None })
            }),
            other => Err(refused(ErrorCode::BadRequest, &format!("no operation {other} here"))),
        }
    }

    fn set(&self, request: Set) -> Written {
        let mut values = self.0.borrow_mut();
        let written = match request.condition {
            None => true,
            Some(Condition::Absent) => !values.contains_key(&request.key),
            Some(Condition::Present) => values.contains_key(&request.key),
        };
        if written {
            values.insert(request.key, request.value);
        }
        Written { written }
    }

    fn increment(&self, request: Increment) -> Result<Number> {
        let mut values = self.0.borrow_mut();
        let held = values
            .get(&request.key)
            .map_or(Some(0), |held| std::str::from_utf8(held).ok()?.parse::<i64>().ok());
        let sum = held.and_then(|held| held.checked_add(request.delta));
        let value = sum.ok_or_else(|| refused(ErrorCode::BadRequest, "no number"))?;
        values.insert(request.key, value.to_string().into_bytes());
        Ok(Number { value })
    }

    fn swap(&self, key: String, expected: Option<&[u8]>, new: Option<Vec<u8>>) -> Swapped {
        let mut values = self.0.borrow_mut();
        let current = values.get(&key).cloned();
        if current.as_deref() != expected {
            return Swapped { swapped: false, current: current.map(ByteBuf::from) };
        }
        match new {
            Some(new) => drop(values.insert(key, new)),
            None => drop(values.remove(&key)),
        }
        Swapped { swapped: true, current: None }
    }
}

fn refused(code: ErrorCode, message: &str) -> Error {
    Error::Host(HostError::new(code, message))
}

fn answer<Req: Message, Resp: Message>(
    payload: &[u8],
    answer: impl FnOnce(Req) -> Result<Resp>,
) -> Result<Vec<u8>> {
    let wrong = |cause: &dyn std::fmt::Display| refused(ErrorCode::BadRequest, &cause.to_string());
    let request = Req::decode(payload).map_err(|cause| wrong(&cause))?;
    answer(request)?.encode().map_err(|cause| wrong(&cause))
}

impl Lattice {
    /// Lets a store answer `mesh:keyvalue`.
    #[must_use]
    pub fn keyvalue(self, store: &KeyValue) -> Self {
        let store = store.clone();
        self.insert(NAME, move |operation, payload| store.answer(operation, &payload))
    }
}
