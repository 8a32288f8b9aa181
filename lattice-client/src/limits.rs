//! Limits of the client, each with its unit in its name.

/// Time to reach NATS and be welcomed.
pub const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// Interval of PINGs to the server; two that stay unanswered end the connection.
pub const PING_INTERVAL_MS: u64 = 1_000;
/// Longest pause between two attempts to reconnect.
pub const RECONNECT_PAUSE_MAX_MS: u64 = 1_000;
/// Commands that may wait for the connection.
pub const COMMAND_QUEUE_CAPACITY: usize = 4_096;
/// Messages that may wait in one subscription; admission answers `busy` long before.
pub const SUBSCRIPTION_QUEUE_CAPACITY: usize = 65_536;

/// Messages of a subscription that are taken at once.
pub const BATCH_MESSAGES_MAX: usize = 64;
/// Messages of a subscription that may be read and wait to be handled; more wait unread.
pub const BACKLOG_MESSAGES_MAX: usize = 8_192;
/// Wait of a message that was read which is too long where it stands.
pub const BACKLOG_WAIT_MS: u64 = 50;
/// How long the wait may be longer: a burst.
pub const BACKLOG_BURST_MS: u64 = 200;
/// How long none must have been refused for the next burst to be one.
pub const BACKLOG_CALM_MS: u64 = 1_000;
/// Messages that one thread handles one after the other while others may take the rest.
pub const CHUNK_MESSAGES_MAX: usize = 8;
/// How long one thread handles them before it hands on even those.
pub const CHUNK_MAX_US: u64 = 1_000;

/// Requests that may wait to be handed to the connection; more callers wait before it.
pub const OUTBOX_CAPACITY: usize = 4_096;
/// Requests that are handed to the connection at once.
pub const OUTBOX_BATCH_MAX: usize = 256;
/// Calls of one client that may wait for their replies.
pub const PENDING_CALLS_MAX: usize = 65_536;
/// First pause before a call is tried again.
pub const RETRY_PAUSE_FIRST_MS: u64 = 2;
/// Longest pause before a call is tried again.
pub const RETRY_PAUSE_MAX_MS: u64 = 100;
/// How long a call without any responder is tried again before it fails with `not_found`.
pub const NO_RESPONDERS_WAIT_MS: u64 = 500;
/// The same for a target that has answered this client, counted from then: it may be on its way to
/// another node.
pub const MOVED_WAIT_MS: u64 = 2_500;
/// Targets of which a client remembers that they have answered; more share an entry.
pub const SERVED_ENTRIES: usize = 1_024;
/// How long an answer is waited for before others are asked who has the call.
pub const LOOK_AFTER_MS: u64 = 150;
/// How often that is asked then.
pub const LOOK_INTERVAL_MS: u64 = 100;
/// Time that answers to a question have before conclusions are drawn.
pub const LOOK_WAIT_MS: u64 = 100;
const _: () = assert!(LOOK_WAIT_MS <= LOOK_INTERVAL_MS, "a look is over before the next begins");
/// Shortest time between two rounds of questions, each of all calls that are due.
pub const LOOK_TICK_MS: u64 = 25;
/// Shortest time between two questions to everybody.
pub const LOOK_EVERYBODY_INTERVAL_MS: u64 = 100;
/// Answers a second for which everybody is asked; the more there are who answer, the less often.
pub const LOOK_ANSWERS_PER_S_MAX: u64 = 1_000;
/// How long answers to a question still count.
pub const LOOK_ANSWERS_KEPT_MS: u64 = 2_000;
/// Processes that did not answer and are asked by themselves in one round.
pub const LOOK_PROBES_MAX: usize = 100;
/// Calls that one round is about.
pub const LOOK_TURN_CALLS_MAX: usize = 5_000;
/// Looks in a row after which a call is given up that nobody has, or whose holder is not there.
pub const LOOKS_UNCLAIMED: u32 = 3;
/// Looks in a row after which a call is given up that its holder has no more.
pub const LOOKS_LOST: u32 = 2;
/// Attempts to watch that may wait to be taken up.
pub const WATCHED_QUEUE_CAPACITY: usize = 4_096;
/// Verdicts of looks that may wait for one call.
pub const VERDICTS_CAPACITY: usize = 32;
/// Shortest time between two attempts of one call that wait beside each other because of looks.
pub const HEDGE_INTERVAL_MS: u64 = 200;
/// Attempts of one call that begin beside others because of looks.
pub const HEDGES_MAX: u32 = 20;
/// Time that a process has to read what waits before it answers which calls it has; less than
/// [`LOOK_WAIT_MS`].
pub const READ_UP_MS: u64 = 40;
/// How often it looks meanwhile whether it has.
pub const READ_UP_INTERVAL_MS: u64 = 5;
/// Parts of the list of calls under way, each behind a lock of its own.
pub const UNDER_WAY_SHARDS: usize = 16;
/// How long a provider may owe an answer before it is looked for, and how often then.
pub const GONE_LOOK_INTERVAL_MS: u64 = 400;
/// Time that those who may still have the call have to say so.
pub const GONE_LOOK_WAIT_MS: u64 = 250;
/// How long what was found out holds for other calls too.
pub const GONE_LOOK_VALID_MS: u64 = 100;
/// Retries that a client may do at once before new calls earn more.
pub const RETRY_BUDGET_MAX: i64 = 1_000;
/// Calls that earn one retry.
pub const CALLS_PER_RETRY: i64 = 5;
/// Calls of a target that may be under way after it has answered `busy` for the first time.
pub const PACE_FIRST: usize = 16;
/// As many under way are not held back any more.
pub const PACE_MAX: usize = 1_024;
/// One call more may be under way after so many times as many answers as there may be.
pub const PACE_GROWS_AFTER: usize = 2;
/// Time without a `busy` after which a target's calls are held back no more.
pub const PACE_FORGET_MS: u64 = 5_000;
/// How long a call is held back at most.
pub const PACE_WAIT_MAX_MS: u64 = 1_000;
/// Targets whose calls are held back at once.
pub const PACED_TARGETS_MAX: usize = 1_024;
/// Part of its budget that an idempotent call waits for one attempt before it begins another beside it.
pub const IDEMPOTENT_ATTEMPT_FRACTION: u32 = 3;
/// Shortest time that an attempt of an idempotent call gets, if its budget has that much.
pub const IDEMPOTENT_ATTEMPT_MIN_MS: u64 = 250;

