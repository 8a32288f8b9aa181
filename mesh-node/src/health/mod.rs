//! What the node says of its own health: to whoever sends it requests over HTTP, and to operators.
//!
//! | path | answers |
//! |---|---|
//! | `/healthz` | 200 as long as the process answers |
//! | `/readyz` | 200, or 503 from the moment at which the node leaves |
//!
//! Both with the same body, a [`Health`] as JSON. A node that is away from NATS is `degraded` and ready all the
//! same: it answers HTTP by what it knew. To take it out of service would turn a fault of NATS into one of everything.

mod server;

use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lattice_client::Connection;
use lattice_protocol::keys::NodeKey;
use lattice_protocol::names::LatticeName;
use lattice_protocol::{Error, ErrorCode};
use serde::Serialize;

pub(crate) use server::HealthServer;

use crate::shared::Shared;

/// How a node is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything is there.
    Ok,
    /// It serves by what it knew: NATS is away, or the registry was not read since.
    Degraded,
    /// It leaves.
    Draining,
}

/// How a node is.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// In a word.
    pub status: Status,
    /// Whether requests may be sent to it.
    pub ready: bool,
    /// Its key.
    pub node: NodeKey,
    /// Its lattice.
    pub lattice: LatticeName,
    /// Version of its program.
    pub version: &'static str,
    /// Whether it reaches NATS.
    pub nats: Nats,
    /// What it knows of the registry.
    pub registry: Registry,
    /// Actors that it serves.
    pub actors: usize,
    /// Calls that run now.
    pub in_flight: u32,
}

/// Whether a node reaches NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Nats {
    /// Whether it does.
    pub up: bool,
    /// Since when it does, or does not: Unix milliseconds.
    pub since_ms: u64,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// How often it was lost since the start.
    pub losses: u64,
}

/// What a node knows of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Registry {
    /// Whether it was read since NATS was reached last.
    pub current: bool,
    /// The revision up to which every change was taken in.
    pub revision: u64,
}

impl Health {
    /// Returns how the node is now.
    pub(crate) fn of(shared: &Shared) -> Self {
        let connection = *shared.lattice.connection().borrow();
        let read = shared.freshness.is_read();
        let draining = shared.is_draining();
        Self {
            status: status(draining, connection.up, read),
            ready: !draining,
            node: shared.key.clone(),
            lattice: shared.lattice.name().clone(),
            version: env!("CARGO_PKG_VERSION"),
            nats: Nats::of(connection, Instant::now(), SystemTime::now()),
            registry: Registry { current: connection.up && read, revision: shared.registry_at() },
            actors: shared.hosts.served(0).1,
            in_flight: shared.in_flight.load(Ordering::Relaxed),
        }
    }
}

impl Nats {
    fn of(connection: Connection, now: Instant, time: SystemTime) -> Self {
        let since = connection.since.unwrap_or(now);
        let lasts = now.saturating_duration_since(since);
        let at = time.checked_sub(lasts).unwrap_or(UNIX_EPOCH).duration_since(UNIX_EPOCH);
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            up: connection.up,
            since_ms: at.map_or(0, ms),
            for_ms: ms(lasts),
            losses: connection.losses,
        }
    }
}

fn status(draining: bool, nats: bool, registry: bool) -> Status {
    match (draining, nats && registry) {
        (true, _) => Status::Draining,
        (false, true) => Status::Ok,
        (false, false) => Status::Degraded,
    }
}

/// Returns what is wrong with a node that can be asked over NATS.
pub(crate) fn trouble(shared: &Shared) -> Option<Error> {
    let why =
        "NATS is back, and the registry was not read since: this node goes on by what it knew";
    (!shared.freshness.is_read()).then(|| Error::not_started(ErrorCode::Stale, why))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_is_away_from_nats_is_degraded_and_who_leaves_says_so() {
        assert_eq!(status(false, true, true), Status::Ok);
        assert_eq!(status(false, false, true), Status::Degraded);
        assert_eq!(status(false, true, false), Status::Degraded);
        assert_eq!(status(true, false, false), Status::Draining);
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        let now = Instant::now() + Duration::from_secs(60);
        let since = now.checked_sub(Duration::from_millis(1_500));
        let connection = Connection { since, losses: 2, ..Connection::default() };
        let nats = Nats::of(connection, now, UNIX_EPOCH + Duration::from_millis(10_000));
        assert_eq!(nats, Nats { up: false, since_ms: 8_500, for_ms: 1_500, losses: 2 });
    }
}
