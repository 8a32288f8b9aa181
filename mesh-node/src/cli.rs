//! The command line of a node.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lattice_client::connect::ContextError;
use lattice_protocol::keys::IssuerKey;
use lattice_protocol::names::{LabelText, LatticeName};
use lattice_protocol::record::Labels;
use mesh_program::ConnectArgs;
use mesh_program::telemetry::LogArgs;
use mesh_runtime::EngineOptions;

use crate::code_folder::CodeArgs;
use crate::node::NodeOptions;
use crate::providers::ProviderOptions;
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
    pub log: LogArgs,
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
    /// Port to serve HTTP at, on loopback only; 0 takes a free one
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    pub http_port: u16,
    /// Lattice to join
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub lattice: LatticeName,
    /// The nats-server to start, where it is not found by itself
    #[arg(long, env = "MESH_NATS_SERVER", value_name = "FILE")]
    pub nats_server: Option<PathBuf>,
    /// Where compiled code is kept.
    #[command(flatten)]
    pub code: CodeArgs,
}

/// How to join a lattice.
#[derive(Debug, Args)]
pub struct Join {
    /// Where NATS is, and which lattice to join.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// Label of this node; actors may ask for it
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Address to serve HTTP at, for the actors that have a link to http-server: 0.0.0.0:8080
    #[arg(long, env = "MESH_HTTP", value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Address to answer health checks at, /healthz and /readyz: 0.0.0.0:8081
    #[arg(long, env = "MESH_HEALTH", value_name = "ADDR")]
    pub health: Option<SocketAddr>,
    /// Certificate chain for HTTPS, as a PEM file
    #[arg(long, value_name = "FILE", requires_all = ["http", "http_tls_key"])]
    pub http_tls_cert: Option<PathBuf>,
    /// Key of that certificate, as a PEM file
    #[arg(long, value_name = "FILE", requires = "http_tls_cert")]
    pub http_tls_key: Option<PathBuf>,
    /// Folder for what providers keep on this machine: needed by keyvalue-embedded and blobstore-fs
    #[arg(long, env = "MESH_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder with the programs of providers that the registry may have this node run
    #[arg(long, env = "MESH_PROVIDER_DIR", value_name = "DIR")]
    pub provider_dir: Option<PathBuf>,
    /// Where compiled code is kept.
    #[command(flatten)]
    pub code: CodeArgs,
    /// Memory for compiled modules, in MiB: what was not called for longest goes [default: an eighth of the machine's]
    #[arg(long, env = "MESH_MODULE_MEMORY", value_name = "MIB")]
    pub module_memory: Option<u64>,
    /// Issuer whose modules are loaded [default: anybody with a valid signature]
    #[arg(long = "trust", value_name = "ISSUER")]
    pub trust: Vec<IssuerKey>,
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
        let options = NodeOptions::new(self.connect.options("mesh-node")?);
        let module_memory = self.module_memory.map(|mib| mib.saturating_mul(1024 * 1024));
        Ok(NodeOptions {
            module_memory_bytes: module_memory.unwrap_or(options.module_memory_bytes),
            labels: Labels::from_iter(self.labels),
            trust: Trust::from_issuers(self.trust),
            engine: EngineOptions { code_folder: self.code.folder(), ..EngineOptions::default() },
            providers: ProviderOptions {
                http: self.http,
                http_tls: self.http_tls_cert.zip(self.http_tls_key),
                data: self.data,
            },
            provider_dir: self.provider_dir,
            health: self.health,
            drain_bound: self.connect.drain_bound(),
            connect_bound: self.connect.connect_bound(),
            traced,
            ..options
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
