//! The program: from the command line to an exit code.

use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Join};
use crate::dev;
use crate::node::{Node, NodeError};

/// Runs `mesh-node` with the arguments of the process, until a signal ends it.
///
/// Here and not in the binary, lest everything asynchronous be compiled once more for it.
pub fn main() -> ExitCode {
    let Cli { command, join, log } = Cli::parse();
    let outcome = mesh_program::run("mesh-node", &log, |stop, traced| async move {
        match command {
            Some(Command::Dev(options)) => {
                Box::pin(dev::run(options, traced, stop.cancelled())).await
            }
            None => serve(join, traced, &stop).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-node: {error:#}");
            mesh_program::exit_code(&error)
        }
    }
}

/// Joins and serves until `stop`, then drains.
async fn serve(join: Join, traced: bool, stop: &CancellationToken) -> anyhow::Result<()> {
    let node = tokio::select! {
        node = Box::pin(Node::start(join.into_options(traced)?)) => node.map_err(told)?,
        () = stop.cancelled() => return Ok(()),
    };
    let stopped = node.run_until(stop.cancelled()).await?;
    anyhow::ensure!(stopped.abandoned == 0, "{} calls were abandoned", stopped.abandoned);
    Ok(())
}

/// Returns an error as the exit code tells it: one that only passes another on hides which it is.
fn told(error: NodeError) -> anyhow::Error {
    match error {
        NodeError::Connect(error) => error.into(),
        error => error.into(),
    }
}
