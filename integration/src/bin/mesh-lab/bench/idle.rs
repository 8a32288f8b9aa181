//! A node with nothing deployed: its memory, and how long it takes to start.

use std::time::Duration;

use integration::bench::findings::{Findings, Table};
use integration::bench::spread::Spread;
use integration::memory;
use integration::testbed::Testbed;

use super::Context;
use super::trio::start_node;

/// How long a node idles before its memory is looked at: two heartbeats and more.
const IDLE_MS: u64 = 2_500;
/// One of the units of memory.
const MIB: f64 = (1 << 20) as f64;

/// Starts a node in each round.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let (mut joined, mut resident, mut proportional) = (Vec::new(), Vec::new(), Vec::new());
    // The first round only brings the program into memory.
    for round in 0..=context.options.rounds {
        if context.stopped() {
            break;
        }
        let mut node = start_node(&bed, context).await?;
        if round > 0 {
            tokio::time::sleep(Duration::from_millis(IDLE_MS)).await;
            let memory = memory::of(node.process().pid())?;
            joined.push(node.joined_in().as_secs_f64() * 1e3);
            resident.push(memory.resident as f64 / MIB);
            proportional.push(memory.proportional as f64 / MIB);
        }
        node.terminate().await?;
        context.say(&format!("round {round} of {}", context.options.rounds));
    }
    let (joined, resident) = (Spread::of(joined), Spread::of(resident));
    found.look("resident memory", resident);
    found.look("from exec until joined", joined);
    let mut table = Table::new(["a node with nothing deployed", "median (least..most)"]);
    let rows = [
        ("resident memory, MiB (VmRSS)", resident),
        ("its share of memory, MiB (Pss)", Spread::of(proportional)),
        ("from exec until its first heartbeat is heard, ms", joined),
    ];
    for (what, spread) in rows {
        table.row([what.to_owned(), spread.map_or("-".to_owned(), |spread| spread.shown(1))]);
    }
    found.tables.push(table);
    found.note(format!("memory is looked at {IDLE_MS} ms after the node has joined"));
    Ok(())
}
