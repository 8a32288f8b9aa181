//! Msgpack in and out, with every bound checked before anything is believed.
//!
//! Decoding walks the bytes once without allocating ([`check`]): each length must fit into what
//! is left, nesting is bounded, exactly one value fills the input. Only then does serde see them,
//! so no length that was only claimed ever reserves memory.

use serde::{Deserialize, Serialize};

use crate::limits::NESTING_LEVELS_MAX;

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
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // One level more than `check` allows: its own error is the one to be seen.
    deserializer.set_max_depth(NESTING_LEVELS_MAX + 1);
    T::deserialize(&mut deserializer).map_err(|error| DecodeError::Shape(error.to_string()))
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
        let (children, size) = head(bytes, start)?;
        at = start
            .checked_add(size)
            .filter(|end| *end <= bytes.len())
            .ok_or(DecodeError::Truncated { at: start })?;
        if children > 0 {
            // Each value takes at least one byte.
            if children > (bytes.len() - at) as u64 {
                return Err(DecodeError::Truncated { at: start });
            }
            *open.get_mut(depth).ok_or(DecodeError::TooDeep)? = children;
            depth += 1;
            continue;
        }
        loop {
            let Some(level) = depth.checked_sub(1) else {
                return match bytes.len() - at {
                    0 => Ok(()),
                    count => Err(DecodeError::TrailingBytes { count }),
                };
            };
            let Some(left) = open.get_mut(level) else { return Err(DecodeError::TooDeep) };
            *left -= 1;
            if *left > 0 {
                break;
            }
            depth = level;
        }
    }
}

/// Reads the head of the value at `at`: how many values it contains, and how many bytes its head
/// and its own data take.
fn head(bytes: &[u8], at: usize) -> Result<(u64, usize), DecodeError> {
    let short = DecodeError::Truncated { at };
    let rest = bytes.get(at..).ok_or(short.clone())?;
    let (&marker, tail) = rest.split_first().ok_or(short.clone())?;
    let length = |width: usize| -> Result<usize, DecodeError> {
        let field = tail.get(..width).ok_or(short.clone())?;
        Ok(field.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let data = |width: usize, extra: usize| -> Result<(u64, usize), DecodeError> {
        let size = length(width)?.checked_add(1 + width + extra).ok_or(short.clone())?;
        Ok((0, size))
    };
    Ok(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 1),
        0x80..=0x8f => (u64::from(marker & 0x0f) * 2, 1),
        0x90..=0x9f => (u64::from(marker & 0x0f), 1),
        0xa0..=0xbf => (0, 1 + usize::from(marker & 0x1f)),
        0xc1 => return Err(DecodeError::InvalidType { at }),
        0xc4 | 0xd9 => data(1, 0)?,
        0xc5 | 0xda => data(2, 0)?,
        0xc6 | 0xdb => data(4, 0)?,
        0xc7 => data(1, 1)?,
        0xc8 => data(2, 1)?,
        0xc9 => data(4, 1)?,
        0xcc | 0xd0 => (0, 2),
        0xcd | 0xd1 => (0, 3),
        0xca | 0xce | 0xd2 => (0, 5),
        0xcb | 0xcf | 0xd3 => (0, 9),
        0xd4 => (0, 3),
        0xd5 => (0, 4),
        0xd6 => (0, 6),
        0xd7 => (0, 10),
        0xd8 => (0, 18),
        0xdc => (length(2)? as u64, 3),
        0xdd => (length(4)? as u64, 5),
        0xde => (length(2)? as u64 * 2, 3),
        0xdf => (length(4)? as u64 * 2, 5),
    })
}
