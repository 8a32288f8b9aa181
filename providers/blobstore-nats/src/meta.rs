//! What is known about a blob, as any client of object stores writes and reads it.

use std::collections::BTreeMap;

use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::object_store::{ObjectInfo, ObjectOptions};
use async_nats::{HeaderMap, header};
use data_encoding::BASE64URL;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::blobstore::Info;
use lattice_protocol::names::Digest;
use lattice_protocol::{Error, ErrorCode, subjects};

use crate::bucket::{Bucket, message};
use crate::fault::contended;
use crate::limits;

const CONTENT_TYPE: &str = "Content-Type";
/// Sequence of a blob's first block; and of its last.
const FIRST: &str = "Mesh-Blob-First";
const LAST: &str = "Mesh-Blob-Last";
const DIGEST: &str = "SHA-256=";

/// A blob that was stored.
#[derive(Clone, Debug)]
pub struct Meta {
    /// As in the object store.
    pub object: ObjectInfo,
    /// Sequence of the message that says it.
    pub sequence: u64,
}

/// What a blob will be said to be.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub name: String,
    /// What its bytes are.
    pub content_type: Option<String>,
    /// Facts to keep with it.
    pub metadata: BTreeMap<String, String>,
}

/// The blocks of a blob.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks {
    /// Bytes in all.
    pub size: u64,
    /// Sequence of the first.
    pub first: u64,
    /// Sequence of the last.
    pub last: u64,
    /// SHA-256 of the bytes.
    pub digest: [u8; 32],
}

/// Returns the subject of what is known about a blob.
pub fn subject(bucket: &Bucket, name: &str) -> String {
    subjects::object_meta(&bucket.name, &BASE64URL.encode(name.as_bytes()))
}

/// Returns the name that a subject's last token stands for.
pub fn name_of(token: &str) -> Option<String> {
    String::from_utf8(BASE64URL.decode(token.as_bytes()).ok()?).ok()
}

/// Reads what is known about a blob, deleted ones included: their sequence counts.
async fn look(bucket: &Bucket, name: &str) -> Result<(Option<Meta>, u64), Error> {
    let Some(last) = bucket.last(&subject(bucket, name)).await? else { return Ok((None, 0)) };
    Ok((parse(&last), last.sequence))
}

fn parse(message: &StreamMessage) -> Option<Meta> {
    let object: ObjectInfo = serde_json::from_slice(&message.payload).ok()?;
    // A link to another object is nothing that the contract knows.
    let link = object.options.as_ref().is_some_and(|options| options.link.is_some());
    (!object.deleted && !link).then_some(Meta { object, sequence: message.sequence })
}

/// Reads what is known about a blob.
pub async fn find(bucket: &Bucket, name: &str) -> Result<Option<Meta>, Error> {
    Ok(look(bucket, name).await?.0)
}

/// Makes a blob be seen in the place of an earlier one, whose blocks are removed: each writer
/// removes those of the one before, so that none stay.
pub async fn commit(
    bucket: &Bucket,
    version: &str,
    about: About,
    blocks: Blocks,
) -> Result<Info, Error> {
    let object = object(bucket, version, about, blocks);
    let bytes = serde_json::to_vec(&object)
        .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
    let subject = subject(bucket, &object.name);
    for _ in 0..limits::COMMIT_TRIES {
        let (before, expected) = look(bucket, &object.name).await?;
        let message = rolled_up(bytes.clone());
        let Some(sequence) = bucket.publish(subject.clone(), message, Some(expected)).await? else {
            continue;
        };
        if let Some(before) = before.filter(|before| before.object.nuid != object.nuid) {
            forget_blocks(bucket, &before.object.nuid).await;
        }
        return info(&Meta { object, sequence });
    }
    Err(contended("the blob"))
}

