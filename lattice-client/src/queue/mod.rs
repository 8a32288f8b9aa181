//! Durable invocations: stored by a stream before anybody runs them, and run at least once.
//!
//! | file | concern |
//! |---|---|
//! | `streams.rs` | the two streams of a lattice: what waits, and what was put aside |
//! | `enqueue.rs` | storing a durable invocation |
//! | `dead.rs` | those that were put aside: list, read, replay, remove |
//! | `pull.rs` | taking what waits, and leaving without a loss |
//! | `status.rs` | how many wait, and for whom |

mod dead;
mod enqueue;
mod pull;
mod status;
mod streams;

use std::error::Error as StdError;
use std::time::Duration;

pub use dead::{DeadLetter, DeadPage, LetterFacts, is_for_nats};
pub use enqueue::{Durable, Enqueued};
pub use pull::Pull;
pub use status::QueueStatus;
pub use streams::queue_consumer_config;

use crate::{jetstream, limits};

/// Why something of a lattice's durable invocations can't be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// It makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// The payload exceeds what one message of the stream may carry.
    #[error(
        "too_large: a payload of {found} bytes exceeds the {limit} that a durable invocation may \
         have: it must fit into one message, since larger payloads are kept for minutes only"
    )]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The most that there may be.
        limit: usize,
    },
    /// As many wait as may.
    #[error("busy: the stream takes no more: {0}")]
    Full(String),
    /// The stream did not confirm it in time.
    #[error(
        "the stream has not confirmed {id} within {} ms: whether it was stored is unknown",
        limits::ENQUEUE_TIMEOUT_MS
    )]
    Unconfirmed {
        /// The message id, under which storing it again within the window is harmless.
        id: String,
    },
    /// There is no such dead letter.
    #[error("there is no dead letter {0}")]
    NoLetter(u64),
    /// A dead letter is not what the mesh writes.
    #[error("dead letter {sequence} can't be replayed: {cause}")]
    Unreadable {
        /// Its number.
        sequence: u64,
        /// Why.
        cause: String,
    },
    /// The server has no JetStream, or none for this user.
    #[error("JetStream can't be used: {0}")]
    NoJetStream(String),
    /// NATS did not answer, or failed.
    #[error("the queue can't be reached: {0}")]
    Unreachable(String),
}

impl QueueError {
    /// Reads what JetStream's client makes of a failure.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        if let Some(said) = jetstream::said(error)
            && jetstream::is_full(&said)
        {
            return QueueError::Full(said.to_string());
        }
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !cause.contains(&text) {
                cause = format!("{cause}: {text}");
            }
            source = inner.source();
        }
        QueueError::Unreachable(cause)
    }
}

/// Bounds one exchange with JetStream.
async fn within<T>(work: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
        Err(QueueError::Unreachable(format!("no answer within {} ms", bound.as_millis())))
    })
}
