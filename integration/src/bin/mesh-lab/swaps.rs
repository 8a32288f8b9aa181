//! A thousand revisions swapped under a running load: no call may fail, none may go back.

use std::path::PathBuf;

use clap::Args;
use integration::swaps::{self, SwapOptions};

/// What `mesh-lab swaps` is told.
#[derive(Args)]
pub struct Options {
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

/// Swaps; returns whether the run was clean.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
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
