//! How blobs are read, listed and deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::limits::blobstore as limits;
use super::super::{Message, bounded};
use super::{check_about, check_blob, check_chunk, check_container, check_token};
use crate::codec::{DecodeError, at_most};
use crate::names::Digest;

/// Names a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// The container.
    pub container: String,
    /// The blob's name: 1 to [`limits::BLOB_NAME_BYTES_MAX`] bytes without control characters; no
    /// part between slashes is empty, `.` or `..`.
    pub name: String,
}

impl Message for Blob {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)?;
        check_blob(&self.name)
    }
}

/// What is known about a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// Text that is another whenever the bytes are.
    pub version: String,
    /// Unix milliseconds when it was stored.
    #[serde(default)]
    pub modified_at_ms: u64,
    /// SHA-256 of its bytes, where the store knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What the bytes are, where somebody said it. A list may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Facts that were stored with it. A list may leave them out.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded::texts::<_, { limits::METADATA_ENTRIES_MAX }>"
    )]
    pub metadata: BTreeMap<String, String>,
}

impl Message for Info {
    fn check(&self) -> Result<(), DecodeError> {
        check_blob(&self.name)?;
        check_token("a version", &self.version)?;
        check_about(self.content_type.as_deref(), &self.metadata)
    }
}

/// What is known about a blob that may not be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Absent where there is no such blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
}

impl Message for Found {
    fn check(&self) -> Result<(), DecodeError> {
        self.info.as_ref().map_or(Ok(()), Info::check)
    }
}

/// Reads a part of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    /// The container.
    pub container: String,
    /// The blob's name.
    pub name: String,
    /// First byte to read. Default 0. At the end or beyond there are none.
    #[serde(default)]
    pub offset: u64,
    /// Bytes to read; absent means as many as there are, at most [`limits::CHUNK_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

impl Get {
    /// Returns how many bytes may be read: the wish within the limit.
    pub fn bytes(&self) -> u64 {
        let most = limits::CHUNK_BYTES_MAX as u64;
        self.length.map_or(most, |wish| wish.min(most))
    }
}

impl Message for Get {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)?;
        check_blob(&self.name)
    }
}

/// A part of a blob. It ends before the blob does where `offset` and its length are below the size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What is known about the blob; absent where there is no such blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Info>,
    /// The bytes; at most [`limits::CHUNK_BYTES_MAX`].
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl Message for Part {
    fn check(&self) -> Result<(), DecodeError> {
        check_chunk(&self.body)?;
        self.info.as_ref().map_or(Ok(()), Info::check)
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len()
    }
}

/// Asks for the blobs of a container, a page at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// The container.
    pub container: String,
    /// What their names begin with. Default empty: every blob.
    #[serde(default)]
    pub prefix: String,
    /// Where the page before ended; absent means the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Blobs of the page; absent or 0 means 100, more than 1,000 is cut to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl List {
    /// Returns how many the page has: the wish within the limits, or the default.
    pub fn entries(&self) -> u32 {
        bounded::page_entries(self.limit)
    }
}

impl Message for List {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)?;
        bounded::text(limits::BLOB_NAME_BYTES_MAX, "a prefix", &self.prefix)?;
        bounded::cursor(self.cursor.as_deref())
    }
}

/// Some blobs, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blobs {
    /// What is known about each, at most 1,000.
    #[serde(deserialize_with = "bounded::list::<_, _, { bounded::PAGE }>")]
    pub blobs: Vec<Info>,
    /// Where the next page begins; absent after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Message for Blobs {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(bounded::PAGE, "blobs", self.blobs.len())?;
        self.blobs.iter().try_for_each(Info::check)?;
        bounded::cursor(self.cursor.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_as_long_as_is_wished_within_the_limit() {
        let most = limits::CHUNK_BYTES_MAX as u64;
        for (length, bytes) in [(None, most), (Some(0), 0), (Some(7), 7), (Some(u64::MAX), most)] {
            let get = Get { container: "abc".into(), name: "b".into(), offset: 0, length };
            assert_eq!(get.bytes(), bytes);
        }
        let part = |size| Part { info: None, body: vec![0; size] }.check().is_ok();
        assert!(part(limits::CHUNK_BYTES_MAX) && !part(limits::CHUNK_BYTES_MAX + 1));
    }

    #[test]
    fn what_a_provider_says_about_a_blob_is_checked() {
        let info = |name: &str, version: &str| {
            let (name, version) = (name.to_owned(), version.to_owned());
            let (digest, content_type, metadata) = (None, None, BTreeMap::new());
            Info { name, size: 1, version, modified_at_ms: 0, digest, content_type, metadata }
        };
        assert_eq!(Found { info: Some(info("a/b", "1")) }.check(), Ok(()));
        for wrong in [info("../b", "1"), info("b", "")] {
            assert!(Found { info: Some(wrong.clone()) }.check().is_err());
            assert!(Blobs { blobs: vec![wrong], cursor: None }.check().is_err());
        }
    }
}
