//! A plain source: subscriptions whose messages are delivered once, or lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Message;
use futures_util::future::join_all;
use lattice_client::Lattice;
use lattice_client::serve::{Delivery, Handler, ServeOptions, Serving};
use lattice_protocol::contract::messaging::Verdict;
use lattice_protocol::subjects::is_reply_subject;
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::Semaphore;

use crate::deliver::Deliverer;
use crate::limits;
use crate::message;
use crate::room::Room;
use crate::settings::Settings;

/// The subscriptions of a link.
pub(crate) struct Plain(Vec<Serving>);

impl Plain {
    /// Subscribes to what the link receives.
    ///
    /// # Errors
    /// `provider_unavailable` when a subscription can't be made.
    pub async fn open(
        lattice: &Lattice,
        deliverer: Deliverer,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let handler = Arc::new(PlainHandler {
            lattice: lattice.clone(),
            deliverer,
            places: Semaphore::new(settings.concurrency),
            room: Room::new(limits::PENDING_BYTES_MAX),
            dropped: AtomicU64::new(0),
        });
        let mut subscriptions = Vec::new();
        for pattern in &settings.subjects {
            let options = ServeOptions {
                subject: pattern.as_str().to_owned(),
                queue_group: Some(settings.group.clone()),
                in_flight_max: limits::PENDING_MAX,
                sheds: false,
            };
            let subscribed = lattice.serve(options, handler.clone()).await;
            subscriptions.push(subscribed.map_err(|error| {
                Error::not_started(ErrorCode::ProviderUnavailable, error.to_string())
            })?);
        }
        Ok(Self(subscriptions))
    }

    /// Leaves the subscriptions; what they had received is delivered.
    pub async fn close(self) {
        let bound = Duration::from_millis(limits::CLOSE_TIMEOUT_MS);
        for drained in join_all(self.0.into_iter().map(|one| one.drain(bound))).await {
            if drained.unfinished > 0 {
                tracing::warn!(unfinished = drained.unfinished, "deliveries were abandoned");
            }
        }
    }
}

struct PlainHandler {
    lattice: Lattice,
    deliverer: Deliverer,
    places: Semaphore,
    /// Shared by all subjects of the link.
    room: Room,
    dropped: AtomicU64,
}

impl PlainHandler {
    async fn answer(&self, to: Option<async_nats::Subject>, body: Vec<u8>) {
        let Some(to) = to.filter(|to| is_reply_subject(to)) else { return };
        if let Err(error) = self.lattice.nats().publish(to, body.into()).await {
            tracing::warn!(link = %self.deliverer.link, %error, "an answer could not be sent");
        }
    }
}

impl Handler for PlainHandler {
    async fn handle(&self, delivery: Delivery) {
        let message = delivery.message;
        let Some(_room) = self.room.take(message.length) else { return self.refuse(message).await };
        let Ok(_place) = self.places.acquire().await else { return };
        let delivery = message::from_nats(&message, None);
        let headers = message.headers.as_ref();
        match self.deliverer.deliver(delivery, 1, false, headers).await {
            Ok(decided) if decided.verdict == Verdict::Ack => {
                if let Some(body) = decided.reply {
                    self.answer(message.reply, body.into_vec()).await;
                }
            }
            Ok(decided) => tracing::info!(
                link = %self.deliverer.link, subject = %message.subject, verdict = ?decided.verdict,
                reason = decided.reason, "a message is dropped: its source is not durable"
            ),
            Err(error) => tracing::warn!(
                link = %self.deliverer.link, subject = %message.subject, %error,
                "a message was not delivered and is dropped: its source is not durable"
            ),
        }
    }

    async fn refuse(&self, message: Message) {
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        // A flood must not flood the log too.
        if dropped.is_power_of_two() {
            tracing::warn!(
                link = %self.deliverer.link, subject = %message.subject, dropped,
                "messages come faster than the actor takes them: one is dropped"
            );
        }
    }
}
