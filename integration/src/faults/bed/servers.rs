//! The servers that a scenario runs on, and links to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::harness::{NatsCluster, NatsServer};
use crate::proxy::FaultProxy;

/// The servers.
pub enum Servers {
    /// One.
    One(NatsServer),
    /// Three.
    Three(NatsCluster),
}

impl Servers {
    /// Returns the URLs of all, for clients.
    pub(super) fn urls(&self) -> String {
        match self {
            Servers::One(server) => server.url(),
            Servers::Three(cluster) => cluster.urls(),
        }
    }
}

/// Makes a link to the one server; none to a cluster, whose clients know all of it.
pub(super) async fn link_to(
    servers: &Servers,
    one_way: Duration,
) -> anyhow::Result<Option<FaultProxy>> {
    let Servers::One(server) = servers else { return Ok(None) };
    let link = FaultProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))).await?;
    link.delay(one_way);
    Ok(Some(link))
}
