//! Limits of the simulation and the model's times, each with its unit in its name.

/// Seeds that are run where nobody says how many.
pub const SEEDS_DEFAULT: u64 = 10_000;
/// Time in which actions happen, at most.
pub const ACTIVE_MS: u64 = 12_000;
/// Time after the last fault within which every node has to serve what the registry says: a list
/// that is due once an interval and may have to be asked for twice, and the loads that follow.
pub const CONVERGE_MS: u64 = lattice_client::limits::RELIST_INTERVAL_MS
    + 2 * lattice_client::limits::WATCH_LIST_TIMEOUT_MS
    + 3 * mesh_node::limits::LOAD_RETRY_PAUSE_MS
    + 2_000;
/// Time for the calls that are made at the very end.
pub const LAST_CALLS_MS: u64 = 6_000;
/// Nodes that are there from the start, at most.
pub const NODES_MAX: usize = 4;
/// Actors of a lattice, at most.
pub const ACTORS_MAX: usize = 3;
/// Callers, at most.
pub const CALLERS_MAX: usize = 3;
/// Events of one run; one that needs more hangs.
pub const EVENTS_MAX: usize = 2_000_000;
/// How long the server waits for a client that does not answer.
pub const SERVER_PING_MS: u64 = 3_000;
/// How long a client waits for a server that does not answer.
pub const CLIENT_PING_MS: u64 = 5_000;
/// Attempts of an operator's compare-and-set.
pub const WRITE_ATTEMPTS_MAX: u32 = 8;
/// Longest one-way delay of a message.
pub const DELAY_MAX_US: u64 = 4_000;
/// Runs that shrinking may make.
pub const SHRINK_RUNS_MAX: usize = 400;
/// Lines of a trace that are shown.
pub const TRACE_LINES_MAX: usize = 400;
