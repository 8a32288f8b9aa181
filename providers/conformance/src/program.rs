//! `mesh-conformance`: examines a provider that runs on a lattice.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::names::{ContractName, LinkName};
use mesh_program::ConnectArgs;
use mesh_program::telemetry::LogArgs;
use tokio_util::sync::CancellationToken;

use crate::over_nats::{Linked, no_suite};
use crate::report::Report;
use crate::{blobstore, http_client, keyvalue, logging, random};

/// Contracts whose providers can be examined by calls alone.
const SUITES: [&str; 5] =
    ["mesh:blobstore", "mesh:http-client", "mesh:keyvalue", "mesh:logging", "mesh:random"];

/// Examines a provider that runs on a lattice: does it do what its contract says?
#[derive(Debug, Parser)]
#[command(
    name = "mesh-conformance",
    version,
    after_help = "Examples:
  mesh-conformance mesh:keyvalue VKV2… --config prefix=a --other prefix=b
  mesh-conformance mesh:random VRA2…

Makes two links of an actor of its own to the provider, examines it over them, and takes them away
again. Contracts: mesh:blobstore, mesh:http-client, mesh:keyvalue, mesh:logging, mesh:random. For
mesh:http-client give --config hosts=127.0.0.1 --config private=true --other 'hosts=*'.
Exit codes: 0 it passes, 1 it does not, 2 usage, 3 no NATS, 6 denied."
)]
struct Cli {
    /// The contract
    contract: ContractName,
    /// Key of the provider
    provider: ProviderKey,
    /// Setting of the link that is used; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    config: Vec<(String, String)>,
    /// Setting of a second link, which must not see what the first one does; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    other: Vec<(String, String)>,
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(flatten)]
    log: LogArgs,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs `mesh-conformance` with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = cli.log.clone();
    match mesh_program::run("mesh-conformance", &log, |stop, _| run(cli, stop)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-conformance: {error:#}");
            mesh_program::exit_code(&error)
        }
    }
}

async fn run(cli: Cli, stop: CancellationToken) -> anyhow::Result<()> {
    let options = cli.connect.options("mesh-conformance")?;
    let lattice = mesh_program::connect(options, cli.connect.connect_bound()).await?;
    let mut linked = Linked::new(&lattice, cli.provider.clone(), cli.contract.clone()).await?;
    let examined = tokio::select! {
        examined = examine(&cli, &mut linked) => examined,
        () = stop.cancelled() => Err(anyhow::anyhow!("it was interrupted")),
    };
    linked.unlink().await.context("the links could not be taken away")?;
    lattice.close().await;
    let report = examined?;
    println!("{report}");
    if report.failed() > 0 {
        bail!("{} does not conform to {}", cli.provider, cli.contract);
    }
    Ok(())
}

async fn examine(cli: &Cli, linked: &mut Linked) -> anyhow::Result<Report> {
    let settings = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
    let link = linked.link(LinkName::default_link(), settings(&cli.config)).await?;
    let other = linked.link("other".parse()?, settings(&cli.other)).await?;
    Ok(match cli.contract.as_str() {
        "mesh:blobstore" => blobstore::suite(&link, &other).await,
        "mesh:http-client" => http_client::suite(&link, &other).await,
        "mesh:keyvalue" => keyvalue::suite(&link, &other).await,
        "mesh:logging" => logging::suite(&link).await,
        "mesh:random" => random::suite(&link).await,
        _ => bail!(no_suite(&cli.contract, &SUITES).message),
    })
}
