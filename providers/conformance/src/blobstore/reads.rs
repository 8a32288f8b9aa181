//! Parts of a blob.

use lattice_protocol::contract::limits::blobstore as limits;

use super::shared::Store;
use crate::Report;
use crate::checks::{bytes, same, same_bytes, some};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("any part of a blob is read", parts(store)).await;
}

async fn parts(store: &Store) -> Result<(), String> {
    let size = 1_000_003_u64;
    let body = bytes(size as usize, 6);
    let version = store.put("parts", &body).await?.version;
    let block = 128 * 1024;
    for (offset, length) in [
        (0, Some(0)),
        (0, Some(1)),
        (0, Some(size)),
        (0, Some(size + 1)),
        (0, None),
        (1, None),
        (block - 1, Some(2)),
        (block, Some(block)),
        (500_000, Some(123_456)),
        (size - 1, None),
        (size - 1, Some(1)),
        (size, None),
        (size, Some(1)),
        (size + 1, Some(1)),
        (u64::MAX, Some(u64::MAX)),
        (7, Some(0)),
        (999_999, Some(limits::CHUNK_BYTES_MAX as u64 * 2)),
    ] {
        let part = store.part("parts", offset, length).await?;
        let from = offset.min(size);
        let to = from.saturating_add(length.unwrap_or(u64::MAX)).min(size);
        let wanted = body.get(from as usize..to as usize).unwrap_or_default();
        same_bytes(&format!("the part {length:?} at {offset}"), &part.body, wanted)?;
        let info = some("the info", part.info)?;
        same("the size", info.size, size)?;
        same("the version", &info.version, &version)?;
    }
    same("whether it was there", store.delete("parts").await?, true)
}
