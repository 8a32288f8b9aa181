//! A raw echo, an actor with fresh memory and one whose instances are used again, on one server.

use std::process::{Command, Stdio};
use std::time::Duration;

use async_nats::Client;
use bytes::Bytes;
use integration::harness::{MeshNode, NodeOptions, ProcessGuard, actor_module_bytes, wait_until};
use integration::testbed::Testbed;
use lattice_protocol::record::Isolation;

use super::Context;
use super::echo::{Echo, RAW_SUBJECT, Subject, deploy};

/// The names of the three.
pub(super) const RAW: &str = "raw";
/// See [`RAW`].
pub(super) const FRESH: &str = "fresh";
/// See [`RAW`].
pub(super) const REUSE: &str = "reuse";

/// The lattice of the bench: a server, a node, and what is measured on them.
pub(super) struct Trio {
    /// [`RAW`], [`FRESH`] and [`REUSE`], in this order.
    pub(super) subjects: Vec<(String, Subject)>,
    _raw: ProcessGuard,
    _node: MeshNode,
    _bed: Testbed,
}

impl Trio {
    /// Starts all of it; each answers.
    pub(super) async fn start(context: &Context<'_>) -> anyhow::Result<Self> {
        let mut bed = Testbed::start("bench").await?;
        let url = bed.url();
        let mut node = start_node(&bed, context).await?;
        let client = async_nats::connect(&url).await?;
        let raw = start_raw(&url, &client).await?;
        let (caller, server) = (std::process::id(), bed.server().process()?.pid());
        let processes =
            |answerer| vec![("caller", caller), ("server", server), ("answerer", answerer)];
        let subject = Subject { echo: Echo::Raw(client), processes: processes(raw.pid()) };
        let mut subjects = vec![(RAW.to_owned(), subject)];
        let wasm = actor_module_bytes("echo")?;
        for (name, isolation) in [(FRESH, Isolation::PerCall), (REUSE, Isolation::Reuse)] {
            let actor = deploy(bed.lattice(), name, &wasm, isolation, &[]).await?;
            let echo = Echo::Actor(bed.lattice().clone(), actor.key().clone());
            let processes = processes(node.process().pid());
            subjects.push((name.to_owned(), Subject { echo, processes }));
        }
        Ok(Self { subjects, _raw: raw, _node: node, _bed: bed })
    }
}

/// Starts the raw echo in a process of its own, and waits until it answers `client`.
pub(super) async fn start_raw(url: &str, client: &Client) -> anyhow::Result<ProcessGuard> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["raw-echo", url]).stdin(Stdio::null());
    let raw = ProcessGuard::spawn("raw-echo", command)?;
    wait_until("the raw echo answers", Duration::from_secs(10), async || {
        client.request(RAW_SUBJECT, Bytes::new()).await.is_ok()
    })
    .await?;
    Ok(raw)
}

/// Returns the options of a node with what the run was told to start nodes with.
pub(super) fn node_options(bed: &Testbed, context: &Context<'_>) -> anyhow::Result<NodeOptions> {
    let arguments = &context.options.node_arg;
    Ok(arguments.iter().fold(bed.node()?, |options, argument| options.arg(argument)))
}

/// Starts a node without any other options.
pub(super) async fn start_node(bed: &Testbed, context: &Context<'_>) -> anyhow::Result<MeshNode> {
    node_options(bed, context)?.start(bed.lattice().nats()).await
}
