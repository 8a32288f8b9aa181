//! `mesh:random`: an actor gets randomness that is fit for keys.
//!
//! An actor that has WASI may take it from there; this is for those that have not.

use serde::{Deserialize, Serialize};

use super::limits::random as limits;
use super::{Message, bounded};
use crate::codec::DecodeError;

// No answer is like the one before, but none is wrong: each may be asked for again.
super::contract! { "mesh:random";
    /// [`Empty`](super::super::Empty) to [`Guid`](super::Guid).
    GUID = "guid", Provider, true;
    /// [`BytesRequest`](super::BytesRequest) to [`Bytes`](super::Bytes).
    BYTES = "bytes", Provider, true;
    /// [`Range`](super::Range) to [`Integer`](super::Integer).
    INTEGER = "integer", Provider, true;
}

/// A new identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guid {
    /// A UUID of version 4, as 36 characters in lower case.
    pub guid: String,
}

impl Message for Guid {
    fn check(&self) -> Result<(), DecodeError> {
        // The parser also takes other ways to write one.
        match uuid::Uuid::try_parse(&self.guid) {
            Ok(uuid) if uuid.as_hyphenated().to_string() == self.guid => Ok(()),
            _ => Err(DecodeError::Shape("a guid is a UUID of 36 characters in lower case".into())),
        }
    }
}

/// Asks for random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BytesRequest {
    /// How many, 1 to [`limits::RANDOM_BYTES_MAX`].
    pub length: u32,
}

impl Message for BytesRequest {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::within(1, limits::RANDOM_BYTES_MAX.into(), "a length", self.length.into())
    }
}

/// Random bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// As many as were asked for.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

impl Message for Bytes {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::size(limits::RANDOM_BYTES_MAX as usize, "an answer", self.bytes.len())
    }

    fn bulk_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// Asks for an integer, each of a range as likely as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The least that it may be. Default 0.
    #[serde(default)]
    pub min: i64,
    /// The most that it may be, itself included.
    pub max: i64,
}

impl Message for Range {
    fn check(&self) -> Result<(), DecodeError> {
        if self.min > self.max {
            let Self { min, max } = self;
            return Err(DecodeError::Shape(format!("min of {min} exceeds max of {max}")));
        }
        Ok(())
    }
}

/// An integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integer {
    /// What it is.
    pub value: i64,
}

impl Message for Integer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_in_one_way() {
        let check = |guid: &str| Guid { guid: guid.into() }.check().is_ok();
        assert!(check("f47ac10b-58cc-4372-a567-0e02b2c3d479"));
        for guid in [
            "",
            "F47AC10B-58CC-4372-A567-0E02B2C3D479",
            "f47ac10b58cc4372a5670e02b2c3d479",
            "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
        ] {
            assert!(!check(guid), "{guid}");
        }
    }

    #[test]
    fn lengths_and_ranges_are_checked() {
        let bytes = |length| BytesRequest { length }.check().is_ok();
        assert!(bytes(1) && bytes(limits::RANDOM_BYTES_MAX));
        assert!(!bytes(0) && !bytes(limits::RANDOM_BYTES_MAX + 1));
        let range = |min, max| Range { min, max }.check().is_ok();
        assert!(range(0, 0) && range(i64::MIN, i64::MAX) && !range(1, 0));
    }
}
