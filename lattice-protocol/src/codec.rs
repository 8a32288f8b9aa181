//! Msgpack in and out, with every bound checked before anything is believed.
//!
//! Decoding walks the bytes once without allocating ([`check`]): each length must fit into what
//! is left, nesting is bounded, exactly one value fills the input. Only then does serde see them,
//! so no length that was only claimed ever reserves memory.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{NESTING_LEVELS_MAX, WIRE_VERSION};

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value, or a length promises more than there is.
    #[error("the message is cut short: a value at byte {at} needs more bytes than there are")]
    Truncated {
        /// Where the value that does not fit starts.
        at: usize,
    },
    /// Maps or arrays are nested deeper than [`NESTING_LEVELS_MAX`].
    #[error("the message is nested deeper than {NESTING_LEVELS_MAX} levels")]
    TooDeep,
    /// Bytes follow the value.
    #[error("{count} bytes follow the message")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The byte 0xc1, which msgpack never uses.
    #[error("byte {at} is no msgpack type")]
    InvalidType {
        /// Where it is.
        at: usize,
    },
    /// Well-formed msgpack of another shape: a field is missing or of another type.
    #[error("the message has another shape: {0}")]
    Shape(String),
    /// The message or record is of a version that this program does not speak.
    #[error(
        "version {found} is not spoken here (this program speaks up to {})",
        crate::limits::WIRE_VERSION
    )]
    Version {
        /// The version that the bytes name.
        found: u64,
    },
    /// A size exceeds its limit.
    #[error("{what} of {found} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

/// A value that msgpack could not express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message can't be encoded: {0}")]
pub struct EncodeError(String);

/// Encodes `value` as a msgpack map with named fields.
///
/// # Errors
/// [`EncodeError`] when a type of `value` refuses to be serialized.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    encode_with_capacity(value, 128)
}

/// Encodes like [`encode`] into a buffer that starts with room for `capacity` bytes.
///
/// # Errors
/// [`EncodeError`] when a type of `value` refuses to be serialized.
pub fn encode_with_capacity<T: Serialize + ?Sized>(
    value: &T,
    capacity: usize,
) -> Result<Vec<u8>, EncodeError> {
    let mut buffer = Vec::with_capacity(capacity);
    value
        .serialize(&mut rmp_serde::Serializer::new(&mut buffer).with_struct_map())
        .map_err(|error| EncodeError(error.to_string()))?;
    Ok(buffer)
}

/// Decodes one value that fills `bytes`; fields of the result may borrow from them.
///
/// # Errors
/// [`DecodeError`] for anything but one well-formed value of the right shape.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    check(bytes)?;
    read(bytes)
}

/// Reads bytes that were checked.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // More than `check` lets through, extension types counted: its error is the one to be seen.
    deserializer.set_max_depth(NESTING_LEVELS_MAX + 2);
    T::deserialize(&mut deserializer).map_err(|error| DecodeError::Shape(error.to_string()))
}

/// Decodes like [`decode`] a map with named fields.
///
/// # Errors
/// [`DecodeError::Shape`] for anything but a map, though serde would read a struct from an array
/// as well; otherwise the errors of [`decode`].
pub(crate) fn decode_map<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    check_map(bytes)?;
    read(bytes)
}

/// Checks like [`check`] that `bytes` are exactly one value, and that it is a map.
fn check_map(bytes: &[u8]) -> Result<(), DecodeError> {
    check(bytes)?;
    if !matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return Err(DecodeError::Shape("it is not a map with named fields".into()));
    }
    Ok(())
}

/// The version of a message or record, whatever else it holds.
#[derive(Deserialize)]
struct Version {
    #[serde(default = "first_version")]
    v: u64,
}

fn first_version() -> u64 {
    1
}

/// Decodes like [`decode`] a map that carries its version as `v`, which means 1 where absent.
///
/// # Errors
/// [`DecodeError::Shape`] for anything but a map, though serde would read a struct from an array
/// as well; [`DecodeError::Version`] when the version is not [`WIRE_VERSION`], whatever shape a later
/// version has; otherwise the errors of [`decode`].
pub fn decode_versioned<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    version: impl FnOnce(&T) -> u8,
) -> Result<T, DecodeError> {
    check_map(bytes)?;
    match read(bytes) {
        Ok(value) => match version(&value) {
            WIRE_VERSION => Ok(value),
            other => Err(DecodeError::Version { found: other.into() }),
        },
        Err(DecodeError::Shape(why)) => Err(match read(bytes) {
            Ok(Version { v }) if v != u64::from(WIRE_VERSION) => DecodeError::Version { found: v },
            _ => DecodeError::Shape(why),
        }),
        Err(error) => Err(error),
    }
}

