//! A real Redis on loopback.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::limits::{SERVER_READY_MS, SERVER_STOP_MS, START_ATTEMPTS_MAX};
use super::ports::free_port;
use super::process::ProcessGuard;
use super::programs::redis_server_program;
use super::wait::wait_for;

/// One Redis; stopped and its files deleted when dropped. It keeps its address and, where it was
/// asked to end, its content over [`stop`](Self::stop) and [`start_again`](Self::start_again).
pub struct RedisServer {
    port: u16,
    files: TempDir,
    process: Option<ProcessGuard>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When there is no `redis-server`, or it does not answer in time.
    pub async fn start() -> anyhow::Result<Self> {
        let mut failed = anyhow!("no attempt was made");
        for _ in 0..START_ATTEMPTS_MAX {
            let files = tempfile::Builder::new().prefix("mesh-test-redis-").tempdir()?;
            let mut server = Self { port: free_port()?, files, process: None };
            match server.start_again().await {
                Ok(()) => return Ok(server),
                // Somebody else may have taken the port.
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Starts the server anew on its port and with its files, and waits until it answers.
    ///
    /// # Errors
    /// The end of its log when it ends or does not answer in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(redis_server_program()?);
        command
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "3600 1", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.files.path());
        let mut process = ProcessGuard::spawn("redis-server", command)?;
        let ready = Duration::from_millis(SERVER_READY_MS);
        let port = self.port;
        let answers = wait_for("an answer of Redis", ready, async || match process.check_alive() {
            Ok(()) => answers(port).await.map(Ok),
            Err(ended) => Ok(Err(ended)),
        });
        answers.await?.with_context(|| process.log_tail())?;
        self.process = Some(process);
        Ok(())
    }

    /// Returns the server's address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&mut self) -> anyhow::Result<&mut ProcessGuard> {
        self.process.as_mut().context("Redis does not run")
    }

    /// Asks the server to write its content and end, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let bound = Duration::from_millis(SERVER_STOP_MS);
        self.process()?.terminate(bound).await?;
        self.process = None;
        Ok(())
    }
}

/// Fails unless Redis answers a ping on `port` now.
async fn answers(port: u16) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    if &answer != b"+PONG\r\n" {
        bail!("something else than Redis answers on port {port}");
    }
    Ok(())
}
