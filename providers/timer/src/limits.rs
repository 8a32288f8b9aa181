//! Limits of the provider, each with its unit in its name.

/// Time that an actor has for a tick, where its link names no other.
pub const TICK_TIMEOUT_DEFAULT_MS: u64 = 10_000;
/// Least time for a tick that a link may name.
pub const TICK_TIMEOUT_MIN_MS: u64 = 10;
/// Most time for a tick that a link may name.
pub const TICK_TIMEOUT_MAX_MS: u64 = 300_000;
/// How much longer than its time whoever took a tick is believed to work on it.
pub const TAKEN_GRACE_MS: u64 = 2_000;
/// Pause before a tick that could not start is tried again.
pub const RETRY_PAUSE_MS: u64 = 500;
/// Longest sleep: a clock that is set forward is noticed within it.
pub const SLEEP_MAX_MS: u64 = 60_000;
/// Time that JetStream has to answer.
pub const JETSTREAM_TIMEOUT_MS: u64 = 5_000;
/// Time that a tick under way has to end when the link goes.
pub const CLOSE_TIMEOUT_MS: u64 = 30_000;
