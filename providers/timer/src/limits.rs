//! Limits of the timer, each with its unit in its name.

/// Time that an actor has for a tick, where the link names no other.
pub const TICK_TIMEOUT_DEFAULT_MS: u64 = 60_000;
/// Least time that a link may give an actor for a tick.
pub const TICK_TIMEOUT_MIN_MS: u64 = 100;
/// First pause before a tick that did not reach the actor is tried again.
pub const TICK_RETRY_PAUSE_FIRST_MS: u64 = 100;
/// Longest pause before a tick is tried again.
pub const TICK_RETRY_PAUSE_MAX_MS: u64 = 5_000;
/// Calls for one tick whose outcome stays unknown; after so many it counts as heard, lest an actor that
/// takes too long is called for ever.
pub const TICK_UNKNOWN_MAX: u32 = 5;
/// How much longer than the actor has for a tick its call may take to tell what became of it.
pub const TICK_TIMEOUT_SLACK_MS: u64 = 2_000;

/// A tick that is under way and of which its provider said nothing for this long is another one's.
pub const LEASE_MS: u64 = 6_000;
/// Interval at which a provider says that its tick is still under way.
pub const LEASE_RENEWAL_MS: u64 = 1_500;
/// How long those who did not tick last wait for the one who did, lest all of them write at once.
pub const OTHERS_PAUSE_MS: u64 = 50;
/// Longest sleep: the clock may be set meanwhile.
pub const SLEEP_MAX_MS: u64 = 30_000;
/// How far ahead of this clock another provider's may be before what it wrote is not believed.
pub const CLOCK_AHEAD_MAX_MS: u64 = 60_000;

/// Time that JetStream may take to answer.
pub const STORE_TIMEOUT_MS: u64 = 2_000;
/// First pause after JetStream did not.
pub const STORE_RETRY_PAUSE_FIRST_MS: u64 = 100;
/// Longest pause after JetStream did not.
pub const STORE_RETRY_PAUSE_MAX_MS: u64 = 2_000;
/// How long what is known of a link without ticks is kept: more than the longest interval.
pub const RECORD_AGE_MAX_MS: u64 = 800 * 24 * 3_600_000;

/// Ticks that were left out and are counted; more are not told apart.
pub const MISSED_COUNTED_MAX: u64 = 100_000;
