//! From a record that shall be written to a node that answers for it: prepare, write, confirm.
//! Shared by `deploy` and `rollback`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lattice_client::control::ActorQuestions;
use lattice_client::registry::Registry;
use lattice_client::{Call, Lattice};
use lattice_protocol::control::{Prepare, Prepared};
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::record::ActorRecord;
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{ErrorCode, reserved};
use tokio::time::{Instant, timeout_at};

use crate::diagnose;
use crate::exit::{Exit, Failure};
use crate::limits;
use crate::session::{self, Session};

/// What nodes have said of a module so far.
#[derive(Debug, Default)]
struct Preparing {
    working: BTreeSet<NodeKey>,
    not_eligible: BTreeMap<NodeKey, String>,
}

/// What follows from it.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// A node could serve it.
    Ready(NodeKey),
    /// It shall not be written.
    Fail(Failure),
    /// Nobody has decided yet.
    Wait,
}

impl Preparing {
    /// Takes what a node says.
    fn hear(&mut self, word: Prepared, name: &str) -> Verdict {
        match word {
            Prepared::Ready { node } => return Verdict::Ready(node),
            Prepared::Refused { node, error } => {
                let message = format!("node {node} refuses {name}: {error}");
                return Verdict::Fail(Failure { message, ..Failure::from(error) });
            }
            Prepared::Working { node } => {
                self.working.insert(node);
            }
            Prepared::NotEligible { node, reason } => {
                self.working.remove(&node);
                self.not_eligible.insert(node, reason);
            }
        }
        Verdict::Wait
    }

    /// Decides when every node had the time to say that it is there.
    fn after_window(&self, record: &ActorRecord) -> Verdict {
        if !self.working.is_empty() || self.not_eligible.is_empty() {
            return Verdict::Wait;
        }
        let reasons: Vec<String> =
            self.not_eligible.iter().map(|(node, reason)| format!("{node}: {reason}")).collect();
        let message = format!("no node may serve {}: {}", record.name, reasons.join("; "));
        let labels = diagnose::labels(&record.labels);
        let hint = if labels.is_empty() {
            "start another node: `mesh-node --nats URL`".to_owned()
        } else {
            format!("it wants the labels {labels}: start a node with them, or deploy with others")
        };
        Verdict::Fail(Failure::new(Exit::NotFound, "no_eligible_node", message).hint(hint))
    }
}

/// Asks nodes to fetch, verify and compile a module; returns the first that could serve it.
///
/// # Errors
/// [`Failure`] when there is no node, or one refuses it, or none may serve it in time.
pub(super) async fn prepare(
    session: &Session,
    lattice: &Lattice,
    record: &ActorRecord,
    end: Instant,
) -> Result<NodeKey, Failure> {
    session.output.progress("asking nodes to verify and compile it");
    let mut words = lattice.prepare(&Prepare { record: record.clone() }).await?;
    let window = (Instant::now() + Duration::from_millis(limits::NODES_ANSWER_MS)).min(end);
    let mut preparing = Preparing::default();
    let mut heard = false;
    let mut window_over = false;
    loop {
        let bound = if window_over { end } else { window };
        let verdict = match timeout_at(bound, words.next()).await {
            Ok(Some(word)) => {
                heard = true;
                preparing.hear(word, record.name.as_str())
            }
            Ok(None) if !heard => return Err(nobody(lattice).await),
            Ok(None) => return Err(lost()),
            Err(_) if window_over => {
                let message = format!("no node could prepare {} in time", record.name);
                return Err(Failure::new(Exit::Timeout, "timeout", message)
                    .hint("give it more time with --wait, look at the nodes' logs"));
            }
            Err(_) if !heard => return Err(nobody(lattice).await),
            Err(_) => {
                window_over = true;
                Verdict::Wait
            }
        };
        let verdict = match verdict {
            Verdict::Wait if window_over => preparing.after_window(record),
            verdict => verdict,
        };
        match verdict {
            Verdict::Ready(node) => {
                session.output.progress(&format!("node {node} is ready"));
                return Ok(node);
            }
            Verdict::Fail(failure) => return Err(failure),
            Verdict::Wait => {}
        }
    }
}

fn lost() -> Failure {
    Failure::new(
        Exit::NoNats,
        "unreachable",
        "the connection to NATS was lost; nothing was changed",
    )
}

async fn nobody(lattice: &Lattice) -> Failure {
    let lattices = lattice.lattices().await.unwrap_or_default();
    let others: Vec<&str> =
        lattices.iter().filter(|other| *other != lattice.name()).map(AsRef::as_ref).collect();
    let failure =
        diagnose::no_nodes(lattice.name(), (!others.is_empty()).then(|| others.join(", ")));
    session::blame(lattice, failure)
}

/// Writes a record, if nobody else wrote it since `expected` was read; returns its revision in the
/// registry.
///
/// # Errors
/// [`Failure`] when somebody did, or the registry can't be reached.
pub(super) async fn write(
    registry: &Registry,
    record: &ActorRecord,
    expected: Option<u64>,
) -> Result<u64, Failure> {
    Ok(registry.put(&RegistryKey::Actor(record.key.clone()), record, expected).await?)
}

