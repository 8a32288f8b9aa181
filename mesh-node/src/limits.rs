//! Limits of a node, each with its unit in its name.

/// Calls of one actor that may wait for a place, as a multiple of those that may run.
pub const WAITING_PER_PLACE: u32 = 4;
/// Calls of one actor whose messages are handled at once, whatever its places: beyond its places
/// and those that wait for one, a call is only there to be answered `busy`.
pub const CALLS_IN_FLIGHT_MAX: usize = 65_536;
/// Mean computing time from which the calls of an actor run on threads of their own.
pub const HEAVY_US: u32 = 200;
/// Mean computing time below which they are run where they are read again.
pub const LIGHT_US: u32 = 100;
/// One of so many calls is measured for that.
pub const WEIGHED_EVERY: u32 = 8;
/// Wait for a processor that a call from elsewhere may have when it stands.
pub const COMPUTE_WAIT_TARGET_MS: u64 = 5;
/// How long more may wait: a burst.
pub const COMPUTE_BURST_MS: u64 = 100;
/// How long none must have been refused for the next burst to be one.
pub const COMPUTE_SHED_MS: u64 = 1_000;
/// Time after which a call that computes lets others have its processor.
pub const COMPUTE_TURN_MS: u64 = 10;
/// Calls of all actors that may wait for a processor.
pub const COMPUTE_WAITING_MAX: usize = 4_096;
/// Payloads by reference that are held in memory at once; further calls that bring one wait.
pub const BODIES_HELD_MAX: usize = 16;
/// Time that the first listing of the registry may take when a node starts.
pub const START_SYNC_TIMEOUT_MS: u64 = 30_000;
/// Longest wait for a place; then the call is answered `busy`.
pub const PLACE_WAIT_MAX_MS: u64 = 1_000;
/// How long calls wait for the registry to be read after NATS was away; then the node goes on by what it
/// knew.
pub const REGISTRY_WAIT_MS: u64 = 1_000;
/// Connections that ask for the node's health at once; more wait to be accepted.
pub const HEALTH_CONNECTIONS_MAX: usize = 64;
/// Time that one of them may take from its beginning to its end.
pub const HEALTH_TIMEOUT_MS: u64 = 1_000;
/// Bytes of one request for health.
pub const HEALTH_REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Pause after a connection that could not be accepted.
pub const HEALTH_ACCEPT_PAUSE_MS: u64 = 100;
/// Modules that are compiled at once.
pub const COMPILATIONS_MAX: usize = 2;
/// How much nicer the threads that compile what nobody waits for are than those that serve.
pub const COMPILE_NICE: i32 = 10;
/// Modules that are fetched at once, or wait fetched to be compiled.
pub const FETCHES_MAX: usize = 8;
/// Time that a module's fetch may take.
pub const FETCH_TIMEOUT_MS: u64 = 30_000;
/// Time that a module's probe may take.
pub const PROBE_TIMEOUT_MS: u64 = 5_000;
/// Compiled modules that are kept though nothing serves them (prepared, or just replaced).
pub const COMPILED_KEPT_MAX: usize = 16;
/// Pause before a module that could not be fetched is tried again.
pub const LOAD_RETRY_PAUSE_MS: u64 = 1_000;
/// Interval at which a node that serves what is not for it any more asks whether others serve it.
pub const LINGER_ASK_INTERVAL_MS: u64 = 250;
/// Questions after which it serves it no longer, whatever others say: 10 s.
pub const LINGER_ASKS_MAX: u32 = 40;
/// Questions in a row after which a node that leaves waits no longer for others to serve an actor,
/// if none has said that it does or will: 500 ms.
pub const LEAVE_ASKS_IN_VAIN_MAX: u32 = 2;
/// Interval at which a node looks who of the others was not heard.
pub const PEERS_LOOK_INTERVAL_MS: u64 = 500;
/// Other nodes that a node counts where so many are to serve an actor.
pub const PEERS_MAX: usize = 10_000;
/// Questions of other nodes that may wait for the loop that knows what is served; more are not
/// answered, and come again.
pub const ACTOR_QUESTIONS_WAITING_MAX: usize = 64;
/// Actors of the lattice up to which a node that joins loads all modules before it serves them. Of more it serves
/// all by their records, and loads a module when it is called first, or later on.
pub const LOADED_AT_JOIN_MAX: usize = 64;
/// Subscriptions that a node that joins makes before it waits until the server knows of them.
pub const JOIN_SUBSCRIPTIONS: usize = 1_024;
/// Time after which a node that has joined begins to compile what was never compiled here.
pub const COMPILE_LATER_AFTER_MS: u64 = 15_000;
/// Pause between two of those.
pub const COMPILE_LATER_PAUSE_MS: u64 = 200;
/// Compiled modules that are read from disk at once.
pub const CODE_READS_MAX: usize = 8;
/// Part of the machine's memory that compiled modules take by default: one of so many.
pub const MODULE_MEMORY_DIVISOR: u64 = 8;
/// Least that they take by default.
pub const MODULE_MEMORY_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// Most modules in memory, whatever their size: the system counts what is mapped, too.
pub const MODULES_HELD_MAX: usize = 4_096;
/// Files that a node asks the system for; modules in memory take half of what it is given at most.
pub const OPEN_FILES_WANTED: u64 = 65_536;
/// Where they are too many, those go that are beyond the bounds less one of so many parts, so that not each one that
/// comes has to look for another that goes.
pub const MODULES_ROOM_DIVISOR: usize = 16;
/// Time without a call after which a module goes that can be read from disk again.
pub const MODULE_IDLE_S: u32 = 60;
/// Modules that stay, however long they are not called.
pub const MODULES_IDLE_KEPT: usize = 32;
/// Interval at which that is looked at: what a call notes of its time is as exact.
pub const MODULE_TICK_MS: u64 = 2_000;
/// Modules that were found to be refused late, and of which the loop is not told yet.
pub const FOUND_BAD_WAITING_MAX: usize = 64;
/// Parts of a map that is read without a lock.
pub const SHARDS: usize = 256;
/// Warm instances of an actor with `reuse` isolation.
pub const WARM_INSTANCES_MAX: u32 = 64;
/// Refused modules that a node remembers for its inventory.
pub const REFUSALS_KEPT_MAX: usize = 1_000;
/// Bytes of one line of an actor's log.
pub const LOG_LINE_BYTES_MAX: usize = 8 * 1024;
/// How long `mesh-node dev` waits for the NATS server that it starts.
pub const DEV_SERVER_START_MS: u64 = 10_000;
/// How long `mesh-node dev` waits for its NATS server to end before it kills it.
pub const DEV_SERVER_STOP_MS: u64 = 5_000;
/// Interval at which `mesh-node dev` looks whether its NATS server answers.
pub const DEV_SERVER_LOOK_MS: u64 = 20;
/// First pause before a provider that ended is started again: longer than its callers take to notice
/// that it is gone, so that none waits in vain for an answer of the one before.
pub const PROVIDER_RESTART_PAUSE_FIRST_MS: u64 = 750;
/// Longest pause before a provider is started again.
pub const PROVIDER_RESTART_PAUSE_MAX_MS: u64 = 30_000;
/// How long a provider must have run for its next failure to count as its first.
pub const PROVIDER_WELL_MS: u64 = 30_000;
/// Time that a provider has to start before its silence counts.
pub const PROVIDER_START_MS: u64 = 15_000;
/// Interval at which a provider's process is asked whether it is well.
pub const PROVIDER_PULSE_INTERVAL_MS: u64 = 1_000;
/// Time that it has to answer.
pub const PROVIDER_PULSE_TIMEOUT_MS: u64 = 2_000;
/// Questions in a row that it may leave unanswered before it is killed and started again.
pub const PROVIDER_PULSES_MISSED_MAX: u32 = 3;
/// How long the last lines of a provider that ended are waited for.
pub const PROVIDER_LOG_END_MS: u64 = 500;
/// Durable invocations of one actor that this node has at once.
pub const QUEUE_IN_FLIGHT_MAX: usize = 16;
/// Actors whose durable invocations are read all the time; of further ones only while some are stored.
pub const QUEUE_READERS_AWAKE: usize = 64;
/// Interval at which it is looked for which of the further ones some are stored.
pub const QUEUE_LOOK_INTERVAL_MS: u64 = 500;
/// Time after which a node asks anew for the durable invocations of an actor.
pub const QUEUE_PULL_EXPIRES_MS: u64 = 20_000;
/// Pause before durable invocations that could not be read are asked for again.
pub const QUEUE_RETRY_PAUSE_MS: u64 = 1_000;
/// Consumers of durable invocations that a node makes at once.
pub const QUEUE_SETUPS_MAX: usize = 8;
/// Time that the making of one consumer may take, its streams included.
pub const QUEUE_SETUP_TIMEOUT_MS: u64 = 15_000;
/// Time that storing a dead letter may take, and giving back what runs when a node ends.
pub const QUEUE_SETTLE_TIMEOUT_MS: u64 = 5_000;
/// Bytes of one text that is told of a dead letter.
pub const DEAD_TEXT_BYTES_MAX: usize = 1_024;
