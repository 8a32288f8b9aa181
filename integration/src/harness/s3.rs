//! A server on loopback that speaks S3.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::limits::{SERVER_READY_MS, START_ATTEMPTS_MAX};
use super::ports::free_port;
use super::process::ProcessGuard;
use super::programs::{python_program, s3_path};
use super::wait::wait_for;

/// One server with one bucket; it ends, and forgets everything, when dropped.
pub struct S3Server {
    port: u16,
    _process: ProcessGuard,
}

impl S3Server {
    /// The bucket that it has.
    pub const BUCKET: &str = "mesh";

    /// Starts a server and waits until it has its bucket.
    ///
    /// # Errors
    /// When it is not installed, or does not answer in time.
    pub async fn start() -> anyhow::Result<Self> {
        let mut failed = anyhow!("no attempt was made");
        for _ in 0..START_ATTEMPTS_MAX {
            match Self::start_on(free_port()?).await {
                Ok(server) => return Ok(server),
                // Somebody else may have taken the port.
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn start_on(port: u16) -> anyhow::Result<Self> {
        let mut command = Command::new(python_program());
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("PYTHONPATH", s3_path()?)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let mut process = ProcessGuard::spawn("s3-server", command)?;
        let ready = Duration::from_millis(SERVER_READY_MS);
        let made = wait_for("a bucket", ready, async || match process.check_alive() {
            Ok(()) => make_bucket(port).await.map(Ok),
            Err(ended) => Ok(Err(ended)),
        });
        made.await?.with_context(|| process.log_tail())?;
        Ok(Self { port, _process: process })
    }

    /// Returns the server's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn make_bucket(port: u16) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let bucket = S3Server::BUCKET;
    let request =
        format!("PUT /{bucket} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "making a bucket: {status}");
    Ok(())
}
