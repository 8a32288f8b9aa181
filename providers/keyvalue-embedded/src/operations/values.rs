//! Values and counters.

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::{Condition, Swapped};
use mesh_provider::keyvalue::{Sort, add, wrong_sort};

use crate::record::{Held, Key};
use crate::stop::Stop;
use crate::tables::{Snapshot, Tables, read};

/// Returns the value of a key.
///
/// # Errors
/// `bad_request` for another sort.
pub fn get(snapshot: &Snapshot, key: &Key, now_ms: u64) -> Result<Option<ByteBuf>, Stop> {
    read(&snapshot.entries()?, key, now_ms, |held| Ok(value(key, held)?.map(ByteBuf::from)))
}

/// Tells whether a key holds anything.
///
/// # Errors
/// That the database failed.
pub fn exists(snapshot: &Snapshot, key: &Key, now_ms: u64) -> Result<bool, Stop> {
    read(&snapshot.entries()?, key, now_ms, |held| Ok(held.is_some()))
}

/// Returns what is held, which must be a value.
fn value<'a>(key: &Key, held: Option<Held<'a>>) -> Result<Option<&'a [u8]>, Stop> {
    match held {
        None => Ok(None),
        Some(Held::Value { bytes, .. }) => Ok(Some(bytes)),
        Some(_) => Err(wrong_sort(&key.text, Sort::Value).into()),
    }
}

/// A value to write, and when its life is over.
pub struct New {
    /// The value.
    pub bytes: Vec<u8>,
    /// How long it lives.
    pub ttl_ms: Option<u64>,
}

impl New {
    fn held(&self, now_ms: u64) -> Held<'_> {
        let ends_ms = self.ttl_ms.map_or(0, |ttl_ms| now_ms.saturating_add(ttl_ms));
        Held::Value { ends_ms, bytes: &self.bytes }
    }
}

/// Writes a value under a condition; returns whether that held.
///
/// # Errors
/// That the database failed.
pub fn set(
    tables: &mut Tables<'_>,
    key: &Key,
    new: &New,
    condition: Option<Condition>,
) -> Result<bool, Stop> {
    if let Some(condition) = condition {
        let holds = read(&tables.entries, key, tables.now_ms, |held| Ok(held.is_some()))?;
        if holds != (condition == Condition::Present) {
            return Ok(false);
        }
    }
    tables.replace(key, Some(new.held(tables.now_ms)))?;
    Ok(true)
}

/// Deletes whatever a key holds; returns whether it did.
///
/// # Errors
/// That the database failed.
pub fn delete(tables: &mut Tables<'_>, key: &Key) -> Result<bool, Stop> {
    tables.replace(key, None)
}

/// Adds to a counter.
///
/// # Errors
/// `bad_request` for what is no number, another sort, and a sum beyond 64 bits.
pub fn increment(tables: &mut Tables<'_>, key: &Key, delta: i64) -> Result<i64, Stop> {
    let (sum, ends_ms) = read(&tables.entries, key, tables.now_ms, |held| {
        let sum = add(&key.text, value(key, held)?, delta)?;
        let Some(Held::Value { ends_ms, .. }) = held else { return Ok((sum, 0)) };
        Ok((sum, ends_ms))
    })?;
    let text = sum.to_string();
    tables.replace(key, Some(Held::Value { ends_ms, bytes: text.as_bytes() }))?;
    Ok(sum)
}

/// Writes a value, or deletes it, if the key holds what is expected.
///
/// # Errors
/// `bad_request` for another sort.
pub fn compare(
    tables: &mut Tables<'_>,
    key: &Key,
    expected: Option<&[u8]>,
    new: Option<&New>,
) -> Result<Swapped, Stop> {
    let other = read(&tables.entries, key, tables.now_ms, |held| {
        let current = value(key, held)?;
        Ok((current != expected).then(|| current.map(ByteBuf::from)))
    })?;
    if let Some(current) = other {
        return Ok(Swapped { swapped: false, current });
    }
    tables.replace(key, new.map(|new| new.held(tables.now_ms)))?;
    Ok(Swapped { swapped: true, current: None })
}
