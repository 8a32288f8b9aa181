//! A node with many actors: its memory, its start, and what calls of them cost beside calls of an
//! actor that is the only one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use integration::bench::findings::{Findings, Table};
use integration::bench::spread::Spread;
use integration::harness::{MeshNode, actor_module_bytes};
use integration::memory::{self, Memory};
use integration::testbed::Testbed;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;

use super::calls::{COLUMNS, RATIOS};
use super::echo::{self, Echo, Load, Subject};
use super::trio::start_node;
use super::{Context, many};

const ONLY: &str = "only one";
const ONE: &str = "one of many";
const SPREAD: &str = "spread over many";
/// How calls are made.
const CONCURRENCY: u64 = 64;
/// See [`CONCURRENCY`].
const PAYLOAD_BYTES: usize = 128;
/// Time that a node has until it serves all actors: for each, and besides.
const SERVED_MS_PER_ACTOR: u64 = 30;
/// See [`SERVED_MS_PER_ACTOR`].
const SERVED_MS: u64 = 20_000;
/// How long a node idles before its memory is looked at: two heartbeats and more.
const IDLE_MS: u64 = 2_500;
const KIB: f64 = 1024.0;
/// What a node may use with nothing deployed.
const NODE_KIB: f64 = 30.0 * KIB;

/// Deploys many actors, looks at nodes that serve them, and calls them.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let mut bed = Testbed::start("bench").await?;
    let (mut node, keys) = look_at_nodes(&bed, context, found).await?;
    let serves = bed.inventory(node.key()).await?.heartbeat.actor_count;
    if context.stopped() || u64::from(serves) < context.options.actors {
        found.missing.push("calls: the node does not serve all actors".to_owned());
        return Ok(());
    }
    // A lattice of its own on another server: neither has to do with the other.
    let mut alone = Testbed::start("alone").await?;
    let mut only = start_node(&alone, context).await?;
    let wasm = actor_module_bytes("echo")?;
    let actor = echo::deploy(alone.lattice(), "echo", &wasm, Isolation::PerCall, &[]).await?;
    let echo = Echo::Actor(alone.lattice().clone(), actor.key().clone());
    let mut subjects =
        vec![(ONLY.to_owned(), Subject { echo, processes: processes(&mut alone, &mut only)? })];
    let one = keys.first().context("there are no actors")?.clone();
    let one = Echo::Actor(bed.lattice().clone(), one);
    let all = Echo::Actors(bed.lattice().clone(), keys.into(), Arc::default());
    for (name, echo) in [(ONE, one), (SPREAD, all)] {
        let processes = processes(&mut bed, &mut node)?;
        subjects.push((name.to_owned(), Subject { echo, processes }));
    }
    let time = context.options.time();
    let load = Load { concurrency: CONCURRENCY, payload: PAYLOAD_BYTES, time };
    let measure = async |subject: &mut _| load.measure(subject).await;
    let title = format!("of {} actors, {CONCURRENCY} at once", context.options.actors);
    let turns = context.rounds.in_turns(title, &mut subjects, measure).await?;
    for name in [ONE, SPREAD] {
        for (what, figure) in [("throughput", "per_second"), ("p50", "p50_us")] {
            let goal = format!("{name} / {ONLY}: {what}");
            found.look(&goal, turns.ratio(name, ONLY, figure));
        }
    }
    found.tables.push(turns.table(&COLUMNS, &RATIOS));
    found.note("each actor is `echo` with a section, keys and a signature of its own; `only one` is the only actor of a lattice on another server");
    let after = mib(memory::of(node.process().pid())?.resident);
    found.note(format!("resident memory of the node after these calls: {after} MiB"));
    found.turns.push(turns);
    Ok(())
}

/// Deploys the actors to a node that is there, and lets another one join; returns that.
async fn look_at_nodes(
    bed: &Testbed,
    context: &Context<'_>,
    found: &mut Findings,
) -> anyhow::Result<(MeshNode, Vec<ActorKey>)> {
    let count = context.options.actors;
    let bound = Duration::from_millis(SERVED_MS + count * SERVED_MS_PER_ACTOR);
    let mut table = Table::new(["a node with many actors", "found"]);
    let mut node = start_node(bed, context).await?;
    let begun = Instant::now();
    let keys = many::deploy(bed, count, context).await?;
    if context.stopped() {
        return Ok((node, keys));
    }
    let deployed = begun.elapsed().as_secs_f64();
    table.row(["actors".to_owned(), count.to_string()]);
    table.row(["deployed in, s".to_owned(), format!("{deployed:.1}")]);
    table.row(["deployed a second".to_owned(), format!("{:.0}", count as f64 / deployed)]);
    context.say("waiting until the node serves them");
    let serves = many::served(bed, &node, count, bound, context).await?;
    let took = shown(begun.elapsed(), serves, count);
    table.row(["all served by a node that was there, s".to_owned(), took]);
    let memory = settled(&mut node).await?;
    table.row(["resident memory of that node, MiB".to_owned(), mib(memory.resident)]);
    drop(node);

    context.say("a fresh node joins");
    let begun = Instant::now();
    let mut node = start_node(bed, context).await?;
    let joined = node.joined_in().as_secs_f64();
    table.row(["a fresh node has joined, s".to_owned(), format!("{joined:.2}")]);
    let serves = many::served(bed, &node, count, bound, context).await?;
    let took = begun.elapsed();
    table.row(["a fresh node serves them all, s".to_owned(), shown(took, serves, count)]);
    found.look("until a fresh node serves them all", Spread::once(took.as_secs_f64()));
    let memory = settled(&mut node).await?;
    let each = (memory.resident as f64 / KIB - NODE_KIB) / serves.max(1) as f64;
    table.row(["its resident memory, MiB (VmRSS)".to_owned(), mib(memory.resident)]);
    table.row(["its share of memory, MiB (Pss)".to_owned(), mib(memory.proportional)]);
    table.row(["of it beyond 30 MiB, KiB an actor".to_owned(), format!("{each:.1}")]);
    found.look("resident memory beyond 30 MiB, an actor", Spread::once(each));
    found.tables.push(table);
    Ok((node, keys))
}

/// Returns the memory of a node that idles.
async fn settled(node: &mut MeshNode) -> anyhow::Result<Memory> {
    tokio::time::sleep(Duration::from_millis(IDLE_MS)).await;
    memory::of(node.process().pid())
}

fn processes(bed: &mut Testbed, node: &mut MeshNode) -> anyhow::Result<Vec<(&'static str, u32)>> {
    let server = bed.server().process()?.pid();
    Ok(vec![("caller", std::process::id()), ("server", server), ("answerer", node.process().pid())])
}

/// Returns the seconds until all were served; where they were not, that it takes longer.
fn shown(took: Duration, serves: u64, count: u64) -> String {
    let seconds = took.as_secs_f64();
    if serves < count {
        return format!("more than {seconds:.0}: it served {serves}");
    }
    format!("{seconds:.2}")
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (KIB * KIB))
}
