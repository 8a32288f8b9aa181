//! The thin binary of a provider: arguments, signals, exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use lattice_protocol::keys::{NodeKey, ProviderKey};
use mesh_program::ConnectArgs;
use mesh_program::telemetry::LogArgs;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::{Make, Process, ProcessError, ProcessOptions};
use crate::provider::About;

/// What every provider's program takes.
#[derive(Debug, Parser)]
struct Cli<A: Args> {
    #[command(flatten)]
    standalone: StandaloneArgs,
    #[command(flatten)]
    own: A,
    #[command(flatten)]
    log: LogArgs,
}

/// Arguments of a provider that has none of its own.
#[derive(Clone, Copy, Debug, Args)]
pub struct NoArgs {}

/// How a provider runs in a process of its own.
#[derive(Clone, Debug, Args)]
pub struct StandaloneArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// Key to serve [default: the one by which this provider is known on every lattice]
    #[arg(long, env = "MESH_PROVIDER_KEY", value_name = "V…")]
    key: Option<ProviderKey>,
    /// Key of this process [default: a new one]
    #[arg(long, env = "MESH_NODE_KEY", value_name = "N…")]
    node_key: Option<NodeKey>,
    /// Folder for what the provider keeps on this machine
    #[arg(long, env = "MESH_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// End when standard input is closed, as it is when whoever started this ends
    #[arg(long, env = "MESH_EXIT_WITH_STDIN")]
    exit_with_stdin: bool,
}

/// Runs a provider with the arguments of the process, until a signal ends it.
pub fn main(about: About, make: fn(&NoArgs) -> Make<'static>) -> ExitCode {
    main_with::<NoArgs>(about, make)
}

/// Runs a provider that takes arguments of its own.
pub fn main_with<A: Args>(about: About, make: fn(&A) -> Make<'static>) -> ExitCode {
    let command = Cli::<A>::command()
        .name(about.name)
        .version(about.version)
        .about(format!("{} ({})", about.description, about.contract.name))
        .after_help(
            "Serves until SIGTERM or SIGINT, then finishes what runs. Links that lead to its key are made with\n\
             `meshctl link put`; their settings are in docs/providers.md.\n\
             Exit codes: 0 left in order, 1 failure, 2 usage, 3 no NATS, 6 denied.",
        );
    let matches = command.get_matches();
    let cli = match Cli::<A>::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let make = make(&cli.own);
    let work = |stop, traced| serve(about, cli.standalone, make, stop, traced);
    match mesh_program::run(about.name, &cli.log, work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", about.name);
            mesh_program::exit_code(&error)
        }
    }
}

async fn serve(
    about: About,
    args: StandaloneArgs,
    make: Make<'static>,
    stop: CancellationToken,
    traced: bool,
) -> anyhow::Result<()> {
    if args.exit_with_stdin {
        die_with_parent();
    }
    let key = args.key.map_or_else(|| ProviderKey::well_known(about.name), Ok)?;
    let node = args.node_key.map_or_else(|| NodeKey::generate().map(|(key, _)| key), Ok)?;
    let options = ProcessOptions {
        connect: args.connect.options(about.name)?,
        connect_bound: args.connect.connect_bound(),
        key,
        node,
        data: args.data,
        drain_bound: args.connect.drain_bound(),
        traced,
    };
    let end = async {
        if args.exit_with_stdin {
            tokio::select! {
                () = stop.cancelled() => {}
                () = stdin_closed() => tracing::warn!("whoever started this has ended"),
            }
        } else {
            stop.cancelled().await;
        }
    };
    let mut end = std::pin::pin!(end);
    let process = tokio::select! {
        process = Box::pin(Process::start(about, options, make)) => process.map_err(told)?,
        () = &mut end => return Ok(()),
    };
    let abandoned = process.run_until(end).await?;
    anyhow::ensure!(abandoned == 0, "{abandoned} calls were abandoned");
    Ok(())
}

/// Returns an error as the exit code tells it: one that only passes another on hides which it is.
fn told(error: ProcessError) -> anyhow::Error {
    match error {
        ProcessError::Connect(error) => error.into(),
        error => error.into(),
    }
}

/// Returns when nobody holds the other end of standard input any more.
async fn stdin_closed() {
    let mut input = tokio::io::stdin();
    let mut some = [0; 64];
    while matches!(input.read(&mut some).await, Ok(read) if read > 0) {}
}

/// Has the system kill this process when whoever started it ends, even while this one is frozen
/// and can't see that its input was closed.
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        tracing::warn!(%error, "this process can't be bound to the life of whoever started it");
    }
}
