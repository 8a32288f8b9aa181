//! Bounds that the contracts share: lists and maps that are never read beyond theirs, texts,
//! sizes, pages.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_bytes::ByteBuf;

use super::limits;
use crate::codec::{DecodeError, at_most};

/// Most entries of a page, as the number of values in a list.
pub(super) const PAGE: usize = limits::PAGE_ENTRIES_MAX as usize;

/// Reads a list of at most `MAX` values. A value may take a byte on the wire and many in memory,
/// so a list that is too long is refused before the rest of it is read.
pub(super) fn list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX} values")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Vec<T>, A::Error> {
            let mut values = Vec::with_capacity(access.size_hint().unwrap_or(0).min(MAX));
            while let Some(value) = access.next_element()? {
                if values.len() == MAX {
                    return Err(serde::de::Error::custom(format!(
                        "a list exceeds the limit of {MAX} values"
                    )));
                }
                values.push(value);
            }
            Ok(values)
        }
    }

    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}

/// Reads a map of at most `MAX` texts by text.
pub(super) fn texts<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Texts<const MAX: usize>;

    impl<'de, const MAX: usize> Visitor<'de> for Texts<MAX> {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a map of at most {MAX} texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut texts = BTreeMap::new();
            while let Some((key, value)) = access.next_entry()? {
                texts.insert(key, value);
                if texts.len() > MAX {
                    return Err(serde::de::Error::custom(format!(
                        "a map exceeds the limit of {MAX} entries"
                    )));
                }
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_map(Texts::<MAX>)
}

/// Checks that `what` has at most `limit` bytes.
pub(super) fn size(limit: usize, what: &'static str, found: usize) -> Result<(), DecodeError> {
    if found > limit {
        return Err(DecodeError::TooLarge { what, found, limit });
    }
    Ok(())
}

/// Checks that `text` has at most `limit` bytes, none of them a control character.
pub(super) fn text(limit: usize, what: &'static str, text: &str) -> Result<(), DecodeError> {
    size(limit, what, text.len())?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::Shape(format!("{what} has a control character")));
    }
    Ok(())
}

/// Checks like [`text`] a text that may not be empty.
pub(super) fn name(limit: usize, what: &'static str, name: &str) -> Result<(), DecodeError> {
    if name.is_empty() {
        return Err(DecodeError::Shape(format!("{what} is empty")));
    }
    text(limit, what, name)
}

/// Checks that `value` is within `least` and `most`.
pub(super) fn within(least: u64, most: u64, what: &str, value: u64) -> Result<(), DecodeError> {
    if !(least..=most).contains(&value) {
        return Err(DecodeError::Shape(format!(
            "{what} of {value} is not within {least} and {most}"
        )));
    }
    Ok(())
}

/// Checks that there is something, and no more than `limit` of it.
pub(super) fn some(limit: usize, what: &str, found: usize) -> Result<(), DecodeError> {
    if found == 0 {
        return Err(DecodeError::Shape(format!("there are no {what}")));
    }
    at_most(limit, what, found)
}

/// Checks the size of each of `items`, and of all of them.
pub(super) fn items(
    each: usize,
    all: usize,
    what: &'static str,
    items: &[ByteBuf],
) -> Result<(), DecodeError> {
    for item in items {
        size(each, what, item.len())?;
    }
    size(all, "the content", total(items))
}

/// Returns the bytes that there are.
pub(super) fn content(bytes: &Option<ByteBuf>) -> &[u8] {
    bytes.as_ref().map_or(&[], |bytes| bytes.as_slice())
}

/// Returns how many bytes `items` have.
fn total(items: &[ByteBuf]) -> usize {
    items.iter().map(|item| item.len()).sum()
}

/// Returns about how many bytes `items` have when they are encoded, each with its head.
pub(super) fn bulk_bytes(items: &[ByteBuf]) -> usize {
    total(items) + 5 * items.len()
}

/// Checks the cursor of a page, where there is one.
pub(super) fn cursor(cursor: Option<&str>) -> Result<(), DecodeError> {
    cursor.map_or(Ok(()), |cursor| name(limits::CURSOR_BYTES_MAX, "a cursor", cursor))
}

/// Returns how many entries a page has: the wish within the limits, or the default.
pub(super) fn page_entries(wish: Option<u32>) -> u32 {
    match wish {
        None | Some(0) => limits::PAGE_ENTRIES_DEFAULT,
        Some(wish) => wish.min(limits::PAGE_ENTRIES_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Lists {
        #[serde(default, deserialize_with = "list::<_, _, 2>")]
        list: Vec<u8>,
        #[serde(default, deserialize_with = "texts::<_, 1>")]
        texts: BTreeMap<String, String>,
    }

    #[test]
    fn lists_and_maps_end_at_their_limits() {
        let read = |bytes: &[u8]| codec::decode::<Lists>(bytes);
        assert_eq!(read(b"\x81\xa4list\x92\x01\x02").unwrap().list, [1, 2]);
        assert!(read(b"\x81\xa4list\x93\x01\x02\x03").is_err());
        assert_eq!(read(b"\x81\xa5texts\x81\xa1a\xa1b").unwrap().texts.len(), 1);
        assert!(read(b"\x81\xa5texts\x82\xa1a\xa1b\xa1c\xa1d").is_err());
    }

    #[test]
    fn a_page_has_as_many_entries_as_are_wished_within_the_limits() {
        for (wish, entries) in [
            (None, limits::PAGE_ENTRIES_DEFAULT),
            (Some(0), limits::PAGE_ENTRIES_DEFAULT),
            (Some(1), 1),
            (Some(u32::MAX), limits::PAGE_ENTRIES_MAX),
        ] {
            assert_eq!(page_entries(wish), entries);
        }
    }

    #[test]
    fn texts_and_numbers_are_checked_at_their_bounds() {
        assert_eq!(text(2, "a text", "é"), Ok(()));
        assert!(matches!(text(2, "a text", "abc"), Err(DecodeError::TooLarge { .. })));
        assert!(text(2, "a text", "\n").is_err() && text(2, "a text", "").is_ok());
        assert!(name(2, "a name", "").is_err());
        assert!(within(1, 2, "it", 0).is_err() && within(1, 2, "it", 3).is_err());
        assert!(within(1, 2, "it", 1).is_ok() && within(1, 2, "it", 2).is_ok());
        assert!(cursor(None).is_ok() && cursor(Some("")).is_err());
    }
}
