//! `mesh-lab`: what `cargo xtask` runs against real servers and real nodes.
//!
//! One program for all of it, since each one of its own would be compiled and linked anew.

mod bench;
mod demo;
mod faults;
mod performance;
mod signals;
mod swaps;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Shows, stresses and measures a real lattice on this machine.
///
/// Exits with 0 only if everything went as it must: no call failed, none was answered by an older
/// revision than one seen before. What `bench` measures decides about that with `--strict` alone.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show a lattice at work: two nodes, real actors, replaced while they serve
    Demo(demo::Options),
    /// Measure what calls, requests and nodes cost, beside their baselines in the same run
    Bench(bench::Options),
    /// Write docs/performance.md and its plots from the figures of a run of `bench`
    Performance(performance::Options),
    /// Swap revision after revision of an actor while calls of it run, and count what fails
    Swaps(swaps::Options),
    /// Let links, nodes and brokers fail, and find out what is lost, what runs twice, for how long
    Faults(faults::Options),
    /// Answer raw requests (the bench starts this itself)
    #[command(hide = true)]
    RawEcho { url: String },
    /// Answer HTTP requests (the bench starts this itself)
    #[command(hide = true)]
    RawHttp { address: std::net::SocketAddr },
    /// Count HTTP requests in a store (the bench starts this itself)
    #[command(hide = true)]
    RawCounter { address: std::net::SocketAddr, url: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let clean = match &Cli::parse().task {
        Task::Demo(options) => demo::run(options).await,
        Task::Bench(options) => Box::pin(bench::run(options)).await,
        Task::Performance(options) => performance::run(options).map(|()| true),
        Task::Swaps(options) => swaps::run(options).await,
        Task::Faults(options) => Box::pin(faults::run(options)).await,
        Task::RawHttp { address } => bench::raw_http(*address).await.map(|()| true),
        Task::RawCounter { address, url } => bench::raw_counter(*address, url).await.map(|()| true),
        Task::RawEcho { url } => bench::raw_echo(url).await.map(|()| true),
    };
    match clean {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mesh-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
