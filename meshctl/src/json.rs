//! JSON ⇄ msgpack, without loss but for one: a number with a fraction may change in the last of
//! its 17 digits when it is read from JSON, as serde_json rounds unless it is built otherwise.
//!
//! What JSON can't express is an object with one reserved field:
//!
//! | msgpack | JSON |
//! |---|---|
//! | bin | `{"$bin": "base64"}` |
//! | a map whose keys are not all different texts | `{"$map": [[key, value], …]}` |
//! | an extension | `{"$ext": [type, "base64"]}` |
//! | NaN and infinities | `{"$float": "NaN"}`, `"inf"`, `"-inf"` |

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use lattice_protocol::codec;
use lattice_protocol::limits::NESTING_LEVELS_MAX;
use rmpv::Value as Pack;
use serde_json::{Map, Number, Value as Json, json};

const BIN: &str = "$bin";
const MAP: &str = "$map";
const EXT: &str = "$ext";
const FLOAT: &str = "$float";

/// Why JSON can't become msgpack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A reserved field holds something else than it should.
    #[error("{{\"{field}\": …}} wants {wants}")]
    Reserved {
        /// The field.
        field: &'static str,
        /// What it wants.
        wants: &'static str,
    },
    /// It is nested too deep.
    #[error("JSON that is nested deeper than {NESTING_LEVELS_MAX} levels can't be sent")]
    TooDeep,
}

/// Turns JSON text into msgpack bytes.
///
/// # Errors
/// [`JsonError`].
pub fn to_msgpack(text: &str) -> Result<Vec<u8>, JsonError> {
    let json: Json =
        serde_json::from_str(text).map_err(|error| JsonError::Syntax(error.to_string()))?;
    codec::encode(&pack(&json, 1)?).map_err(|error| JsonError::Syntax(error.to_string()))
}

/// Turns msgpack bytes into JSON; `None` where they are not exactly one msgpack value.
pub fn from_msgpack(bytes: &[u8]) -> Option<Json> {
    codec::decode::<Pack>(bytes).ok().map(|value| unpack(&value))
}

