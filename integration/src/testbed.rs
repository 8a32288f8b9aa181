//! A lattice of its own for one test: a server, a client, and ways to ask the nodes on it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use lattice_client::{ConnectOptions, Lattice};
use lattice_protocol::control::Inventory;
use lattice_protocol::keys::{NodeKey, TargetKey};
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects::{ControlVerb, Subject};
use lattice_protocol::{Error, Invocation, InvocationId, Reply};

use crate::harness::{MeshNode, NatsServer, NodeOptions, wait_for, wait_until};
use crate::publisher::Publisher;

/// Time for what should happen soon: more than any busy machine needs.
pub const SOON: Duration = Duration::from_secs(20);
/// Time beyond its deadline in which a call is waited for all the same: what is late is measured,
/// not cut off.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server and a client of it. Declare it before the nodes, so that they are dropped first.
pub struct Testbed {
    lattice: Lattice,
    server: NatsServer,
}

/// What a node replied to one call, read from the bytes that it sent.
#[derive(Clone, Debug)]
pub struct Replied {
    /// The payload, or the error.
    pub outcome: Result<Bytes, Error>,
    /// Key of the node.
    pub node: String,
    /// Revision that answered.
    pub revision: Option<u64>,
    /// Time until the reply was there.
    pub took: Duration,
}

impl Testbed {
    /// Starts a server and joins the lattice `name` on it.
    ///
    /// # Errors
    /// When the server does not start.
    pub async fn start(name: &str) -> anyhow::Result<Self> {
        let server = NatsServer::start().await?;
        let options = ConnectOptions::url(server.url()).lattice(name.parse()?);
        Ok(Self { lattice: Lattice::connect(options).await?, server })
    }

    /// Returns the client.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// Returns the lattice's name.
    pub fn name(&self) -> &LatticeName {
        self.lattice.name()
    }

    /// Returns the server: to stop, to freeze, to start again.
    pub fn server(&mut self) -> &mut NatsServer {
        &mut self.server
    }

    /// Returns the server's address.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns another client of the same lattice, with a connection of its own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn another_client(&self) -> anyhow::Result<Lattice> {
        let options = ConnectOptions::url(self.url()).lattice(self.name().clone());
        Ok(Lattice::connect(options).await?)
    }

    /// Returns the options of a node that joins this lattice.
    ///
    /// # Errors
    /// Never for a lattice that was joined.
    pub fn node(&self) -> anyhow::Result<NodeOptions> {
        NodeOptions::new(&self.url(), self.name().as_str())
    }

    /// Starts a node without any options.
    ///
    /// # Errors
    /// The end of its log when it does not start.
    pub async fn start_node(&self) -> anyhow::Result<MeshNode> {
        self.node()?.start(self.lattice.nats()).await
    }

    /// Starts one node for actors that call and for those that are called (labels `calls` and
    /// `called`), or where `apart` one for each, in this order.
    ///
    /// # Errors
    /// The end of the log of one that does not start.
    pub async fn start_for_calls(&self, apart: bool) -> anyhow::Result<Vec<MeshNode>> {
        let nats = self.lattice.nats();
        let calls = self.node()?.label("calls", "yes");
        if !apart {
            return Ok(vec![calls.label("called", "yes").start(nats).await?]);
        }
        let called = self.node()?.label("called", "yes");
        Ok(vec![calls.start(nats).await?, called.start(nats).await?])
    }

    /// Signs `wasm` as revision 1 of a new actor, deploys it and waits until a node answers.
    ///
    /// # Errors
    /// When none does.
    pub async fn deploy(
        &self,
        name: &str,
        wasm: &[u8],
        capabilities: &[&str],
    ) -> anyhow::Result<Publisher> {
        let publisher = Publisher::new(&self.lattice, name).await?;
        publisher.deploy(&publisher.sign(wasm, 1, capabilities)?, 1).await?;
        publisher.wait_until_served(1, SOON).await?;
        Ok(publisher)
    }

    /// Asks one node what it is and serves.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn inventory(&self, node: &NodeKey) -> anyhow::Result<Inventory> {
        let subject = Subject::Control(self.name().clone(), node.clone(), ControlVerb::Inventory);
        let request = self.lattice.nats().request(subject.to_string(), Bytes::new()).await;
        Ok(Inventory::decode(&request?.payload)?)
    }

    /// Waits until each of `nodes` serves `revision` of the publisher's actor.
    ///
    /// # Errors
    /// When one does not within [`SOON`].
    pub async fn wait_until_all_serve(
        &self,
        nodes: &[&MeshNode],
        publisher: &Publisher,
        revision: u64,
    ) -> anyhow::Result<()> {
        for node in nodes {
            let what = format!("{} serves revision {revision}", node.key());
            wait_for(&what, SOON, async || {
                let served = self.inventory(node.key()).await?.heartbeat.actors;
                let actor = served.iter().find(|actor| actor.key == *publisher.key());
                let found = actor.context("it does not serve the actor")?.revision;
                ensure!(found == revision, "it serves revision {found}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until no call runs on a node: what was abandoned by its caller has ended too.
    ///
    /// # Errors
    /// When one still runs after [`SOON`].
    pub async fn wait_until_idle(&self, node: &NodeKey) -> anyhow::Result<()> {
        wait_until("no call to run", SOON, async || {
            let inventory = self.inventory(node).await;
            inventory.is_ok_and(|inventory| inventory.heartbeat.in_flight == 0)
        })
        .await
    }

    /// Sends one invocation as it is, once, and returns what a node replies: unlike
    /// [`Lattice::call`] nothing is tried again, and a late reply is returned and not cut off.
    ///
    /// # Errors
    /// When there is no reply, or one that can't be read.
    pub async fn send(
        &self,
        target: impl Into<TargetKey>,
        operation: &str,
        payload: &[u8],
        timeout: Duration,
    ) -> anyhow::Result<Replied> {
        let target = target.into();
        let mut call =
            Invocation::new(InvocationId::generate(), target.as_str(), operation, payload);
        call.timeout_ms = Some(u32::try_from(timeout.as_millis())?);
        self.send_bytes(&target, call.encode()?.into(), timeout + PATIENCE).await
    }

    /// Sends any bytes to a target's subject, once, and returns what a node replies.
    ///
    /// # Errors
    /// When there is no reply within `patience`, or one that can't be read.
    pub async fn send_bytes(
        &self,
        target: &TargetKey,
        bytes: Bytes,
        patience: Duration,
    ) -> anyhow::Result<Replied> {
        let subject = Subject::Call(self.name().clone(), target.clone()).to_string();
        let request = async_nats::Request::new().payload(bytes).timeout(Some(patience));
        let begun = Instant::now();
        let message = self.lattice.nats().send_request(subject, request).await?;
        let took = begun.elapsed();
        let reply = Reply::decode(&message.payload)?;
        let outcome = match (reply.ok, reply.err) {
            (_, Some(error)) => Err(error),
            (ok, None) => Ok(message.payload.slice_ref(ok.context("a reply by reference")?)),
        };
        Ok(Replied { outcome, node: reply.node.to_owned(), revision: reply.revision, took })
    }
}
