//! Every limit of the wire, each with its unit in its name.
//!
//! A limit is checked where a value enters the program and is named in the error that refuses it.

/// The version of the wire that this crate speaks: `v` of each message and record.
pub const WIRE_VERSION: u8 = 1;

/// Nesting of msgpack maps and arrays.
pub const NESTING_LEVELS_MAX: usize = 64;

/// Length of a lattice name.
pub const LATTICE_NAME_BYTES_MAX: usize = 63;
/// Length of an actor's name.
pub const ACTOR_NAME_BYTES_MAX: usize = 128;
/// Length of an operation.
pub const OPERATION_BYTES_MAX: usize = 256;
/// Length of a contract (`mesh:keyvalue`).
pub const CONTRACT_BYTES_MAX: usize = 128;
/// Length of a link name.
pub const LINK_NAME_BYTES_MAX: usize = 64;
/// Length of a label's key or of its value.
pub const LABEL_BYTES_MAX: usize = 128;
/// Labels of a node, or wanted by an actor.
pub const LABELS_MAX: usize = 64;
/// Length of any subject that the mesh builds or answers to.
pub const SUBJECT_BYTES_MAX: usize = 512;

/// Length of an error's message; a longer one is cut.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 4_096;
/// Entries of an error's detail.
pub const ERROR_DETAIL_ENTRIES_MAX: usize = 32;

/// Time that a call has where its caller names none.
pub const CALL_TIMEOUT_DEFAULT_MS: u32 = 2_000;
/// Longest time that a call may ask for; a longer wish is cut to it.
pub const CALL_TIMEOUT_MAX_MS: u32 = 300_000;
/// Calls that may follow from one another (actor to actor to actor …).
pub const HOPS_MAX: u8 = 16;
/// Size of a payload, of a request or of a response, wherever it travels.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Size of a signed module.
pub const MODULE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Size of the JWT that a module carries.
pub const CLAIMS_BYTES_MAX: usize = 64 * 1024;
/// Capabilities that claims may list.
pub const CAPABILITIES_MAX: usize = 256;

/// Earlier revisions that an actor's record keeps for `rollback`.
pub const HISTORY_REVISIONS_MAX: usize = 10;
/// Size of one registry record.
pub const RECORD_BYTES_MAX: usize = 512 * 1024;

/// Interval of heartbeats.
pub const HEARTBEAT_INTERVAL_MS: u64 = 1_000;
/// A node that was not heard for this long is taken for gone.
pub const HEARTBEAT_LOST_MS: u64 = 3_500;
/// Actors that one heartbeat names; the rest are counted.
pub const HEARTBEAT_ACTORS_MAX: usize = 1_000;

/// Actors that one question to nodes may name.
pub const ASKED_ACTORS_MAX: usize = 1_000;

/// Refused links that a provider names; the rest are in its log.
pub const REFUSED_LINKS_MAX: usize = 100;

/// Calls that one question asks for, whether somebody has them.
pub const CALLS_ASKED_MAX: usize = 1_000;

/// Calls of one actor that run at once on one node, where its record names no other number.
pub const ACTOR_CONCURRENCY_DEFAULT: u32 = 256;
/// Most calls of one actor that a record may ask to run at once on one node.
pub const ACTOR_CONCURRENCY_MAX: u32 = 10_000;
/// Most nodes that a record may ask to serve an actor, where it asks for a number.
pub const ACTOR_REPLICAS_MAX: u32 = 1_000;
/// Memory of one instance of an actor, where its record names no other size.
pub const ACTOR_MEMORY_DEFAULT_BYTES: u64 = 64 * 1024 * 1024;
/// Most memory of one instance that a record may ask for.
pub const ACTOR_MEMORY_MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Times that a durable invocation may fail before it is put aside, where it does not say.
pub const QUEUE_ATTEMPTS_DEFAULT: u32 = 10;
/// Most times that it may say.
pub const QUEUE_ATTEMPTS_MAX: u32 = 100;
/// Time after which a node that has a durable invocation and gives no sign has lost it to another.
pub const QUEUE_ACK_WAIT_MS: u64 = 15_000;
/// Durable invocations of one actor that run, or wait for their next attempt, at once.
pub const QUEUE_PENDING_MAX: i64 = 10_000;
/// Time in which a durable invocation with a message id that is known already is not stored again.
pub const QUEUE_DUPLICATES_MS: u64 = 120_000;
/// How long a durable invocation waits before it is forgotten.
pub const QUEUE_KEPT_MS: u64 = 604_800_000;
/// Bytes of all durable invocations of a lattice that wait; more are refused.
pub const QUEUE_BYTES_MAX: i64 = 1_073_741_824;
/// How long a consumer that no node reads is kept: longer than what it is for.
pub const QUEUE_CONSUMER_KEPT_MS: u64 = 691_200_000;
/// How long a durable invocation is tried again for reasons that pass by themselves.
pub const QUEUE_PASSING_MAX_MS: u64 = 86_400_000;
/// Deliveries of a durable invocation after which it is put aside without another attempt.
pub const QUEUE_DELIVERIES_MAX: u32 = 1_000;
/// First pause before a durable invocation is tried again.
pub const QUEUE_PAUSE_FIRST_MS: u64 = 1_000;
/// Longest pause before a durable invocation is tried again.
pub const QUEUE_PAUSE_MAX_MS: u64 = 120_000;
/// How long a durable invocation that was put aside is kept.
pub const DEAD_KEPT_MS: u64 = 2_592_000_000;
/// Bytes of all durable invocations of a lattice that were put aside; then the oldest go.
pub const DEAD_BYTES_MAX: i64 = 268_435_456;
/// Room that is left in a message for what is said of it when it is put aside.
pub const QUEUE_OVERHEAD_BYTES: usize = 8_192;
