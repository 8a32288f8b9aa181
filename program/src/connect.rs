//! Where NATS is, and which lattice to join: arguments, and the first connection.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use lattice_client::connect::ContextError;
use lattice_client::{ConnectError, ConnectOptions, Lattice};
use lattice_protocol::names::LatticeName;

use crate::limits;

/// Where NATS is, and which lattice to join.
#[derive(Clone, Debug, Args)]
pub struct ConnectArgs {
    /// Addresses of NATS, separated by commas [default: nats://127.0.0.1:4222]
    #[arg(long, env = "MESH_NATS", value_name = "URL", conflicts_with = "nats_context")]
    pub nats: Option<String>,
    /// Context of the NATS CLI to connect with
    #[arg(long, value_name = "NAME")]
    pub nats_context: Option<String>,
    /// Lattice to join
    #[arg(long, env = "MESH_LATTICE", default_value = "default", value_name = "NAME")]
    pub lattice: LatticeName,
    /// File of NATS credentials
    #[arg(long, env = "MESH_CREDS", value_name = "FILE")]
    pub creds: Option<PathBuf>,
    /// File of an nkey seed
    #[arg(long, env = "MESH_NKEY", value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// User
    #[arg(long, env = "MESH_USER")]
    pub user: Option<String>,
    /// Password of the user
    #[arg(
        long,
        env = "MESH_PASSWORD",
        hide_env_values = true,
        value_name = "TEXT",
        requires = "user"
    )]
    pub password: Option<String>,
    /// Token
    #[arg(long, env = "MESH_TOKEN", hide_env_values = true, value_name = "TEXT")]
    pub token: Option<String>,
    /// Certificates that the server's is checked against
    #[arg(long, env = "MESH_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Certificate of this client
    #[arg(long, env = "MESH_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate of this client
    #[arg(long, env = "MESH_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Seconds that calls in flight have when the program leaves
    #[arg(long, default_value_t = limits::DRAIN_TIMEOUT_DEFAULT_MS / 1_000, value_name = "SECONDS")]
    pub drain_timeout: u64,
    /// Seconds to try to reach NATS at the start
    #[arg(long, default_value_t = limits::START_CONNECT_TIMEOUT_MS / 1_000, value_name = "SECONDS")]
    pub connect_timeout: u64,
}

impl ConnectArgs {
    /// Returns how to connect, as `client_name` to the server's monitoring.
    ///
    /// # Errors
    /// [`ContextError`] when a NATS context is named that can't be used.
    pub fn options(&self, client_name: &str) -> Result<ConnectOptions, ContextError> {
        let from = match &self.nats_context {
            Some(name) => ConnectOptions::context(name)?,
            None => ConnectOptions::url(self.nats.as_deref().unwrap_or("nats://127.0.0.1:4222")),
        };
        Ok(ConnectOptions {
            lattice: Some(self.lattice.clone()),
            client_name: Some(client_name.to_owned()),
            creds: self.creds.clone().or(from.creds),
            nkey: self.nkey.clone().or(from.nkey),
            user: self.user.clone().or(from.user),
            password: self.password.clone().or(from.password),
            token: self.token.clone().or(from.token),
            tls_ca: self.tls_ca.clone().or(from.tls_ca),
            tls_cert: self.tls_cert.clone().or(from.tls_cert),
            tls_key: self.tls_key.clone().or(from.tls_key),
            servers: from.servers,
        })
    }

    /// Returns the time that calls in flight have when the program leaves.
    pub fn drain_bound(&self) -> Duration {
        Duration::from_secs(self.drain_timeout)
    }

    /// Returns how long to try to reach NATS at the start.
    pub fn connect_bound(&self) -> Duration {
        Duration::from_secs(self.connect_timeout)
    }
}

/// Tries to reach NATS until `bound`: programs and servers are often started together.
///
/// # Errors
/// [`ConnectError`] of the last attempt.
pub async fn connect(options: ConnectOptions, bound: Duration) -> Result<Lattice, ConnectError> {
    let deadline = Instant::now() + bound;
    loop {
        match Lattice::connect(options.clone()).await {
            Err(error @ ConnectError::NoServer { .. }) if Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for NATS");
                let pause = Duration::from_millis(limits::START_CONNECT_PAUSE_MS);
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
}
