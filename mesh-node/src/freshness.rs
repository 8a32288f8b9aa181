//! Whether this node knows the registry as it is now, rather than as it was before NATS was away.
//!
//! A node that was cut off or frozen may have missed that an actor was revoked or a link taken away. From
//! the moment at which NATS can be reached again it runs calls only once it has read the registry anew.
//! While NATS is away what needs none of it goes on: HTTP, its actors, and their providers here.
//!
//! Where the link only stood still for a moment, calls and changes of the registry come together once it goes
//! on. Calls then wait until the changes that came before them were taken in.
//!
//! Where NATS is back and the registry is not (JetStream has no leader yet), nobody can change it either: after
//! [`limits::REGISTRY_WAIT_MS`] the node goes on by what it knew, rather than have the whole lattice stand still.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lattice_client::{Connection, Hearing, Lattice};
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::watch;

use crate::limits;

/// How well a node knows the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// As it is.
    Now,
    /// As it was when NATS was heard last.
    Then,
    /// It is being read.
    Soon,
    /// As it was when NATS was lost: NATS is back, and the registry can't be read.
    NotYet,
}

/// What was taken in, or is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach {
    /// Through which connection the whole registry was read.
    connection: u64,
    /// After how many pauses all that had come was taken in.
    pauses: u64,
}

/// `waited` tells how long calls have waited already since there is more than `read` to know: it is asked only
/// where there is, lest the time in which nothing could be known counts as waited.
fn known(
    up: bool,
    late: bool,
    there_is: Reach,
    read: Reach,
    waited: impl FnOnce() -> Duration,
) -> Known {
    if !up || late {
        return Known::Then;
    }
    // Almost always so, and then nobody waits.
    if there_is == read {
        return Known::Now;
    }
    if waited() >= BOUND { Known::NotYet } else { Known::Soon }
}

const BOUND: Duration = Duration::from_millis(limits::REGISTRY_WAIT_MS);

pub(crate) struct Freshness {
    connection: watch::Receiver<Connection>,
    hearing: Hearing,
    pauses: watch::Receiver<u64>,
    read: watch::Sender<Reach>,
    /// Through which connection more is waited for, and since when; nothing once all is known.
    waited_for: Mutex<Option<(u64, Instant)>>,
}

impl Freshness {
    pub fn new(lattice: &Lattice) -> Self {
        Self::of(lattice.connection(), lattice.hearing())
    }

    fn of(connection: watch::Receiver<Connection>, hearing: Hearing) -> Self {
        let (pauses, read) = (hearing.pauses(), watch::Sender::default());
        Self { connection, hearing, pauses, read, waited_for: Mutex::default() }
    }

    /// Says that the whole registry was read through a connection when so many pauses were over, and taken in.
    pub fn read_through(&self, connection: u64, pauses: u64) {
        self.took_in(|read| *read = Reach { connection, pauses });
    }

    /// Says that what had come when so many pauses were over was taken in.
    pub fn caught_up(&self, pauses: u64) {
        self.took_in(|read| read.pauses = pauses);
    }

    fn took_in(&self, what: impl FnOnce(&mut Reach)) {
        let mut waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        self.read.send_modify(what);
        let connection = *self.connection.borrow();
        if *self.read.borrow() == self.there_is(&connection) {
            *waited_for = None;
        }
    }

    fn there_is(&self, connection: &Connection) -> Reach {
        Reach { connection: connection.count, pauses: *self.pauses.borrow() }
    }

    fn known(&self) -> Known {
        // First: a pause is counted before nothing is late any more.
        let late = self.hearing.is_late();
        let connection = *self.connection.borrow();
        let (there_is, read) = (self.there_is(&connection), *self.read.borrow());
        known(connection.up, late, there_is, read, || self.waited(connection.count))
    }

    /// Returns whether the registry was read through the connection that there is now, or was last.
    pub fn is_read(&self) -> bool {
        self.connection.borrow().count == self.read.borrow().connection
    }

    /// Returns how long calls have waited since the connection `count` was made: however often it paused
    /// since, they don't wait anew.
    fn waited(&self, count: u64) -> Duration {
        let mut waited_for = self.waited_for.lock().unwrap_or_else(PoisonError::into_inner);
        match *waited_for {
            Some((through, since)) if through == count => since.elapsed(),
            _ => {
                *waited_for = Some((count, Instant::now()));
                Duration::ZERO
            }
        }
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
        let why = "this node was away from NATS, or can't hear it, and does not know the registry as it is now";
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
        let (mut pauses, mut read) = (self.pauses.clone(), self.read.subscribe());
        loop {
            let mut again = pin!(self.hearing.again());
            again.as_mut().enable();
            connection.mark_unchanged();
            pauses.mark_unchanged();
            read.mark_unchanged();
            if enough(self.known()) {
                return true;
            }
            tokio::select! {
                // A connection that is closed for good is never up again.
                changed = connection.changed() => if changed.is_err() { return false },
                Ok(()) = pauses.changed() => {}
                Ok(()) = read.changed() => {}
                () = again => {}
                () = tokio::time::sleep_until(end.into()) => return enough(self.known()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nobody waits for the registry no clock of theirs may run.
    fn nobody_waits() -> Duration {
        panic!("a clock was begun")
    }

    #[test]
    fn what_was_read_before_nats_was_away_is_not_known_now() {
        let reach = |connection, pauses| Reach { connection, pauses };
        let soon = Duration::from_millis(1);
        let read = reach(3, 1);
        assert_eq!(known(true, false, reach(3, 1), read, nobody_waits), Known::Now);
        assert_eq!(known(false, false, reach(3, 1), read, nobody_waits), Known::Then);
        assert_eq!(known(true, false, reach(4, 1), read, || soon), Known::Soon);
        assert_eq!(known(true, false, reach(4, 1), read, || BOUND), Known::NotYet);
    }

    #[test]
    fn what_came_after_a_pause_waits_for_what_came_before_it() {
        let reach = |pauses| Reach { connection: 3, pauses };
        let late = known(true, true, reach(1), reach(1), nobody_waits);
        assert_eq!(late, Known::Then, "the link may stand still");
        assert_eq!(known(true, false, reach(2), reach(1), || Duration::ZERO), Known::Soon);
        assert_eq!(known(true, false, reach(1), reach(1), nobody_waits), Known::Now);
    }

    #[tokio::test]
    async fn calls_wait_for_the_registry_as_long_as_it_may_be_read() {
        let connected = |up, count| Connection { up, count, ..Connection::default() };
        let (state, connection) = watch::channel(connected(true, 2));
        let freshness = Freshness::of(connection, Hearing::default());
        let (far, near) = (Instant::now() + BOUND * 9, Instant::now() + BOUND / 50);
        assert_eq!(freshness.for_call(near).await.unwrap_err().code, ErrorCode::Stale);
        let (call, ()) =
            tokio::join!(freshness.for_call(far), async { freshness.read_through(2, 0) });
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
        // Until all is known again: the next time they wait anew.
        freshness.read_through(3, 0);
        state.send_replace(connected(true, 4));
        assert!(freshness.for_call(Instant::now() + BOUND / 50).await.is_err());
    }
}