/// Checks that there are no more than `limit` of something.
pub(crate) fn at_most(limit: usize, what: &str, found: usize) -> Result<(), DecodeError> {
    if found > limit {
        return Err(DecodeError::Shape(format!("{found} {what} exceed the limit of {limit}")));
    }
    Ok(())
}

/// Reads a text and parses it, without a copy of the text.
pub(crate) fn parse_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}

/// Checks that `bytes` are exactly one msgpack value, nested no deeper than
/// [`NESTING_LEVELS_MAX`], each of whose lengths fits into the input. Allocates nothing.
///
/// # Errors
/// [`DecodeError`] naming the first thing that is wrong.
pub fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    // For each open map or array: how many values it still lacks.
    let mut open = [0u64; NESTING_LEVELS_MAX];
    let mut depth = 0usize;
    let mut at = 0usize;
    loop {
        let start = at;
        let head = head(bytes, start)?;
        at = start
            .checked_add(head.size)
            .filter(|end| *end <= bytes.len())
            .ok_or(DecodeError::Truncated { at: start })?;
        if let Some(children) = head.children {
            // Each value takes at least one byte.
            if children > (bytes.len() - at) as u64 {
                return Err(DecodeError::Truncated { at: start });
            }
            *open.get_mut(depth).ok_or(DecodeError::TooDeep)? = children;
            depth += 1;
        } else if let Some(left) = depth.checked_sub(1).and_then(|level| open.get_mut(level)) {
            *left -= 1;
        }
        // Whatever is complete completes what holds it.
        while depth > 0 && open.get(depth - 1) == Some(&0) {
            depth -= 1;
            if let Some(left) = depth.checked_sub(1).and_then(|level| open.get_mut(level)) {
                *left -= 1;
            }
        }
        if depth == 0 {
            return match bytes.len() - at {
                0 => Ok(()),
                count => Err(DecodeError::TrailingBytes { count }),
            };
        }
    }
}

/// What a value starts with.
struct Head {
    /// How many values follow inside it, where it is a map or an array.
    children: Option<u64>,
    /// Bytes of the head and of the value's own data.
    size: usize,
}

/// Reads the head of the value at `at`.
fn head(bytes: &[u8], at: usize) -> Result<Head, DecodeError> {
    let short = || DecodeError::Truncated { at };
    let (&marker, tail) = bytes.get(at..).and_then(<[u8]>::split_first).ok_or_else(short)?;
    let length = |width: usize| -> Result<usize, DecodeError> {
        let field = tail.get(..width).ok_or_else(short)?;
        Ok(field.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let fixed = |size: usize| Ok(Head { children: None, size });
    let data = |width: usize, extra: usize| {
        let size = length(width)?.checked_add(1 + width + extra).ok_or_else(short)?;
        Ok(Head { children: None, size })
    };
    let few = |children: u8| Ok(Head { children: Some(children.into()), size: 1 });
    let many = |width: usize, each: u64| {
        Ok(Head { children: Some(length(width)? as u64 * each), size: 1 + width })
    };
    match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => fixed(1),
        0x80..=0x8f => few((marker & 0x0f) * 2),
        0x90..=0x9f => few(marker & 0x0f),
        0xa0..=0xbf => fixed(1 + usize::from(marker & 0x1f)),
        0xc1 => Err(DecodeError::InvalidType { at }),
        0xc4 | 0xd9 => data(1, 0),
        0xc5 | 0xda => data(2, 0),
        0xc6 | 0xdb => data(4, 0),
        0xc7 => data(1, 1),
        0xc8 => data(2, 1),
        0xc9 => data(4, 1),
        0xcc | 0xd0 => fixed(2),
        0xcd | 0xd1 => fixed(3),
        0xca | 0xce | 0xd2 => fixed(5),
        0xcb | 0xcf | 0xd3 => fixed(9),
        0xd4 => fixed(3),
        0xd5 => fixed(4),
        0xd6 => fixed(6),
        0xd7 => fixed(10),
        0xd8 => fixed(18),
        0xdc => many(2, 1),
        0xdd => many(4, 1),
        0xde => many(2, 2),
        0xdf => many(4, 2),
    }
}
