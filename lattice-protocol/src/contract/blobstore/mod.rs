//! `mesh:blobstore`: large objects by name, in containers.
//!
//! A blob is seen whole or not at all. What fits into one message is stored by `put`. What does not
//! is uploaded: `begin_put` gives a token, `put_chunk` sends the bytes in order, `finish_put` makes
//! the blob be seen in the place of an earlier one. An actor remembers nothing between two calls, so
//! the token may go from one of them to another. `get` reads a part, with the version of the blob:
//! parts of different versions do not belong together.
//!
//! A container or an upload that does not exist is `not_found` (`detail.what` says which); a blob
//! that does not is an answer without [`Info`]. A provider that is full answers `limit_exceeded`.

mod blobs;
mod uploads;

pub use blobs::{Blob, Blobs, Found, Get, Info, List, Part};
pub use uploads::{BeginPut, FinishPut, Put, PutChunk, Received, Upload};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::Existed;
use super::limits::blobstore as limits;
use super::{Message, bounded};
use crate::codec::{DecodeError, at_most};

super::contract! { "mesh:blobstore";
    /// [`Container`](super::Container) to [`Existed`](super::Existed): it exists afterwards.
    CREATE_CONTAINER = "create_container", Provider, false;
    /// [`Container`](super::Container) to [`Existed`](super::Existed). One that has blobs is
    /// `bad_request`.
    DELETE_CONTAINER = "delete_container", Provider, false;
    /// [`Container`](super::Container) to [`Existed`](super::Existed).
    CONTAINER_EXISTS = "container_exists", Provider, true;
    /// [`ListContainers`](super::ListContainers) to [`Containers`](super::Containers).
    LIST_CONTAINERS = "list_containers", Provider, true;
    /// [`Put`](super::Put) to [`Info`](super::Info).
    PUT = "put", Provider, true;
    /// [`BeginPut`](super::BeginPut) to [`Upload`](super::Upload).
    BEGIN_PUT = "begin_put", Provider, false;
    /// [`PutChunk`](super::PutChunk) to [`Received`](super::Received).
    PUT_CHUNK = "put_chunk", Provider, true;
    /// [`FinishPut`](super::FinishPut) to [`Info`](super::Info).
    FINISH_PUT = "finish_put", Provider, false;
    /// [`Upload`](super::Upload) to [`Empty`](super::super::Empty): its bytes are forgotten. One that
    /// does not exist is forgotten already.
    ABORT_PUT = "abort_put", Provider, true;
    /// [`Get`](super::Get) to [`Part`](super::Part).
    GET = "get", Provider, true;
    /// [`Blob`](super::Blob) to [`Found`](super::Found).
    INFO = "info", Provider, true;
    /// [`List`](super::List) to [`Blobs`](super::Blobs).
    LIST = "list", Provider, true;
    /// [`Blob`](super::Blob) to [`Existed`](super::Existed).
    DELETE = "delete", Provider, false;
}

/// Names a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name: 3 to 63 characters of `a-z 0-9 -`, the first and the last no `-`.
    pub container: String,
}

impl Message for Container {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)
    }
}

/// Asks for the containers, a page at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListContainers {
    /// Where the page before ended; absent means the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Containers of the page; absent or 0 means 100, more than 1,000 is cut to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl ListContainers {
    /// Returns how many the page has: the wish within the limits, or the default.
    pub fn entries(&self) -> u32 {
        bounded::page_entries(self.limit)
    }
}

impl Message for ListContainers {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::cursor(self.cursor.as_deref())
    }
}

/// Some containers, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containers {
    /// Their names, at most 1,000.
    #[serde(deserialize_with = "bounded::list::<_, _, { bounded::PAGE }>")]
    pub containers: Vec<String>,
    /// Where the next page begins; absent after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Message for Containers {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(bounded::PAGE, "containers", self.containers.len())?;
        self.containers.iter().try_for_each(|name| check_container(name))?;
        bounded::cursor(self.cursor.as_deref())
    }
}

