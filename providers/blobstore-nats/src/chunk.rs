//! The blocks of an upload: a chunk is several of them, and counts when its last one is there.

use async_nats::HeaderMap;
use bytes::Bytes;
use lattice_protocol::subjects::{self, header};
use lattice_protocol::{Error, ErrorCode};

use crate::bucket::{Bucket, message};
use crate::fault::contended;
use crate::hash::Hash;
use crate::limits;
use crate::meta::Blocks;

/// How far an upload is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Bytes that were received.
    pub received: u64,
    /// Sequence of the last block.
    pub last: u64,
    /// The hash of what was received.
    pub hash: Hash,
}

/// Finds out how far an upload is. What is there of a chunk that was broken off is removed: the
/// next one at its place may have other bytes.
pub async fn progress(bucket: &Bucket, version: &str) -> Result<Progress, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    // A chunk has no more blocks than this, and only one may be broken off.
    let most = lattice_protocol::contract::limits::blobstore::CHUNK_BYTES_MAX / limits::BLOCK_BYTES;
    for _ in 0..=most {
        let Some(last) = bucket.last(&subject).await? else { return Ok(Progress::default()) };
        let text = |name: &str| last.headers.get(name).map(|value| value.as_str());
        if let Some(hash) = text(header::BLOB_HASH) {
            let hash = Hash::load(hash).ok_or_else(unreadable)?;
            let offset: u64 = text(header::BLOB_OFFSET)
                .and_then(|text| text.parse().ok())
                .ok_or_else(unreadable)?;
            let received = offset + last.payload.len() as u64;
            return Ok(Progress { received, last: last.sequence, hash });
        }
        bucket.delete_message(last.sequence).await?;
    }
    Err(contended("the upload"))
}

/// Adds a chunk to an upload. Its blocks are stored one after the other, each where the one before
/// is still the last: two that add the same chunk at once do not add it twice.
pub async fn add(
    bucket: &Bucket,
    version: &str,
    mut at: Progress,
    chunk: Bytes,
) -> Result<Progress, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    at.hash.update(&chunk);
    for (block, headers) in blocks(at.received, &chunk, &at.hash) {
        let length = block.len() as u64;
        let stored =
            bucket.publish(subject.clone(), message(headers, block), Some(at.last)).await?;
        at.last = stored.ok_or_else(|| contended("the upload"))?;
        at.received += length;
    }
    Ok(at)
}

/// Stores the blocks of a blob that came whole: nobody else knows its version, so that none has to
/// wait for the one before.
pub async fn add_whole(bucket: &Bucket, version: &str, body: Bytes) -> Result<Blocks, Error> {
    let subject = subjects::object_blocks(&bucket.name, version);
    let mut hash = Hash::default();
    hash.update(&body);
    let stored = blocks(0, &body, &hash)
        .map(|(block, headers)| bucket.publish(subject.clone(), message(headers, block), None));
    let stored = futures_util::future::try_join_all(stored).await?;
    let sequences = || stored.iter().copied().flatten();
    Ok(Blocks {
        size: body.len() as u64,
        first: sequences().min().unwrap_or(0),
        last: sequences().max().unwrap_or(0),
        digest: hash.finish(),
    })
}

/// Cuts a chunk into blocks that say where they belong; the last one says how far the hash is.
fn blocks(begin: u64, chunk: &Bytes, hash: &Hash) -> impl Iterator<Item = (Bytes, HeaderMap)> {
    let saved = hash.save();
    let length = chunk.len();
    let chunk = chunk.clone();
    (0..length).step_by(limits::BLOCK_BYTES).map(move |from| {
        let to = (from + limits::BLOCK_BYTES).min(length);
        let mut headers = HeaderMap::new();
        headers.insert(header::BLOB_OFFSET, (begin + from as u64).to_string());
        if to == length {
            headers.insert(header::BLOB_HASH, saved.as_str());
        }
        (chunk.slice(from..to), headers)
    })
}

fn unreadable() -> Error {
    Error::not_started(ErrorCode::Internal, "another program wrote to the upload")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_cut_into_blocks_of_which_the_last_ends_it() {
        let all = |length: usize| -> Vec<(usize, bool)> {
            blocks(7, &vec![0; length].into(), &Hash::default())
                .map(|(block, headers)| (block.len(), headers.get(header::BLOB_HASH).is_some()))
                .collect()
        };
        let block = limits::BLOCK_BYTES;
        assert_eq!(all(0), []);
        assert_eq!(all(block), [(block, true)]);
        assert_eq!(all(2 * block + 1), [(block, false), (block, false), (1, true)]);
    }
}
