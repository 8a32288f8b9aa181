//! Limits of this provider, each with its unit in its name.

use lattice_protocol::contract::limits::blobstore as contract;

/// Bytes of a block: a message of the stream. What object stores use by default, so that a blob
/// does not hold up the calls on the same connection.
pub const BLOCK_BYTES: usize = 128 * 1024;
/// Blocks that may be there of a chunk that is not whole.
pub const OPEN_BLOCKS_MAX: usize = 128;
/// Bytes of a blob.
pub const BLOB_BYTES_MAX: u64 = 1 << 40;
/// Time that the store has to say that it is there when a link is opened.
pub const OPEN_TIMEOUT_MS: u64 = 3_000;
/// How often a read begins anew because the blob is replaced while it is read.
pub const READ_TRIES: u32 = 8;
/// Pause before a read begins anew: a replica may be behind.
pub const READ_PAUSE_MS: u64 = 25;
/// How often a block is looked for by its sequence before the read fails.
pub const SEEK_STEPS_MAX: u32 = 64;
/// How often a write begins anew because others write the same blob.
pub const COMMIT_TRIES: u32 = 64;
/// Descriptions of a page that are fetched at once.
pub const INFOS_AT_ONCE: usize = 16;
/// An upload that got no chunk for this long is abandoned.
pub const UPLOAD_IDLE_MS: u64 = contract::UPLOAD_IDLE_MS;
/// Shortest time between two looks for abandoned uploads of a container.
pub const SWEEP_INTERVAL_MS: u64 = 60_000;
/// Uploads that one look examines.
pub const SWEEP_UPLOADS_MAX: usize = 64;
/// Time that one look may take.
pub const SWEEP_TIMEOUT_MS: u64 = 500;
/// Containers of a link whose last look is remembered.
pub const SWEPT_CONTAINERS_MAX: usize = 1_024;
