//! Headers of HTTP and of messages: ordered, each name as often as one likes.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::bounded;
use super::limits::{HEADERS_BYTES_MAX, HEADERS_MAX};
use crate::codec::{DecodeError, at_most};

/// Headers as a list of `[name, value]`, in the order in which they came.
///
/// A name is 1 or more of the characters of an HTTP token (RFC 9110, 5.6.2), written as one likes
/// and compared without regard to case. A value is bytes: `bin` where it is written, `bin` or
/// `str` where it is read; without control characters except the tab, so that it can't end a line.
/// At most [`HEADERS_MAX`] of them, with [`HEADERS_BYTES_MAX`] bytes in all.
///
/// ```
/// use lattice_protocol::contract::Headers;
///
/// let headers = Headers::new().with("Accept", "text/html").with("accept", "text/plain");
/// assert_eq!(headers.text("ACCEPT"), Some("text/html"));
/// assert_eq!(headers.all("accept").count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(
    #[serde(deserialize_with = "bounded::list::<_, _, HEADERS_MAX>")] Vec<(String, ByteBuf)>,
);

impl Headers {
    /// Makes headers without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header after the others; one of the same name stays.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.0.push((name.into(), ByteBuf::from(value.into())));
    }

    /// Returns the headers with one more, as [`Headers::append`] adds it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.append(name, value);
        self
    }

    /// Returns the first value of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the first value of that name, where it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns every value of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns every header.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many bytes names and values have.
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Returns about how many bytes they have when they are encoded: beside its content each has two
    /// heads, and that of the pair.
    pub(super) fn bulk_bytes(&self) -> usize {
        self.bytes() + 8 * self.len()
    }

    /// Checks number, sizes, names and values.
    ///
    /// # Errors
    /// [`DecodeError`] naming what is wrong.
    pub fn check(&self) -> Result<(), DecodeError> {
        at_most(HEADERS_MAX, "headers", self.len())?;
        bounded::size(HEADERS_BYTES_MAX, "the headers", self.bytes())?;
        for (name, value) in self.iter() {
            if !is_token(name) {
                return Err(DecodeError::Shape(format!("{name:?} is no name of a header")));
            }
            if value.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
                return Err(DecodeError::Shape(format!(
                    "the value of the header {name} has a control character"
                )));
            }
        }
        Ok(())
    }
}

/// Returns whether `text` is a token of HTTP (RFC 9110, 5.6.2): a method or a header's name.
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn a_value_comes_as_bin_or_str() {
        let expected = Headers::new().with("a", "b");
        assert_eq!(codec::decode(b"\x91\x92\xa1a\xa1b").as_ref(), Ok(&expected));
        assert_eq!(codec::decode(b"\x91\x92\xa1a\xc4\x01b").as_ref(), Ok(&expected));
        assert_eq!(codec::encode(&expected).unwrap(), b"\x91\x92\xa1a\xc4\x01b");
        assert!(codec::decode::<Headers>(b"\x91\x91\xa1a").is_err());
    }

    #[test]
    fn nothing_can_be_injected() {
        for (name, value) in [("a", "b\tc"), ("X-A_b", ""), ("a", "ü")] {
            assert_eq!(Headers::new().with(name, value).check(), Ok(()), "{name} {value}");
        }
        for (name, value) in [
            ("", "b"),
            ("a b", "c"),
            ("a:", "b"),
            ("ü", "b"),
            ("a", "b\r\nc: d"),
            ("a", "\0"),
            ("a", "\x7f"),
        ] {
            assert!(Headers::new().with(name, value).check().is_err(), "{name} {value:?}");
        }
    }

    #[test]
    fn number_and_size_are_bounded() {
        let many = |count| (0..count).fold(Headers::new(), |headers, _| headers.with("a", "b"));
        assert_eq!(many(HEADERS_MAX).check(), Ok(()));
        assert!(many(HEADERS_MAX + 1).check().is_err());
        let bytes = codec::encode(&many(HEADERS_MAX + 1)).unwrap();
        assert!(codec::decode::<Headers>(&bytes).is_err());
        let large = |size| Headers::new().with("a", vec![b'b'; size]);
        assert_eq!(large(HEADERS_BYTES_MAX - 1).check(), Ok(()));
        assert!(matches!(large(HEADERS_BYTES_MAX).check(), Err(DecodeError::TooLarge { .. })));
    }
}
