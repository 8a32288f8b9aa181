//! `mesh:random`: randomness that is fit for keys.

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::random::{
    Bytes, BytesRequest, Guid, Integer, Range, operation as op,
};

use crate::Result;

super::handle! {
    /// A source that a link leads to.
    Random of random
}

impl Random<'_> {
    /// Returns a new UUID, version 4, as text.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host).
    pub fn guid(&self) -> Result<String> {
        let Guid { guid } = self.ask(op::GUID, &Empty {})?;
        Ok(guid)
    }

    /// Returns so many random bytes.
    ///
    /// # Errors
    /// [`Error::BadPayload`](crate::Error::BadPayload) for none or too many,
    /// [`Error::Host`](crate::Error::Host).
    pub fn bytes(&self, length: u32) -> Result<Vec<u8>> {
        let Bytes { bytes } = self.ask(op::BYTES, &BytesRequest { length })?;
        Ok(bytes)
    }

    /// Returns an integer from `min` to `max`, both included.
    ///
    /// # Errors
    /// [`Error::BadPayload`](crate::Error::BadPayload) where `min` exceeds `max`,
    /// [`Error::Host`](crate::Error::Host).
    pub fn integer(&self, min: i64, max: i64) -> Result<i64> {
        let Integer { value } = self.ask(op::INTEGER, &Range { min, max })?;
        Ok(value)
    }
}

/// Returns a new UUID by the default link.
///
/// # Errors
/// As [`Random::guid`].
pub fn guid() -> Result<String> {
    Random::default().guid()
}

/// Returns random bytes by the default link.
///
/// # Errors
/// As [`Random::bytes`].
pub fn bytes(length: u32) -> Result<Vec<u8>> {
    Random::default().bytes(length)
}

/// Returns a random integer by the default link.
///
/// # Errors
/// As [`Random::integer`].
pub fn integer(min: i64, max: i64) -> Result<i64> {
    Random::default().integer(min, max)
}
