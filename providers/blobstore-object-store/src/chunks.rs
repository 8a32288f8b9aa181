//! The chunks of an upload: an object each, whose name says where in the blob it begins.

use bytes::Bytes;
use futures_util::TryStreamExt;
use lattice_protocol::Error;
use object_store::path::Path;

use crate::fault::{contended, failed, no_room};
use crate::limits;
use crate::objects::Objects;

/// A chunk that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many came before.
    pub index: u32,
    /// Where it begins.
    pub offset: u64,
    /// Bytes that it has.
    pub size: u64,
}

impl Chunk {
    /// Returns where the next one begins.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }

    /// Returns where it is.
    pub fn path(&self, chunks: &Path) -> Path {
        // The last one is listed first.
        let countdown = limits::CHUNKS_MAX.saturating_sub(self.index);
        chunks.clone().join(format!("{countdown:05}-{:020}", self.offset))
    }

    fn read(path: &Path, size: u64) -> Option<Self> {
        let (countdown, offset) = path.filename()?.split_once('-')?;
        let index = limits::CHUNKS_MAX.checked_sub(countdown.parse().ok()?)?;
        Some(Self { index, offset: offset.parse().ok()?, size })
    }
}

/// Returns the last chunk.
pub async fn last(objects: &Objects, chunks: &Path) -> Result<Option<Chunk>, Error> {
    let mut last = None::<Chunk>;
    let mut listed = objects.store.list(Some(chunks));
    while let Some(meta) =
        listed.try_next().await.map_err(|error| failed("list the chunks", &error))?
    {
        let chunk = Chunk::read(&meta.location, meta.size);
        let later = |chunk: &Chunk| last.as_ref().is_none_or(|last| chunk.index > last.index);
        if let Some(chunk) = chunk.filter(later) {
            last = Some(chunk);
            if objects.layout.is_ordered() {
                break;
            }
        }
    }
    Ok(last)
}

/// Returns all chunks in order.
pub async fn all(objects: &Objects, chunks: &Path) -> Result<Vec<Chunk>, Error> {
    let listed = objects.store.list(Some(chunks));
    let listed = listed.map_err(|error| failed("list the chunks", &error));
    let read = |meta: object_store::ObjectMeta| {
        std::future::ready(Ok(Chunk::read(&meta.location, meta.size)))
    };
    let mut all: Vec<Chunk> = listed.try_filter_map(read).try_collect().await?;
    all.sort_by_key(|chunk| chunk.index);
    Ok(all)
}

/// Adds a chunk after `last`.
pub async fn add(
    objects: &Objects,
    chunks: &Path,
    last: Option<&Chunk>,
    body: Bytes,
) -> Result<Chunk, Error> {
    let index = last.map_or(0, |last| last.index.saturating_add(1));
    let offset = last.map_or(0, Chunk::end);
    if index >= limits::CHUNKS_MAX {
        let most = limits::CHUNKS_MAX;
        return Err(no_room(format!("an upload has at most {most} chunks: send larger ones")));
    }
    let chunk = Chunk { index, offset, size: body.len() as u64 };
    if objects.create(&chunk.path(chunks), body).await? {
        return Ok(chunk);
    }
    // The same one may have come at the same time, or have been written before its answer was lost.
    match self::last(objects, chunks).await? {
        Some(there) if there == chunk => Ok(chunk),
        _ => Err(contended("the upload")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_has_the_first_name_and_each_is_read_back() {
        let chunks = Path::from("t/.mesh/uploads/abc/u/chunks");
        let mut before = None::<Path>;
        for (index, offset) in [(0, 0), (1, 7), (9, u64::MAX - 4), (limits::CHUNKS_MAX - 1, 1)] {
            let chunk = Chunk { index, offset, size: 4 };
            let path = chunk.path(&chunks);
            assert!(before.is_none_or(|before| path < before));
            assert_eq!(Chunk::read(&path, 4), Some(chunk));
            before = Some(path);
        }
        assert_eq!(Chunk::read(&Path::from("a/record"), 1), None);
    }
}
