//! The servers that a scenario runs on, and links to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::harness::{NatsCluster, NatsServer};
use crate::proxy::FaultProxy;

/// How nodes and the caller reach NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// One server, straight.
    Straight,
    /// One server, each node and the caller by a link of its own that can fail, with this delay one way.
    Links(Duration),
    /// Three servers in a cluster, straight; the routes between them can fail.
    Cluster,
}

/// The servers.
pub enum Servers {
    /// One.
    One(NatsServer),
    /// Three.
    Three(NatsCluster),
}

impl Servers {
    /// Starts them.
    pub(super) async fn start(network: Network) -> anyhow::Result<Self> {
        Ok(match network {
            Network::Cluster => Servers::Three(NatsCluster::start_with_routes().await?),
            Network::Straight | Network::Links(_) => Servers::One(NatsServer::start().await?),
        })
    }

    /// Returns the URLs of all, for clients.
    pub(super) fn urls(&self) -> String {
        match self {
            Servers::One(server) => server.url(),
            Servers::Three(cluster) => cluster.urls(),
        }
    }

    /// Makes a link to the one server, where there is one and the network has links.
    pub(super) async fn link(&self, network: Network) -> anyhow::Result<Option<FaultProxy>> {
        let (Servers::One(server), Network::Links(one_way)) = (self, network) else {
            return Ok(None);
        };
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let link = FaultProxy::start(to).await?;
        link.delay(one_way);
        Ok(Some(link))
    }
}