/// Checks a container's name; what is allowed is a name in every store.
fn check_container(name: &str) -> Result<(), DecodeError> {
    bounded::size(limits::CONTAINER_NAME_BYTES_MAX, "a container's name", name.len())?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.len() >= limits::CONTAINER_NAME_BYTES_MIN && name.bytes().all(allowed);
    if !fits || name.starts_with('-') || name.ends_with('-') {
        return Err(DecodeError::Shape(format!(
            "{name:?} is no container's name: 3 to 63 characters of a-z, 0-9 and -, no - at the ends"
        )));
    }
    Ok(())
}

/// Checks a blob's name. A store that is a file system must not be led out of its folder.
fn check_blob(name: &str) -> Result<(), DecodeError> {
    bounded::name(limits::BLOB_NAME_BYTES_MAX, "a blob's name", name)?;
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(DecodeError::Shape(
            "a blob's name has an empty part, or one of dots, between its slashes".into(),
        ));
    }
    Ok(())
}

/// Checks the token of an upload, or a version.
fn check_token(what: &'static str, token: &str) -> Result<(), DecodeError> {
    bounded::name(limits::TOKEN_BYTES_MAX, what, token)
}

/// Checks bytes of a blob.
fn check_chunk(bytes: &[u8]) -> Result<(), DecodeError> {
    bounded::size(limits::CHUNK_BYTES_MAX, "a chunk", bytes.len())
}

/// Checks what is said about a blob.
fn check_about(
    content_type: Option<&str>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), DecodeError> {
    if let Some(text) = content_type {
        bounded::name(limits::CONTENT_TYPE_BYTES_MAX, "a content type", text)?;
    }
    at_most(limits::METADATA_ENTRIES_MAX, "entries of metadata", metadata.len())?;
    let bytes = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    bounded::size(limits::METADATA_BYTES_MAX, "the metadata", bytes)?;
    for (key, value) in metadata {
        // Stores keep them as headers of HTTP.
        if !super::headers::is_token(key) {
            return Err(DecodeError::Shape(format!("{key:?} is no key of metadata")));
        }
        bounded::text(limits::METADATA_BYTES_MAX, "metadata", value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_every_store() {
        for name in ["abc", "a-1", &"a".repeat(limits::CONTAINER_NAME_BYTES_MAX)] {
            assert_eq!(check_container(name), Ok(()));
        }
        let long = "a".repeat(limits::CONTAINER_NAME_BYTES_MAX + 1);
        for name in ["", "ab", "-ab", "ab-", "Abc", "a.b", "a/b", "..", &long] {
            assert!(check_container(name).is_err(), "{name}");
        }
        for name in ["a", "a/b.txt", "ü ..x", &"a".repeat(limits::BLOB_NAME_BYTES_MAX)] {
            assert_eq!(check_blob(name), Ok(()));
        }
        let long = "a".repeat(limits::BLOB_NAME_BYTES_MAX + 1);
        for name in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0", &long] {
            assert!(check_blob(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn metadata_is_bounded() {
        let with = |key: &str, value: String| {
            check_about(None, &BTreeMap::from([(key.to_owned(), value)])).is_ok()
        };
        assert!(with("k", "v".repeat(limits::METADATA_BYTES_MAX - 1)));
        assert!(!with("k", "v".repeat(limits::METADATA_BYTES_MAX)));
        assert!(!with("a b", String::new()) && !with("k", "\n".into()));
        let many = |count: usize| {
            check_about(
                Some("text/plain"),
                &(0..count).map(|n| (n.to_string(), "".into())).collect(),
            )
        };
        assert!(many(limits::METADATA_ENTRIES_MAX).is_ok());
        assert!(many(limits::METADATA_ENTRIES_MAX + 1).is_err());
        assert!(check_about(Some(""), &BTreeMap::new()).is_err());
    }
}
