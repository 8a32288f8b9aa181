//! The chunks of an upload: each is several blocks, and counts when its last one is there.
//!
//! Blocks are stored one after the other, each where the one before is still the last, so that of
//! two writers only one goes on. Whoever finds a chunk that is not whole first stores a block without
//! bytes after it: from then on nobody else adds to that chunk, and its blocks are removed. The oldest
//! goes first, so that whoever has to go on with that finds the others.

use bytes::Bytes;
use lattice_protocol::contract::limits::blobstore as contract;
use lattice_protocol::{Error, subjects};

use crate::block::{Block, Stored, cut};
use crate::bucket::Bucket;
use crate::fault::contended;
use crate::hash::Hash;
use crate::limits;
use crate::meta::Blocks;

/// How far an upload is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The hash of what was received.
    pub hash: Hash,
    /// Sequence of the last block.
    pub last: u64,
    /// The last block where a chunk is not whole: broken off, or being written.
    open: Option<Stored>,
    /// The block without bytes that took the place of a chunk.
    mark: Option<u64>,
}

impl Progress {
    /// Returns how many bytes were received.
    pub fn received(&self) -> u64 {
        self.hash.length()
    }
}

/// Finds out how far an upload is.
pub async fn look(bucket: &Bucket, version: &str) -> Result<Progress, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    let Some(last) = bucket.last(&subject).await? else { return Ok(Progress::default()) };
    let stored = Stored::read(&last)?;
    let (hash, last) = (stored.hash.clone(), stored.sequence);
    let open = Some(stored).filter(|stored| !stored.whole);
    Ok(Progress { hash, last, open, mark: None })
}

/// Removes what is there of a chunk that is not whole: the next one at its place may have other
/// bytes.
pub async fn tidy(bucket: &Bucket, version: &str, at: Progress) -> Result<Progress, Error> {
    let Progress { hash, last, open: Some(newest), .. } = at else { return Ok(at) };
    let subject = subjects::object_blocks(&bucket.name, version);
    let (offset, saved) = (hash.length(), hash.save());
    let mark = Block { offset, bytes: Bytes::new(), hash: saved, whole: false };
    let marked = bucket.publish(subject.clone(), mark.message(last), Some(last)).await?;
    let mark = marked.ok_or_else(|| contended("the upload"))?;
    let mut parts = Vec::new();
    let mut next = Some(newest);
    while let Some(part) = next.filter(|part| !part.whole) {
        parts.push(part.sequence);
        if parts.len() > limits::OPEN_BLOCKS_MAX {
            return Err(contended("the upload"));
        }
        next = match part.before {
            0 => None,
            before => bucket.at(&subject, before).await?.as_ref().map(Stored::read).transpose()?,
        };
    }
    for sequence in parts.into_iter().rev() {
        bucket.delete_message(&subject, sequence).await?;
    }
    Ok(Progress { hash, last: mark, open: None, mark: Some(mark) })
}

/// Leaves nothing but chunks that are whole: so an upload ends.
pub async fn settle(bucket: &Bucket, version: &str, at: Progress) -> Result<Progress, Error> {
    let Some(mark) = tidy(bucket, version, at.clone()).await?.mark else { return Ok(at) };
    let subject = subjects::object_blocks(&bucket.name, version);
    bucket.delete_message(&subject, mark).await?;
    let now = look(bucket, version).await?;
    if now.open.is_some() || now.received() != at.received() {
        return Err(contended("the upload"));
    }
    Ok(now)
}

/// Adds a chunk to an upload that is tidy.
pub async fn add(
    bucket: &Bucket,
    version: &str,
    at: Progress,
    chunk: Bytes,
) -> Result<Progress, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    let (hash, blocks) = cut(&at.hash, &chunk);
    let mut last = at.last;
    for block in blocks {
        let stored = bucket.publish(subject.clone(), block.message(last), Some(last)).await?;
        last = stored.ok_or_else(|| contended("the upload"))?;
    }
    // Other programs take a block without bytes for the end.
    if let Some(mark) = at.mark {
        bucket.delete_message(&subject, mark).await?;
    }
    Ok(Progress { hash, last, open: None, mark: None })
}

/// Stores the blocks of a blob that came whole: nobody else knows its version, so that none has to
/// wait for the one before.
pub async fn add_whole(bucket: &Bucket, version: &str, body: Bytes) -> Result<Blocks, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    let (hash, blocks) = cut(&Hash::default(), &body);
    let stored =
        blocks.into_iter().map(|block| bucket.publish(subject.clone(), block.message(0), None));
    let stored = futures_util::future::try_join_all(stored).await?;
    let sequences = || stored.iter().copied().flatten();
    Ok(Blocks {
        size: body.len() as u64,
        first: sequences().min().unwrap_or(0),
        last: sequences().max().unwrap_or(0),
        digest: hash.finish(),
    })
}

// A chunk that is not whole has fewer blocks, whatever was stored to take its place.
const _: () = assert!(contract::CHUNK_BYTES_MAX / limits::BLOCK_BYTES < limits::OPEN_BLOCKS_MAX);
