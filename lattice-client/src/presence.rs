//! Heartbeats: told by nodes every second, heard by anybody.

use async_nats::Subscriber;
use futures_util::StreamExt;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::subjects::{self, Subject};

use crate::lattice::Lattice;
use crate::serve::ServeError;

impl Lattice {
    /// Tells a heartbeat, best effort: the next one follows in a second.
    pub async fn beat(&self, heartbeat: &Heartbeat) {
        let Ok(bytes) = heartbeat.encode() else { return };
        let subject = Subject::Heartbeat(self.name().clone(), heartbeat.node.clone()).to_string();
        if let Err(error) = self.nats().publish(subject, bytes.into()).await {
            tracing::debug!(%error, "a heartbeat could not be told");
        }
    }

    /// Hears every heartbeat of the lattice from now on.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn heartbeats(&self) -> Result<Heartbeats, ServeError> {
        let subject = subjects::all_heartbeats(self.name());
        let subscriber = self
            .nats()
            .subscribe(subject.clone())
            .await
            .map_err(|error| ServeError::new(&subject, &error))?;
        Ok(Heartbeats { subscriber })
    }
}

/// The heartbeats of a lattice, as they are heard.
pub struct Heartbeats {
    subscriber: Subscriber,
}

impl Heartbeats {
    /// Waits for the next heartbeat; what is none, or speaks for another node than its subject
    /// names, is passed over. `None` when the connection is closed.
    pub async fn next(&mut self) -> Option<Heartbeat> {
        loop {
            let message = self.subscriber.next().await?;
            let Ok(heartbeat) = Heartbeat::decode(&message.payload) else { continue };
            match message.subject.parse::<Subject>() {
                Ok(Subject::Heartbeat(_, node)) if node == heartbeat.node => {
                    return Some(heartbeat);
                }
                _ => {}
            }
        }
    }
}