fn pack(json: &Json, level: usize) -> Result<Pack, JsonError> {
    if level > NESTING_LEVELS_MAX {
        return Err(JsonError::TooDeep);
    }
    Ok(match json {
        Json::Null => Pack::Nil,
        Json::Bool(value) => Pack::Boolean(*value),
        Json::Number(number) => pack_number(number),
        Json::String(text) => Pack::from(text.as_str()),
        Json::Array(items) => {
            Pack::Array(items.iter().map(|item| pack(item, level + 1)).collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => match reserved(fields) {
            Some((field, value)) => pack_reserved(field, value, level)?,
            None => Pack::Map(
                fields
                    .iter()
                    .map(|(key, value)| Ok((Pack::from(key.as_str()), pack(value, level + 1)?)))
                    .collect::<Result<_, _>>()?,
            ),
        },
    })
}

fn pack_number(number: &Number) -> Pack {
    if let Some(value) = number.as_u64() {
        Pack::from(value)
    } else if let Some(value) = number.as_i64() {
        Pack::from(value)
    } else {
        Pack::F64(number.as_f64().unwrap_or(f64::NAN))
    }
}

fn reserved(fields: &Map<String, Json>) -> Option<(&'static str, &Json)> {
    let mut entries = fields.iter();
    let (key, value) = entries.next()?;
    let field = [BIN, MAP, EXT, FLOAT].into_iter().find(|field| field == key)?;
    entries.next().is_none().then_some((field, value))
}

fn pack_reserved(field: &'static str, value: &Json, level: usize) -> Result<Pack, JsonError> {
    let wrong = |wants| JsonError::Reserved { field, wants };
    match field {
        BIN => bytes_of(value).map(Pack::Binary).ok_or_else(|| wrong("a text in base64")),
        EXT => {
            let wants = "a list of a type (-128 to 127) and a text in base64";
            let Some([kind, data]) = value.as_array().map(Vec::as_slice) else {
                return Err(wrong(wants));
            };
            let kind = kind.as_i64().and_then(|kind| i8::try_from(kind).ok());
            match (kind, bytes_of(data)) {
                (Some(kind), Some(data)) => Ok(Pack::Ext(kind, data)),
                _ => Err(wrong(wants)),
            }
        }
        FLOAT => match value.as_str() {
            Some("NaN") => Ok(Pack::F64(f64::NAN)),
            Some("inf") => Ok(Pack::F64(f64::INFINITY)),
            Some("-inf") => Ok(Pack::F64(f64::NEG_INFINITY)),
            _ => Err(wrong("\"NaN\", \"inf\" or \"-inf\"")),
        },
        _ => {
            let wants = "a list of pairs: [[key, value], …]";
            let pairs = value.as_array().ok_or_else(|| wrong(wants))?;
            let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                Some([key, value]) => Ok((pack(key, level + 1)?, pack(value, level + 1)?)),
                _ => Err(wrong(wants)),
            };
            Ok(Pack::Map(pairs.iter().map(pair).collect::<Result<_, _>>()?))
        }
    }
}

fn bytes_of(value: &Json) -> Option<Vec<u8>> {
    let text = value.as_str()?.as_bytes();
    [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
        .iter()
        .find_map(|encoding| encoding.decode(text).ok())
}

fn unpack(value: &Pack) -> Json {
    match value {
        Pack::Nil => Json::Null,
        Pack::Boolean(value) => Json::Bool(*value),
        Pack::Integer(value) => match (value.as_u64(), value.as_i64()) {
            (Some(value), _) => Json::from(value),
            (None, value) => Json::from(value.unwrap_or_default()),
        },
        Pack::F32(value) => unpack_float(f64::from(*value)),
        Pack::F64(value) => unpack_float(*value),
        Pack::String(text) => match text.as_str() {
            Some(text) => Json::from(text),
            // Old encoders write bytes as a text.
            None => json!({ BIN: BASE64.encode(text.as_bytes()) }),
        },
        Pack::Binary(bytes) => json!({ BIN: BASE64.encode(bytes) }),
        Pack::Array(items) => items.iter().map(unpack).collect(),
        Pack::Ext(kind, data) => json!({ EXT: [kind, BASE64.encode(data)] }),
        Pack::Map(pairs) => unpack_map(pairs),
    }
}

fn unpack_float(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => json!({ FLOAT: "NaN" }),
        None if value > 0.0 => json!({ FLOAT: "inf" }),
        None => json!({ FLOAT: "-inf" }),
    }
}

fn unpack_map(pairs: &[(Pack, Pack)]) -> Json {
    let fields: Option<Map<String, Json>> =
        pairs.iter().map(|(key, value)| Some((key.as_str()?.to_owned(), unpack(value)))).collect();
    match fields {
        Some(fields) if fields.len() == pairs.len() && reserved(&fields).is_none() => {
            Json::Object(fields)
        }
        _ => {
            let pairs: Vec<Json> =
                pairs.iter().map(|(key, value)| json!([unpack(key), unpack(value)])).collect();
            json!({ MAP: pairs })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(value: &Pack) -> Vec<u8> {
        codec::encode(value).unwrap()
    }

    #[test]
    fn json_becomes_what_an_actor_expects() {
        let packed =
            to_msgpack(r#"{"n":-1,"big":18446744073709551615,"f":1.0,"b":{"$bin":"aGk="}}"#);
        let read: Pack = codec::decode(&packed.unwrap()).unwrap();
        assert_eq!(read["n"], Pack::from(-1));
        assert_eq!(read["big"], Pack::from(u64::MAX));
        assert_eq!(read["f"], Pack::F64(1.0));
        assert_eq!(read["b"], Pack::Binary(b"hi".to_vec()));
    }

    #[test]
    fn what_is_no_json_or_no_base64_is_refused() {
        assert!(matches!(to_msgpack("{"), Err(JsonError::Syntax(_))));
        for text in [
            r#"{"$bin":1}"#,
            r#"{"$bin":"a"}"#,
            r#"{"$ext":[200,""]}"#,
            r#"{"$map":[[1]]}"#,
            r#"{"$float":"1"}"#,
        ] {
            assert!(matches!(to_msgpack(text), Err(JsonError::Reserved { .. })), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(to_msgpack(&deep), Err(JsonError::TooDeep));
    }

    #[test]
    fn a_reserved_field_beside_others_is_a_field() {
        let text = r#"{"$bin":"x","y":1}"#;
        assert_eq!(from_msgpack(&to_msgpack(text).unwrap()).unwrap().to_string(), text);
    }

    #[test]
    fn bytes_that_are_not_one_value_are_no_msgpack() {
        assert_eq!(from_msgpack(b""), None);
        assert_eq!(from_msgpack(b"hello"), None);
        assert_eq!(from_msgpack(&[0xc0]), Some(Json::Null));
    }

    #[test]
    fn odd_maps_and_floats_are_kept() {
        for value in [
            Pack::Map(vec![(Pack::from(1), Pack::Nil)]),
            Pack::Map(vec![(Pack::from("$bin"), Pack::from("x"))]),
            Pack::Map(vec![(Pack::from("a"), Pack::Nil), (Pack::from("a"), Pack::from(1))]),
            Pack::F64(f64::NEG_INFINITY),
            Pack::Ext(-3, vec![1]),
        ] {
            let json = from_msgpack(&bytes(&value)).unwrap().to_string();
            assert_eq!(to_msgpack(&json).unwrap(), bytes(&value), "{json}");
        }
    }

    fn values() -> impl Strategy<Value = Pack> {
        let leaf = prop_oneof![
            Just(Pack::Nil),
            any::<bool>().prop_map(Pack::from),
            any::<i64>().prop_map(Pack::from),
            any::<u64>().prop_map(Pack::from),
            any::<f64>().prop_filter("NaN equals nothing", |n| !n.is_nan()).prop_map(Pack::F64),
            ".{0,8}".prop_map(|text| Pack::from(text.as_str())),
            "\\$(bin|map|ext|float)".prop_map(|text| Pack::from(text.as_str())),
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(Pack::Binary),
            (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..8))
                .prop_map(|(kind, data)| Pack::Ext(kind, data)),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Pack::Array),
                proptest::collection::vec((inner.clone(), inner), 0..4).prop_map(Pack::Map),
            ]
        })
    }

    /// Fields of an object have no order.
    fn sorted(value: Pack) -> Pack {
        match value {
            Pack::Array(items) => Pack::Array(items.into_iter().map(sorted).collect()),
            Pack::Map(pairs) => {
                let mut pairs: Vec<_> =
                    pairs.into_iter().map(|(key, value)| (sorted(key), sorted(value))).collect();
                pairs.sort_by_key(|(key, value)| (bytes(key), bytes(value)));
                Pack::Map(pairs)
            }
            other => other,
        }
    }

    proptest! {
        #[test]
        fn msgpack_survives_json(value in values()) {
            let json = from_msgpack(&bytes(&value)).unwrap().to_string();
            let back: Pack = codec::decode(&to_msgpack(&json).unwrap()).unwrap();
            prop_assert_eq!(sorted(back), sorted(value), "{}", json);
        }

        #[test]
        fn floats_survive_to_the_last_bit(
            float in any::<f64>().prop_filter("NaN equals nothing", |float| !float.is_nan())
        ) {
            let json = from_msgpack(&bytes(&Pack::F64(float))).unwrap().to_string();
            let back: f64 = codec::decode(&to_msgpack(&json).unwrap()).unwrap();
            prop_assert_eq!(back.to_bits(), float.to_bits(), "{}", json);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(json) = from_msgpack(&bytes) {
                prop_assert!(to_msgpack(&json.to_string()).is_ok());
            }
        }
    }
}
