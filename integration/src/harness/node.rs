//! A real `mesh-node` process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use lattice_protocol::names::LatticeName;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::{keys::NodeKey, subjects};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

use super::limits::{CONDITION_INTERVAL_MS, NODE_READY_MS, NODE_STOP_MS};
use super::meshctl::{clean_environment, fresh_home};
use super::process::ProcessGuard;
use super::programs::mesh_node_program;

/// The label by which the harness knows its nodes.
const LABEL: &str = "harness";

/// How to start a node.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    url: String,
    lattice: LatticeName,
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
}

impl NodeOptions {
    /// Starts with a node that joins `lattice` at `url` and logs as text.
    ///
    /// # Errors
    /// When `lattice` is no lattice name.
    pub fn new(url: &str, lattice: &str) -> anyhow::Result<Self> {
        let lattice = lattice.parse()?;
        let (url, program) = (url.to_owned(), None);
        Ok(Self { url, lattice, program, arguments: Vec::new(), environment: Vec::new() })
    }

    /// Starts another program than the `mesh-node` that was built last.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(self, key: &str, value: &str) -> Self {
        self.arg("--label").arg(format!("{key}={value}"))
    }

    /// Adds an issuer to trust.
    #[must_use]
    pub fn trust(self, issuer: &str) -> Self {
        self.arg("--trust").arg(issuer)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts a node and waits until `client` hears its first heartbeat.
    ///
    /// # Errors
    /// The end of its log when it ends or says nothing in time.
    pub async fn start(&self, client: &async_nats::Client) -> anyhow::Result<MeshNode> {
        let mark = uuid::Uuid::now_v7().simple().to_string();
        let mut heartbeats = client.subscribe(subjects::all_heartbeats(&self.lattice)).await?;
        client.flush().await?;

        let home = fresh_home()?;
        let program = self.program.clone().map_or_else(mesh_node_program, Ok)?;
        let mut command = Command::new(program);
        command
            .args(["--nats", &self.url, "--lattice", self.lattice.as_str()])
            .args(["--label", &format!("{LABEL}={mark}")])
            .args(&self.arguments)
            .env_clear()
            .envs(clean_environment(home.path()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let begun = Instant::now();
        let mut process = ProcessGuard::spawn("mesh-node", command)?;

        let heard = async {
            let mut looks = interval(Duration::from_millis(CONDITION_INTERVAL_MS));
            loop {
                tokio::select! {
                    message = heartbeats.next() => {
                        let message = message.context("the subscription ended")?;
                        let heartbeat = Heartbeat::decode(&message.payload)?;
                        if heartbeat.labels.get(LABEL) == Some(&mark) {
                            return anyhow::Ok(heartbeat.node);
                        }
                    }
                    _ = looks.tick() => process.check_alive()?,
                }
            }
        };
        let bound = Duration::from_millis(NODE_READY_MS);
        let heard = timeout(bound, heard).await;
        let key = heard
            .with_context(|| format!("no heartbeat within {bound:?}\n{}", process.log_tail()))??;
        Ok(MeshNode { key, process, joined_in: begun.elapsed(), _home: home })
    }
}

/// A node that runs; killed and its files deleted when dropped.
pub struct MeshNode {
    key: NodeKey,
    process: ProcessGuard,
    joined_in: Duration,
    _home: TempDir,
}

impl MeshNode {
    /// Returns the node's key.
    pub fn key(&self) -> &NodeKey {
        &self.key
    }

    /// Returns how long it took from the start of its process until its first heartbeat was heard.
    pub fn joined_in(&self) -> Duration {
        self.joined_in
    }

    /// Returns the process: to kill, to freeze, to look at its log.
    pub fn process(&mut self) -> &mut ProcessGuard {
        &mut self.process
    }

    /// Returns what the node wrote until now.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn log(&self) -> anyhow::Result<String> {
        self.process.log()
    }

    /// Asks the node to leave (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// The end of its log when it does not leave in time.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate(Duration::from_millis(NODE_STOP_MS)).await
    }
}
