//! One message of a stream, from its delivery to the decision about it.

use std::time::Duration;

use async_nats::jetstream::{self, AckKind};
use bytes::Bytes;
use lattice_client::Lattice;
use lattice_protocol::contract::messaging::Acknowledgement;
use lattice_protocol::{Error, ErrorCode};
use tokio_util::sync::CancellationToken;

use crate::confirm::publish_confirmed;
use crate::deliver::Deliverer;
use crate::fate::{self, Fate};
use crate::letter;
use crate::message;
use crate::settings::Durable;

/// Delivers the messages of a stream to the actor of one link.
pub(crate) struct DurableDelivery {
    pub lattice: Lattice,
    pub deliverer: Deliverer,
    pub durable: Durable,
    /// The link is closed: what is held goes back.
    pub stop: CancellationToken,
}

/// What the stream says of a message.
#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    stored_ns: i128,
    attempt: u32,
}

impl DurableDelivery {
    pub async fn run(&self, message: jetstream::Message) {
        let place = match message.info() {
            Ok(info) => Place {
                sequence: info.stream_sequence,
                stored_ns: info.published.unix_timestamp_nanos(),
                attempt: u32::try_from(info.delivered).unwrap_or(u32::MAX),
            },
            Err(error) => {
                tracing::error!(%error, "a message of a stream does not say what it is");
                return;
            }
        };
        let settled = tokio::select! {
            settled = self.settle(&message, place) => settled,
            () = keep_alive(&message, self.durable.ack_wait) => return,
        };
        if let Err(error) = settled {
            tracing::warn!(link = %self.deliverer.link, %error, "a decision about a message is lost: it comes again");
        }
    }

    /// Has a message delivered, and tells the server what is decided about it.
    async fn settle(
        &self,
        message: &jetstream::Message,
        place: Place,
    ) -> Result<(), async_nats::Error> {
        let mut failures = 0;
        loop {
            let fate = match fate::before(place.attempt, &self.durable) {
                Some(why) => Fate::Aside(why),
                None => {
                    fate::after(self.deliver(message, place).await, place.attempt, &self.durable)
                }
            };
            match fate {
                Fate::Done => return message.double_ack().await,
                Fate::Again { pause, why } => {
                    tracing::info!(link = %self.deliverer.link, subject = %message.subject, attempt = place.attempt, why, "a message is delivered again");
                    return message.ack_with(AckKind::Nak(Some(pause))).await;
                }
                Fate::Aside(why) => return self.put_aside(message, place, &why).await,
                Fate::Held(error) => {
                    failures += 1;
                    self.tell(failures, message, &error, "a message waits for its actor");
                    if !self.pause_after(failures).await {
                        return message.ack_with(AckKind::Nak(None)).await;
                    }
                }
            }
        }
    }

    async fn deliver(
        &self,
        message: &jetstream::Message,
        place: Place,
    ) -> Result<Acknowledgement, Error> {
        let id = format!("{}:{}", self.durable.stream, place.sequence);
        let mut delivery = message::from_nats(message, Some(id));
        // To JetStream that is where decisions go, and no business of the actor's.
        delivery.reply_to = None;
        let headers = message.headers.as_ref();
        self.deliverer.deliver(delivery, place.attempt, true, headers).await
    }

    /// Stores a message where dead letters go, and only then ends it. Until that is done it is held:
    /// its actor has decided, and is not called again.
    async fn put_aside(
        &self,
        message: &jetstream::Message,
        place: Place,
        why: &str,
    ) -> Result<(), async_nats::Error> {
        let Some(subject) = &self.durable.dead_letter else {
            tracing::warn!(link = %self.deliverer.link, subject = %message.subject, attempt = place.attempt, why, "a message is given up and dropped: the link names no dead_letter");
            return message.ack_with(AckKind::Term).await;
        };
        tracing::warn!(link = %self.deliverer.link, subject = %message.subject, attempt = place.attempt, why, "a message is put aside");
        let mut failures = 0;
        while let Err(error) = self.store(subject, message, place, why).await {
            failures += 1;
            self.tell(failures, message, &error, "a message can't be put aside: it is held");
            if !self.pause_after(failures).await {
                return message.ack_with(AckKind::Nak(None)).await;
            }
        }
        message.ack_with(AckKind::Term).await
    }

    async fn store(
        &self,
        subject: &str,
        message: &jetstream::Message,
        place: Place,
        why: &str,
    ) -> Result<(), Error> {
        let about = letter::About {
            stream: &self.durable.stream,
            group: &self.durable.consumer,
            subject: &message.subject,
            sequence: place.sequence,
            stored_ns: place.stored_ns,
            attempt: place.attempt,
            why,
        };
        let (headers, body) = letter::whole(message, about);
        match publish_confirmed(&self.lattice, subject, headers, body).await {
            // What was told of it made it larger than it was.
            Err(error) if error.code == ErrorCode::TooLarge => {
                let (headers, body): (_, Bytes) = letter::cut(message, about);
                publish_confirmed(&self.lattice, subject, headers, body).await
            }
            stored => stored,
        }
    }

    fn tell(&self, failures: u32, message: &jetstream::Message, error: &Error, what: &str) {
        // Each message tells, and some of them for days.
        if failures.is_power_of_two() {
            tracing::warn!(link = %self.deliverer.link, subject = %message.subject, %error, failures, "{what}");
        }
    }

    /// Waits before another attempt; returns whether the link is still open.
    async fn pause_after(&self, failures: u32) -> bool {
        let pause = fate::pause_between(failures, &self.durable);
        tokio::time::timeout(pause, self.stop.cancelled()).await.is_err()
    }
}

/// Tells the server that somebody works on a message, for as long as it is polled.
async fn keep_alive(message: &jetstream::Message, ack_wait: Duration) {
    let pause = ack_wait / 3;
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            tracing::debug!(%error, "the server could not be told that a message is worked on");
        }
    }
}
