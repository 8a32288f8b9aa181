//! `mesh-simulate`: runs many seeds, or one again.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use mesh_simulation::invariant::Violation;
use mesh_simulation::scenario::Scenario;
use mesh_simulation::shrink::shrink;
use mesh_simulation::{Stats, limits, run};
use serde_json::json;

/// Runs lattices in virtual time and checks what must hold.
#[derive(Parser)]
#[command(name = "mesh-simulate")]
struct Cli {
    /// How many seeds to run [default: 10000].
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed; alone it is the only one, and its events are printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What came of many runs.
#[derive(Default)]
struct Sum {
    stats: Stats,
    failed: Option<(u64, Violation)>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let one = cli.seed.is_some() && cli.seeds.is_none();
    let first = cli.seed.unwrap_or(0);
    let seeds = cli.seeds.unwrap_or(if one { 1 } else { limits::SEEDS_DEFAULT });
    let begun = Instant::now();
    let sum = many(first, seeds);
    let seconds = begun.elapsed().as_secs_f64();
    if let Some((seed, violation)) = sum.failed {
        report(seed, &violation, cli.json);
        return ExitCode::FAILURE;
    }
    let Stats { calls, failed, runs, events } = sum.stats;
    if cli.json {
        println!(
            "{}",
            json!({
                "seeds": seeds, "first": first, "seconds": seconds, "violation": null,
                "calls": calls, "failed": failed, "runs": runs, "events": events,
            })
        );
    } else {
        if one {
            let outcome = run(&Scenario::of(first), None, true);
            outcome.trace.iter().for_each(|line| println!("{line}"));
        }
        println!(
            "{seeds} seeds from {first} in {seconds:.1} s: {calls} calls, of which {failed} failed \
             for a reason; {runs} ran; {events} events; every invariant held"
        );
    }
    ExitCode::SUCCESS
}

/// Runs seeds on every core, until one fails.
fn many(first: u64, seeds: u64) -> Sum {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let work = || {
        let mut sum = Sum::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(seeds) {
                break;
            }
            let outcome = run(&Scenario::of(seed), None, false);
            sum.stats.add(&outcome.stats);
            if let Some(violation) = outcome.violation {
                stop.store(true, Ordering::Relaxed);
                sum.failed = Some((seed, violation));
            }
        }
        sum
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut sum = Sum::default();
        for worker in workers {
            let part = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            sum.stats.add(&part.stats);
            // The lowest of those that failed at once, so that a search ends the same each time.
            sum.failed = match (sum.failed, part.failed) {
                (Some(one), Some(other)) => Some(if one.0 <= other.0 { one } else { other }),
                (one, other) => one.or(other),
            };
        }
        sum
    })
}

/// Shows a seed that failed, and the smallest run like it.
fn report(seed: u64, violation: &Violation, as_json: bool) {
    let (small, found) = shrink(&Scenario::of(seed), violation, None);
    let outcome = run(&small, None, true);
    if as_json {
        println!(
            "{}",
            json!({
                "seed": seed, "violation": violation,
                "shrunk": { "scenario": small, "violation": found, "trace": outcome.trace },
            })
        );
        return;
    }
    println!("seed {seed} violates {:?}: {}", violation.invariant, violation.what);
    println!("\nThe smallest run found that violates it too ({:?} weather):\n", small.weather);
    for (at, action) in &small.actions {
        println!("  {:>9.3} ms  {action:?}", *at as f64 / 1_000.0);
    }
    println!("\nWhat happens then:\n");
    outcome.trace.iter().for_each(|line| println!("  {line}"));
    println!("\nAgain: cargo xtask simulate --seed {seed}");
}
