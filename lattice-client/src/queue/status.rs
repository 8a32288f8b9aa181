//! How many durable invocations wait, and for whom.

use std::collections::BTreeMap;

use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use lattice_protocol::subjects;

use super::{QueueError, within};
use crate::lattice::Lattice;
use crate::limits;

/// The durable invocations of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// The key, as the subject says it.
    pub target: String,
    /// How many are stored: those that wait, and those that nodes have.
    pub stored: u64,
    /// How many no node has had yet.
    pub waiting: u64,
    /// How many run, or wait for their next attempt.
    pub in_flight: u64,
    /// How many of those were delivered more than once.
    pub redelivered: u64,
    /// Whether any node has served the key since durable invocations are kept for it.
    pub known: bool,
}

impl Lattice {
    /// Returns how many durable invocations there are for each key that has some, or has had some
    /// and was served lately.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub async fn queue_status(&self) -> Result<Vec<QueueStatus>, QueueError> {
        let Some(stream) = self.queue_stream().await? else { return Ok(Vec::new()) };
        let filter = subjects::all_queued(self.name());
        within(Box::pin(status(&stream, filter))).await
    }
}

async fn status(stream: &Stream, filter: String) -> Result<Vec<QueueStatus>, QueueError> {
    let mut found: BTreeMap<String, QueueStatus> = BTreeMap::new();
    let stored = stream.info_with_subjects(filter).await;
    let mut stored = stored.map_err(|error| QueueError::of(&error))?;
    while let Some(one) = stored.next().await {
        let (subject, count) = one.map_err(|error| QueueError::of(&error))?;
        let target = subject.rsplit('.').next().unwrap_or_default();
        let count = count as u64;
        // Until a consumer says otherwise.
        let status = QueueStatus { stored: count, waiting: count, ..QueueStatus::default() };
        found.insert(target.to_owned(), status);
    }
    let mut consumers = stream.consumers().take(limits::QUEUE_CONSUMERS_LISTED_MAX);
    while let Some(one) = consumers.next().await {
        let info = one.map_err(|error| QueueError::of(&error))?;
        let status = found.entry(info.name).or_default();
        status.known = true;
        status.waiting = info.num_pending;
        status.in_flight = info.num_ack_pending as u64;
        status.redelivered = info.num_redelivered as u64;
    }
    let named = found.into_iter().map(|(target, status)| QueueStatus { target, ..status });
    Ok(named.collect())
}
