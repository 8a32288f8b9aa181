//! Three real `nats-server`s in a cluster.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use async_nats::jetstream;

use super::limits::{CLUSTER_READY_MS, START_ATTEMPTS_MAX};
use super::nats::{Cluster, NatsServer};
use super::ports::free_port;
use super::wait::wait_for;
use crate::proxy::FaultProxy;

/// Servers of a cluster, and replicas of what it holds.
pub const SERVERS: usize = 3;

/// Three servers under `compose/nats/cluster.conf`.
pub struct NatsCluster {
    servers: Vec<NatsServer>,
    routes: Vec<Route>,
}

/// A way from one server to another, through a proxy of its own.
struct Route {
    between: [usize; 2],
    link: FaultProxy,
}

impl NatsCluster {
    /// Starts three servers and waits until a stream can be placed on all of them.
    ///
    /// # Errors
    /// When there is no `nats-server`, or the three do not find together in time.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_as(false).await
    }

    /// Starts three servers whose routes to one another each go through a proxy of its own: see
    /// [`routes_of`](Self::routes_of).
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn start_with_routes() -> anyhow::Result<Self> {
        Self::start_as(true).await
    }

    async fn start_as(routed: bool) -> anyhow::Result<Self> {
        let mut failed = anyhow!("no attempt was made");
        for _ in 0..START_ATTEMPTS_MAX {
            let mut cluster = Self::prepare(routed).await?;
            for server in &mut cluster.servers {
                server.spawn()?;
            }
            match cluster.wait_until_formed().await {
                Ok(()) => return Ok(cluster),
                Err(error) if cluster.servers.iter().any(NatsServer::lost_its_port) => {
                    failed = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    async fn prepare(routed: bool) -> anyhow::Result<Self> {
        let ports = [free_port()?, free_port()?, free_port()?];
        let (mut servers, mut proxies) = (Vec::new(), Vec::new());
        for (from, port) in ports.into_iter().enumerate() {
            let mut routes = ports;
            for (to, route) in routes.iter_mut().enumerate() {
                // To itself there is no route: it is in the list for the size of the cluster.
                if routed && to != from {
                    let link = FaultProxy::start((Ipv4Addr::LOCALHOST, *route).into()).await?;
                    *route = link.address().port();
                    proxies.push(Route { between: [from, to], link });
                }
            }
            let cluster = Cluster { port, routes, hidden: routed };
            let server = NatsServer::prepare("cluster.conf", "", free_port()?, Some(cluster))?;
            servers.push(server);
        }
        Ok(Self { servers, routes: proxies })
    }

    /// Returns the links between one server and the others; none where they are not behind proxies.
    pub fn routes_of(&self, server: usize) -> impl Iterator<Item = &FaultProxy> {
        let its = self.routes.iter().filter(move |route| route.between.contains(&server));
        its.map(|route| &route.link)
    }

    /// Waits until every server answers and a stream was placed on all three.
    ///
    /// # Errors
    /// The end of the logs when a server has ended or the time is over.
    pub async fn wait_until_formed(&mut self) -> anyhow::Result<()> {
        let bound = Duration::from_millis(CLUSTER_READY_MS);
        let formed = wait_for("a cluster of three", bound, async || {
            for server in &mut self.servers {
                if let Err(ended) = server.process()?.check_alive() {
                    return Ok(Err(ended));
                }
            }
            for server in &self.servers {
                server.answers().await?;
            }
            place_a_stream(self.servers.first().context("no server")?).await.map(Ok)
        });
        match formed.await {
            Ok(outcome) => outcome,
            Err(error) => Err(self.servers.iter_mut().fold(error, |error, server| {
                let tail = server.process().map(|process| process.log_tail());
                error.context(tail.unwrap_or_default())
            })),
        }
    }

    /// Returns the URLs of all servers, separated by commas.
    pub fn urls(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// Connects to the cluster: to any server, and to another one where that is lost.
    ///
    /// # Errors
    /// When no server answers.
    pub async fn connect(&self) -> anyhow::Result<async_nats::Client> {
        let addresses = self.servers.iter().map(|server| server.url().parse());
        let addresses = addresses.collect::<Result<Vec<async_nats::ServerAddr>, _>>()?;
        Ok(async_nats::connect(addresses).await?)
    }

    /// Kills every server (SIGKILL).
    ///
    /// # Errors
    /// When one does not run.
    pub fn kill_all(&mut self) -> anyhow::Result<()> {
        self.servers.iter_mut().try_for_each(NatsServer::kill)
    }

    /// Starts every server that does not run, without waiting for any: alone, none is ready.
    ///
    /// # Errors
    /// When there is no `nats-server`.
    pub fn start_missing(&mut self) -> anyhow::Result<()> {
        for server in &mut self.servers {
            if server.process().is_err() {
                server.spawn()?;
            }
        }
        Ok(())
    }

    /// Returns the servers.
    pub fn servers(&mut self) -> &mut [NatsServer] {
        &mut self.servers
    }

    /// Returns the server that calls itself `name`, as JetStream names a leader.
    ///
    /// # Errors
    /// When none does.
    pub fn named(&mut self, name: &str) -> anyhow::Result<&mut NatsServer> {
        let mut servers = self.servers.iter_mut();
        servers.find(|server| server.name() == name).with_context(|| format!("no server {name}"))
    }
}

/// Fails unless JetStream has a leader that places a stream on three servers now.
async fn place_a_stream(server: &NatsServer) -> anyhow::Result<()> {
    const NAME: &str = "harness-probe";
    let jetstream = jetstream::new(server.connect().await?);
    jetstream
        .get_or_create_stream(jetstream::stream::Config {
            name: NAME.to_owned(),
            subjects: vec![NAME.to_owned()],
            num_replicas: SERVERS,
            storage: jetstream::stream::StorageType::Memory,
            ..Default::default()
        })
        .await?;
    jetstream.delete_stream(NAME).await?;
    Ok(())
}
