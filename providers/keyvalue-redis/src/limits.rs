//! Limits of this provider, each with its unit in its name.

/// Time to reach a server and be welcomed.
pub const CONNECT_TIMEOUT_MS: u64 = 1_000;
/// Time that a server has for an answer, where the link names none.
pub const ANSWER_TIMEOUT_DEFAULT_MS: u64 = 2_000;
/// Shortest time that a link may name.
pub const ANSWER_TIMEOUT_MIN_MS: u64 = 10;
/// Longest time that a link may name.
pub const ANSWER_TIMEOUT_MAX_MS: u64 = 60_000;
/// Keys that one step of a listing asks for. A step may find somewhat more; a page has at most 1,000.
pub const SCAN_KEYS_MAX: u32 = 256;
/// Steps that one page of a listing may take: most find nothing where others have many keys.
pub const SCAN_STEPS_MAX: u32 = 64;
/// Pause before a connection that could not be made is tried again.
pub const RECONNECT_PAUSE_MS: u64 = 50;
/// Silence of a connection after which its other end is probed.
pub const KEEPALIVE_IDLE_MS: u64 = 3_000;
/// Time between probes.
pub const KEEPALIVE_INTERVAL_MS: u64 = 1_000;
/// Probes without an answer after which the connection is lost.
pub const KEEPALIVE_PROBES: u32 = 3;
/// How long what was sent may stay unacknowledged before the connection is lost.
pub const UNACKNOWLEDGED_MAX_MS: u64 = 5_000;
