//! What `mesh-lab bench` is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::parts::Part;

/// Most rounds of one run: it always ends.
const ROUNDS_MAX: u64 = 1_000;

/// What `mesh-lab bench` is told.
#[derive(Args)]
#[command(after_help = "Examples:
  mesh-lab bench --list                                  the parts and their goals
  mesh-lab bench --part calls,http --rounds 3
  mesh-lab bench --part actors --actors 500
  mesh-lab bench --json bench.json --write-docs          all of it, and docs/performance.md

Exits with 0 where every part came to its end, whatever it found; with --strict only if every goal was met.
Ctrl-C ends the run with what it found so far.")]
pub struct Options {
    /// Lists the parts and their goals, and measures nothing
    #[arg(long)]
    pub(super) list: bool,
    /// What to measure, all where none is named
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) part: Vec<Part>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=ROUNDS_MAX))]
    pub(super) rounds: u64,
    /// Milliseconds that each measurement of a load takes
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    pub(super) milliseconds: u64,
    /// Bytes of each payload of `calls`, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "128,4096")]
    pub(super) payload: Vec<usize>,
    /// Calls under way at once in `calls`, one measurement each
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,64",
        value_parser = clap::value_parser!(u64).range(1..=10_000)
    )]
    pub(super) concurrency: Vec<u64>,
    /// Most calls under way at once in `sweep`, which doubles them from 1 on
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) sweep_to: u64,
    /// Connections of `http` and `counter`
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(super) connections: u64,
    /// Actors of the part `actors`
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(super) actors: u64,
    /// Calls a second of `nodes`
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(super) rate: u64,
    /// Bytes of the largest payload of `large`
    #[arg(long, default_value_t = 64 << 20, value_parser = clap::value_parser!(u64).range(1_024..=64 << 20))]
    pub(super) large_to: u64,
    /// Argument that each node is started with besides; may be repeated
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(super) node_arg: Vec<String>,
    /// File that the figures are written to as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Writes docs/performance.md and its plots with what was found
    #[arg(long)]
    pub(super) write_docs: bool,
    /// Fails if a goal was not met, or not measured
    #[arg(long)]
    pub(super) strict: bool,
}

impl Options {
    /// Returns the parts to measure.
    pub(super) fn chosen(&self) -> Vec<Part> {
        if self.part.is_empty() {
            return Part::value_variants().to_vec();
        }
        self.part.clone()
    }

    /// Returns how long one measurement of a load takes.
    pub(super) fn time(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}
