//! Headers of HTTP: a map in older messages, of a text or of several for each name.

use std::collections::BTreeMap;
use std::fmt;

use lattice_protocol::contract::Headers;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::wire::Form;

/// Headers as older modules have them.
#[derive(Default)]
pub(super) struct Older {
    by_name: BTreeMap<String, Vec<String>>,
    as_lists: bool,
}

impl Older {
    /// Makes them of those of the mesh. Bytes that are no UTF-8 become U+FFFD: an older message has
    /// no place for them.
    pub(super) fn new(headers: &Headers, form: Form) -> Self {
        let mut by_name = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in headers.iter() {
            let value = String::from_utf8_lossy(value).into_owned();
            by_name.entry(name.to_owned()).or_default().push(value);
        }
        Self { by_name, as_lists: form == Form::Interface }
    }

    /// Makes those of the mesh.
    pub(super) fn into_headers(self) -> Headers {
        let mut headers = Headers::new();
        for (name, values) in self.by_name {
            for value in values {
                headers.append(name.clone(), value);
            }
        }
        headers
    }
}

impl Serialize for Older {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.as_lists {
            return serializer.collect_map(&self.by_name);
        }
        serializer.collect_map(self.by_name.iter().map(|(name, values)| {
            // RFC 9110, 5.3, and RFC 6265, 5.4: how several become one.
            let between = if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
            (name, values.join(between))
        }))
    }
}

impl<'de> Deserialize<'de> for Older {
    /// Reads a map of texts or of lists of them, whatever form the module has otherwise; nil, as
    /// some languages write an empty map, is none.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let headers = Option::<BTreeMap<String, Values>>::deserialize(deserializer)?;
        let by_name = headers.unwrap_or_default().into_iter();
        let by_name = by_name.map(|(name, Values(values))| (name, values)).collect();
        Ok(Self { by_name, as_lists: false })
    }
}

/// One text or several.
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Values, E> {
                Ok(Values(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = access.next_element()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::codec;

    use super::*;

    #[test]
    fn several_of_one_name_are_joined_where_there_is_room_for_one() {
        let headers = Headers::new()
            .with("accept", "a")
            .with("cookie", "b=1")
            .with("accept", "c")
            .with("cookie", "d=2")
            .with("x", vec![0xe9]);
        let plain = codec::encode(&Older::new(&headers, Form::Plain)).unwrap();
        let read: BTreeMap<String, String> = codec::decode(&plain).unwrap();
        let expected = [("accept", "a, c"), ("cookie", "b=1; d=2"), ("x", "\u{fffd}")];
        assert_eq!(read, expected.map(|(name, value)| (name.into(), value.into())).into());
        let lists = codec::encode(&Older::new(&headers, Form::Interface)).unwrap();
        let read: BTreeMap<String, Vec<String>> = codec::decode(&lists).unwrap();
        assert_eq!(read["accept"], ["a", "c"]);
    }

    #[test]
    fn either_form_is_read() {
        let read = |bytes: &[u8]| codec::decode::<Older>(bytes).map(Older::into_headers);
        let expected = Headers::new().with("a", "b");
        assert_eq!(read(b"\x81\xa1a\xa1b").as_ref(), Ok(&expected));
        assert_eq!(read(b"\x81\xa1a\x91\xa1b").as_ref(), Ok(&expected));
        assert_eq!(read(b"\x81\xa1a\x92\xa1b\xa1c"), Ok(expected.with("a", "c")));
        for none in [&b"\xc0"[..], b"\x80", b"\x81\xa1a\x90"] {
            assert_eq!(read(none), Ok(Headers::new()));
        }
        assert!(read(b"\x81\xa1a\x01").is_err() && read(b"\x91\xa1a").is_err());
    }
}