/// Waits until calls are answered by exactly the revision of `record`, which is at `at` in the registry, and a
/// node says that it serves it by that record; returns that node's key.
///
/// # Errors
/// [`Failure`] when none did in time, with what nodes say about it.
pub(super) async fn confirm(
    session: &Session,
    lattice: &Lattice,
    record: &ActorRecord,
    at: u64,
    end: Instant,
) -> Result<String, Failure> {
    session
        .output
        .progress(&format!("waiting for a node to answer for revision {}", record.revision));
    let mut serving = Serving::default();
    let mut answered = false;
    while Instant::now() < end {
        let left = end.saturating_duration_since(Instant::now());
        let call = Call::new(record.key.clone(), reserved::PING, Vec::new())
            .timeout(left.min(Duration::from_millis(limits::PING_TIMEOUT_MS)))
            .idempotent()
            .min_revision(record.revision);
        match lattice.call(call).await {
            Ok(answer) if answer.revision == Some(record.revision) => {
                answered = true;
                // Whoever answered may do so only until another node does.
                if let Some(node) = serving.look(lattice, &record.key, at).await {
                    return Ok(node.to_string());
                }
                continue;
            }
            Ok(_) => {}
            Err(error) if is_final(error.code) => {
                return Err(session::blame(lattice, error.into()));
            }
            Err(error) if error.code == ErrorCode::NotFound => {
                let why = session::explain(lattice, record.name.as_str(), Some(&record.key)).await;
                if why.code != "nobody_serves" {
                    return Err(why);
                }
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(limits::PING_PAUSE_MS)).await;
    }
    let what = match answered {
        true => "only nodes answer for it that serve it until another does",
        false => "no node answers for it yet",
    };
    let message =
        format!("revision {} of {} is in the registry, but {what}", record.revision, record.name);
    Err(Failure::new(Exit::Timeout, "timeout", message)
        .hint("see what nodes say with `meshctl ls actors`"))
}

/// Looks for a node that serves an actor by a certain record: it has read that, and does not serve the actor
/// only until another node does.
#[derive(Default)]
struct Serving {
    questions: Option<ActorQuestions>,
    /// Nodes are not asked before.
    next: Option<Instant>,
}

impl Serving {
    /// Listens for [`limits::PING_PAUSE_MS`], and asks before where it is time; what nodes say later is heard
    /// the next time. The record is at `at` in the registry, and a later one will do.
    async fn look(&mut self, lattice: &Lattice, key: &ActorKey, at: u64) -> Option<NodeKey> {
        let now = Instant::now();
        let window = now + Duration::from_millis(limits::PING_PAUSE_MS);
        // What can't be asked now is asked the next time.
        if self.questions.is_none() {
            self.questions = lattice.actor_questions().await.ok();
        }
        if let Some(questions) = &mut self.questions {
            if self.next.is_none_or(|next| next <= now) {
                self.next = Some(now + Duration::from_millis(limits::SERVING_ASK_INTERVAL_MS));
                let _ = questions.ask(std::slice::from_ref(key)).await;
            }
            while let Ok(Some(states)) = timeout_at(window, questions.next()).await {
                if states.serving.iter().any(|one| one.key == *key && one.at >= at) {
                    return Some(states.node);
                }
            }
        }
        tokio::time::sleep_until(window).await;
        None
    }
}

/// Returns whether asking again is in vain.
fn is_final(code: ErrorCode) -> bool {
    // Not `revoked`: what answers so may be the revision before, on a node that is about to swap.
    matches!(code, ErrorCode::Unauthorized | ErrorCode::BadRequest)
}

#[cfg(test)]
mod tests {
    use lattice_protocol::Error;
    use lattice_protocol::keys::{Key, Node};

    use super::*;
    use crate::fixture::record;

    fn node() -> NodeKey {
        Key::<Node>::generate().unwrap().0
    }

    #[test]
    fn the_first_that_is_ready_decides() {
        let (one, two) = (node(), node());
        let mut preparing = Preparing::default();
        let reason = "labels".to_owned();
        assert_eq!(preparing.hear(Prepared::NotEligible { node: one, reason }, "x"), Verdict::Wait);
        assert_eq!(preparing.hear(Prepared::Working { node: two.clone() }, "x"), Verdict::Wait);
        assert_eq!(preparing.after_window(&record()), Verdict::Wait, "one still works");
        assert_eq!(preparing.hear(Prepared::Ready { node: two.clone() }, "x"), Verdict::Ready(two));
    }

    #[test]
    fn a_refusal_fails_with_the_nodes_reason() {
        let error = Error::not_started(ErrorCode::Unauthorized, "issuer A is not trusted");
        let verdict = Preparing::default().hear(Prepared::Refused { node: node(), error }, "echo");
        let Verdict::Fail(failure) = verdict else { panic!("{verdict:?}") };
        assert_eq!(failure.exit, Exit::Denied);
        assert!(
            failure.message.contains("refuses echo") && failure.message.contains("not trusted")
        );
    }

    #[test]
    fn where_no_node_may_serve_it_the_labels_are_named() {
        let mut preparing = Preparing::default();
        let one = node();
        preparing.hear(Prepared::Working { node: one.clone() }, "echo");
        preparing.hear(Prepared::NotEligible { node: one, reason: "lacks zone=a".into() }, "echo");
        let Verdict::Fail(failure) = preparing.after_window(&record()) else {
            panic!("no verdict")
        };
        assert_eq!(failure.code, "no_eligible_node");
        assert!(failure.message.contains("lacks zone=a"));
        assert!(failure.hint.unwrap().contains("zone=a"));
    }
}
