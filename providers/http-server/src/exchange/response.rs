//! What an actor answered, as a response of HTTP. Header values and body are parts of the answer
//! as it came, not copies.

use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use lattice_protocol::contract::limits as contract;
use lattice_protocol::contract::{Message, http as messages};
use lattice_protocol::{DecodeError, codec};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::headers;

/// A response as an actor encodes it, borrowed from its bytes.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(default = "ok")]
    status: u16,
    #[serde(borrow, default)]
    headers: Pairs<'a>,
    #[serde(borrow, default)]
    body: &'a [u8],
}

fn ok() -> u16 {
    200
}

/// Reads the answer of an actor.
///
/// # Errors
/// [`DecodeError`] when it is no response of the contract.
pub fn read(payload: &Bytes) -> Result<Response<Bytes>, DecodeError> {
    let mut response = match view(payload) {
        Some(response) => response,
        // Rare but valid forms, and the reason where it is none.
        None => owned(messages::Response::decode(payload)?)?,
    };
    headers::strip(response.headers_mut());
    Ok(response)
}

/// Reads the usual form without a copy.
fn view(payload: &Bytes) -> Option<Response<Bytes>> {
    if !matches!(payload.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return None;
    }
    let view: View<'_> = codec::decode(payload).ok()?;
    let pairs = &view.headers.0;
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let within = (200..=599).contains(&view.status)
        && bytes <= contract::HEADERS_BYTES_MAX
        && view.body.len() <= contract::http::BODY_BYTES_MAX;
    if !within {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(payload.slice_ref(value)).ok()?);
    }
    let mut response = Response::new(payload.slice_ref(view.body));
    *response.status_mut() = StatusCode::from_u16(view.status).ok()?;
    *response.headers_mut() = headers;
    Some(response)
}

/// Takes over a response that was checked.
fn owned(read: messages::Response) -> Result<Response<Bytes>, DecodeError> {
    let wrong = || DecodeError::Shape("it is no response of HTTP".into());
    let mut headers = HeaderMap::with_capacity(read.headers.len());
    for (name, value) in read.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_bytes(value).map_err(|_| wrong())?);
    }
    let mut response = Response::new(Bytes::from(read.body));
    *response.status_mut() = StatusCode::from_u16(read.status).map_err(|_| wrong())?;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Fits a response to the request: its length is what it has, unless only its head was asked for
/// or allowed.
pub fn fit(response: &mut Response<Bytes>, head_only: bool) {
    let length = response.body().len();
    let told = response.headers_mut().remove(header::CONTENT_LENGTH);
    match response.status() {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            *response.body_mut() = Bytes::new();
        }
        _ if head_only => {
            // An actor need not make a body to say how long it would be.
            let told = told.filter(|told| length == 0 && is_length(told));
            let length = told.unwrap_or_else(|| HeaderValue::from(length));
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
            *response.body_mut() = Bytes::new();
        }
        _ => {}
    }
}

fn is_length(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|text| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
    })
}

