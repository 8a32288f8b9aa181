//! Bounds of what a command waits for, each with its unit in its name.

/// Time that nodes have to say that they are there.
pub const NODES_ANSWER_MS: u64 = 1_500;
/// Time that `ls` waits for the answers of nodes.
pub const LIST_WAIT_MS: u64 = 500;
/// Time that one look at what nodes serve takes, while a command waits for a change.
pub const LOOK_WAIT_MS: u64 = 300;
/// Time for a deployment, from the first question to the first answer of the new revision.
pub const DEPLOY_WAIT_MS: u64 = 60_000;
/// Time for one question whether the new revision answers.
pub const PING_TIMEOUT_MS: u64 = 2_000;
/// Pause between two such questions.
pub const PING_PAUSE_MS: u64 = 50;
/// Pause between two questions to every node whether it serves the new record.
pub const SERVING_ASK_INTERVAL_MS: u64 = 250;
/// Time in which every node has stopped to serve what was undeployed.
pub const UNDEPLOY_WAIT_MS: u64 = 15_000;
/// Time in which every node has stopped to serve what was revoked.
pub const REVOKE_WAIT_MS: u64 = 5_000;
/// Time in which every node has followed a change of a link.
pub const LINK_WAIT_MS: u64 = 10_000;
/// Time that nodes and providers have to say which providers they run.
pub const PROVIDERS_ANSWER_MS: u64 = 500;
/// Time that a provider has to say that it works on a link.
pub const LINK_ANSWER_MS: u64 = 1_000;
/// Time that a provider has to open a link, or to refuse it.
pub const LINK_OPEN_WAIT_MS: u64 = 15_000;
/// Time in which a provider runs that nodes were told to run.
pub const PROVIDER_WAIT_MS: u64 = 15_000;
/// Time that a node has to finish its calls and leave.
pub const DRAIN_WAIT_MS: u64 = 60_000;
/// Time that a node has to acknowledge an order.
pub const ORDER_TIMEOUT_MS: u64 = 2_000;
/// Characters that a prefix of a key must have.
pub const PREFIX_CHARACTERS_MIN: usize = 2;
/// Names that an error lists.
pub const NAMES_SHOWN_MAX: usize = 12;
/// Dead letters that a list shows where nobody says how many.
pub const DEAD_LISTED_DEFAULT: usize = 50;
/// Dead letters that are replayed or removed before the next ones are listed.
pub const DEAD_BATCH: usize = 200;
/// Characters of a reason that a list shows.
pub const REASON_CHARACTERS_MAX: usize = 80;
