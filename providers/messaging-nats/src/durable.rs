//! A durable source: a consumer of a stream, whose messages are delivered until the actor has decided
//! about them, or put aside.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::Link;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::deliver::Deliverer;
use crate::delivery::DurableDelivery;
use crate::limits;
use crate::settings::{Durable, Settings};
use crate::streams;

/// A consumer that is being read.
pub(crate) struct Reading {
    reader: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Reading {
    /// Finds or makes the stream and the consumer, and begins to read.
    ///
    /// # Errors
    /// `bad_request` when the stream does not have the subjects, or others use the consumer for
    /// something else; `provider_unavailable`.
    pub async fn open(
        lattice: &Lattice,
        link: &Link,
        deliverer: Deliverer,
        settings: &Settings,
        durable: &Durable,
    ) -> Result<Self, Error> {
        let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
        let open = Box::pin(streams::consumer(lattice, &link.id, settings, durable));
        let silent =
            || Error::not_started(ErrorCode::ProviderUnavailable, "JetStream does not answer");
        let consumer = tokio::time::timeout(bound, open).await.map_err(|_| silent())??;
        let stop = CancellationToken::new();
        let delivery = Arc::new(DurableDelivery {
            lattice: lattice.clone(),
            deliverer,
            durable: durable.clone(),
            stop: stop.clone(),
        });
        let reader = Reader {
            consumer,
            delivery,
            places: Arc::new(Semaphore::new(settings.concurrency)),
            concurrency: settings.concurrency,
            stop: stop.clone(),
            deliveries: JoinSet::new(),
        };
        Ok(Self { reader: AbortOnDropHandle::new(tokio::spawn(reader.run())), stop })
    }

    /// Reads no more, and waits for the deliveries under way; what is not decided about comes again.
    pub async fn close(self) {
        self.stop.cancel();
        let bound = Duration::from_millis(limits::CLOSE_TIMEOUT_MS);
        match tokio::time::timeout(bound, self.reader).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what read a stream ended before its time"),
            Err(_) => tracing::warn!("deliveries were abandoned: their messages come again"),
        }
    }
}

/// Takes messages while there are places for them.
struct Reader {
    consumer: PullConsumer,
    delivery: Arc<DurableDelivery>,
    places: Arc<Semaphore>,
    concurrency: usize,
    stop: CancellationToken,
    /// Those under way; they end with the reader.
    deliveries: JoinSet<()>,
}

impl Reader {
    async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if let Err(error) = self.read_some().await {
                tracing::warn!(link = %self.delivery.deliverer.link, error, "a stream can't be read; trying again");
                let pause = Duration::from_millis(limits::PULL_RETRY_PAUSE_MS);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        while let Some(ended) = self.deliveries.join_next().await {
            tell_of_panic(ended);
        }
    }

    /// Asks for as many messages as there are places, and hands them on as they come.
    async fn read_some(&mut self) -> Result<(), String> {
        let first = tokio::select! {
            first = self.places.clone().acquire_owned() => first.map_err(|error| error.to_string())?,
            () = self.stop.cancelled() => return Ok(()),
        };
        let more = self.places.available_permits().min(self.concurrency - 1);
        let mut batch = self
            .consumer
            .batch()
            .max_messages(more + 1)
            .expires(Duration::from_millis(limits::PULL_EXPIRES_MS))
            .messages()
            .await
            .map_err(|error| error.to_string())?;
        let mut place = Some(first);
        loop {
            let next = tokio::select! {
                next = batch.next() => next,
                // What the server sends nevertheless comes again.
                () = self.stop.cancelled() => return Ok(()),
            };
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(()),
            };
            let place = match place.take() {
                Some(place) => place,
                None => {
                    let place = self.places.clone().acquire_owned().await;
                    place.map_err(|error| error.to_string())?
                }
            };
            let delivery = self.delivery.clone();
            while let Some(ended) = self.deliveries.try_join_next() {
                tell_of_panic(ended);
            }
            self.deliveries.spawn(async move {
                delivery.run(message).await;
                drop(place);
            });
        }
    }
}

fn tell_of_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a delivery ended before its time: its message comes again");
    }
}
