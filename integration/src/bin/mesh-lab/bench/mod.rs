//! What the mesh costs, beside what it could not cost less than, in the same run.
//!
//! One file a part. A thing and its baseline are measured in turns, so that what else the machine
//! does strikes both. Quote the ratios: absolute figures are this machine's.

mod actor_calls;
mod actors;
mod alone;
mod baselines;
mod calls;
mod cold;
mod counter;
mod echo;
mod forward;
mod host_calls;
mod http;
mod http_subject;
mod idle;
mod large;
mod many;
mod nodes;
mod options;
mod otlp;
mod paced;
mod parts;
mod runtime;
mod servers;
mod sweep;
mod telemetry;
mod trio;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use integration::bench::findings::{Asked, FORMAT, Findings, Run};
use integration::bench::goals;
use integration::bench::machine::Machine;
use integration::bench::turns::Rounds;
use integration::harness::workspace_root;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use echo::raw_echo;
pub use options::Options;
pub use servers::{raw_counter, raw_http};

use crate::performance;
use crate::signals::end_on_signals;

/// What every part is given.
pub struct Context<'a> {
    options: &'a Options,
    rounds: Rounds,
}

impl Context<'_> {
    /// Says how far the run is.
    fn say(&self, text: &str) {
        (self.rounds.say)(text);
    }

    /// Returns whether the run is to end.
    fn stopped(&self) -> bool {
        self.rounds.stop.is_cancelled()
    }
}

/// Measures, prints what was found, and returns whether all went as it must: every part came to its
/// end, and where `--strict` is given every goal was met.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    if options.list {
        print!("{}", parts::list());
        return Ok(true);
    }
    let stop = CancellationToken::new();
    let rounds =
        Rounds { count: options.rounds, stop: stop.clone(), say: |text| eprintln!("  {text}") };
    let context = Context { options, rounds };
    let at_once = CancellationToken::new();
    let signals = end_on_signals(stop, at_once.clone());
    let _signals = AbortOnDropHandle::new(tokio::spawn(signals));
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut run = Run {
        format: FORMAT,
        begun_s: begun.as_secs(),
        asked: Asked {
            rounds: options.rounds,
            milliseconds: options.milliseconds,
            options: std::env::args().skip(2).collect(),
        },
        machine: Machine::look(),
        ..Run::default()
    };
    let chosen = options.chosen();
    eprintln!("Ctrl-C ends the run with what it found so far");
    for (number, part) in chosen.iter().enumerate() {
        let mut found = Findings::new(part.name(), &part.about());
        eprintln!("[{} of {}] {}: {}", number + 1, chosen.len(), found.part, found.about);
        let begun = Instant::now();
        let outcome = tokio::select! {
            outcome = part.measure(&context, &mut found) => outcome,
            // What is dropped stops its processes.
            () = at_once.cancelled() => Ok(()),
        };
        found.interrupted = context.stopped();
        found.broken = outcome.err().map(|error| format!("{error:#}"));
        eprintln!("  took {:.0} s", begun.elapsed().as_secs_f64());
        println!("{}", found.text());
        run.add(found);
        write(options, &run)?;
        if context.stopped() {
            break;
        }
    }
    println!("{}", goals::table(&run.goals).text());
    println!(
        "  medians of {} rounds of {} ms each; ratios are of one round, and their least and most are shown",
        options.rounds, options.milliseconds
    );
    if options.write_docs {
        performance::write(&run, &workspace_root().join("docs"))?;
    }
    Ok(!run.broken() && (!options.strict || run.met()))
}

fn write(options: &Options, run: &Run) -> anyhow::Result<()> {
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(run)?)?;
    }
    Ok(())
}
