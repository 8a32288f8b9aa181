//! The fields of a message as JSON that any language can read, and back.
//!
//! The order of a JSON object is the order on the wire, so objects are read and written here
//! without a map in between. Bytes are `{"hex": "…"}`.

use std::fmt::{self, Write as _};

use rmpv::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A msgpack value that is read from JSON.
pub struct Fields(pub Value);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor).map(Fields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Fields(value)) = access.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, Fields(value))) = access.next_entry::<String, Fields>()? {
            fields.push((Value::from(key), value));
        }
        if let [(key, Value::String(text))] = fields.as_slice()
            && key.as_str() == Some("hex")
        {
            let bytes = hex::decode(text.as_str().unwrap()).map_err(serde::de::Error::custom)?;
            return Ok(Value::Binary(bytes));
        }
        Ok(Value::Map(fields))
    }
}

/// Writes a msgpack value as JSON, two blanks a level.
pub fn write(value: &Value, level: usize, out: &mut String) {
    let pad = "  ".repeat(level + 1);
    let end = "  ".repeat(level);
    match value {
        Value::Map(fields) if !fields.is_empty() => {
            out.push('{');
            for (place, (key, value)) in fields.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(out, "{comma}\n{pad}{}: ", quoted(key.as_str().unwrap())).unwrap();
                write(value, level + 1, out);
            }
            write!(out, "\n{end}}}").unwrap();
        }
        Value::Array(values) if !values.is_empty() => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                write!(out, "{comma}\n{pad}").unwrap();
                write(value, level + 1, out);
            }
            write!(out, "\n{end}]").unwrap();
        }
        Value::Map(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::Binary(bytes) => write!(out, "{{\"hex\": \"{}\"}}", hex::encode(bytes)).unwrap(),
        Value::String(text) => out.push_str(&quoted(text.as_str().unwrap())),
        Value::Nil => out.push_str("null"),
        Value::Boolean(value) => write!(out, "{value}").unwrap(),
        Value::Integer(value) => write!(out, "{value}").unwrap(),
        other => panic!("{other} has no place in a vector"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Encodes a value as any msgpack library does: the shortest form of each number and length.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// Decodes one value that fills `bytes`.
pub fn decode(mut bytes: &[u8]) -> Value {
    let value = rmpv::decode::read_value(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "{} bytes follow the value", bytes.len());
    value
}
