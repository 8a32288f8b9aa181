//! Every bound of the fault bench, each with its unit in its name.

/// Calls of one load that may be under way at once; more are held back, and counted.
pub const IN_FLIGHT_MAX: usize = 20_000;
/// Calls that one load makes at most.
pub const CALLS_MAX: u64 = 20_000_000;
/// Calls a second that a scenario makes unless it says otherwise.
pub const RATE_PER_S: f64 = 300.0;
/// Time of each call, unless a scenario says otherwise.
pub const CALL_TIMEOUT_MS: u64 = 5_000;
/// How long a load runs before the first fault, to know what quiet is.
pub const QUIET_MS: u64 = 5_000;
/// How long after a fault a call may still have been handed to who was struck: the server has to
/// read that the connection ended.
pub const NOTICE_MS: u64 = 100;
/// Calls that went wrong which a report names.
pub const SAMPLES_MAX: usize = 20;
/// Kinds of errors that are told apart.
pub const REASONS_MAX: usize = 50;
/// Lines of the ledger that are read from Redis at once.
pub const PAGE_LINES: usize = 10_000;
/// Time that Redis has for an answer of the bench.
pub const REDIS_TIMEOUT_MS: u64 = 10_000;
/// Time that calls under way have, beyond their own, to end with their load.
pub const LOAD_END_MS: u64 = 20_000;
/// How long durable invocations have, after the last fault, until none waits any more: what a dead server had
/// of them comes again after 15 s, what failed after pauses.
pub const QUEUE_END_MS: u64 = 180_000;
/// How long replies that nobody waits for any more are listened for before the verdict.
pub const LATE_REPLIES_MS: u64 = 200;
