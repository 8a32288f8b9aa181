//! How a blob is stored: whole, or in chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::limits::blobstore as limits;
use super::super::{Message, bounded};
use super::{check_about, check_blob, check_chunk, check_container, check_token};
use crate::codec::DecodeError;
use crate::names::Digest;

/// Stores a blob that fits into one message, in the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// The container.
    pub container: String,
    /// The blob's name.
    pub name: String,
    /// The bytes; at most [`limits::CHUNK_BYTES_MAX`].
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// What the bytes are, as in HTTP; at most [`limits::CONTENT_TYPE_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Facts to keep with the blob: at most [`limits::METADATA_ENTRIES_MAX`], [`limits::METADATA_BYTES_MAX`]
    /// bytes in all. A key is a token of HTTP and may come back in lower case.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded::texts::<_, { limits::METADATA_ENTRIES_MAX }>"
    )]
    pub metadata: BTreeMap<String, String>,
}

impl Message for Put {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)?;
        check_blob(&self.name)?;
        check_chunk(&self.body)?;
        check_about(self.content_type.as_deref(), &self.metadata)
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.name.len()
    }
}

/// Begins to store a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginPut {
    /// The container.
    pub container: String,
    /// The blob's name.
    pub name: String,
    /// Bytes that it will have, where they are known: a provider that can't take as many says so at
    /// once with `limit_exceeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// As in [`Put::content_type`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// As in [`Put::metadata`].
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "bounded::texts::<_, { limits::METADATA_ENTRIES_MAX }>"
    )]
    pub metadata: BTreeMap<String, String>,
}

impl Message for BeginPut {
    fn check(&self) -> Result<(), DecodeError> {
        check_container(&self.container)?;
        check_blob(&self.name)?;
        check_about(self.content_type.as_deref(), &self.metadata)
    }
}

/// Names an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The token that stands for it; only its actor may use it. Forgotten
    /// [`limits::UPLOAD_IDLE_MS`] after the last chunk, or later.
    pub upload: String,
}

impl Message for Upload {
    fn check(&self) -> Result<(), DecodeError> {
        check_token("an upload", &self.upload)
    }
}

/// Adds bytes to an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutChunk {
    /// The upload.
    pub upload: String,
    /// Where in the blob the bytes begin: how many were received before. A chunk that was received
    /// already is not added again; any other gap or overlap is `bad_request`.
    pub offset: u64,
    /// The bytes: 1 to [`limits::CHUNK_BYTES_MAX`].
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl Message for PutChunk {
    fn check(&self) -> Result<(), DecodeError> {
        check_token("an upload", &self.upload)?;
        if self.body.is_empty() {
            return Err(DecodeError::Shape("a chunk is empty".into()));
        }
        if self.offset.checked_add(self.body.len() as u64).is_none() {
            return Err(DecodeError::Shape("a chunk ends beyond any blob".into()));
        }
        check_chunk(&self.body)
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.upload.len()
    }
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Bytes that were received: the offset of the next chunk.
    pub received: u64,
}

impl Message for Received {}

/// Ends an upload: the blob is seen, in the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishPut {
    /// The upload.
    pub upload: String,
    /// Bytes that the blob must have; another number is `bad_request`, and the upload goes on.
    pub size: u64,
    /// SHA-256 that the bytes must have; another is `bad_request`, and the upload is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Message for FinishPut {
    fn check(&self) -> Result<(), DecodeError> {
        check_token("an upload", &self.upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded() {
        let chunk = |offset, size| {
            PutChunk { upload: "u".into(), offset, body: vec![0; size] }.check().is_ok()
        };
        assert!(chunk(0, 1) && chunk(7, limits::CHUNK_BYTES_MAX) && chunk(u64::MAX - 1, 1));
        assert!(!chunk(0, 0) && !chunk(0, limits::CHUNK_BYTES_MAX + 1) && !chunk(u64::MAX, 1));
        let token = |upload: String| Upload { upload }.check().is_ok();
        assert!(token("u".repeat(limits::TOKEN_BYTES_MAX)));
        assert!(!token("u".repeat(limits::TOKEN_BYTES_MAX + 1)) && !token(String::new()));
    }
}
