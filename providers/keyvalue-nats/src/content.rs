//! What a key holds, as one message: pure.

use std::time::{SystemTime, UNIX_EPOCH};

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::{Error, ErrorCode, codec};
use mesh_provider::keyvalue::{Sort, wrong_sort};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A value.
    Value(Vec<u8>),
    /// A list, from front to back; not empty.
    List(Vec<ByteBuf>),
    /// A set, in the order in which its members came; not empty.
    Set(Vec<ByteBuf>),
}

/// What a key holds, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub content: Content,
    /// Unix milliseconds from which it is not there any more.
    pub expires_ms: Option<u64>,
}

impl Held {
    /// Returns a content that stays.
    pub fn for_ever(content: Content) -> Self {
        Self { content, expires_ms: None }
    }
}

const VALUE: &str = "value";
const LIST: &str = "list";
const SET: &str = "set";

impl Content {
    /// Returns the word for its sort, as it is in a header.
    pub fn sort(&self) -> &'static str {
        match self {
            Content::Value(_) => VALUE,
            Content::List(_) => LIST,
            Content::Set(_) => SET,
        }
    }

    /// Returns the content as the body of a message.
    ///
    /// # Errors
    /// `internal`; not seen to happen.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        match self {
            Content::Value(value) => Ok(value.clone()),
            Content::List(items) | Content::Set(items) => codec::encode(items)
                .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string())),
        }
    }

    /// Reads what a message holds.
    ///
    /// # Errors
    /// `internal` where somebody else wrote it.
    pub fn decode(key: &str, sort: Option<&str>, body: &[u8]) -> Result<Self, Error> {
        let broken = |cause: &dyn std::fmt::Display| {
            Error::not_started(
                ErrorCode::Internal,
                format!("what the bucket holds at {key:?} can't be read: {cause}"),
            )
        };
        let items = || codec::decode::<Vec<ByteBuf>>(body).map_err(|error| broken(&error));
        match sort {
            None | Some(VALUE) => Ok(Content::Value(body.to_vec())),
            Some(LIST) => Ok(Content::List(items()?)),
            Some(SET) => Ok(Content::Set(items()?)),
            Some(other) => Err(broken(&format!("it is a {other}"))),
        }
    }
}

/// Takes the value of a key.
///
/// # Errors
/// `bad_request` where it holds another sort.
pub fn value(key: &str, held: Option<Held>) -> Result<Option<Vec<u8>>, Error> {
    match held.map(|held| held.content) {
        None => Ok(None),
        Some(Content::Value(value)) => Ok(Some(value)),
        Some(_) => Err(wrong_sort(key, Sort::Value)),
    }
}

/// Takes the list of a key; where it holds nothing that is an empty one.
///
/// # Errors
/// `bad_request` where it holds another sort.
pub fn list(key: &str, held: Option<Held>) -> Result<Vec<ByteBuf>, Error> {
    match held.map(|held| held.content) {
        None => Ok(Vec::new()),
        Some(Content::List(items)) => Ok(items),
        Some(_) => Err(wrong_sort(key, Sort::List)),
    }
}

/// Takes the set of a key; where it holds nothing that is an empty one.
///
/// # Errors
/// `bad_request` where it holds another sort.
pub fn set(key: &str, held: Option<Held>) -> Result<Vec<ByteBuf>, Error> {
    match held.map(|held| held.content) {
        None => Ok(Vec::new()),
        Some(Content::Set(items)) => Ok(items),
        Some(_) => Err(wrong_sort(key, Sort::Set)),
    }
}

/// Returns the time as Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_read_back() {
        let items = vec![ByteBuf::from("a"), ByteBuf::new()];
        for content in [
            Content::Value(b"\x00".to_vec()),
            Content::Value(vec![]),
            Content::List(items.clone()),
            Content::Set(items),
        ] {
            let body = content.encode().unwrap();
            assert_eq!(Content::decode("k", Some(content.sort()), &body), Ok(content));
        }
        assert_eq!(Content::decode("k", None, b"x"), Ok(Content::Value(b"x".to_vec())));
        assert!(Content::decode("k", Some("list"), b"x").is_err());
        assert!(Content::decode("k", Some("tree"), b"x").is_err());
    }

    #[test]
    fn another_sort_is_refused() {
        let held = |content| Some(Held::for_ever(content));
        assert!(value("k", held(Content::List(vec![]))).is_err());
        assert!(list("k", held(Content::Set(vec![]))).is_err());
        assert!(set("k", held(Content::Value(vec![]))).is_err());
        assert_eq!((value("k", None), list("k", None)), (Ok(None), Ok(vec![])));
    }
}
