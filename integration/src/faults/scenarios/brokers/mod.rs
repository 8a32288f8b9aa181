//! The brokers of a cluster are killed: the leader of the registry, that of the durable invocations, all three at
//! once; or one is cut off from the others. What was acknowledged is there afterwards, and calls flow again soon.
//!
//! | file | what brokers acknowledge |
//! |---|---|
//! | `writes.rs` | writes of the registry |
//! | `durable.rs` | durable invocations |

mod durable;
mod writes;

use std::time::Duration;

use anyhow::Context as _;
use lattice_client::Lattice;
use lattice_protocol::subjects;
use rand::Rng;
use rand::rngs::StdRng;

use self::durable::Storer;
use self::writes::Writer;
use crate::faults::bed::Servers;
use crate::faults::ledger::{CallRecord, Rule};
use crate::faults::phases::Strikes;
use crate::faults::report::Row;
use crate::faults::ways::Way;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, OpenLoad, Plan};
use crate::harness::{NatsCluster, wait_for};
use crate::proxy::FaultProxy;
use crate::testbed::SOON;

/// Calls that leave later than this after a fault must be answered.
const WINDOW_MS: f64 = 5_000.0;
/// How long calls flow between two faults.
const BETWEEN_MS: std::ops::Range<u64> = 500..1_500;
/// How long a server is cut off: below and above what the others need to give it up.
const PARTED_MS: std::ops::Range<u64> = 500..6_000;

/// What fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server that leads the registry's stream is killed.
    Registry,
    /// The server that leads the stream of durable invocations is killed.
    Queue,
    /// Every server is killed.
    All,
    /// The routes of one server are cut; its clients stay with it.
    Routes,
}

/// The variants: what fails, what the row is called, how often.
const VARIANTS: [(Fault, &str, u64); 4] = [
    (Fault::Registry, "brokers, leader", 50),
    (Fault::Queue, "brokers, queue's leader", 50),
    (Fault::All, "brokers, all three", 20),
    (Fault::Routes, "brokers, routes", 20),
];

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (fault, name, full) in VARIANTS {
        if context.stopped() {
            break;
        }
        match Box::pin(strike(&context, fault, name, context.rounds(full))).await {
            Ok(row) => rows.push(row),
            Err(error) => rows.push(Row::broken(name, &error)),
        }
    }
    Ok(rows)
}

async fn strike(context: &Context, fault: Fault, name: &str, rounds: u64) -> anyhow::Result<Row> {
    let options = BedOptions { nodes: 2, network: Network::Cluster };
    let mut bed = Bed::start("brokers", options).await?;
    let mut random = context.random(name);
    let load = bed.load(Plan::new(context.seed_of(name), Mix::Both));
    let (writer, storer) = (Writer::start(&bed), Storer::start(&bed));
    context.pause(context.quiet).await;

    let (mut strikes, mut ends) = (Strikes::default(), Strikes::default());
    for round in 0..rounds {
        if context.stopped() {
            break;
        }
        context.pause(Duration::from_millis(random.random_range(BETWEEN_MS))).await;
        let (begin_us, end_us) =
            Box::pin(one(context, &mut bed, fault, &mut random, &load)).await?;
        strikes.0.push(begin_us);
        ends.0.push(end_us);
        if round % 5 == 4 {
            context.progress(name, round + 1, rounds, &load);
        }
    }
    context.pause(context.quiet).await;
    let recorded = load.stop().await?;
    let (written, stored) = (writer.stop().await?, storer.stop().await?);

    let after_ms = |call: &CallRecord| ends.blame(call).map(|it| it.sent_after_us as f64 / 1e3);
    let parted = |call: &CallRecord| {
        let mut spans = strikes.0.iter().zip(&ends.0);
        spans.any(|(from, to)| call.sent_us <= *to && call.done_us >= *from)
    };
    let within =
        |call: &CallRecord| parted(call) || after_ms(call).is_some_and(|after| after <= WINDOW_MS);
    let rule = Rule { may_fail: &within, ..Rule::STRICT };
    let mut row = Row::new(name, bed.verdict(&recorded, &rule).await?);
    row.struck(context, &recorded, &strikes, rounds);
    Box::pin(written.tell(&bed, &mut row)).await?;
    Box::pin(stored.tell(&bed, &mut row)).await?;
    let failed = recorded.calls.iter().filter(|call| !call.succeeded() && !parted(call));
    let last = failed.filter_map(after_ms).fold(0.0, f64::max);
    row.check(
        format!("calls flow {WINDOW_MS} ms after a fault"),
        format!("the last that failed had left after {last:.0} ms"),
        last <= WINDOW_MS,
    );
    bed.close().await?;
    Ok(row)
}

/// One fault, until the cluster is whole again. Returns when it began and ended, in microseconds since the start of
/// the load: a server that is killed is away at once, one that is cut off is so until it is healed.
async fn one(
    context: &Context,
    bed: &mut Bed,
    fault: Fault,
    random: &mut StdRng,
    load: &OpenLoad,
) -> anyhow::Result<(u64, u64)> {
    let lattice = bed.direct().clone();
    let Servers::Three(cluster) = &mut bed.servers else { anyhow::bail!("this is no cluster") };
    let leader = match fault {
        Fault::Registry | Fault::Queue => {
            wait_for("a leader", SOON, async || leader(&lattice, fault).await).await?
        }
        Fault::All | Fault::Routes => String::new(),
    };
    let begin_us = load.now_us();
    let mut end_us = begin_us;
    match fault {
        Fault::Registry | Fault::Queue => cluster.named(&leader)?.kill()?,
        Fault::All => cluster.kill_all()?,
        Fault::Routes => {
            let victim = random.random_range(0..cluster.servers().len());
            let way = match random.random_range(0..3) {
                0 => Way::Stall,
                1 => Way::Blackhole,
                _ => Way::Cut,
            };
            cluster.routes_of(victim).for_each(|route| way.apply(route));
            context.pause(Duration::from_millis(random.random_range(PARTED_MS))).await;
            cluster.routes_of(victim).for_each(FaultProxy::heal);
            end_us = load.now_us();
        }
    }
    cluster.start_missing()?;
    formed(cluster).await?;
    Ok((begin_us, end_us))
}

async fn formed(cluster: &mut NatsCluster) -> anyhow::Result<()> {
    Box::pin(cluster.wait_until_formed()).await
}

/// Returns the name of the server that leads a stream now.
async fn leader(lattice: &Lattice, fault: Fault) -> anyhow::Result<String> {
    let info = if fault == Fault::Queue {
        let stream = lattice.jetstream().get_stream(subjects::queue_stream(lattice.name()));
        stream.await?.info().await?.clone()
    } else {
        let bucket = lattice.jetstream().get_key_value(subjects::registry_bucket(lattice.name()));
        bucket.await?.stream.info().await?.clone()
    };
    let cluster = info.cluster.context("the stream is on no cluster")?;
    cluster.leader.context("there is no leader now")
}
