//! The program: from the command line to an exit code.

use std::process::ExitCode;

use clap::Parser;
use lattice_client::ConnectError;

use crate::cli::{Cli, Command, Join, Log};
use crate::dev;
use crate::node::{Node, NodeError};
use crate::telemetry::Telemetry;

/// Runs `mesh-node` with the arguments of the process, until a signal ends it.
///
/// Here and not in the binary, lest everything asynchronous be compiled once more for it.
pub fn main() -> ExitCode {
    let Cli { command, join, log } = Cli::parse();
    match run(command, join, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-node: {error:#}");
            exit_code(&error)
        }
    }
}

fn run(command: Option<Command>, join: Join, log: &Log) -> anyhow::Result<()> {
    let telemetry = Telemetry::start(log.log_format, &log.log)?;
    let traced = telemetry.traced();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Some(Command::Dev(options)) => {
                Box::pin(dev::run(options, traced, stop_signal()?)).await
            }
            None => {
                let mut signal = std::pin::pin!(stop_signal()?);
                let node = tokio::select! {
                    node = Box::pin(Node::start(join.into_options(traced)?)) => node?,
                    () = &mut signal => return Ok(()),
                };
                let stopped = node.run_until(signal).await?;
                anyhow::ensure!(
                    stopped.abandoned == 0,
                    "{} calls were abandoned",
                    stopped.abandoned
                );
                Ok(())
            }
        }
    });
    telemetry.stop();
    outcome
}

/// Returns what completes at SIGTERM, SIGINT or SIGHUP; the handlers are in place when this returns.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// The same codes as `meshctl`: 3 no NATS, 6 denied, 1 anything else.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let connect = match error.downcast_ref::<NodeError>() {
        Some(NodeError::Connect(connect)) => Some(connect),
        _ => error.downcast_ref::<ConnectError>(),
    };
    match connect {
        Some(ConnectError::NoServer { .. }) => ExitCode::from(3),
        Some(ConnectError::Denied { .. }) => ExitCode::from(6),
        _ => ExitCode::FAILURE,
    }
}
