//! Payloads, as what they most likely are.

use serde_json::{Value, json};

use crate::{json, output};

/// A payload as people and programs see it.
#[derive(Debug, PartialEq)]
pub enum Shown {
    /// Nothing.
    Empty,
    /// Msgpack, as the JSON that it stands for.
    Msgpack(Value),
    /// Text.
    Text(String),
    /// Anything else, in hex.
    Hex(String),
}

impl Shown {
    /// Finds out what a payload is.
    pub fn of(payload: &[u8]) -> Self {
        if payload.is_empty() {
            return Shown::Empty;
        }
        if let Some(value) = json::from_msgpack(payload) {
            return Shown::Msgpack(value);
        }
        match std::str::from_utf8(payload) {
            Ok(text) => Shown::Text(text.to_owned()),
            Err(_) => Shown::Hex(data_encoding::HEXLOWER.encode(payload)),
        }
    }

    /// Returns a word for what it is.
    pub fn encoding(&self) -> &'static str {
        match self {
            Shown::Empty => "empty",
            Shown::Msgpack(_) => "msgpack",
            Shown::Text(_) => "text",
            Shown::Hex(_) => "hex",
        }
    }

    /// Returns it for programs.
    pub fn to_json(&self) -> Value {
        match self {
            Shown::Empty => Value::Null,
            Shown::Msgpack(value) => value.clone(),
            Shown::Text(text) | Shown::Hex(text) => json!(text),
        }
    }

    /// Returns it for people.
    pub fn to_text(&self) -> String {
        match self {
            Shown::Empty => String::new(),
            Shown::Msgpack(value) => format!("{value:#}"),
            Shown::Text(text) => output::shown(text),
            Shown::Hex(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_as_what_it_is() {
        assert_eq!(Shown::of(b""), Shown::Empty);
        assert_eq!(Shown::of(b"\x81\xa1a\x01"), Shown::Msgpack(json!({ "a": 1 })));
        assert_eq!(Shown::of(b"hello"), Shown::Text("hello".into()));
        assert_eq!(Shown::of(b"\xff\xd8\xff"), Shown::Hex("ffd8ff".into()));
        assert_eq!(Shown::of(b"a\x1b[2J").to_text(), "a\\u{1b}[2J");
    }
}