/// Names and values, no more than the contract allows.
#[derive(Default)]
struct Pairs<'a>(Vec<(&'a str, &'a [u8])>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {} headers", contract::HEADERS_MAX)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Pairs<'de>, A::Error> {
                let size = access.size_hint().unwrap_or(0).min(contract::HEADERS_MAX);
                let mut pairs = Vec::with_capacity(size);
                while let Some(pair) = access.next_element()? {
                    if pairs.len() == contract::HEADERS_MAX {
                        return Err(serde::de::Error::custom("there are too many headers"));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::contract::Headers;
    use proptest::prelude::*;

    use super::*;

    fn encode(status: u16, headers: Headers, body: &[u8]) -> Bytes {
        messages::Response { status, headers, body: body.to_vec() }.encode().unwrap().into()
    }

    #[test]
    fn a_body_and_values_are_parts_of_the_answer() {
        let payload =
            encode(201, Headers::new().with("X-A", "1").with("x-a", vec![0xe9]), b"hello");
        assert!(view(&payload).is_some(), "the usual form is read without a copy");
        let response = read(&payload).unwrap();
        assert_eq!((response.status().as_u16(), &response.body()[..]), (201, &b"hello"[..]));
        let values: Vec<_> =
            response.headers().get_all("x-a").iter().map(|v| v.as_bytes()).collect();
        assert_eq!(values, [&b"1"[..], &[0xe9]]);
        let range = payload.as_ptr_range();
        assert!(range.contains(&response.body().as_ptr()));
    }

    #[test]
    fn rare_forms_are_read_as_the_contract_reads_them() {
        for payload in [&b""[..], b"\xc0", b"\x80"] {
            let response = read(&Bytes::copy_from_slice(payload)).unwrap();
            assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
        }
        // Texts where there should be bytes.
        let response =
            read(&Bytes::from_static(b"\x82\xa4body\xa2hi\xa7headers\x91\x92\xa1a\xa1b"));
        let response = response.unwrap();
        assert_eq!(
            (&response.body()[..], response.headers()["a"].as_bytes()),
            (&b"hi"[..], &b"b"[..])
        );
        for payload in [&b"\x90"[..], b"\x93\xcc\xc8\x90\xc4\x00", b"\x81\xa6status\x01", b"\xc1"] {
            assert!(read(&Bytes::copy_from_slice(payload)).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn what_the_contract_refuses_is_refused() {
        let many = (0..=contract::HEADERS_MAX).fold(Headers::new(), |all, _| all.with("a", "b"));
        let large = Headers::new().with("a", vec![b'b'; contract::HEADERS_BYTES_MAX]);
        for payload in [
            encode(199, Headers::new(), b""),
            encode(600, Headers::new(), b""),
            encode(200, Headers::new().with("a b", "c"), b""),
            encode(200, Headers::new().with("a", "b\r\nc: d"), b""),
            encode(200, many, b""),
            encode(200, large, b""),
        ] {
            assert!(read(&payload).is_err());
        }
    }

    #[test]
    fn what_is_for_one_connection_does_not_leave() {
        let headers = Headers::new()
            .with("Connection", "close, x-once")
            .with("x-once", "1")
            .with("Transfer-Encoding", "chunked")
            .with("x", "y");
        let response = read(&encode(200, headers, b"")).unwrap();
        assert_eq!(response.headers().len(), 1);
    }

    #[test]
    fn a_length_is_that_of_the_body() {
        let fitted = |status: u16, length: Option<&str>, body: &'static str, head_only: bool| {
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(length) = length {
                response.headers_mut().insert("content-length", length.parse().unwrap());
            }
            fit(&mut response, head_only);
            let told = response.headers().get("content-length").cloned();
            let told = told.map(|value| value.to_str().unwrap().to_owned());
            (told, response.into_body().len())
        };
        let told = |length: &str| Some(length.to_owned());
        assert_eq!(fitted(200, Some("99"), "hello", false), (None, 5), "the transport adds it");
        assert_eq!(fitted(200, None, "hello", true), (told("5"), 0));
        assert_eq!(fitted(200, Some("99"), "hello", true), (told("5"), 0));
        assert_eq!(fitted(200, Some("99"), "", true), (told("99"), 0));
        assert_eq!(fitted(200, Some("+9"), "", true), (told("0"), 0));
        for status in [204, 205, 304] {
            assert_eq!(fitted(status, Some("99"), "hello", false), (None, 0));
            assert_eq!(fitted(status, Some("99"), "hello", true), (None, 0));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_the_contract_reads_them(
            status in 150u16..650,
            headers in proptest::collection::vec(("[a-zA-Z :-]{0,6}", "[\\x00-\\xff]{0,8}"), 0..6),
            body in proptest::collection::vec(any::<u8>(), 0..64),
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let headers = headers.into_iter().fold(Headers::new(), |all, (name, value)| {
                all.with(name, value)
            });
            let mut payload = encode(status, headers, &body).to_vec();
            for (at, byte) in flips {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            let payload = Bytes::from(payload);
            let expected = messages::Response::decode(&payload);
            let found = match view(&payload) {
                Some(response) => Ok(response),
                None => messages::Response::decode(&payload).and_then(owned),
            };
            prop_assert_eq!(found.is_ok(), expected.is_ok(), "{:?} {:?}", &found, &expected);
            if let (Ok(found), Ok(expected)) = (found, expected) {
                prop_assert_eq!(found.status().as_u16(), expected.status);
                prop_assert_eq!(&found.body()[..], &expected.body[..]);
                prop_assert_eq!(found.headers().len(), expected.headers.len());
            }
        }
    }
}
