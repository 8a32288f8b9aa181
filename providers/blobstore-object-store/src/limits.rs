//! Limits of these providers, each with its unit in its name.

use lattice_protocol::contract::limits::blobstore as contract;

/// Time that is left for the answer when the store is given up.
pub const ANSWER_MS: u64 = 50;
/// Most of the time that is kept for tidying up where a long upload can't be finished in time.
pub const TIDY_MS: u64 = 1_000;
/// Time that the store has to say that it is there when a link is opened.
pub const OPEN_TIMEOUT_MS: u64 = 5_000;
/// Time that a connection to S3 may take.
pub const CONNECT_TIMEOUT_MS: u64 = 2_000;
/// Time that S3 may be silent within an answer.
pub const READ_TIMEOUT_MS: u64 = 10_000;
/// How often a request to S3 is sent again.
pub const RETRIES_MAX: usize = 2;
/// Time after which a request to S3 is not sent again.
pub const RETRY_TIMEOUT_MS: u64 = 5_000;
/// How often a read begins anew because the blob is replaced while it is read.
pub const READ_TRIES: u32 = 8;
/// Chunks of an upload.
pub const CHUNKS_MAX: u32 = 10_000;
/// Bytes of a blob: of an upload of the largest chunks.
pub const BLOB_BYTES_MAX: u64 = CHUNKS_MAX as u64 * contract::CHUNK_BYTES_MAX as u64;
/// Bytes of the parts that a large blob is written in: S3 takes 10,000 of them, none below 5 MiB.
pub const PART_BYTES: usize = 8 * 1024 * 1024;
/// Chunks that are read ahead when a blob is made of them.
pub const CHUNKS_AHEAD: usize = 2;
/// Objects that are described or removed at once.
pub const OBJECTS_AT_ONCE: usize = 8;
/// Length of a key on S3.
pub const S3_KEY_BYTES_MAX: usize = 1_024;
/// Length of all metadata of an object on S3.
pub const S3_METADATA_BYTES_MAX: usize = 2_048;
/// Length of a file's name, an escape more or less; file systems take 255.
pub const FILE_NAME_BYTES_MAX: usize = 180;
/// Bytes at the end of a file that say what the blob is: more than the contract's bounds can fill.
pub const FOOTER_BYTES: usize = 4_096;
/// Length of what a store says about an error, as far as it is passed on.
pub const CAUSE_BYTES_MAX: usize = 400;
/// An upload that got no chunk for this long is abandoned.
pub const UPLOAD_IDLE_MS: u64 = contract::UPLOAD_IDLE_MS;
/// Shortest time between two looks for abandoned uploads of a container.
pub const SWEEP_INTERVAL_MS: u64 = 60_000;
/// Uploads that one look examines.
pub const SWEEP_UPLOADS_MAX: usize = 32;
/// Time that one look may take.
pub const SWEEP_TIMEOUT_MS: u64 = 500;
/// Containers of a link whose last look is remembered.
pub const SWEPT_CONTAINERS_MAX: usize = 1_024;
