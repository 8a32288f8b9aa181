//! A program from its start to its exit code: telemetry, runtime, signals.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use lattice_client::ConnectError;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::telemetry::{LogArgs, Telemetry};

/// Runs `work` with logs and telemetry of `program`. The token that it gets is cancelled by the first
/// signal that asks the process to end; a second one cuts the work short. `work` is told whether
/// spans are exported.
///
/// # Errors
/// Those of `work`, or of telemetry and signals at the start.
pub fn run<W>(
    program: &'static str,
    log: &LogArgs,
    work: impl FnOnce(CancellationToken, bool) -> W,
) -> anyhow::Result<()>
where
    W: Future<Output = anyhow::Result<()>>,
{
    let telemetry = Telemetry::start(program, log.log_format, &log.log)?;
    let traced = telemetry.traced();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let stop = CancellationToken::new();
        let work = work(stop.clone(), traced);
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

/// Returns how a process ends that could not do its work: 3 no NATS, 6 denied, 1 anything else, as
/// `meshctl` does.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.chain().find_map(|cause| cause.downcast_ref::<ConnectError>()) {
        Some(ConnectError::NoServer { .. }) => ExitCode::from(3),
        Some(ConnectError::Denied { .. }) => ExitCode::from(6),
        _ => ExitCode::FAILURE,
    }
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