/// How long the refusal of a busy target waits for others, so that they leave together.
pub const LATER_MS: u64 = 1;
/// Refusals that wait so; further ones leave by themselves.
pub const LATER_REPLIES_MAX: usize = 4_096;

/// Interval of the messages by which a client that serves knows how old what it reads may be.
pub const PULSE_INTERVAL_MS: u64 = 100;
/// Silence beyond two usual round trips after which a pulse is late: the process or its link may stand still,
/// and what is known by watching may be as old. An interval is part of it.
pub const PULSE_LATE_MS: u64 = 250;
/// Pulses from which the usual round trip is taken.
pub const PULSE_ROUND_TRIPS: usize = 8;
/// Silence between two of them that is a gap: the process was frozen, or its link stood still. A call
/// that may be as old is refused where its caller's time may have run out.
pub const PULSE_GAP_MS: u64 = 1_000;
/// How long after the end of a gap what is read still counts as sent before it.
pub const PULSE_SETTLE_MS: u64 = 100;

/// Time that the PING/PONG fence of a drain may take.
pub const FENCE_TIMEOUT_MS: u64 = 5_000;
/// Time that the server may take to answer a JetStream request.
pub const JETSTREAM_TIMEOUT_MS: u64 = 5_000;
/// Attempts of a compare-and-set before a conflict is given back.
pub const COMPARE_AND_SET_ATTEMPTS_MAX: u32 = 32;
/// Interval at which a watch lists the registry anew, lest it miss a change.
pub const RELIST_INTERVAL_MS: u64 = 20_000;
/// Time after which a watch that gives no sign during its first list is opened again.
pub const WATCH_LIST_TIMEOUT_MS: u64 = 10_000;
/// Time that the server has at first to answer when a watch is opened; twice as long after each failure.
pub const WATCH_ANSWER_FIRST_MS: u64 = 1_000;
/// Pause before a watch that failed is opened again.
pub const WATCH_RETRY_PAUSE_MS: u64 = 200;
/// Changes of the registry that may wait for their reader.
pub const WATCH_QUEUE_CAPACITY: usize = 1_024;

/// Time that a payload may take to or from the object store.
pub const BODY_TIMEOUT_MS: u64 = 30_000;
/// How long a payload that travels by object store is kept.
pub const BODY_KEPT_MS: u64 = 600_000;
/// Room that is left in a message for all but its payload before the payload travels by object
/// store.
pub const MESSAGE_OVERHEAD_BYTES: usize = 8 * 1024;
/// Bytes of an object read at once.
pub const OBJECT_READ_BYTES: usize = 64 * 1024;
/// Answers that a question to every node collects.
pub const CONTROL_ANSWERS_MAX: usize = 10_000;

/// Time that storing a durable invocation may take, attempts included.
pub const ENQUEUE_TIMEOUT_MS: u64 = 10_000;
/// Time that the stream has to confirm one attempt.
pub const ENQUEUE_ATTEMPT_MS: u64 = 3_000;
/// Pause before a durable invocation that was not confirmed is sent again.
pub const ENQUEUE_RETRY_PAUSE_MS: u64 = 100;
/// Bytes of a message id.
pub const MESSAGE_ID_BYTES_MAX: usize = 256;
/// Dead letters that one page lists.
pub const DEAD_PAGE_MAX: usize = 1_000;
/// Time without another dead letter after which a page is taken for complete.
pub const DEAD_PAGE_TIMEOUT_MS: u64 = 5_000;
/// Consumers of a queue that are looked at.
pub const QUEUE_CONSUMERS_LISTED_MAX: usize = 10_000;
/// Time after its end in which a request for durable invocations is still waited for.
pub const PULL_GRACE_MS: u64 = 5_000;
/// Control messages that a node, or a provider's process, handles at once, waiting ones included.
pub const CONTROLS_IN_FLIGHT_MAX: usize = 512;
