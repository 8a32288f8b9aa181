//! What a scenario runs on: NATS, a Redis that no fault strikes, nodes behind links that can fail,
//! the actor `ledger`, and a caller.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use lattice_client::{Call, ConnectOptions, Lattice};
use lattice_protocol::contract::keyvalue;
use lattice_protocol::control::Inventory;
use lattice_protocol::keys::{NodeKey, ProviderKey};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::LatticeName;
use lattice_protocol::record::{ActorRecord, LinkRecord, RevocationRecord};
use lattice_protocol::subjects::{ControlVerb, RegistryKey, Revoked, Subject};

use super::executions::PREFIX;
use super::ledger::{Ledger, Rule, Verdict, judge};
use super::load::{Recorded, entry};
use super::replies::Replies;
use super::{Executions, OpenLoad, Plan};
use crate::harness::{
    MeshNode, NatsCluster, NatsServer, NodeOptions, RedisServer, actor_module_bytes, wait_for,
    wait_until,
};
use crate::proxy::FaultProxy;
use crate::publisher::{Publisher, echo_with_text};
use crate::testbed::SOON;

/// The label by which actors are placed on one node.
pub const SEAT: &str = "seat";

/// What to run on.
#[derive(Clone, Copy, Debug)]
pub struct BedOptions {
    /// Nodes at the start.
    pub nodes: usize,
    /// Delay of each node's and the caller's link to NATS, one way.
    pub one_way: Duration,
    /// Whether three servers in a cluster hold the lattice; nodes then connect without a proxy.
    pub cluster: bool,
}

/// The servers.
pub enum Servers {
    /// One.
    One(NatsServer),
    /// Three.
    Three(NatsCluster),
}

impl Servers {
    fn urls(&self) -> String {
        match self {
            Servers::One(server) => server.url(),
            Servers::Three(cluster) => cluster.urls(),
        }
    }
}

/// A node and its link to NATS.
pub struct Member {
    /// The node.
    pub node: MeshNode,
    /// Its link; absent on a cluster.
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
    /// On a cluster.
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
        let servers = match options.cluster {
            true => Servers::Three(Box::pin(NatsCluster::start()).await?),
            false => Servers::One(NatsServer::start().await?),
        };
        let redis = RedisServer::start().await?;
        let lattice: LatticeName = format!("faults-{name}").parse()?;
        let join = async |url: String| {
            Lattice::connect(ConnectOptions::url(url).lattice(lattice.clone())).await
        };
        let direct = join(servers.urls()).await?;
        let link = link_to(&servers, options.one_way).await?;
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
        let link = link_to(&self.servers, self.options.one_way).await?;
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

