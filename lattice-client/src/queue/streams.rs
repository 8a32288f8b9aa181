//! The streams of a lattice's durable invocations, made by whoever first needs them.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::subjects::{self, Subject};
use lattice_protocol::{limits as wire, names::LatticeName};

use super::{QueueError, within};
use crate::jetstream;
use crate::lattice::Lattice;

impl Lattice {
    /// Makes the streams of durable invocations where they are not there yet. Those that are there
    /// stay as they are: whoever wants other bounds makes or edits them by hand.
    ///
    /// # Errors
    /// [`QueueError::NoJetStream`] or [`QueueError::Unreachable`].
    pub async fn open_queue(&self) -> Result<(), QueueError> {
        let queue = self.made(self.queue_config()).await;
        queue.and(self.made(dead_config(self.name(), self.replicas())).await).map(drop)
    }

    /// Returns the stream of what waits, without making it.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub(super) async fn queue_stream(&self) -> Result<Option<Stream>, QueueError> {
        self.existing(&subjects::queue_stream(self.name())).await
    }

    /// Returns the stream of what was put aside, without making it.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub(super) async fn dead_stream(&self) -> Result<Option<Stream>, QueueError> {
        self.existing(&subjects::dead_stream(self.name())).await
    }

    async fn existing(&self, name: &str) -> Result<Option<Stream>, QueueError> {
        let look = async {
            match self.jetstream().get_stream(name).await {
                Ok(stream) => Ok(Some(stream)),
                Err(error) if jetstream::no_stream(&error) => Ok(None),
                Err(error) => Err(QueueError::of(&error)),
            }
        };
        within(Box::pin(look)).await
    }

    async fn made(&self, config: Config) -> Result<Stream, QueueError> {
        let name = config.name.clone();
        let make = async {
            match self.jetstream().get_or_create_stream(config).await {
                Ok(stream) => Ok(stream),
                // Another program made it at the same time, in another shape.
                Err(error) => match self.jetstream().get_stream(&name).await {
                    Ok(stream) => Ok(stream),
                    Err(_) if jetstream::is_not_enabled(&error) => {
                        Err(QueueError::NoJetStream(error.to_string()))
                    }
                    Err(_) => Err(QueueError::of(&error)),
                },
            }
        };
        within(Box::pin(make)).await
    }

    fn queue_config(&self) -> Config {
        let most = self.nats().max_payload().saturating_sub(wire::QUEUE_OVERHEAD_BYTES);
        Config {
            name: subjects::queue_stream(self.name()),
            description: Some(format!("durable invocations of the lattice {}", self.name())),
            subjects: vec![subjects::all_queued(self.name())],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            num_replicas: self.replicas(),
            duplicate_window: Duration::from_millis(wire::QUEUE_DUPLICATES_MS),
            // What was confirmed is never pushed out by what comes later.
            discard: DiscardPolicy::New,
            max_bytes: wire::QUEUE_BYTES_MAX,
            max_age: Duration::from_millis(wire::QUEUE_KEPT_MS),
            // What can be stored can be put aside too, with all that is said of it then.
            max_message_size: i32::try_from(most).unwrap_or(i32::MAX),
            ..Config::default()
        }
    }
}

fn dead_config(lattice: &LatticeName, replicas: usize) -> Config {
    Config {
        name: subjects::dead_stream(lattice),
        description: Some(format!("durable invocations of the lattice {lattice} put aside")),
        subjects: vec![subjects::all_dead(lattice)],
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: Duration::from_millis(wire::QUEUE_DUPLICATES_MS),
        max_bytes: wire::DEAD_BYTES_MAX,
        max_age: Duration::from_millis(wire::DEAD_KEPT_MS),
        ..Config::default()
    }
}

/// Returns how the consumer of an actor's durable invocations is made: one for all nodes that serve
/// it.
///
/// How often a message is delivered is not bounded by it: what exceeds the bound must be put aside,
/// and the server would only forget it.
pub fn queue_consumer_config(lattice: &LatticeName, actor: &ActorKey) -> pull::Config {
    let target = TargetKey::Actor(actor.clone());
    pull::Config {
        durable_name: Some(subjects::queue_consumer(&target)),
        filter_subject: Subject::Queue(lattice.clone(), target).to_string(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(wire::QUEUE_ACK_WAIT_MS),
        max_ack_pending: wire::QUEUE_PENDING_MAX,
        max_deliver: -1,
        inactive_threshold: Duration::from_millis(wire::QUEUE_CONSUMER_KEPT_MS),
        ..pull::Config::default()
    }
}
