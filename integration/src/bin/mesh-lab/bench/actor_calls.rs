//! What a call from actor to actor costs on one node.

use anyhow::ensure;
use integration::bench::findings::Findings;
use integration::bench::turns::{Column, Sample};
use integration::harness::actor_module_bytes;
use integration::testbed::Testbed;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;

use super::Context;
use super::echo::deploy;
use super::forward::{Forward, TIMES};
use super::trio::{FRESH, REUSE, start_node};

const PAYLOAD: [u8; 128] = [b'.'; 128];

/// An actor that calls, and the key of the one that it calls.
struct Pair {
    caller: ActorKey,
    callee: ActorKey,
}

/// Measures with fresh memory, and where both use their instances again.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let _node = start_node(&bed, context).await?;
    let lattice = bed.lattice();
    let (pinger, echo) = (actor_module_bytes("pinger")?, actor_module_bytes("echo")?);
    let mut pairs = Vec::new();
    for (name, isolation) in [(FRESH, Isolation::PerCall), (REUSE, Isolation::Reuse)] {
        let callee = deploy(lattice, &format!("{name}-echo"), &echo, isolation, &[]).await?;
        let callee = callee.key().clone();
        let caller = format!("{name}-pinger");
        let caller = deploy(lattice, &caller, &pinger, isolation, &["mesh:actor"]).await?;
        pairs.push((name.to_owned(), Pair { caller: caller.key().clone(), callee }));
    }
    let measure = async |pair: &mut Pair| {
        let mut forward = Forward::new(pair.callee.as_str(), "echo", &PAYLOAD);
        let (us, answer) = forward.measure(lattice, &pair.caller).await?;
        ensure!(answer == PAYLOAD.as_slice(), "the answer is not what was sent");
        Ok(Sample::default().with("call_us", us))
    };
    let turns = context.rounds.in_turns("actor to actor", &mut pairs, measure).await?;
    for name in [FRESH, REUSE] {
        let figure = turns.series(name).and_then(|series| series.spread("call_us"));
        found.look(&format!("{name}: a call"), figure);
    }
    found
        .tables
        .push(turns.table(&[Column { head: "us a call", figure: "call_us", decimals: 2 }], &[]));
    found.note(format!(
        "{TIMES} calls of `echo` with {} B in one call of an actor; reuse: both use their instances again",
        PAYLOAD.len()
    ));
    found.turns.push(turns);
    Ok(())
}
