//! What calls cost, beside what they could not cost less than, in the same run.
//!
//! A thing and its baseline are measured in turns, so that what else the machine does strikes both.
//! Quote the ratios: absolute figures are this machine's.

mod calls;
mod host_calls;
mod http;

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

pub use calls::raw_echo;
pub use http::raw_http;

/// Most measurements of one run: it always ends.
const ROUNDS_MAX: u64 = 1_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Calls over NATS against a raw NATS request and reply
    Calls,
    /// HTTP requests to an actor against a bare HTTP server
    Http,
    /// Host calls of an actor to a provider in the node's process
    HostCalls,
}

/// What `mesh-lab bench` is told.
#[derive(Args)]
pub struct Options {
    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_value = "calls,http,host-calls")]
    part: Vec<Part>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    rounds: u64,
    /// Milliseconds that each measurement takes
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    milliseconds: u64,
    /// Bytes of each payload of `calls`
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// Calls under way at once in `calls`, one measurement each
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,64",
        value_parser = clap::value_parser!(u64).range(1..=10_000)
    )]
    concurrency: Vec<u64>,
    /// Connections of `http`
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    connections: u64,
    /// File that the figures are written to as JSON
    #[arg(long)]
    json: Option<std::path::PathBuf>,
}

/// Measures and prints the tables.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut figures = json!({});
    for part in &options.part {
        let (name, value) = match part {
            Part::Calls => ("calls", Box::pin(calls::run(options)).await?),
            Part::Http => ("http", Box::pin(http::run(options)).await?),
            Part::HostCalls => ("host_calls", Box::pin(host_calls::run(options)).await?),
        };
        if let Some(fields) = figures.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&figures)?)?;
    }
    Ok(())
}

/// Returns the processor time that each process has used so far.
fn cpu<const N: usize>(processes: &[u32; N]) -> anyhow::Result<[Duration; N]> {
    let mut used = [Duration::ZERO; N];
    for (used, process) in used.iter_mut().zip(processes) {
        *used = integration::processor::used(*process)?;
    }
    Ok(used)
}

/// Returns the microseconds of processor time that each process has used a call.
fn cpu_us<const N: usize>(before: &[Duration; N], after: &[Duration; N], calls: f64) -> [f64; N] {
    let mut used = [0.0; N];
    for ((us, before), after) in used.iter_mut().zip(before).zip(after) {
        *us = after.saturating_sub(*before).as_secs_f64() * 1e6 / calls;
    }
    used
}
