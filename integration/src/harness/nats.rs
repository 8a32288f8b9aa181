//! A real `nats-server` with JetStream on loopback, under a configuration of `compose/nats/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use tempfile::TempDir;

use super::limits::{SERVER_READY_MS, SERVER_STOP_MS, START_ATTEMPTS_MAX};
use super::ports::free_port;
use super::process::ProcessGuard;
use super::programs::{nats_server_program, workspace_root};
use super::wait::wait_for;

/// Where the configuration of a cluster begins.
const CLUSTER_BLOCK: &str = "cluster {\n";
/// An address for routes at which nobody listens.
const NOWHERE: &str = "  advertise: \"127.0.0.1:1\"\n";

/// What a server in a cluster knows of the others.
#[derive(Clone, Copy)]
pub(super) struct Cluster {
    /// Its own port for the others.
    pub(super) port: u16,
    /// The ports at which it finds all three.
    pub(super) routes: [u16; 3],
    /// Whether it may be found at those alone: it then tells the others no address of its own that works.
    pub(super) hidden: bool,
}

/// One `nats-server`; stopped and its files deleted when dropped.
///
/// It keeps its address and its files over [`stop`](Self::stop), [`kill`](Self::kill) and
/// [`start_again`](Self::start_again).
pub struct NatsServer {
    name: String,
    port: u16,
    cluster: Option<Cluster>,
    config: PathBuf,
    files: TempDir,
    process: Option<ProcessGuard>,
}

