//! A part of a blob, of the blocks that hold it.

use async_nats::jetstream::message::StreamMessage;
use lattice_protocol::Error;
use lattice_protocol::subjects::{self, header};

use crate::bucket::Bucket;
use crate::limits;
use crate::meta::{self, Meta};

/// A block, and where in the blob it begins.
struct Block {
    message: StreamMessage,
    offset: u64,
}

impl Block {
    fn end(&self) -> u64 {
        self.offset + self.message.payload.len() as u64
    }
}

/// Reads bytes of a blob; nothing where its blocks are not there (any more): it was replaced, or a
/// replica is behind.
pub async fn part(
    bucket: &Bucket,
    meta: &Meta,
    offset: u64,
    length: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let size = meta.object.size as u64;
    let wanted = length.min(size.saturating_sub(offset));
    let room = usize::try_from(wanted).unwrap_or(0);
    let mut body = Vec::with_capacity(room);
    if wanted == 0 {
        return Ok(Some(body));
    }
    let subject = subjects::object_blocks(&bucket.name, &meta.object.nuid);
    let mut found = seek(bucket, meta, &subject, offset).await?;
    while let Some(block) = found {
        let from = offset + body.len() as u64;
        let skip = usize::try_from(from.saturating_sub(block.offset)).unwrap_or(usize::MAX);
        let bytes = block.message.payload.get(skip..).unwrap_or_default();
        body.extend_from_slice(bytes.get(..room - body.len()).unwrap_or(bytes));
        if body.len() == room {
            return Ok(Some(body));
        }
        found = after(bucket, &subject, &block).await?;
    }
    Ok(None)
}

/// Returns the block that follows.
async fn after(bucket: &Bucket, subject: &str, block: &Block) -> Result<Option<Block>, Error> {
    let message = bucket.next(subject, block.message.sequence + 1).await?;
    let next = message.map(|message| Block { message, offset: block.end() });
    // Where the writer said it, nothing may be missing in between.
    Ok(next.filter(|next| told(&next.message).is_none_or(|offset| offset == next.offset)))
}

/// Finds the block that holds `position`. Blocks that others wrote in between make the sequence
/// a guess, which is narrowed down.
async fn seek(
    bucket: &Bucket,
    meta: &Meta,
    subject: &str,
    position: u64,
) -> Result<Option<Block>, Error> {
    let Some((first, last)) = meta::sequences(meta) else {
        return skip_to(bucket, subject, position).await;
    };
    let mut range = Range { first, last, begin: 0, end: meta.object.size as u64 };
    for step in 0..limits::SEEK_STEPS_MAX {
        let guess = range.guess(position, step);
        let Some(message) = bucket.next(subject, guess).await? else { return Ok(None) };
        let Some(offset) = told(&message) else { return Ok(None) };
        let block = Block { message, offset };
        if position < block.offset {
            if guess <= range.first {
                return Ok(None);
            }
            (range.last, range.end) = (guess - 1, block.offset);
        } else if position >= block.end() {
            (range.first, range.begin) = (block.message.sequence + 1, block.end());
        } else {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// Blocks of other programs do not say where they belong: every one before is read, one at a time.
async fn skip_to(bucket: &Bucket, subject: &str, position: u64) -> Result<Option<Block>, Error> {
    let first = bucket.next(subject, 1).await?;
    let mut found = first.map(|message| Block { message, offset: 0 });
    while let Some(block) = found {
        if position < block.end() {
            return Ok(Some(block));
        }
        found = after(bucket, subject, &block).await?;
    }
    Ok(None)
}

/// Returns where in the blob a block begins, where its writer told it.
fn told(message: &StreamMessage) -> Option<u64> {
    message.headers.get(header::BLOB_OFFSET)?.as_str().parse().ok()
}

/// Sequences among which a block is, and the bytes of the blob that they hold.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
    begin: u64,
    end: u64,
}

impl Range {
    /// Guesses the sequence of a block by proportion, every other time by halving: then no
    /// distribution of the blocks takes long.
    fn guess(self, position: u64, step: u32) -> u64 {
        let sequences = u128::from(self.last.saturating_sub(self.first));
        let bytes = u128::from(self.end.saturating_sub(self.begin)).max(1);
        let ahead = u128::from(position.saturating_sub(self.begin));
        let by_proportion = ahead * (sequences + 1) / bytes;
        let ahead =
            if step.is_multiple_of(2) { by_proportion.min(sequences) } else { sequences / 2 };
        self.first + u64::try_from(ahead).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_block_is_found_in_few_steps_however_they_lie() {
        // Blocks of 10 bytes: side by side, spread, and in two heaps far apart.
        let layouts: [fn(u64) -> u64; 3] =
            [|n| 5 + n, |n| 5 + n * n, |n| if n < 900 { 5 + n } else { 1_000_000 + n }];
        for layout in layouts {
            let sequences: Vec<u64> = (0..1000).map(layout).collect();
            for position in (0..10_000).step_by(7) {
                let mut range =
                    Range { first: sequences[0], last: sequences[999], begin: 0, end: 10_000 };
                let steps = (0..limits::SEEK_STEPS_MAX).position(|step| {
                    let guess = range.guess(position, step);
                    let at = sequences.partition_point(|sequence| *sequence < guess);
                    let begin = at as u64 * 10;
                    if position < begin {
                        (range.last, range.end) = (guess - 1, begin);
                    } else if position >= begin + 10 {
                        (range.first, range.begin) = (sequences[at] + 1, begin + 10);
                    }
                    (begin..begin + 10).contains(&position)
                });
                assert!(steps.is_some_and(|steps| steps < 50), "{position}: {steps:?}");
            }
        }
    }
}
