//! `mesh-node dev`: a NATS server, a node and keys, all on this machine.

mod server;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Context;
use lattice_client::ConnectOptions;
use lattice_client::keystore::{DEFAULT_NAME, KeyStore, SeedKind};
use lattice_protocol::keys::IssuerKey;
use mesh_runtime::EngineOptions;

use crate::cli::Dev;
use crate::node::{Node, NodeOptions};
use crate::providers::ProviderOptions;
use crate::trust::Trust;
use server::DevServer;

/// Runs a local lattice until `signal`.
///
/// # Errors
/// When no `nats-server` is found or it does not start, or the node can't start.
pub async fn run(
    options: Dev,
    traced: bool,
    signal: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let store = KeyStore::of_user()?;
    let issuer = store.load_or_create(SeedKind::Issuer, DEFAULT_NAME)?;
    if issuer.created {
        eprintln!("made a development issuer: {}", issuer.path.display());
    }
    let trusted: IssuerKey = issuer.public_key().parse().context("the development issuer")?;
    let mut server = DevServer::start(options.nats_server.as_deref(), options.port).await?;
    let node_options = NodeOptions {
        trust: Trust::from_issuers([trusted.clone()]),
        traced,
        engine: EngineOptions { code_folder: options.code.folder(), ..EngineOptions::default() },
        providers: ProviderOptions {
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, options.http_port))),
            http_tls: None,
            data: Some(server.state().join("node")),
        },
        // The programs that were built together with this one.
        provider_dir: std::env::current_exe()?.parent().map(Path::to_path_buf),
        ..NodeOptions::new(ConnectOptions::url(server.url()).lattice(options.lattice.clone()))
    };
    let mut signal = std::pin::pin!(signal);
    let started = tokio::select! {
        started = Node::start(node_options) => started.map(Some),
        () = &mut signal => Ok(None),
    };
    let node = match started {
        Ok(Some(node)) => node,
        Ok(None) => {
            server.stop().await;
            return Ok(());
        }
        Err(error) => {
            server.stop().await;
            return Err(error.into());
        }
    };
    eprintln!("{}", welcome(&server, &options, &node, &trusted));
    let died = tokio::select! {
        stopped = node.run_until(signal) => {
            server.stop().await;
            let stopped = stopped?;
            anyhow::ensure!(stopped.abandoned == 0, "{} calls were abandoned", stopped.abandoned);
            return Ok(());
        }
        died = server.died() => died,
    };
    anyhow::bail!("the NATS server ended: {died}; its log is in {}", server.log().display())
}

fn welcome(server: &DevServer, options: &Dev, node: &Node, issuer: &IssuerKey) -> String {
    let url = server.url();
    let plain = options.port == 4222 && options.lattice.as_str() == "default";
    let flags =
        if plain { String::new() } else { format!(" --nats {url} --lattice {}", options.lattice) };
    format!(
        "
A local lattice is up.

  NATS      {url}  (JetStream in {state})
  lattice   {lattice}
  node      {node}
  http      {http}  (for actors that are linked to http-server)
  trusts    {issuer}  (the default issuer of `meshctl sign`)

Try, in another terminal:

  meshctl sign target/actors/counter.wasm --name counter --cap mesh:http --cap mesh:keyvalue --out counter.signed.wasm
  meshctl{flags} deploy counter.signed.wasm
  meshctl{flags} link put counter mesh:keyvalue keyvalue-nats
  meshctl{flags} link put counter mesh:http http-server
  curl {http}/hello
  meshctl{flags} ls
  mesh-node{flags}{more} --trust {issuer}   # a second node takes its share

Ctrl-C ends the node, then the server; what was deployed is there next time.
",
        state = server.state().display(),
        lattice = options.lattice,
        node = node.key(),
        http = node.http().map(|http| format!("http://{http}")).unwrap_or_default(),
        more = if plain { " --nats nats://127.0.0.1:4222" } else { "" },
    )
}
