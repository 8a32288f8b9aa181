//! Asking a consumer for messages, and leaving without one being lost on its way.

use std::pin::Pin;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::jetstream::{self, Message};
use async_nats::{StatusCode, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::time::Sleep;

use super::QueueError;
use crate::lattice::Lattice;
use crate::{fence, limits};

/// A request for messages that the server answers as they come.
///
/// What async-nats has for this forgets its subscription before the server knows of it: what is on
/// its way then comes again only when the server has waited in vain for its acknowledgement.
pub struct Pull {
    lattice: Lattice,
    subscriber: Subscriber,
    context: jetstream::Context,
    left: usize,
    /// When the server should have ended the request itself.
    end: Pin<Box<Sleep>>,
}

impl Pull {
    /// Asks for `count` messages, for which the server waits as long as `expires`.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`] when the client is closed.
    pub async fn ask(
        lattice: &Lattice,
        consumer: &PullConsumer,
        count: usize,
        expires: Duration,
    ) -> Result<Self, QueueError> {
        let unreachable = |cause: String| QueueError::Unreachable(cause);
        let inbox = async_nats::Subject::from(lattice.nats().new_inbox());
        let subscriber = lattice.nats().subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|error| unreachable(error.to_string()))?;
        let batch = BatchConfig { batch: count, expires: Some(expires), ..BatchConfig::default() };
        let asked = consumer.request_batch(batch, inbox).await;
        asked.map_err(|error| unreachable(error.to_string()))?;
        let grace = Duration::from_millis(limits::PULL_GRACE_MS);
        Ok(Self {
            lattice: lattice.clone(),
            subscriber,
            context: lattice.jetstream().clone(),
            left: count,
            end: Box::pin(tokio::time::sleep(expires + grace)),
        })
    }

    /// Returns the next message; `None` when all that were asked for have come, or time is out. To
    /// give up waiting loses nothing.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`] when the server ends the request for another reason.
    pub async fn next(&mut self) -> Option<Result<Message, QueueError>> {
        while self.left > 0 {
            let next = tokio::select! {
                biased;
                next = self.subscriber.next() => next?,
                () = &mut self.end => return None,
            };
            match next.status.unwrap_or(StatusCode::OK) {
                StatusCode::OK => return Some(Ok(self.taken(next))),
                StatusCode::IDLE_HEARTBEAT => {}
                StatusCode::TIMEOUT | StatusCode::NOT_FOUND => return None,
                status => {
                    let why = next.description.unwrap_or_default();
                    let cause = format!("the server ends a request: {status} {why}");
                    return Some(Err(QueueError::Unreachable(cause)));
                }
            }
        }
        None
    }

    fn taken(&mut self, message: async_nats::Message) -> Message {
        self.left = self.left.saturating_sub(1);
        Message { message, context: self.context.clone() }
    }

    /// Asks for nothing more, and returns what the server had sent and nobody has taken.
    pub async fn leave(mut self) -> Vec<Message> {
        fence::stop_sending(&self.lattice, &mut self.subscriber).await;
        let mut rest = Vec::new();
        // Unconstrained: a task that has used up its turn is told that nothing is there.
        while let Some(Some(message)) =
            tokio::task::coop::unconstrained(self.subscriber.next()).now_or_never()
        {
            if message.status.unwrap_or(StatusCode::OK) == StatusCode::OK {
                rest.push(self.taken(message));
            }
        }
        rest
    }
}
