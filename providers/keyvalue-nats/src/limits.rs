//! Limits of this provider, each with its unit in its name.

/// Time that JetStream has to open a bucket, or make it.
pub const OPEN_TIMEOUT_MS: u64 = 5_000;
/// Attempts of a change before it is given up as `busy`: others were faster each time.
pub const CHANGE_ATTEMPTS_MAX: u32 = 64;
/// First pause before a change that somebody else was faster with is tried again.
pub const CHANGE_PAUSE_FIRST_US: u64 = 200;
/// Longest pause before a change is tried again.
pub const CHANGE_PAUSE_MAX_US: u64 = 20_000;
/// Attempts to read several sets while nobody changes one, before they are given up as `busy`.
pub const COMBINE_ATTEMPTS_MAX: u32 = 16;
/// Changes of one process that wait for each other by key rather than fail at the server.
pub const KEY_LOCKS: usize = 64;
/// How long the bucket remembers that a key was deleted.
pub const MARKER_KEPT_S: u64 = 60;
/// How much longer than its life the server keeps what nobody can see any more.
pub const EXPIRED_KEPT_S: u64 = 1;
/// Room in a message for all but its content.
pub const MESSAGE_OVERHEAD_BYTES: usize = 2 * 1024;
/// Keys that one question of a listing asks for.
pub const LIST_BATCH: usize = 500;
/// Keys that one page looks at: it ends there, with a cursor, however few of them it holds.
pub const LIST_SEEN_MAX: usize = 50_000;
/// Failures of a listing before it is given up.
pub const LIST_FAILURES_MAX: u32 = 5;
/// Pause after a failure of a listing.
pub const LIST_PAUSE_MS: u64 = 50;
/// How long the server keeps the cursor of one page.
pub const LIST_IDLE_MS: u64 = 10_000;
/// Length of a bucket's name.
pub const BUCKET_NAME_BYTES_MAX: usize = 64;
