//! Payloads in and out.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::NESTING_LEVELS_MAX;
use crate::{Error, Result};

/// The bytes of a payload as they are, whatever they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

/// What can be read from a payload: [`Raw`], and whatever serde can deserialize from msgpack.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a payload",
    label = "neither `Raw` nor a type that implements serde's `Deserialize`",
    note = "add `#[derive(Deserialize)]` to it; a type that borrows can't outlive the payload"
)]
pub trait FromPayload: Sized {
    /// Reads the one value that `payload` holds.
    ///
    /// # Errors
    /// [`Error::BadPayload`] when the bytes are cut short, are another type's, are followed by
    /// others, or nest deeper than [`NESTING_LEVELS_MAX`].
    fn from_payload(payload: Vec<u8>) -> Result<Self>;
}

/// What can be sent as a payload: [`Raw`], and whatever serde can serialize.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent as a payload",
    label = "neither `Raw` nor a type that implements serde's `Serialize`",
    note = "add `#[derive(Serialize)]` to it"
)]
pub trait ToPayload {
    /// Writes the value, structs as maps with named fields.
    ///
    /// # Errors
    /// [`Error::BadPayload`] when a type refuses to be serialized.
    fn to_payload(&self) -> Result<Cow<'_, [u8]>>;

    /// Like [`to_payload`](Self::to_payload), without a copy where there need be none.
    ///
    /// # Errors
    /// As [`to_payload`](Self::to_payload).
    fn into_payload(self) -> Result<Vec<u8>>
    where
        Self: Sized,
    {
        Ok(self.to_payload()?.into_owned())
    }
}

impl FromPayload for Raw {
    fn from_payload(payload: Vec<u8>) -> Result<Self> {
        Ok(Raw(payload))
    }
}

impl ToPayload for Raw {
    fn to_payload(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(&self.0))
    }

    fn into_payload(self) -> Result<Vec<u8>> {
        Ok(self.0)
    }
}

impl<T: DeserializeOwned> FromPayload for T {
    fn from_payload(payload: Vec<u8>) -> Result<Self> {
        let mut bytes = payload.as_slice();
        let mut deserializer = rmp_serde::Deserializer::new(&mut bytes);
        deserializer.set_max_depth(NESTING_LEVELS_MAX);
        let value = T::deserialize(&mut deserializer).map_err(unreadable)?;
        match bytes.len() {
            0 => Ok(value),
            count => Err(Error::payload(format!("{count} bytes follow the value"))),
        }
    }
}

/// Says what is wrong with bytes, where the codec's own words are only for those who know it.
fn unreadable(error: rmp_serde::decode::Error) -> Error {
    use rmp_serde::decode::Error as Cause;
    match error {
        Cause::TypeMismatch(marker) => {
            Error::payload(format!("a value has another type than expected: msgpack {marker:?}"))
        }
        Cause::InvalidMarkerRead(_) | Cause::InvalidDataRead(_) => {
            Error::payload("the bytes end inside a value")
        }
        other => Error::payload(other),
    }
}

impl<T: Serialize + ?Sized> ToPayload for T {
    fn to_payload(&self) -> Result<Cow<'_, [u8]>> {
        rmp_serde::to_vec_named(self).map(Cow::Owned).map_err(Error::payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Point {
        x: u32,
        y: Option<u32>,
    }

    #[test]
    fn structs_are_maps_with_named_fields() {
        let bytes = Point { x: 1, y: None }.into_payload().expect("encodes");
        assert_eq!(bytes, b"\x82\xa1x\x01\xa1y\xc0");
        assert_eq!(Point::from_payload(bytes), Ok(Point { x: 1, y: None }));
    }

    #[test]
    fn bad_payloads_say_what_is_wrong() {
        let deep = [vec![0x91; 100], vec![0xc0]].concat();
        let cases: [(&[u8], &str); 5] = [
            (b"", "the bytes end inside a value"),
            (b"\x81\xa1y\x01", "missing field `x`"),
            (b"\x81\xa1x\xa1a", "another type than expected: msgpack FixStr(1)"),
            (b"\x81\xa1x\x01\xc0", "1 bytes follow the value"),
            (b"\xdb\xff\xff\xff\xff", "the bytes end inside a value"),
        ];
        for (bytes, told) in cases {
            let error = Point::from_payload(bytes.to_vec()).expect_err("accepted").to_string();
            assert!(error.contains(told), "{bytes:x?}: {error}");
        }
        let error = serde::de::IgnoredAny::from_payload(deep).expect_err("accepted").to_string();
        assert!(error.contains("depth limit"), "{error}");
    }

    #[test]
    fn raw_is_neither_read_nor_written() {
        let bytes = vec![0xc1, 0xff];
        assert_eq!(Raw::from_payload(bytes.clone()).and_then(Raw::into_payload), Ok(bytes));
    }
}
