//! The blocks of an upload, and what each says about the others.

use async_nats::HeaderMap;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use bytes::Bytes;
use lattice_protocol::subjects::header;
use lattice_protocol::{Error, ErrorCode};

use crate::bucket::message;
use crate::hash::Hash;
use crate::limits;

/// A block that is about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where in the blob it begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Bytes,
    /// How far the hash is at the end of the last chunk that is whole: of this one where it ends
    /// with the block.
    pub hash: String,
    /// Whether its chunk ends with it.
    pub whole: bool,
}

impl Block {
    /// Makes the message, `before` being the sequence of the block before.
    pub fn message(self, before: u64) -> PublishMessage {
        let mut headers = HeaderMap::new();
        headers.insert(header::BLOB_OFFSET, self.offset.to_string());
        headers.insert(header::BLOB_HASH, self.hash);
        headers.insert(header::BLOB_BEFORE, before.to_string());
        if self.whole {
            headers.insert(header::BLOB_WHOLE, "1");
        }
        message(headers, self.bytes)
    }
}

/// What a block that is stored says about the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its sequence.
    pub sequence: u64,
    /// Sequence of the block before; 0 where it is the first.
    pub before: u64,
    /// The hash at the end of the last chunk that is whole.
    pub hash: Hash,
    /// Whether that is the chunk of this block.
    pub whole: bool,
}

impl Stored {
    /// Reads what a block says.
    ///
    /// # Errors
    /// `internal` where it was not stored by this provider.
    pub fn read(message: &StreamMessage) -> Result<Self, Error> {
        let text = |name: &str| message.headers.get(name).map(|value| value.as_str());
        let unreadable =
            || Error::not_started(ErrorCode::Internal, "another program wrote to the upload");
        let before = text(header::BLOB_BEFORE).and_then(|text| text.parse().ok());
        Ok(Self {
            sequence: message.sequence,
            before: before.ok_or_else(unreadable)?,
            hash: text(header::BLOB_HASH).and_then(Hash::load).ok_or_else(unreadable)?,
            whole: text(header::BLOB_WHOLE).is_some(),
        })
    }
}

/// Cuts a chunk that follows what `hash` has seen into blocks. Returns the hash of all of it, too.
pub fn cut(hash: &Hash, chunk: &Bytes) -> (Hash, Vec<Block>) {
    let mut end = hash.clone();
    end.update(chunk);
    let (saved, saved_end) = (hash.save(), end.save());
    let block = |from: usize| {
        let to = (from + limits::BLOCK_BYTES).min(chunk.len());
        let whole = to == chunk.len();
        Block {
            offset: hash.length() + from as u64,
            bytes: chunk.slice(from..to),
            hash: if whole { saved_end.clone() } else { saved.clone() },
            whole,
        }
    };
    let blocks = (0..chunk.len()).step_by(limits::BLOCK_BYTES).map(block).collect();
    (end, blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_cut_into_blocks_of_which_the_last_ends_it() {
        let mut hash = Hash::default();
        hash.update(b"before");
        let all = |length: usize| -> Vec<(u64, usize, bool)> {
            let (end, blocks) = cut(&hash, &vec![0; length].into());
            assert_eq!(end.length(), 6 + length as u64);
            blocks.iter().map(|block| (block.offset, block.bytes.len(), block.whole)).collect()
        };
        let block = limits::BLOCK_BYTES;
        assert_eq!(all(0), []);
        assert_eq!(all(block), [(6, block, true)]);
        let at = |n: usize| 6 + (n * block) as u64;
        let three = [(at(0), block, false), (at(1), block, false), (at(2), 1, true)];
        assert_eq!(all(2 * block + 1), three);
        let (end, blocks) = cut(&hash, &vec![0; block + 1].into());
        let hashes: Vec<&str> = blocks.iter().map(|block| block.hash.as_str()).collect();
        assert_eq!(hashes, [hash.save(), end.save()]);
    }
}
