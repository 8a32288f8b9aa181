//! `wascc:logging`, `wasmcloud:logging` and `wasmcloud:builtin:logging`.

use std::collections::BTreeMap;
use std::fmt;

use lattice_protocol::Error;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::limits::logging as limits;
use lattice_protocol::contract::logging::{Level, Line, NAME, operation as op};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::step::{self, Step};
use super::wire::{done_silently, form_of, no_operation, read};

/// Name of the field that holds the part of a program that a line comes from.
const TARGET: &str = "target";

#[derive(serde::Deserialize)]
struct OfLine {
    /// Some modules number the levels, some name them.
    #[serde(default)]
    level: AnyLevel,
    #[serde(alias = "body")]
    text: String,
    #[serde(default)]
    target: String,
}

pub(super) fn begin(operation: &str, payload: &[u8]) -> Result<Step, Error> {
    let Some((_, "WriteLog")) = form_of("Logging", operation) else {
        return Err(no_operation(NAME, operation));
    };
    let OfLine { level: AnyLevel(level), text, target } = read(operation, payload)?;
    let fields = match cut(target, limits::FIELD_VALUE_BYTES_MAX) {
        target if target.is_empty() => BTreeMap::new(),
        target => BTreeMap::from([(TARGET.to_owned(), target)]),
    };
    // Older modules know no bound, and don't look at what came of it.
    let line = Line { level, text: cut(text, limits::TEXT_BYTES_MAX), fields };
    step::ask(NAME, op::WRITE, &line, |_: Empty| done_silently())
}

/// Cuts a text to `limit` bytes, at a character's end.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

/// A level by its number or name; what is neither is `info`, as in the libraries of those modules.
#[derive(Default)]
struct AnyLevel(Level);

impl<'de> Deserialize<'de> for AnyLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrName;

        impl Visitor<'_> for NumberOrName {
            type Value = AnyLevel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a level, by its number or its name")
            }

            fn visit_u64<E>(self, number: u64) -> Result<AnyLevel, E> {
                Ok(AnyLevel(match number {
                    1 => Level::Error,
                    2 => Level::Warn,
                    4 => Level::Debug,
                    5 => Level::Trace,
                    _ => Level::Info,
                }))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<AnyLevel, E> {
                self.visit_u64(u64::try_from(number).unwrap_or_default())
            }

            fn visit_str<E>(self, name: &str) -> Result<AnyLevel, E> {
                let is = |level: &str| name.eq_ignore_ascii_case(level);
                Ok(AnyLevel(match () {
                    () if is("error") => Level::Error,
                    () if is("warn") => Level::Warn,
                    () if is("debug") => Level::Debug,
                    () if is("trace") => Level::Trace,
                    () => Level::Info,
                }))
            }
        }

        deserializer.deserialize_any(NumberOrName)
    }
}
