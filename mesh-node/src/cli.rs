//! The command line of a node.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use lattice_client::ConnectOptions;
use lattice_client::connect::ContextError;
use lattice_protocol::keys::IssuerKey;
use lattice_protocol::names::{LabelText, LatticeName};
use lattice_protocol::record::Labels;
use mesh_runtime::EngineOptions;

use crate::limits;
use crate::node::NodeOptions;
use crate::telemetry::LogFormat;
use crate::trust::Trust;

/// A node of the mesh: joins a lattice and serves every actor that its labels allow.
#[derive(Debug, Parser)]
#[command(
    name = "mesh-node",
    version,
    after_help = "Examples:
  mesh-node dev                                  a NATS server, a node and keys, all on this machine
  mesh-node --nats nats://10.0.0.1:4222          join the lattice `default`
  mesh-node --nats-context prod --lattice shop --label zone=edge --trust AB…

A node holds no state: start another one to serve more calls, stop one with SIGTERM and it
finishes the calls in flight first. Deploy actors with `meshctl deploy`.

Traces and metrics are exported by OTLP (http/protobuf) where OTEL_EXPORTER_OTLP_ENDPOINT is set.
Exit codes: 0 left in order, 1 failure, 2 usage, 3 no NATS, 6 denied."
)]
pub struct Cli {
    /// What to do instead of joining a lattice.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to join a lattice.
    #[command(flatten)]
    pub join: Join,
    /// How to log.
    #[command(flatten)]
    pub log: Log,
}

/// What a node can do instead of joining a lattice.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a local NATS server with JetStream, a node and development keys
    Dev(Dev),
}

/// Options of `mesh-node dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Port of the NATS server, on loopback only
    #[arg(long, default_value_t = 4222, value_name = "PORT")]
    pub port: u16,
    /// Lattice to join
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub lattice: LatticeName,
    /// The nats-server to start, where it is not found by itself
    #[arg(long, env = "MESH_NATS_SERVER", value_name = "FILE")]
    pub nats_server: Option<PathBuf>,
}

/// How to join a lattice.
#[derive(Debug, Args)]
pub struct Join {
    /// Addresses of NATS, separated by commas [default: nats://127.0.0.1:4222]
    #[arg(long, env = "MESH_NATS", value_name = "URL", conflicts_with = "nats_context")]
    pub nats: Option<String>,
    /// Context of the NATS CLI to connect with
    #[arg(long, value_name = "NAME")]
    pub nats_context: Option<String>,
    /// Lattice to join
    #[arg(long, env = "MESH_LATTICE", default_value = "default", value_name = "NAME")]
    pub lattice: LatticeName,
    /// Label of this node; actors may ask for it
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Issuer whose modules are loaded [default: anybody with a valid signature]
    #[arg(long = "trust", value_name = "ISSUER")]
    pub trust: Vec<IssuerKey>,
    /// File of NATS credentials
    #[arg(long, value_name = "FILE")]
    pub creds: Option<PathBuf>,
    /// File of an nkey seed
    #[arg(long, value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// NATS user
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Password of the NATS user
    #[arg(long, env = "MESH_PASSWORD", hide_env_values = true, value_name = "TEXT")]
    pub password: Option<String>,
    /// NATS token
    #[arg(long, env = "MESH_TOKEN", hide_env_values = true, value_name = "TEXT")]
    pub token: Option<String>,
    /// Certificates that the NATS server's certificate is checked against
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Certificate of this client
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate of this client
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Seconds that calls in flight have when the node leaves
    #[arg(long, default_value_t = limits::DRAIN_TIMEOUT_DEFAULT_MS / 1_000, value_name = "SECONDS")]
    pub drain_timeout: u64,
    /// Seconds to try to reach NATS at the start
    #[arg(long, default_value_t = limits::START_CONNECT_TIMEOUT_MS / 1_000, value_name = "SECONDS")]
    pub connect_timeout: u64,
}

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct Log {
    /// How the log is written, to stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "MESH_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// What is logged, as RUST_LOG is written: `info`, `mesh_node=debug`, `actor=trace` …
    #[arg(
        long,
        global = true,
        default_value = "info,async_nats=warn",
        env = "RUST_LOG",
        value_name = "FILTER"
    )]
    pub log: String,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    for part in [key, value] {
        part.parse::<LabelText>().map_err(|error| error.to_string())?;
    }
    Ok((key.to_owned(), value.to_owned()))
}

impl Join {
    /// Returns the options of the node that the command line asks for.
    ///
    /// # Errors
    /// [`ContextError`] when a NATS context is named that can't be used.
    pub fn into_options(self, traced: bool) -> Result<NodeOptions, ContextError> {
        let from = match &self.nats_context {
            Some(name) => ConnectOptions::context(name)?,
            None => ConnectOptions::url(self.nats.as_deref().unwrap_or("nats://127.0.0.1:4222")),
        };
        let connect = ConnectOptions {
            lattice: Some(self.lattice),
            client_name: Some("mesh-node".to_owned()),
            creds: self.creds.or(from.creds),
            nkey: self.nkey.or(from.nkey),
            user: self.user.or(from.user),
            password: self.password.or(from.password),
            token: self.token.or(from.token),
            tls_ca: self.tls_ca.or(from.tls_ca),
            tls_cert: self.tls_cert.or(from.tls_cert),
            tls_key: self.tls_key.or(from.tls_key),
            servers: from.servers,
        };
        Ok(NodeOptions {
            labels: Labels::from_iter(self.labels),
            trust: Trust::from_issuers(self.trust),
            engine: EngineOptions::default(),
            drain_bound: Duration::from_secs(self.drain_timeout),
            connect_bound: Duration::from_secs(self.connect_timeout),
            traced,
            ..NodeOptions::new(connect)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"mesh-node").chain(arguments))
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_labels_and_trust() {
        let cli = parse(&["--label", "zone=edge", "--label", "gpu=a=b"]).unwrap();
        let options = cli.join.into_options(false).unwrap();
        assert_eq!(options.labels.get("zone").map(String::as_str), Some("edge"));
        assert_eq!(options.labels.get("gpu").map(String::as_str), Some("a=b"));
        assert_eq!(options.trust, Trust::Anybody);
        let (issuer, _) = IssuerKey::generate().unwrap();
        let options =
            parse(&["--trust", issuer.as_str()]).unwrap().join.into_options(false).unwrap();
        assert_eq!(options.trust, Trust::from_issuers([issuer]));
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for arguments in [
            &["--label", "zone"][..],
            &["--label", "=x"],
            &["--lattice", "No Such"],
            &["--trust", "MABC"],
            &["--nats", "nats://x", "--nats-context", "y"],
            &["--tls-cert", "c.pem"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
