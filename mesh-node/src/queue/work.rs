//! One durable invocation: run it, keep it while it runs, settle it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, AckKind};
use futures_util::FutureExt;
use lattice_client::Lattice;
use lattice_client::answer::CallHandler;
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::subjects::header;
use lattice_protocol::{Error, ErrorCode, Invocation, limits as wire};
use tokio_util::sync::CancellationToken;

use super::Durable;
use super::dead::Letter;
use super::outcome::{self, Delivery, Fate};

/// What is needed to run the durable invocations of an actor.
pub(super) struct Work {
    pub lattice: Lattice,
    pub node: NodeKey,
    pub actor: ActorKey,
    pub handler: CallHandler<Durable>,
    /// Says that what still runs is given back: the node ends.
    pub give_up: CancellationToken,
}

impl Work {
    /// Runs one message and settles it.
    pub async fn run(&self, message: jetstream::Message) {
        let Some((delivery, sequence)) = read(&message) else {
            tracing::error!(actor = %self.actor, "a message of a stream does not say what it is");
            return;
        };
        let settle = async {
            let failed = match outcome::hopeless(delivery) {
                Some(hopeless) => Some(hopeless),
                None => self.attempt(&message).await.err(),
            };
            let fate = outcome::decide(failed.as_ref(), delivery, rand::random());
            // Whoever was tried too often is not tried again, whatever its error says.
            let fate = if outcome::hopeless(delivery).is_some() { Fate::Dead } else { fate };
            self.settle(&message, delivery, sequence, fate, failed).await;
        };
        tokio::select! {
            () = Box::pin(settle) => {}
            () = keep(&message) => {}
            () = self.give_up.cancelled() => {
                tracing::warn!(actor = %self.actor, sequence, "a durable invocation is given back: the node ends");
                acknowledge(&message, AckKind::Nak(None)).await;
            }
        }
    }

    async fn attempt(&self, message: &jetstream::Message) -> Result<(), Error> {
        let invocation = Invocation::decode(&message.payload)?;
        if invocation.body_ref.is_some() {
            return Err(Error::not_started(
                ErrorCode::BadRequest,
                "a durable invocation carries its payload itself: what is referred to is kept for \
                 minutes only",
            ));
        }
        let answer = self.handler.answer(message.headers.as_ref(), &invocation, Instant::now());
        // A panic is a bug of the node; without a decision the message would come for ever.
        match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(answered) => answered.outcome.map(drop),
            Err(_) => Err(Error::started(ErrorCode::Internal, "the node's handler panicked")),
        }
    }

    async fn settle(
        &self,
        message: &jetstream::Message,
        delivery: Delivery,
        sequence: u64,
        fate: Fate,
        failed: Option<Error>,
    ) {
        let (actor, attempt) = (&self.actor, delivery.attempt);
        let error = failed.unwrap_or_else(|| Error::started(ErrorCode::Internal, ""));
        match fate {
            Fate::Done => acknowledge(message, AckKind::Ack).await,
            Fate::Again(pause) => {
                let pause_ms = pause.as_millis();
                tracing::info!(%actor, sequence, attempt, pause_ms, %error, "a durable invocation is tried again");
                acknowledge(message, AckKind::Nak(Some(pause))).await;
            }
            Fate::Dead => {
                let letter = Letter { message, sequence, attempt, error: &error, node: &self.node };
                match letter.store(&self.lattice, actor).await {
                    Ok(()) => {
                        tracing::warn!(%actor, sequence, attempt, %error, "a durable invocation is put aside");
                        acknowledge(message, AckKind::Term).await;
                    }
                    Err(cause) => {
                        tracing::warn!(%actor, sequence, attempt, cause, "a durable invocation could not be put aside: it comes again");
                        let pause = outcome::pause_after(attempt, rand::random());
                        acknowledge(message, AckKind::Nak(Some(pause))).await;
                    }
                }
            }
        }
    }
}

/// Reads how often a message was delivered, how old it is, and its number in the stream.
fn read(message: &jetstream::Message) -> Option<(Delivery, u64)> {
    let info = message.info().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stored = u64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    let wish = message.headers.as_ref().and_then(|headers| headers.get(header::ATTEMPTS_MAX));
    let delivery = Delivery {
        attempt: u32::try_from(info.delivered).unwrap_or(u32::MAX),
        attempts_max: outcome::attempts_max(wish.map(AsRef::as_ref)),
        age: now.saturating_sub(Duration::from_millis(stored)),
    };
    Some((delivery, info.stream_sequence))
}

/// Tells the server what was decided about a message.
async fn acknowledge(message: &jetstream::Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(%error, "a decision about a durable invocation is lost: it comes again");
    }
}

/// Tells the server that somebody works on a message, for as long as it is polled.
async fn keep(message: &jetstream::Message) {
    let pause = Duration::from_millis(wire::QUEUE_ACK_WAIT_MS / 3);
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            tracing::debug!(%error, "the server could not be told that a message is worked on");
        }
    }
}
