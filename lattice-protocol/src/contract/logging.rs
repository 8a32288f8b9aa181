//! `mesh:logging`: an actor writes to a log.
//!
//! The provider adds who wrote it and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::logging as limits;
use super::{Message, bounded};
use crate::codec::{DecodeError, at_most};

super::contract! { "mesh:logging";
    /// [`Line`](super::Line) to [`Empty`](super::super::Empty).
    WRITE = "write", Provider, false;
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something failed that somebody must look at.
    Error,
    /// Something is not as it should be, and went on.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What helps to find a fault.
    Debug,
    /// Every step.
    Trace,
}

/// One line of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How much it matters. Default `info`.
    #[serde(default)]
    pub level: Level,
    /// What happened; at most [`limits::TEXT_BYTES_MAX`] bytes. May have line ends: the provider sees
    /// to it that they can't be taken for another line.
    pub text: String,
    /// Facts for programs: at most [`limits::FIELDS_MAX`], with keys of 1 to [`limits::FIELD_KEY_BYTES_MAX`]
    /// bytes and values of at most [`limits::FIELD_VALUE_BYTES_MAX`].
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded::texts::<_, { limits::FIELDS_MAX }>"
    )]
    pub fields: BTreeMap<String, String>,
}

impl Message for Line {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::size(limits::TEXT_BYTES_MAX, "a text", self.text.len())?;
        at_most(limits::FIELDS_MAX, "fields", self.fields.len())?;
        for (key, value) in &self.fields {
            bounded::name(limits::FIELD_KEY_BYTES_MAX, "a field's key", key)?;
            bounded::size(limits::FIELD_VALUE_BYTES_MAX, "a field's value", value.len())?;
        }
        Ok(())
    }

    fn bulk_bytes(&self) -> usize {
        self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_bounded() {
        let line = |text: usize, key: usize, value: usize| {
            let fields = BTreeMap::from([("k".repeat(key), "v".repeat(value))]);
            Line { text: "t".repeat(text), fields, ..Line::default() }.check()
        };
        let (text, key) = (limits::TEXT_BYTES_MAX, limits::FIELD_KEY_BYTES_MAX);
        let value = limits::FIELD_VALUE_BYTES_MAX;
        assert_eq!(line(text, key, value), Ok(()));
        for over in
            [line(text + 1, key, value), line(text, key + 1, value), line(text, key, value + 1)]
        {
            assert!(matches!(over, Err(DecodeError::TooLarge { .. })));
        }
        assert!(line(0, 0, 0).is_err());
        let fields: BTreeMap<_, _> =
            (0..=limits::FIELDS_MAX).map(|n| (n.to_string(), String::new())).collect();
        let many = Line { fields, ..Line::default() };
        assert!(many.check().is_err() && Line::decode(&many.encode().unwrap()).is_err());
    }

    #[test]
    fn a_text_is_enough() {
        let line = Line::decode(b"\x81\xa4text\xa2hi").unwrap();
        assert_eq!((line.level, line.text.as_str()), (Level::Info, "hi"));
    }
}
