//! Limits of providers, each with its unit in its name.

/// Time that opening a link may take.
pub const LINK_OPEN_TIMEOUT_MS: u64 = 10_000;
/// First pause before a link whose opening failed for a passing reason is opened again.
pub const LINK_RETRY_PAUSE_FIRST_MS: u64 = 500;
/// Longest pause before a link is opened again.
pub const LINK_RETRY_PAUSE_MAX_MS: u64 = 15_000;
/// How long a call waits for a link that its caller knows and the provider does not yet.
pub const LINK_UNKNOWN_WAIT_MS: u64 = 500;
/// Time that a provider may take to say whether it is well.
pub const HEALTH_TIMEOUT_MS: u64 = 1_000;
/// Calls of one provider that run at once in one process; more are answered `busy`.
pub const CALLS_IN_FLIGHT_MAX: u32 = 4_096;
/// Calls over one link that run at once in one process; more are answered `busy`.
pub const LINK_CALLS_IN_FLIGHT_MAX: u32 = CALLS_IN_FLIGHT_MAX / 2;
/// Time that a link which is replaced or removed has to end what it began by itself.
pub const LINK_CLOSE_TIMEOUT_MS: u64 = 30_000;
/// Time that links have at the end of the process to give back what they hold.
pub const RELEASE_TIMEOUT_MS: u64 = 5_000;
/// Time that a provider has to say whether it is well where all of it is described: whoever asks may
/// want to know no more than that it is there.
pub const DESCRIBE_HEALTH_MS: u64 = 100;
/// How long whoever asks about a link is kept waiting: longer than an opening takes.
pub const LINK_ASKED_WAIT_MS: u64 = LINK_OPEN_TIMEOUT_MS + 2_000;
/// Payloads by reference that a provider's process holds in memory at once.
pub const BODIES_HELD_MAX: usize = 16;
/// Time that the first listing of the registry may take when a provider starts.
pub const START_SYNC_TIMEOUT_MS: u64 = 30_000;
/// Time that is kept of a call for its answer when JetStream is given up; half of a shorter one.
pub const JETSTREAM_ANSWER_MS: u64 = 50;
