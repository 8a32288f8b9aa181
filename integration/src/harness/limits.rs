//! Every bound of the harness, each with its unit in its name.
//!
//! They are generous: a machine that compiles beside the tests must not make them fail. A test
//! that is about a time measures it and names its own bound.

/// Time that a server has until it answers.
pub const SERVER_READY_MS: u64 = 20_000;
/// Time that three servers have until JetStream places a stream on all of them.
pub const CLUSTER_READY_MS: u64 = 40_000;
/// Time that a server has between SIGTERM and its end.
pub const SERVER_STOP_MS: u64 = 20_000;
/// Time that a process has until all its threads have stopped.
pub const FREEZE_MS: u64 = 10_000;
/// Time that a node has until its first heartbeat is heard.
pub const NODE_READY_MS: u64 = 30_000;
/// Time that a node has between SIGTERM and its end; longer than its own drain bound.
pub const NODE_STOP_MS: u64 = 45_000;
/// Time that one run of `meshctl` has.
pub const MESHCTL_RUN_MS: u64 = 60_000;
/// Time that one run of a caller in another language has.
pub const CALLER_RUN_MS: u64 = 60_000;
/// Time that one look at a condition has.
pub const CONDITION_ATTEMPT_MS: u64 = 5_000;
/// Interval between two looks at a condition.
pub const CONDITION_INTERVAL_MS: u64 = 10;
/// Ports that are tried before a start is given up because others took them.
pub const START_ATTEMPTS_MAX: u32 = 8;
/// Bytes at the end of a log that an error or a failed test shows.
pub const LOG_TAIL_BYTES: u64 = 16 * 1024;
