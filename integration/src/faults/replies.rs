//! Listens to every answer that passes the server, so that a call that is answered twice is seen:
//! its caller takes the first answer and never hears of another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::{Reply, subjects};
use tokio::task::JoinSet;

use super::limits;
use super::load::Receipt;

/// Successful answers by the number of their call.
type Counts = BTreeMap<u64, u32>;

/// A listener that counts until it is dropped.
pub struct Replies {
    counts: Arc<Mutex<Counts>>,
    _reader: JoinSet<()>,
}

impl Replies {
    /// Listens by a connection of its own, which no fault strikes.
    ///
    /// # Errors
    /// When the server does not take the subscription.
    pub async fn listen(lattice: &Lattice) -> anyhow::Result<Self> {
        let inboxes = format!("{}.>", subjects::inbox_prefix(lattice.name()));
        let mut replies = lattice.nats().subscribe(inboxes).await?;
        anyhow::ensure!(lattice.fence().await, "the server does not confirm a subscription");
        let counts = Arc::<Mutex<Counts>>::default();
        let written = counts.clone();
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            while let Some(message) = replies.next().await {
                let Ok(Reply { ok: Some(body), .. }) = Reply::decode(&message.payload) else {
                    continue;
                };
                let Ok(receipt) = rmp_serde::from_slice::<Receipt>(body) else { continue };
                let mut counts = written.lock().unwrap_or_else(PoisonError::into_inner);
                *counts.entry(receipt.number).or_default() += 1;
            }
        });
        Ok(Self { counts, _reader: reader })
    }

    /// Returns the calls that were answered with success more than once so far.
    pub async fn twice(&self) -> Vec<u64> {
        tokio::time::sleep(Duration::from_millis(limits::LATE_REPLIES_MS)).await;
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().filter(|(_, count)| **count > 1).map(|(number, _)| *number).collect()
    }
}
