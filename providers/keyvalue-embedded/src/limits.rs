//! Limits of the embedded store, each with its unit in its name.

/// Length of the setting `database`.
pub const DATABASE_NAME_BYTES_MAX: usize = 64;
/// Memory in which a database keeps pages of its file.
pub const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Size up to which a file is checked from end to end before it is used: what takes no longer than
/// a link may take to open. A larger one is checked after a crash only.
pub const FILE_CHECKED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Writes that wait for the writer of a database; more are answered `busy`.
pub const WRITES_QUEUED_MAX: usize = 1_024;
/// Size of all writes that wait; more are answered `busy`.
pub const WRITES_QUEUED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Writes that one transaction takes.
pub const TRANSACTION_WRITES_MAX: usize = 256;
/// Size of the writes of a transaction, beyond which it takes no other.
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Reads of much (pages, sets) that run at once; more wait.
pub const READS_LARGE_MAX: usize = 16;
/// Keys that one page looks at: those whose life is over are left out of it.
pub const PAGE_KEYS_SEEN_MAX: usize = 10_000;
/// Values of a list: to remove one looks at all of them, and nothing else is written meanwhile.
pub const LIST_VALUES_MAX: u64 = 1_000_000;
/// How often what is over is removed, and how long after a write `eventual` ones are on the disk.
pub const SWEEP_INTERVAL_MS: u64 = 1_000;
/// Pause between two sweeps where the first one left something.
pub const SWEEP_PAUSE_MS: u64 = 10;
/// Entries, and values of what was deleted, that one sweep removes.
pub const SWEEP_ENTRIES_MAX: usize = 1_000;
