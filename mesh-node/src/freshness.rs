//! Whether this node knows the registry as it is now, rather than as it was before NATS was away.
//!
//! A node that was cut off or frozen may have missed that an actor was revoked or a link taken away. From
//! the moment at which NATS can be reached again it runs calls only once it has read the registry anew.
//! While NATS is away what needs none of it goes on: HTTP, its actors, and their providers here.
//!
//! Where NATS is back and the registry is not (JetStream has no leader yet), nobody can change it either: after
//! [`limits::REGISTRY_WAIT_MS`] the node goes on by what it knew, rather than have the whole lattice stand still.

use std::sync::{Mutex, PoisonError};
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
    /// As it was when NATS was lost: NATS is back, and the registry can't be read.
    NotYet,
}

/// `waited` is how long a call has waited already since this connection was made.
fn known(connection: Connection, read_through: u64, waited: Duration) -> Known {
    match connection {
        Connection { up: false, .. } => Known::Then,
        Connection { count, .. } if count == read_through => Known::Now,
        _ if waited >= BOUND => Known::NotYet,
        _ => Known::Soon,
    }
}

const BOUND: Duration = Duration::from_millis(limits::REGISTRY_WAIT_MS);

pub(crate) struct Freshness {
    connection: watch::Receiver<Connection>,
    /// The connection through which the whole registry was read last.
    read_through: watch::Sender<u64>,
    /// Through which connection it is waited for, and since when.
    waited_for: Mutex<(u64, Option<Instant>)>,
}

impl Freshness {
    pub fn new(lattice: &Lattice) -> Self {
        Self::of(lattice.connection())
    }

    fn of(connection: watch::Receiver<Connection>) -> Self {
        Self { connection, read_through: watch::Sender::default(), waited_for: Mutex::default() }
    }

    /// Says that the whole registry was read through a connection, and taken in.
    pub fn read_through(&self, connection: u64) {
        self.read_through.send_replace(connection);
    }

    fn known(&self) -> Known {
        let (connection, read_through) = (*self.connection.borrow(), *self.read_through.borrow());
        // Almost always so, and then nobody waits.
        if connection.up && connection.count == read_through {
            return Known::Now;
        }
        known(connection, read_through, self.waited(connection.count))
    }

    /// Returns whether the registry was read through the connection that there is now, or was last.
    pub fn is_read(&self) -> bool {
        self.connection.borrow().count == *self.read_through.borrow()
    }

    /// Returns how long calls have waited since the connection `count` was made.
    fn waited(&self, count: u64) -> Duration {
        let mut waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        if waited_for.0 != count {
            *waited_for = (count, None);
        }
        waited_for.1.get_or_insert_with(Instant::now).elapsed()
    }

    /// Waits until a call that came over NATS may run.
    ///
    /// # Errors
    /// `stale` when the registry could not be read in time: another node may have.
    pub async fn for_call(&self, deadline: Instant) -> Result<(), Error> {
        let enough = |known| matches!(known, Known::Now | Known::NotYet);
        if enough(self.known()) || self.wait(deadline, enough).await {
            return Ok(());
        }
        let why = "this node was away from NATS and has not read the registry since";
        Err(Error::not_started(ErrorCode::Stale, why))
    }

    /// Waits until a call that came from this node may run.
    pub async fn for_call_here(&self, deadline: Instant) {
        if self.known() == Known::Soon {
            self.wait(deadline, |known| known != Known::Soon).await;
        }
    }

    /// Waits until `enough` is known; returns whether it is.
    async fn wait(&self, deadline: Instant, enough: impl Fn(Known) -> bool) -> bool {
        let end = deadline.min(Instant::now() + BOUND);
        let mut connection = self.connection.clone();
        let mut read_through = self.read_through.subscribe();
        loop {
            connection.mark_unchanged();
            read_through.mark_unchanged();
            if enough(self.known()) {
                return true;
            }
            tokio::select! {
                // A connection that is closed for good is never up again.
                changed = connection.changed() => if changed.is_err() { return false },
                _ = read_through.changed() => {}
                () = tokio::time::sleep_until(end.into()) => return enough(self.known()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_nats_was_away_is_not_known_now() {
        let connection = |up, count| Connection { up, count, ..Connection::default() };
        let (lost, back) = (connection(false, 3), connection(true, 4));
        let soon = Duration::from_millis(1);
        assert_eq!(known(Connection { up: true, ..lost }, 3, soon), Known::Now);
        assert_eq!(known(lost, 3, soon), Known::Then);
        assert_eq!(known(back, 3, soon), Known::Soon);
        assert_eq!(known(back, 3, BOUND), Known::NotYet);
        assert_eq!(known(back, 4, soon), Known::Now);
    }

    #[tokio::test]
    async fn calls_wait_for_the_registry_as_long_as_it_may_be_read() {
        let connected = |up, count| Connection { up, count, ..Connection::default() };
        let (state, connection) = watch::channel(connected(true, 2));
        let freshness = Freshness::of(connection);
        let (far, near) = (Instant::now() + BOUND * 9, Instant::now() + BOUND / 50);
        assert_eq!(freshness.for_call(near).await.unwrap_err().code, ErrorCode::Stale);
        let (call, ()) = tokio::join!(freshness.for_call(far), async { freshness.read_through(2) });
        assert_eq!(call, Ok(()));
        // NATS is away: what comes from here goes on.
        state.send_replace(connected(false, 2));
        freshness.for_call_here(far).await;
        assert!(freshness.for_call(Instant::now() + BOUND / 50).await.is_err());
        // It is back, the registry is not: for a while everybody waits, then nobody.
        state.send_replace(connected(true, 3));
        let begun = Instant::now();
        assert_eq!(freshness.for_call(far).await, Ok(()));
        assert!(begun.elapsed() >= BOUND);
        assert_eq!(freshness.for_call(Instant::now() + BOUND / 50).await, Ok(()));
    }
}
