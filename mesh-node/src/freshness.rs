//! Whether this node knows the registry as it is now, rather than as it was before NATS was away.
//!
//! A node that was cut off or frozen may have missed that an actor was revoked or a link taken away. From
//! the moment at which NATS can be reached again it runs calls only once it has read the registry anew.
//! While NATS is away what needs none of it goes on: HTTP, its actors, and their providers here.

use std::time::{Duration, Instant};

use lattice_client::{Connection, Lattice};
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::watch;

use crate::limits;

/// How well a node knows the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// As it is.
    Now,
    /// As it was when NATS was lost.
    Then,
    /// It is being read.
    Soon,
}

fn known(connection: Connection, read_through: u64) -> Known {
    match connection {
        Connection { up: false, .. } => Known::Then,
        Connection { count, .. } if count == read_through => Known::Now,
        _ => Known::Soon,
    }
}

pub(crate) struct Freshness {
    connection: watch::Receiver<Connection>,
    /// The connection through which the whole registry was read last.
    read_through: watch::Sender<u64>,
}

impl Freshness {
    pub fn new(lattice: &Lattice) -> Self {
        Self { connection: lattice.connection(), read_through: watch::Sender::default() }
    }

    /// Says that the whole registry was read through a connection, and taken in.
    pub fn read_through(&self, connection: u64) {
        self.read_through.send_replace(connection);
    }

    fn known(&self) -> Known {
        known(*self.connection.borrow(), *self.read_through.borrow())
    }

    /// Waits until a call that came over NATS may run.
    ///
    /// # Errors
    /// `stale` when the registry could not be read in time: another node may have.
    pub async fn for_call(&self, deadline: Instant) -> Result<(), Error> {
        if self.known() == Known::Now || self.wait(deadline, |known| known == Known::Now).await {
            return Ok(());
        }
        let why = "this node was away from NATS and has not read the registry since";
        Err(Error::not_started(ErrorCode::Stale, why))
    }

    /// Waits until a call that came from this node may run. Where NATS can be reached and the registry
    /// can't be read for a while the node counts as cut off from it.
    pub async fn for_call_here(&self, deadline: Instant) {
        if self.known() == Known::Soon {
            self.wait(deadline, |known| known != Known::Soon).await;
        }
    }

    /// Waits until `enough` is known; returns whether it is.
    async fn wait(&self, deadline: Instant, enough: impl Fn(Known) -> bool) -> bool {
        let bound = Instant::now() + Duration::from_millis(limits::REGISTRY_WAIT_MS);
        let (mut connection, mut read_through) =
            (self.connection.clone(), self.read_through.subscribe());
        let wait = async {
            while !enough(known(*connection.borrow_and_update(), *read_through.borrow_and_update()))
            {
                tokio::select! {
                    // A connection that is closed for good is never up again.
                    changed = connection.changed() => if changed.is_err() { return false },
                    _ = read_through.changed() => {}
                }
            }
            true
        };
        tokio::time::timeout_at(bound.min(deadline).into(), wait).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_nats_was_away_is_not_known_now() {
        let (lost, back) = (Connection { up: false, count: 3 }, Connection { up: true, count: 4 });
        assert_eq!(known(Connection { up: true, ..lost }, 3), Known::Now);
        assert_eq!(known(lost, 3), Known::Then);
        assert_eq!(known(back, 3), Known::Soon);
        assert_eq!(known(back, 4), Known::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_the_registry_those_from_here_only_as_long_as_it_can_be_read() {
        let (state, connection) = watch::channel(Connection { up: true, count: 2 });
        let freshness = Freshness { connection, read_through: watch::Sender::new(1) };
        let far = Instant::now() + Duration::from_secs(60);
        assert_eq!(freshness.for_call(far).await.unwrap_err().code, ErrorCode::Stale);
        freshness.for_call_here(far).await;
        let (call, ()) = tokio::join!(freshness.for_call(far), async { freshness.read_through(2) });
        assert_eq!(call, Ok(()));
        state.send_replace(Connection { up: false, count: 2 });
        freshness.for_call_here(far).await;
        assert!(freshness.for_call(far).await.is_err());
    }
}
