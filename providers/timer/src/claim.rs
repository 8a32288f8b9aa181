//! A tick that this provider has claimed, until the others know that it is over.

use std::time::Instant;

use lattice_protocol::Error;

use crate::store::{Seen, Store, Written};
use crate::turn::Turn;

/// What was seen last, and since when it has not changed.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub seen: Seen,
    pub since: Instant,
}

impl Known {
    /// Returns what is known after it was read or written.
    pub(crate) fn now(seen: Seen) -> Self {
        Self { seen, since: Instant::now() }
    }

    /// Returns what is known after a write of `turn`.
    pub(crate) fn written(turn: Turn, revision: u64) -> Self {
        Self::now(Seen { turn: Some(turn), revision })
    }
}

/// A tick that this provider has claimed.
pub(crate) struct Claim<'a> {
    pub store: &'a mut Store,
    /// What was written to claim it.
    pub turn: Turn,
    /// The revision of the last write.
    pub revision: u64,
}

impl Claim<'_> {
    /// Tells the others that the tick is still under way.
    pub(crate) async fn renew(&mut self) {
        let turn = self.turn.clone();
        // Where it can't be told, they may take it over: then it is ticked twice, not never.
        if let Err(error) = self.write(&turn).await {
            tracing::warn!(%error, "a tick is under way, but can't be told");
        }
    }

    /// Tells the others `over`, that the tick is. Returns what is known then: nothing where
    /// somebody else took it over.
    ///
    /// # Errors
    /// `provider_unavailable`, after which it must be told again.
    pub(crate) async fn finish(&mut self, over: &Turn) -> Result<Option<Known>, Error> {
        Ok(self.write(over).await?.then(|| Known::written(over.clone(), self.revision)))
    }

    /// Writes while the claim holds; returns whether it does.
    async fn write(&mut self, turn: &Turn) -> Result<bool, Error> {
        loop {
            match self.store.write(self.revision, turn).await? {
                Written::At(revision) => {
                    self.revision = revision;
                    return Ok(true);
                }
                Written::Conflict => {}
            }
            // A write of this provider may have arrived though its answer did not.
            let seen = self.store.read().await?;
            if seen.turn.as_ref() == Some(turn) {
                self.revision = seen.revision;
                return Ok(true);
            }
            if seen.turn.as_ref() != Some(&self.turn) || seen.revision == self.revision {
                return Ok(false);
            }
            self.revision = seen.revision;
        }
    }
}