impl NatsServer {
    /// Starts a server under `compose/nats/single.conf` and waits until JetStream answers.
    ///
    /// # Errors
    /// When there is no `nats-server`, or it does not answer in time.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with("").await
    }

    /// Starts a server like [`start`](Self::start) with `extra` lines at the end of the
    /// configuration.
    ///
    /// # Errors
    /// When there is no `nats-server`, it refuses the lines, or does not answer in time. Under
    /// lines that ask for credentials an answer that refuses the harness counts as one.
    pub async fn start_with(extra: &str) -> anyhow::Result<Self> {
        let mut failed = anyhow!("no attempt was made");
        for _ in 0..START_ATTEMPTS_MAX {
            let mut server = Self::prepare("single.conf", extra, free_port()?, None)?;
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if server.lost_its_port() => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// Lays out a server that does not run yet.
    pub(super) fn prepare(
        config: &str,
        extra: &str,
        port: u16,
        cluster: Option<Cluster>,
    ) -> anyhow::Result<Self> {
        let files = tempfile::Builder::new().prefix("mesh-test-nats-").tempdir()?;
        let mut config = workspace_root().join("compose/nats").join(config);
        let hidden = cluster.is_some_and(|cluster| cluster.hidden);
        if !extra.is_empty() || hidden {
            let mut text = std::fs::read_to_string(&config)?;
            if hidden {
                ensure!(text.contains(CLUSTER_BLOCK), "{} has no cluster", config.display());
                text = text.replace(CLUSTER_BLOCK, &format!("{CLUSTER_BLOCK}{NOWHERE}"));
            }
            config = files.path().join("nats.conf");
            std::fs::write(&config, format!("{text}\n{extra}\n"))?;
        }
        // Unique, so that nobody else's server on the port is taken for this one.
        let name = format!("test-{}", uuid::Uuid::now_v7().simple());
        Ok(Self { name, port, cluster, config, files, process: None })
    }

    /// Starts the server that was stopped or killed, on the same port and the same files.
    ///
    /// # Errors
    /// When it runs already, or does not answer in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.spawn()?;
        let bound = Duration::from_millis(SERVER_READY_MS);
        let ready = wait_for("a NATS server that answers", bound, async || {
            // A server that has ended will not answer any more: no need to wait for the bound.
            if let Err(ended) = self.process()?.check_alive() {
                return Ok(Err(ended));
            }
            self.answers().await.map(Ok)
        });
        match ready.await {
            Ok(outcome) => outcome,
            Err(error) => Err(error.context(self.log_tail())),
        }
    }

    /// Starts the process without waiting for it.
    pub(super) fn spawn(&mut self) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "{} runs already", self.name);
        let mut command = Command::new(nats_server_program()?);
        command.arg("-c").arg(&self.config).envs(self.environment());
        self.process = Some(ProcessGuard::spawn("nats-server", command)?);
        Ok(())
    }

    /// Returns the variables that the configuration reads. Their values are quoted: NATS parses
    /// them as it parses the file.
    fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("MESH_NATS_NAME".to_owned(), self.name.clone()),
            ("MESH_NATS_LISTEN".to_owned(), format!("127.0.0.1:{}", self.port)),
            ("MESH_NATS_HTTP".to_owned(), "127.0.0.1:-1".to_owned()),
            ("MESH_NATS_STORE".to_owned(), self.store().display().to_string()),
        ];
        if let Some(Cluster { port, routes, .. }) = self.cluster {
            variables.push(("MESH_NATS_CLUSTER_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
            for (index, route) in routes.into_iter().enumerate() {
                let name = format!("MESH_NATS_ROUTE_{}", index + 1);
                variables.push((name, format!("nats://127.0.0.1:{route}")));
            }
        }
        for (_, value) in &mut variables {
            *value = format!("\"{value}\"");
        }
        variables
    }

    /// Fails unless this very server answers, JetStream included.
    pub(super) async fn answers(&self) -> anyhow::Result<()> {
        let client = match self.connect().await {
            Ok(client) => client,
            // Whoever must be refused was: the server is up, and who asks is the test's affair.
            Err(error) if is_refusal(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let found = client.server_info().server_name;
        ensure!(found == self.name, "another server ({found}) listens on port {}", self.port);
        async_nats::jetstream::new(client).query_account().await?;
        Ok(())
    }

    /// Returns whether the server could not have the port that was chosen for it.
    pub(super) fn lost_its_port(&self) -> bool {
        let log = self.log().unwrap_or_default();
        log.contains("address already in use")
    }

    /// Connects to this server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self) -> anyhow::Result<async_nats::Client> {
        let options = async_nats::ConnectOptions::new().ignore_discovered_servers();
        Ok(options.connect(self.url()).await?)
    }

    /// Returns the URL for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name that the server gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the folder of JetStream's files.
    pub fn store(&self) -> PathBuf {
        self.files.path().join("store")
    }

    /// Returns a folder that is deleted with the server: for credentials and the like.
    pub fn files(&self) -> &Path {
        self.files.path()
    }

    /// Returns what the server wrote since it started last.
    ///
    /// # Errors
    /// When it does not run, or the log can't be read.
    pub fn log(&self) -> anyhow::Result<String> {
        self.process.as_ref().context("the server does not run")?.log()
    }

    fn log_tail(&self) -> String {
        self.process.as_ref().map(ProcessGuard::log_tail).unwrap_or_default()
    }

    /// Returns the running process: to signal, to freeze, to look at.
    ///
    /// # Errors
    /// When the server does not run.
    pub fn process(&mut self) -> anyhow::Result<&mut ProcessGuard> {
        self.process.as_mut().context("the server does not run")
    }

    /// Asks the server to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not stop in time.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the server does not run")?;
        process.terminate(Duration::from_millis(SERVER_STOP_MS)).await?;
        Ok(())
    }

    /// Kills the server (SIGKILL).
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the server does not run")?.kill()
    }

    /// Stops the server and starts it again.
    ///
    /// # Errors
    /// As for [`stop`](Self::stop) and [`start_again`](Self::start_again).
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.stop().await?;
        self.start_again().await
    }

    /// Freezes the server (SIGSTOP): its connections stay, it says nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn freeze(&mut self) -> anyhow::Result<()> {
        self.process()?.freeze().await
    }

    /// Lets a frozen server go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.process()?.thaw()
    }
}

fn is_refusal(error: &anyhow::Error) -> bool {
    use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation, Tls};
    error
        .downcast_ref::<async_nats::ConnectError>()
        .is_some_and(|error| matches!(error.kind(), Authentication | AuthorizationViolation | Tls))
}

/// Fails unless `nats-server -t` accepts a configuration of `compose/nats/`.
///
/// # Errors
/// What the server says.
pub fn check_config(name: &str) -> anyhow::Result<()> {
    let cluster = Cluster { port: 6222, routes: [6222, 6223, 6224], hidden: false };
    let server = NatsServer::prepare(name, "", 4222, Some(cluster))?;
    let output = Command::new(nats_server_program()?)
        .arg("-t")
        .arg("-c")
        .arg(&server.config)
        .envs(server.environment())
        .output()?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
