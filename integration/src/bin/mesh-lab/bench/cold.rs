//! The first call of an actor since its node was started, against the next ones.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use integration::bench::findings::{Findings, Table};
use integration::bench::spread::Spread;
use integration::report::{median, quantile};
use integration::testbed::{SOON, Testbed};
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;

use super::Context;
use super::many;
use super::trio::node_options;

/// Actors that are called.
const ACTORS: u64 = 20;
/// Calls of each after its first one.
const WARM_CALLS: usize = 50;
const PAYLOAD: &[u8] = &[b'.'; 128];

/// Starts a node anew in each round, with the cache of the one before.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    // What a node keeps on disk outlives it, as on a machine where it is started again.
    let kept = tempfile::Builder::new().prefix("mesh-bench-").tempdir()?;
    let options = node_options(&bed, context)?.env("XDG_CACHE_HOME", kept.path());
    let mut actors = Vec::new();
    let (mut medians, mut longest, mut beyond_us, mut served) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // The first round only fills the cache.
    for round in 0..=context.options.rounds {
        if context.stopped() {
            break;
        }
        let begun = Instant::now();
        let mut node = options.start(bed.lattice().nats()).await?;
        if actors.is_empty() {
            actors = many::deploy(&bed, ACTORS, context).await?;
        }
        let serves = many::served(&bed, &node, ACTORS, SOON, context).await?;
        ensure!(
            serves == ACTORS || context.stopped(),
            "the node serves {serves} of {ACTORS} actors"
        );
        let serves = begun.elapsed().as_secs_f64() * 1e3;
        let mut beyond = Vec::new();
        for actor in &actors {
            let first = call(bed.lattice(), actor).await?;
            let mut warm = Vec::new();
            for _ in 0..WARM_CALLS {
                warm.push(call(bed.lattice(), actor).await?);
            }
            beyond.push((first - median(&mut warm)).max(0.0));
        }
        node.terminate().await?;
        if round > 0 {
            served.push(serves);
            longest.push(beyond.iter().copied().fold(0.0, f64::max));
            beyond_us.extend(beyond.iter().map(|ms| (ms * 1e3) as u32));
            medians.push(median(&mut beyond));
        }
        context.say(&format!("round {round} of {}", context.options.rounds));
    }
    let (medians, longest) = (Spread::of(medians), Spread::of(longest));
    found.look("first call beyond a warm one: median", medians);
    found.look("first call beyond a warm one: the longest", longest);
    beyond_us.sort_unstable();
    let mut table = Table::new(["first call of an actor beyond a warm one", "ms"]);
    for (what, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("the longest", 1.0)] {
        let ms = f64::from(quantile(&beyond_us, share)) / 1e3;
        table.row([what.to_owned(), format!("{ms:.2}")]);
    }
    let served = Spread::of(served).map_or("-".to_owned(), |spread| spread.shown(0));
    table.row([format!("from exec until {ACTORS} actors are served"), served]);
    found.tables.push(table);
    found.note(format!(
        "{ACTORS} actors on a node that was stopped and started again; what it keeps below XDG_CACHE_HOME stays; {WARM_CALLS} warm calls each"
    ));
    Ok(())
}

/// Returns the milliseconds of a call.
async fn call(lattice: &Lattice, actor: &ActorKey) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let call = Call::new(actor.clone(), "echo", Bytes::from_static(PAYLOAD));
    let answer = lattice.call(call.timeout(Duration::from_secs(20))).await?;
    ensure!(answer.payload == PAYLOAD, "the answer is not what was sent");
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
