//! Faults on purpose: what is lost, what runs twice, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use integration::faults::report::Report;
use integration::faults::scenarios::{ALL, Scenario, named};
use integration::faults::{Context, limits};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::signals::end_on_signals;

/// What `mesh-lab faults` is told.
#[derive(Args)]
#[command(after_help = "Examples:
  mesh-lab faults --list                         the scenarios and their goals
  mesh-lab faults kill --rounds 5 --seed 1       one of them, cut short and to be had again
  mesh-lab faults brokers --rounds 10 --json brokers.json
  mesh-lab faults soak --minutes 5

All of them whole take some three hours. A line a few rounds tells how far it is; Ctrl-C ends the run with what it
found so far. Exits with 0 only if every goal was met. docs/faults.md says how to read the table.")]
pub struct Options {
    /// Scenarios to run, all where none is named
    scenarios: Vec<String>,
    /// Lists the scenarios and their goals, and runs none
    #[arg(long)]
    list: bool,
    /// Rounds of each scenario, instead of its own number
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rounds: Option<u64>,
    /// Minutes of the scenarios that run for a time, instead of their own
    #[arg(long)]
    minutes: Option<f64>,
    /// Fixes the schedule of calls and faults [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// File that the figures are written to as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs the scenarios; returns whether every goal was met.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    if options.list {
        for scenario in &ALL {
            println!("{:<10} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let chosen = chosen(&options.scenarios)?;
    let context = Context {
        seed: options.seed.unwrap_or_else(rand::random),
        rounds: options.rounds,
        minutes: options.minutes,
        quiet: Duration::from_millis(limits::QUIET_MS),
        stop: CancellationToken::new(),
        say: |text| eprintln!("  {text}"),
    };
    eprintln!("seed {}; Ctrl-C ends the run with what it found so far", context.seed);
    let mut report = Report { seed: context.seed, rows: Vec::new() };
    let at_once = CancellationToken::new();
    let signals = end_on_signals(context.stop.clone(), at_once.clone());
    let _signals = AbortOnDropHandle::new(tokio::spawn(signals));
    let count = chosen.len();
    for (number, scenario) in chosen.into_iter().enumerate() {
        eprintln!("[{} of {count}] {}: {}", number + 1, scenario.name, scenario.about);
        let begun = std::time::Instant::now();
        tokio::select! {
            rows = scenario.run(&context) => report.rows.extend(rows),
            // What is dropped stops its processes.
            () = at_once.cancelled() => {}
        }
        eprintln!("  took {:.0} s", begun.elapsed().as_secs_f64());
        write(options, &report)?;
        if context.stopped() {
            break;
        }
    }
    println!("{}", report.table());
    write(options, &report)?;
    Ok(report.met())
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let find = |name: &String| match named(name) {
        Some(scenario) => Ok(scenario),
        None => bail!("there is no scenario {name:?}: see `mesh-lab faults --list`"),
    };
    names.iter().map(find).collect()
}

fn write(options: &Options, report: &Report) -> anyhow::Result<()> {
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    Ok(())
}
