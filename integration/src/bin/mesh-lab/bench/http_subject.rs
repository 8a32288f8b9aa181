//! An HTTP server that is measured, and how.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use integration::bench::turns::{Column, Sample};
use integration::harness::{ProcessGuard, free_port, wait_until};
use integration::http_load::{self, HttpLoad, Judge};

use super::Context;
use super::echo::{processor_times, used};

/// The columns of every table of HTTP.
pub(super) const COLUMNS: [Column; 5] = [
    Column { head: "requests/s", figure: "per_second", decimals: 0 },
    Column { head: "p50 us", figure: "p50_us", decimals: 0 },
    Column { head: "p99 us", figure: "p99_us", decimals: 0 },
    Column { head: "load's cpu us", figure: "load_cpu_us", decimals: 1 },
    Column { head: "server's cpu us", figure: "server_cpu_us", decimals: 1 },
];
/// Ratios to the first line of a table of HTTP.
pub(super) const RATIOS: [(&str, &str); 1] = [("of the first: requests/s", "per_second")];

/// Who answers, and what.
pub(super) struct Subject {
    address: SocketAddr,
    path: &'static str,
    judge: Judge,
    processes: Vec<(&'static str, u32)>,
    _process: Option<ProcessGuard>,
}

impl Subject {
    /// Names what a process of somebody else answers.
    pub(super) fn of(address: SocketAddr, path: &'static str, judge: Judge, pid: u32) -> Self {
        let processes = vec![("load", std::process::id()), ("server", pid)];
        Self { address, path, judge, processes, _process: None }
    }

    /// Starts a process at a free address, which `command` tells it, and waits until it answers.
    pub(super) async fn start(
        name: &str,
        judge: Judge,
        command: impl FnOnce(SocketAddr) -> anyhow::Result<Command>,
    ) -> anyhow::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = command(address)?;
        command.stdin(Stdio::null());
        let process = ProcessGuard::spawn(name, command)?;
        let mut subject = Self::of(address, "/", judge, process.pid());
        subject.wait().await.map_err(|error| error.context(process.log_tail()))?;
        subject._process = Some(process);
        Ok(subject)
    }

    /// Waits until it answers as it should.
    pub(super) async fn wait(&self) -> anyhow::Result<()> {
        wait_until("the HTTP server answers", Duration::from_secs(20), async || {
            let answer = http_load::get(self.address, self.path).await;
            answer.is_ok_and(|(status, body)| (self.judge)(status, &body).is_ok())
        })
        .await
    }

    /// Asks it for a time over connections that are kept; each answer is checked.
    pub(super) async fn measure(&self, context: &Context<'_>) -> anyhow::Result<Sample> {
        let before = used(&self.processes)?;
        let connections = usize::try_from(context.options.connections)?;
        let load = HttpLoad::start(self.address, self.path, connections, self.judge);
        tokio::time::sleep(context.options.time()).await;
        let tally = load.stop().await?;
        let after = used(&self.processes)?;
        ensure!(tally.failed == 0, "requests failed: {:?}", tally.errors);
        let sample = Sample::default()
            .with("per_second", tally.rate())
            .with("p50_us", f64::from(tally.quantile_us(0.50)))
            .with("p99_us", f64::from(tally.quantile_us(0.99)));
        Ok(processor_times(sample, &self.processes, &before, &after, tally.requests as f64))
    }
}
