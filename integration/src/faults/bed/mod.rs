//! What a scenario runs on: NATS, a Redis that no fault strikes, nodes behind links that can fail,
//! the actor `ledger`, and a caller.

mod registry;
mod servers;
mod waits;

use anyhow::{Context as _, ensure};
use lattice_client::{Call, ConnectOptions, Lattice};
use lattice_protocol::keys::NodeKey;
use lattice_protocol::names::LatticeName;

use super::ledger::{Ledger, Rule, Verdict, judge};
use super::load::{Recorded, entry};
use super::replies::Replies;
use super::{Executions, OpenLoad, Plan};
use crate::harness::{MeshNode, NodeOptions, RedisServer, actor_module_bytes};
use crate::proxy::FaultProxy;
use crate::publisher::Publisher;
use crate::testbed::SOON;

pub use servers::{Network, Servers};

/// The label by which actors are placed on one node.
pub const SEAT: &str = "seat";

/// What to run on.
#[derive(Clone, Copy, Debug)]
pub struct BedOptions {
    /// Nodes at the start.
    pub nodes: usize,
    /// How they reach NATS.
    pub network: Network,
}

/// A node and its link to NATS.
pub struct Member {
    /// The node.
    pub node: MeshNode,
    /// Its link; absent where the [`Network`] has none.
    pub link: Option<FaultProxy>,
}

impl Member {
    /// Returns the node's key.
    pub fn key(&self) -> &NodeKey {
        self.node.key()
    }

    /// Returns the link.
    ///
    /// # Errors
    /// Where it has none.
    pub fn link(&self) -> anyhow::Result<&FaultProxy> {
        self.link.as_ref().context("this node has no link that can fail")
    }
}

/// All of it; what is dropped first comes first.
pub struct Bed {
    /// The nodes.
    pub members: Vec<Member>,
    /// Who publishes the actor, by a connection that no fault strikes.
    pub ledger: Publisher,
    /// The client of the caller, behind a link.
    caller: Lattice,
    _caller_link: Option<FaultProxy>,
    replies: Replies,
    /// A client that no fault strikes, but that of the server itself.
    direct: Lattice,
    redis: RedisServer,
    /// NATS.
    pub servers: Servers,
    module: Vec<u8>,
    revision: u64,
    options: BedOptions,
}

impl Bed {
    /// Starts everything, and deploys revision 1 of the ledger.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(name: &str, options: BedOptions) -> anyhow::Result<Self> {
        let network = options.network;
        let servers = Box::pin(Servers::start(network)).await?;
        let redis = RedisServer::start().await?;
        let lattice: LatticeName = format!("faults-{name}").parse()?;
        let join = async |url: String| {
            Lattice::connect(ConnectOptions::url(url).lattice(lattice.clone())).await
        };
        let direct = join(servers.urls()).await?;
        let link = servers.link(network).await?;
        let caller = join(link.as_ref().map_or_else(|| servers.urls(), FaultProxy::url)).await?;
        let replies = Replies::listen(&direct).await?;
        let ledger = Box::pin(Publisher::new(&direct, "ledger")).await?;
        let module = actor_module_bytes("ledger")?;
        let mut bed = Self {
            members: Vec::new(),
            ledger,
            caller,
            _caller_link: link,
            replies,
            direct,
            redis,
            servers,
            module,
            revision: 0,
            options,
        };
        for seat in 0..options.nodes {
            let member = bed.start_member(seat).await?;
            bed.members.push(member);
        }
        Box::pin(bed.put_link()).await?;
        Box::pin(bed.deploy_next()).await?;
        bed.wait_until_served().await?;
        Ok(bed)
    }

    /// Starts a node behind a link of its own, with the label `seat`.
    ///
    /// # Errors
    /// The end of its log when it does not start.
    pub async fn start_member(&self, seat: usize) -> anyhow::Result<Member> {
        let link = self.servers.link(self.options.network).await?;
        let url = link.as_ref().map_or_else(|| self.servers.urls(), FaultProxy::url);
        let options = NodeOptions::new(&url, self.direct.name().as_str())?;
        let node = options.label(SEAT, &seat.to_string()).start(self.direct.nats()).await?;
        Ok(Member { node, link })
    }

    /// Returns the client of the caller.
    pub fn caller(&self) -> &Lattice {
        &self.caller
    }

    /// Returns a client that only faults of the server itself strike.
    pub fn direct(&self) -> &Lattice {
        &self.direct
    }

    /// Returns the revision that was deployed last.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Starts a load of calls of the ledger.
    pub fn load(&self, plan: Plan) -> OpenLoad {
        OpenLoad::start(&self.caller, self.ledger.key(), plan)
    }

    /// Returns a call of the ledger that works for `steps` and writes nothing down.
    pub fn entering(&self, steps: u32) -> Call {
        Call::new(self.ledger.key().clone(), "enter", entry(0, steps, true)).timeout(SOON)
    }

    /// Makes one such call.
    ///
    /// # Errors
    /// When it fails.
    pub async fn enter(&self, steps: u32) -> anyhow::Result<()> {
        self.caller.call(self.entering(steps)).await?;
        Ok(())
    }

    /// Returns the ids of the processes beside the nodes.
    ///
    /// # Errors
    /// When one does not run.
    pub fn server_pids(&mut self) -> anyhow::Result<Vec<u32>> {
        let mut pids = vec![self.redis.process()?.pid()];
        match &mut self.servers {
            Servers::One(server) => pids.push(server.process()?.pid()),
            Servers::Three(cluster) => {
                for server in cluster.servers() {
                    pids.push(server.process()?.pid());
                }
            }
        }
        Ok(pids)
    }

    /// Connects to where the ledger writes down what runs.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn executions(&self) -> anyhow::Result<Executions> {
        Executions::connect(&self.redis.url()).await
    }

    /// Waits until nothing runs any more, then lets the ledger decide.
    ///
    /// # Errors
    /// When something still runs, or Redis does not answer.
    pub async fn verdict(&self, recorded: &Recorded, rule: &Rule<'_>) -> anyhow::Result<Verdict> {
        self.wait_until_idle().await?;
        let executions = self.executions().await?.read().await?;
        let answered_twice = self.replies.twice().await;
        let ledger = Ledger {
            calls: &recorded.calls,
            executions: Some(&executions),
            answered_twice: &answered_twice,
        };
        Ok(judge(&ledger, rule))
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When a node does not leave as it should.
    pub async fn close(mut self) -> anyhow::Result<()> {
        for member in &mut self.members {
            let status = member.node.terminate().await?;
            ensure!(status.success(), "{} ended with {status}", member.key());
        }
        self.caller.close().await;
        self.direct.close().await;
        Ok(())
    }
}
