//! Says every second what the node is and serves, and answers NATS service discovery.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::service::{Service, ServiceExt};
use lattice_protocol::{limits as wire, subjects};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// Tells heartbeats until `stop`; none while NATS is away, since old ones would come out all at once.
pub(crate) async fn beat(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_millis(wire::HEARTBEAT_INTERVAL_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if shared.lattice.connection().borrow().up {
                    shared.lattice.beat(&shared.heartbeat()).await;
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

/// Makes the node show up in `nats service ls`. A server that forbids it does not stop the node.
pub(crate) async fn announce(shared: &Shared) -> Option<Service> {
    let metadata = HashMap::from([
        ("node".to_owned(), shared.key.to_string()),
        ("lattice".to_owned(), shared.lattice.name().to_string()),
    ]);
    let service = shared
        .lattice
        .nats()
        .service_builder()
        .description("a node of the mesh")
        .metadata(metadata)
        .start(subjects::discovery_name(), env!("CARGO_PKG_VERSION"))
        .await;
    match service {
        Ok(service) => Some(service),
        Err(error) => {
            tracing::warn!(%error, "the node does not show up in NATS service discovery");
            None
        }
    }
}
