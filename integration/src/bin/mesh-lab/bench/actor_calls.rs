//! What a call from actor to actor costs on one node.

use anyhow::ensure;
use integration::bench::findings::Findings;
use integration::bench::turns::Sample;
use integration::harness::actor_module_bytes;
use integration::testbed::Testbed;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;

use super::Context;
use super::echo::deploy;
use super::forward::{Batch, COLUMNS, Forward, LONG, SHORT};
use super::trio::{FRESH, REUSE, start_node};

const PAYLOAD: [u8; 128] = [b'.'; 128];

/// An actor that calls, the key of the one that it calls, and how often.
struct Pair {
    caller: ActorKey,
    callee: ActorKey,
    batch: Batch,
}

/// Measures with fresh memory, and where both use their instances again.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let _node = start_node(&bed, context).await?;
    let lattice = bed.lattice();
    let (pinger, echo) = (actor_module_bytes("pinger")?, actor_module_bytes("echo")?);
    let mut pairs = Vec::new();
    for (name, isolation) in [(FRESH, Isolation::PerCall), (REUSE, Isolation::Reuse)] {
        for batch in [SHORT, LONG] {
            let name = format!("{name}, {} in one", batch.times);
            // Each has actors of its own: a node learns how long an actor computes.
            let number = pairs.len();
            let callee = deploy(lattice, &format!("{number}-echo"), &echo, isolation, &[]).await?;
            let caller = format!("{number}-pinger");
            let caller = deploy(lattice, &caller, &pinger, isolation, &["mesh:actor"]).await?;
            let (callee, caller) = (callee.key().clone(), caller.key().clone());
            pairs.push((name, Pair { caller, callee, batch }));
        }
    }
    let measure = async |pair: &mut Pair| {
        let mut forward = Forward::new(pair.callee.as_str(), "echo", &PAYLOAD);
        let (us, answer) = forward.measure(lattice, &pair.caller, pair.batch).await?;
        ensure!(answer == PAYLOAD.as_slice(), "the answer is not what was sent");
        Ok(Sample::default().with("call_us", us))
    };
    let turns = context.rounds.in_turns("actor to actor", &mut pairs, measure).await?;
    for series in &turns.series {
        found.look(&format!("{}: a call", series.name), series.spread("call_us"));
    }
    found.tables.push(turns.table(&COLUMNS, &[]));
    found.note(format!(
        "`echo` with {} B, called so many times in one call of an actor; reuse: both use their instances again",
        PAYLOAD.len()
    ));
    found.note("an actor whose calls take long is run apart by the node, and each call that it makes goes from thread to thread");
    found.turns.push(turns);
    Ok(())
}