    /// Deploys the next revision, of other code, with what [`Publisher::shape`] says. Returns it.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn deploy_next(&mut self) -> anyhow::Result<u64> {
        let revision = self.revision + 1;
        let module = echo_with_text(&self.module, revision)?;
        let signed = self.ledger.sign(&module, revision, &[keyvalue::NAME])?;
        Box::pin(self.ledger.deploy(&signed, revision)).await?;
        self.revision = revision;
        Ok(revision)
    }

    /// Moves the actor to the nodes with a label, by its next revision.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn deploy_at(&mut self, seat: Option<usize>) -> anyhow::Result<u64> {
        self.ledger.shape = match seat {
            None => |_| {},
            Some(0) => |record| sit(record, 0),
            Some(1) => |record| sit(record, 1),
            Some(seat) => anyhow::bail!("nobody has seat {seat}"),
        };
        self.deploy_next().await
    }

    /// Revokes the module that is deployed; returns the revision of the registry.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn revoke_module(&self) -> anyhow::Result<u64> {
        let registry = self.ledger.registry();
        let key = RegistryKey::Actor(self.ledger.key().clone());
        let entry = registry.get::<ActorRecord>(&key).await?.context("it is not deployed")?;
        let what = Revoked::Module(entry.record.digest);
        let record = RevocationRecord {
            v: WIRE_VERSION,
            what: what.to_string(),
            at_ms: 1,
            why: "the fault bench struck it".to_owned(),
            writer: uuid::Uuid::now_v7().to_string(),
        };
        Ok(registry.put(&RegistryKey::Revoked(what), &record, None).await?)
    }

    /// Returns the revision of the registry at which the actor was deployed last.
    ///
    /// # Errors
    /// When it is not, or the registry does not answer.
    pub async fn actor_at(&self) -> anyhow::Result<u64> {
        let key = RegistryKey::Actor(self.ledger.key().clone());
        let entry = self.ledger.registry().get::<ActorRecord>(&key).await?;
        Ok(entry.context("it is not deployed")?.at)
    }

    /// Returns the key of the ledger's link to its store.
    ///
    /// # Errors
    /// Never: its names are constants.
    pub fn link_key(&self) -> anyhow::Result<RegistryKey> {
        let contract = keyvalue::NAME.parse()?;
        Ok(RegistryKey::Link(self.ledger.key().clone(), contract, "default".parse()?))
    }

    /// Links the ledger to Redis; returns the revision of the registry.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn put_link(&self) -> anyhow::Result<u64> {
        let (key, url) = (self.link_key()?, self.redis.url());
        let target = ProviderKey::well_known("keyvalue-redis")?;
        let config = [("url", url.as_str()), ("prefix", PREFIX)];
        let registry = self.ledger.registry();
        let put = registry.update::<LinkRecord, anyhow::Error>(&key, |before| {
            Ok(LinkRecord {
                v: WIRE_VERSION,
                source: self.ledger.key().clone(),
                contract: keyvalue::NAME.parse()?,
                name: "default".parse()?,
                target: target.clone().into(),
                config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                generation: before.map_or(1, |before| before.generation + 1),
                writer: uuid::Uuid::now_v7().to_string(),
            })
        });
        Ok(Box::pin(put).await?.at)
    }

    /// Deletes the ledger's link; returns the revision of the registry.
    ///
    /// # Errors
    /// When there is none, or the registry does not answer.
    pub async fn delete_link(&self) -> anyhow::Result<u64> {
        let key = self.link_key()?;
        let entry = self.ledger.registry().get::<LinkRecord>(&key).await?;
        let at = entry.context("there is no link")?.at;
        Ok(self.ledger.registry().delete(&key, at).await?)
    }

    /// Asks one node what it is and serves.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inventory(&self, node: &NodeKey) -> anyhow::Result<Inventory> {
        let name = self.direct.name().clone();
        let subject = Subject::Control(name, node.clone(), ControlVerb::Inventory);
        let request = self.direct.nats().request(subject.to_string(), Bytes::new()).await;
        Ok(Inventory::decode(&request?.payload)?)
    }

    /// Waits until every node serves the revision that was deployed last.
    ///
    /// # Errors
    /// When one does not in time.
    pub async fn wait_until_served(&self) -> anyhow::Result<()> {
        for member in &self.members {
            self.wait_until_serves(member).await?;
        }
        Ok(())
    }

    /// Waits until one node serves the revision that was deployed last.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_until_serves(&self, member: &Member) -> anyhow::Result<()> {
        let what = format!("{} serves revision {}", member.key(), self.revision);
        wait_for(&what, SOON, async || {
            let served = self.inventory(member.key()).await?.heartbeat.actors;
            let actor = served.iter().find(|actor| actor.key == *self.ledger.key());
            let found = actor.context("it does not serve the ledger")?.revision;
            ensure!(found == self.revision, "it serves revision {found}");
            Ok(())
        })
        .await
    }

    /// Waits until one node serves the ledger no more.
    ///
    /// # Errors
    /// When it still does after a while.
    pub async fn wait_until_left(&self, node: &NodeKey) -> anyhow::Result<()> {
        wait_until(&format!("{node} serves the ledger no more"), SOON, async || {
            let inventory = self.inventory(node).await;
            inventory.is_ok_and(|it| {
                it.heartbeat.actors.iter().all(|actor| actor.key != *self.ledger.key())
            })
        })
        .await
    }

    /// Waits until a node has taken in every change of the registry up to `at`.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_knows(&self, node: &NodeKey, at: u64) -> anyhow::Result<()> {
        wait_until(&format!("{node} knows of registry revision {at}"), SOON, async || {
            self.inventory(node).await.is_ok_and(|it| it.registry_at.is_some_and(|now| now >= at))
        })
        .await
    }

    /// Waits until a load has an answer of `revision` from each of `nodes`; returns how long that
    /// took.
    ///
    /// # Errors
    /// When it has not in time.
    pub async fn wait_until_answered(
        &self,
        load: &OpenLoad,
        nodes: &[&NodeKey],
        revision: u64,
    ) -> anyhow::Result<Duration> {
        let since = std::time::Instant::now();
        let what = format!("an answer of revision {revision} from each of {} nodes", nodes.len());
        wait_until(&what, SOON, async || {
            nodes.iter().all(|node| load.seen_since(node.as_str(), since) >= Some(revision))
        })
        .await?;
        Ok(since.elapsed())
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

    async fn wait_until_idle(&self) -> anyhow::Result<()> {
        for member in &self.members {
            wait_until("no call to run", SOON, async || {
                let inventory = self.inventory(member.key()).await;
                inventory.is_ok_and(|it| it.heartbeat.in_flight == 0)
            })
            .await?;
        }
        Ok(())
    }

    /// Returns what each node has logged at its end, by its key.
    pub fn log_tails(&mut self) -> BTreeMap<String, String> {
        let members = self.members.iter_mut();
        members.map(|member| (member.key().to_string(), member.node.process().log_tail())).collect()
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

fn sit(record: &mut ActorRecord, seat: usize) {
    record.labels.insert(SEAT.to_owned(), seat.to_string());
}

/// Makes a link to the one server; none to a cluster, whose clients know all of it.
async fn link_to(servers: &Servers, one_way: Duration) -> anyhow::Result<Option<FaultProxy>> {
    let Servers::One(server) = servers else { return Ok(None) };
    let link = FaultProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))).await?;
    link.delay(one_way);
    Ok(Some(link))
}
