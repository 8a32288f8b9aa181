//! Listens who of the other nodes is there, while some actor is to be served by so many nodes; what
//! follows is decided in `peers.rs`.

use std::future::pending;
use std::time::Duration;

use lattice_client::presence::Heartbeats;
use lattice_client::{Connection, Lattice};
use lattice_protocol::presence::Heartbeat;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::limits;

/// What a node notices of the others.
pub(crate) enum Noticed {
    /// One says that it is there.
    Beat(Box<Heartbeat>),
    /// A while has passed in which they could be heard.
    Look,
    /// For a while they could not be heard.
    Deaf,
}

/// The heartbeats of others, while somebody wants them.
pub(crate) struct Neighbours {
    lattice: Lattice,
    heartbeats: Option<Heartbeats>,
    looks: Interval,
    connection: watch::Receiver<Connection>,
}

impl Neighbours {
    pub fn new(lattice: Lattice) -> Self {
        let mut looks = interval(Duration::from_millis(limits::PEERS_LOOK_INTERVAL_MS));
        // A process that was frozen has heard nobody meanwhile, and that is not their fault.
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let connection = lattice.connection();
        Self { lattice, heartbeats: None, looks, connection }
    }

    /// Listens from now on, or no more; returns whether it did before and does not now.
    pub async fn listen(&mut self, wanted: bool) -> bool {
        match (&self.heartbeats, wanted) {
            (None, true) => {
                match self.lattice.heartbeats().await {
                    Ok(heartbeats) => self.heartbeats = Some(heartbeats),
                    Err(error) => tracing::warn!(%error, "other nodes can't be heard"),
                }
                false
            }
            (Some(_), false) => {
                self.heartbeats = None;
                true
            }
            _ => false,
        }
    }

    /// Waits for what comes next; forever where nobody listens.
    pub async fn next(&mut self) -> Noticed {
        let Some(heartbeats) = &mut self.heartbeats else { return pending().await };
        let beat = async {
            match heartbeats.next().await {
                Some(beat) => beat,
                // The connection is closed for good.
                None => pending().await,
            }
        };
        tokio::select! {
            beat = beat => Noticed::Beat(Box::new(beat)),
            _ = self.looks.tick() => match self.connection.has_changed() {
                Ok(false) if self.connection.borrow().up => Noticed::Look,
                _ => {
                    self.connection.mark_unchanged();
                    Noticed::Deaf
                }
            },
        }
    }
}
