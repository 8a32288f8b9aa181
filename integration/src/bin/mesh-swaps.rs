//! `cargo xtask swaps`: a thousand revisions swapped under a running load. Exits with 0 only if no
//! call failed or went back to an older revision.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use integration::swaps::{self, SwapOptions};

/// Swaps revision after revision of an actor while calls of it run, and counts what fails.
#[derive(Parser)]
struct Options {
    /// Revisions, each of them other code
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    revisions: u64,
    /// Nodes that serve them
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    nodes: u8,
    /// Calls under way at once
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// File that the figures are written to as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("swaps: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the run was clean.
async fn run(options: Options) -> anyhow::Result<bool> {
    let report = swaps::run(SwapOptions {
        revisions: options.revisions,
        nodes: options.nodes.into(),
        concurrency: options.concurrency,
    })
    .await?;
    println!("{}", report.table());
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(report.is_clean())
}
