//! Limits of the provider, each with its unit in its name.

/// Deliveries at once, where a link names no other number.
pub const CONCURRENCY_DEFAULT: usize = 64;
/// Most deliveries at once that a link may ask for.
pub const CONCURRENCY_MAX: usize = 1_000;
/// Messages of one link that wait in memory for their delivery; more are dropped and counted.
pub const PENDING_MAX: usize = 8_192;
/// Bytes of one link's messages that wait in memory for their delivery, over all of its subjects; more
/// are dropped and counted.
pub const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Time that an actor has for one delivery, where a link names no other.
pub const DELIVER_TIMEOUT_DEFAULT_MS: u64 = 10_000;
/// Least time for one delivery that a link may name.
pub const DELIVER_TIMEOUT_MIN_MS: u64 = 10;
/// Most time for one delivery that a link may name.
pub const DELIVER_TIMEOUT_MAX_MS: u64 = 300_000;
/// Deliveries of one message, where a link names no other number.
pub const DELIVERIES_DEFAULT: u32 = 5;
/// Most deliveries of one message that a link may ask for.
pub const DELIVERIES_MAX: u32 = 1_000;
/// Pauses before a message is delivered again, where a link names none.
pub const BACKOFF_DEFAULT_MS: [u64; 3] = [1_000, 5_000, 30_000];
/// Pauses that a link may name.
pub const BACKOFF_ENTRIES_MAX: usize = 32;
/// Longest pause.
pub const BACKOFF_MAX_MS: u64 = 86_400_000;
/// Patterns that a link may name.
pub const PATTERNS_MAX: usize = 64;
/// Time without a sign of life after which the server gives a message to somebody else; a sign is
/// given every third of it while an actor works. Where a link names no other.
pub const ACK_WAIT_DEFAULT_MS: u64 = 15_000;
/// Least such time that a link may name.
pub const ACK_WAIT_MIN_MS: u64 = 500;
/// Most such time that a link may name.
pub const ACK_WAIT_MAX_MS: u64 = 3_600_000;
/// How long the server keeps a question for messages before it is asked again.
pub const PULL_EXPIRES_MS: u64 = 5_000;
/// Pause after a stream could not be read.
pub const PULL_RETRY_PAUSE_MS: u64 = 1_000;
/// Time that the server has to answer about streams, and to store a message.
pub const JETSTREAM_TIMEOUT_MS: u64 = 5_000;
/// Time that deliveries under way have to end when the link goes.
pub const CLOSE_TIMEOUT_MS: u64 = 30_000;
/// Messages of one consumer that are under way or postponed; while there are as many no other one is
/// delivered. What runs at once is bounded by each process.
pub const ACK_PENDING_MAX: i64 = 20_000;
/// Times that a link and another one that uses its consumer may be in each other's way while it opens.
pub const AGREE_ATTEMPTS_MAX: u32 = 8;
/// Deliveries beyond those of the link that may end without a decision before a message is put aside
/// unseen.
pub const UNDECIDED_MAX: u32 = 100;
/// Shortest pause before what did not reach the actor, or could not be put aside, is tried again.
pub const HELD_PAUSE_MIN_MS: u64 = 100;
/// Longest such pause.
pub const HELD_PAUSE_MAX_MS: u64 = 30_000;
/// Characters of what a header of a dead letter tells.
pub const REASON_CHARACTERS_MAX: usize = 1_000;
/// Bytes of a stream that a link makes; the server sets them aside. Then it takes no more.
pub const STREAM_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// How long a stream that a link makes keeps a message that nobody has taken.
pub const STREAM_AGE_MAX_S: u64 = 7 * 24 * 3_600;
/// How long a stream that a link makes keeps a dead letter.
pub const DEAD_LETTER_AGE_MAX_S: u64 = 30 * 24 * 3_600;
