//! Pulls the durable invocations of one actor while there are places for them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, AckKind};
use lattice_client::queue::{Pull, queue_consumer_config};
use lattice_client::{Connection, Lattice};
use lattice_protocol::subjects;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::work::Work;
use crate::actor_host::ActorHost;
use crate::limits;

/// Reads until it is told to stop; ends when all that it took is settled.
pub(super) struct Reader {
    host: Arc<ActorHost>,
    work: Arc<Work>,
    setups: Arc<Semaphore>,
    stop: CancellationToken,
    connection: watch::Receiver<Connection>,
    /// What runs; it ends with the reader.
    running: JoinSet<()>,
}

impl Reader {
    pub fn new(
        host: Arc<ActorHost>,
        work: Arc<Work>,
        setups: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> Self {
        let connection = work.lattice.connection();
        Self { host, work, setups, stop, connection, running: JoinSet::new() }
    }

    /// Reads until it is told to stop, or `for_ever` is not asked for and nothing came for a while; ends when all
    /// that it took is settled.
    pub async fn run(mut self, for_ever: bool) {
        self.work_on(for_ever).await;
        while let Some(ended) = self.running.join_next().await {
            tell_of_panic(ended);
        }
    }

    async fn work_on(&mut self, for_ever: bool) {
        let stop = self.stop.clone();
        let mut consumer = None;
        let mut complained = false;
        while !stop.is_cancelled() {
            let failed = match self.step(&mut consumer).await {
                Ok(came) => {
                    complained = false;
                    if came || for_ever || !self.running.is_empty() {
                        continue;
                    }
                    return;
                }
                Err(failed) => failed,
            };
            consumer = None;
            // An outage is told once, not every second.
            if !std::mem::replace(&mut complained, true) {
                let actor = &self.work.actor;
                tracing::warn!(%actor, failed, "durable invocations can't be read; trying again");
            }
            let pause = Duration::from_millis(limits::QUEUE_RETRY_PAUSE_MS);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Makes the consumer where there is none, and asks once for as many as there are places; returns whether
    /// more may be there.
    async fn step(&mut self, consumer: &mut Option<PullConsumer>) -> Result<bool, String> {
        let stop = self.stop.clone();
        let up = self.connection.wait_for(|connection| connection.up);
        tokio::select! {
            // The client is closed: nothing is up any more.
            up = up => drop(up.map_err(|error| error.to_string())?),
            () = stop.cancelled() => return Ok(false),
        }
        let opened = match consumer {
            Some(opened) => opened,
            None => {
                let open = open(&self.work, &self.setups);
                let opened = tokio::select! {
                    opened = Box::pin(open) => opened?,
                    () = stop.cancelled() => return Ok(false),
                };
                consumer.insert(opened)
            }
        };
        let free = self.places().saturating_sub(self.running.len());
        if free == 0 {
            tokio::select! {
                Some(ended) = self.running.join_next() => tell_of_panic(ended),
                () = stop.cancelled() => {}
            }
            return Ok(true);
        }
        let expires = Duration::from_millis(limits::QUEUE_PULL_EXPIRES_MS);
        let pull = Pull::ask(&self.work.lattice, opened, free, expires).await;
        self.read(pull.map_err(|error| error.to_string())?).await
    }

    /// Returns how many may run at once: no more than calls of the actor, so that those who wait for
    /// an answer find a place too.
    fn places(&self) -> usize {
        let size = self.host.revision().map(|revision| revision.admission.size());
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        size.clamp(1, limits::QUEUE_IN_FLIGHT_MAX)
    }

    /// Begins what comes, until what was asked for is there, or nothing more comes of it.
    async fn read(&mut self, mut pull: Pull) -> Result<bool, String> {
        let mut came = false;
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    give_back(pull).await;
                    return Ok(came);
                }
                // What was asked for was asked over another connection.
                changed = self.connection.changed() => {
                    return changed.map(|()| true).map_err(|error| error.to_string());
                }
                Some(ended) = self.running.join_next() => {
                    tell_of_panic(ended);
                    continue;
                }
                next = pull.next() => next,
            };
            match next {
                Some(Ok(message)) => {
                    came = true;
                    self.begin(message);
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(came),
            }
        }
    }

    fn begin(&mut self, message: jetstream::Message) {
        let work = self.work.clone();
        self.running.spawn(async move { work.run(message).await });
    }
}

/// Makes the consumer that all nodes share, and the streams where they are missing.
async fn open(work: &Work, setups: &Semaphore) -> Result<PullConsumer, String> {
    let _place = setups.acquire().await.map_err(|error| error.to_string())?;
    let bound = Duration::from_millis(limits::QUEUE_SETUP_TIMEOUT_MS);
    let open = async {
        match consumer(&work.lattice, work).await {
            Ok(consumer) => Ok(consumer),
            Err(_) => {
                work.lattice.open_queue().await.map_err(|error| error.to_string())?;
                consumer(&work.lattice, work).await
            }
        }
    };
    let opened = tokio::time::timeout(bound, Box::pin(open)).await;
    opened.unwrap_or_else(|_| Err(format!("no consumer within {} ms", bound.as_millis())))
}

async fn consumer(lattice: &Lattice, work: &Work) -> Result<PullConsumer, String> {
    let config = queue_consumer_config(lattice.name(), &work.actor);
    let stream = subjects::queue_stream(lattice.name());
    let made = lattice.jetstream().create_consumer_on_stream(config, stream).await;
    made.map_err(|error| error.to_string())
}

/// Asks for nothing more, and gives back what has come and was not begun.
async fn give_back(pull: Pull) {
    for message in pull.leave().await {
        // If that is lost, it comes again all the same.
        let _ = message.ack_with(AckKind::Nak(None)).await;
    }
}

fn tell_of_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a durable invocation ended before its time: it comes again");
    }
}