/// Removes a blob. Returns whether it was there.
pub async fn remove(bucket: &Bucket, name: &str) -> Result<bool, Error> {
    let subject = subject(bucket, name);
    for _ in 0..limits::COMMIT_TRIES {
        let Some(Meta { mut object, sequence }) = find(bucket, name).await? else {
            return Ok(false);
        };
        (object.deleted, object.size, object.chunks) = (true, 0, 0);
        let bytes = serde_json::to_vec(&object)
            .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
        let message = rolled_up(bytes);
        let Some(gone) = bucket.publish(subject.clone(), message, Some(sequence)).await? else {
            continue;
        };
        forget_blocks(bucket, &object.nuid).await;
        if let Err(error) = bucket.purge(&subject, Some(gone)).await {
            tracing::debug!(%error, "the mark of a deleted blob stays");
        }
        return Ok(true);
    }
    Err(contended("the blob"))
}

/// The blob is decided about already: what is left of the one before is only room.
async fn forget_blocks(bucket: &Bucket, version: &str) {
    if let Err(error) = bucket.purge(&subjects::object_blocks(&bucket.name, version), None).await {
        tracing::warn!(%error, bucket = %bucket.name, version, "the bytes of a replaced blob stay");
    }
}

/// A message that is the only one of its subject.
fn rolled_up(bytes: Vec<u8>) -> PublishMessage {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_ROLLUP, "sub");
    message(headers, bytes)
}

fn object(bucket: &Bucket, version: &str, about: About, blocks: Blocks) -> ObjectInfo {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = about.content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
    if blocks.size > 0 {
        headers.insert(FIRST, blocks.first.to_string());
        headers.insert(LAST, blocks.last.to_string());
    }
    ObjectInfo {
        name: about.name,
        description: None,
        metadata: about.metadata.into_iter().collect(),
        headers: Some(headers),
        options: Some(ObjectOptions { link: None, max_chunk_size: Some(limits::BLOCK_BYTES) }),
        bucket: bucket.name.clone(),
        nuid: version.to_owned(),
        size: usize::try_from(blocks.size).unwrap_or(usize::MAX),
        chunks: usize::try_from(blocks.size.div_ceil(limits::BLOCK_BYTES as u64)).unwrap_or(0),
        modified: Some(async_nats::datetime::now()),
        digest: Some(format!("{DIGEST}{}", BASE64URL.encode(&blocks.digest))),
        deleted: false,
    }
}

fn number(meta: &Meta, header: &str) -> Option<u64> {
    meta.object.headers.as_ref()?.get(header)?.as_str().parse().ok()
}

/// Returns the sequences of a blob's first and last block, where its writer told them.
pub fn sequences(meta: &Meta) -> Option<(u64, u64)> {
    Some((number(meta, FIRST)?, number(meta, LAST)?))
}

/// Describes a blob.
///
/// # Errors
/// `internal` where another program stored a blob that the contract does not know.
pub fn info(meta: &Meta) -> Result<Info, Error> {
    let object = &meta.object;
    let sum = object.digest.as_deref().and_then(|text| text.strip_prefix(DIGEST));
    let sum = sum.and_then(|text| BASE64URL.decode(text.as_bytes()).ok());
    let digest = sum.and_then(|sum| data_encoding::HEXLOWER.encode(&sum).parse::<Digest>().ok());
    let modified = object.modified.map_or(0, |time| time.unix_timestamp_nanos() / 1_000_000);
    let content_type = object.headers.as_ref().and_then(|headers| headers.get(CONTENT_TYPE));
    let info = Info {
        name: object.name.clone(),
        size: object.size as u64,
        version: object.nuid.clone(),
        modified_at_ms: u64::try_from(modified).unwrap_or(0),
        digest,
        content_type: content_type.map(|text| text.as_str().to_owned()),
        metadata: object.metadata.clone().into_iter().collect(),
    };
    let told = |error| {
        let why = format!("another program stored the blob {:?}: {error}", object.name);
        Error::not_started(ErrorCode::Internal, why)
    };
    info.check().map_err(told)?;
    Ok(info)
}
