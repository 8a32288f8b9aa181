//! Calls at the same rate of an actor that 1, 2, 4 or 8 nodes of this machine serve.

use integration::bench::findings::Findings;
use integration::harness::actor_module_bytes;
use integration::testbed::Testbed;
use lattice_protocol::record::Isolation;

use super::Context;
use super::calls::{COLUMNS, RATIOS};
use super::echo::{Echo, Subject, deploy};
use super::paced::Paced;
use super::trio::start_node;

const NODES: [usize; 4] = [1, 2, 4, 8];
const PAYLOAD_BYTES: usize = 128;

/// Measures all of them: each on a lattice of its own, all of them up all the time.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let wasm = actor_module_bytes("echo")?;
    let (mut kept, mut subjects) = (Vec::new(), Vec::new());
    for count in NODES {
        let bed = Testbed::start(&format!("nodes-{count}")).await?;
        let mut nodes = Vec::new();
        for _ in 0..count {
            nodes.push(start_node(&bed, context).await?);
        }
        let actor = deploy(bed.lattice(), "echo", &wasm, Isolation::PerCall, &[]).await?;
        let all: Vec<_> = nodes.iter().collect();
        bed.wait_until_all_serve(&all, &actor, 1).await?;
        let echo = Echo::Actor(bed.lattice().clone(), actor.key().clone());
        subjects.push((name(count), Subject { echo, processes: Vec::new() }));
        kept.push((nodes, bed));
    }
    let (rate, time) = (context.options.rate, context.options.time());
    let load = Paced { rate, payload: PAYLOAD_BYTES, time };
    let measure = async |subject: &mut _| load.measure(subject).await;
    let title = format!("{rate} calls a second");
    let turns = context.rounds.in_turns(title, &mut subjects, measure).await?;
    for count in NODES.into_iter().skip(1) {
        let ratio = turns.ratio(&name(count), &name(1), "p50_us");
        found.look(&format!("{count} nodes / 1: p50"), ratio);
    }
    found.tables.push(turns.table(&COLUMNS, &RATIOS));
    found.note(format!(
        "all {} nodes run all the time, each number of them on a lattice and a server of its own",
        NODES.into_iter().sum::<usize>()
    ));
    found.turns.push(turns);
    Ok(())
}

fn name(count: usize) -> String {
    format!("{count} nodes").replace("1 nodes", "1 node")
}
