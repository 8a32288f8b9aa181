//! The program: from the command line to an exit code.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Parser;
use lattice_client::ConnectError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Cli, Command, Join, Log};
use crate::node::{Node, NodeError};
use crate::telemetry::Telemetry;
use crate::{dev, limits};

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
        let mut signals = Signals::new()?;
        let stop = CancellationToken::new();
        let work = async {
            match command {
                Some(Command::Dev(options)) => {
                    Box::pin(dev::run(options, traced, stop.cancelled())).await
                }
                None => serve(join, traced, &stop).await,
            }
        };
        let told_twice = async {
            signals.next().await;
            stop.cancel();
            signals.again().await;
        };
        tokio::select! {
            outcome = work => outcome,
            () = told_twice => Err(anyhow!("a second signal cut the drain short")),
        }
    });
    telemetry.stop();
    // What blocks a thread, such as a compilation that nobody waits for any more, ends with the
    // process.
    runtime.shutdown_background();
    outcome
}

/// Joins and serves until `stop`, then drains.
async fn serve(join: Join, traced: bool, stop: &CancellationToken) -> anyhow::Result<()> {
    let node = tokio::select! {
        node = Box::pin(Node::start(join.into_options(traced)?)) => node?,
        () = stop.cancelled() => return Ok(()),
    };
    let stopped = node.run_until(stop.cancelled()).await?;
    anyhow::ensure!(stopped.abandoned == 0, "{} calls were abandoned", stopped.abandoned);
    Ok(())
}

/// The signals that ask a process to end; a second one asks it not to wait.
struct Signals([Signal; 3]);

impl Signals {
    /// Sets the handlers up; they are in place when this returns.
    fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self([terminate?, interrupt?, hangup?]))
    }

    async fn next(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }

    /// Waits until somebody asks again. Supervisors and terminals send more than one signal for
    /// one wish: a hang-up counts only as the first, and what follows at once is its echo.
    async fn again(&mut self) {
        let first = Instant::now();
        let echo = Duration::from_millis(limits::SIGNAL_ECHO_MS);
        let [terminate, interrupt, _] = &mut self.0;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first.elapsed() >= echo {
                return;
            }
        }
    }
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
