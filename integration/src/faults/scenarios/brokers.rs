//! The brokers of a cluster are killed: its leader, then all three at once. What the registry has
//! acknowledged is there afterwards, and calls flow again soon.
//!
//! Whatever else brokers acknowledge joins beside [`Writer`]: started with the load, stopped with
//! it, looked for afterwards, a check of its own on the row.

use std::time::Duration;

use anyhow::Context as _;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::record::RevocationRecord;
use lattice_protocol::subjects::{self, RegistryKey, Revoked};
use rand::Rng;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::faults::bed::Servers;
use crate::faults::ledger::{CallRecord, Rule};
use crate::faults::phases::{Latency, Strikes};
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Plan};
use crate::harness::{NatsCluster, wait_for};
use crate::testbed::SOON;

/// Kills of the leader, and of all three.
const ROUNDS: [u64; 2] = [50, 20];
/// Calls that leave later than this after a kill must be answered.
const WINDOW_MS: f64 = 5_000.0;
/// How long calls flow between two kills.
const BETWEEN_MS: std::ops::Range<u64> = 500..1_500;
/// Pause between two writes of the registry.
const WRITE_PAUSE: Duration = Duration::from_millis(20);
/// Writes that one run makes at most.
const WRITES_MAX: usize = 50_000;

/// What is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The leader of the registry's stream.
    Leader,
    /// Every server.
    All,
}

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (victim, name, full) in [
        (Victim::Leader, "brokers, leader", ROUNDS[0]),
        (Victim::All, "brokers, all three", ROUNDS[1]),
    ] {
        if context.stopped() {
            break;
        }
        match Box::pin(kill(&context, victim, name, context.rounds(full))).await {
            Ok(row) => rows.push(row),
            Err(error) => rows.push(Row::broken(name, &error)),
        }
    }
    Ok(rows)
}

async fn kill(context: &Context, victim: Victim, name: &str, rounds: u64) -> anyhow::Result<Row> {
    let options = BedOptions { nodes: 2, one_way: Duration::ZERO, cluster: true };
    let mut bed = Bed::start("brokers", options).await?;
    let mut random = context.random(name);
    let load = bed.load(Plan::new(context.seed_of(name), Mix::Both));
    let writer = Writer::start(&bed);
    context.pause(context.quiet).await;

    let mut strikes = Strikes::default();
    for round in 0..rounds {
        if context.stopped() {
            break;
        }
        context.pause(Duration::from_millis(random.random_range(BETWEEN_MS))).await;
        let lattice = bed.direct().clone();
        let Servers::Three(cluster) = &mut bed.servers else { break };
        let leader = wait_for("a leader", SOON, async || leader(&lattice).await).await?;
        strikes.0.push(load.now_us());
        match victim {
            Victim::Leader => cluster.named(&leader)?.kill()?,
            Victim::All => cluster.kill_all()?,
        }
        cluster.start_missing()?;
        formed(cluster).await?;
        if round % 5 == 4 {
            let (sent, _, failed) = load.counts();
            (context.say)(&format!(
                "{name}: {} of {rounds}; {sent} calls, {failed} failed",
                round + 1
            ));
        }
    }
    context.pause(context.quiet).await;
    let recorded = load.stop().await?;
    let written = writer.stop().await?;
    let missing = written.missing(&bed).await?;

    let within = |call: &CallRecord| {
        strikes.blame(call).is_some_and(|it| it.sent_after_us as f64 / 1e3 <= WINDOW_MS)
    };
    let rule = Rule { may_fail: &within, ..Rule::STRICT };
    let mut row = Row::new(name, bed.verdict(&recorded, &rule).await?);
    let first = strikes.0.first().copied().unwrap_or(u64::MAX);
    let windows = strikes.windows_ms(recorded.calls.iter().filter(|call| !call.succeeded()));
    row.rounds = (strikes.0.len() as u64, rounds);
    row.held_back = recorded.held_back;
    row.interrupted = context.stopped();
    row.quiet = Latency::of(&recorded.calls, 0, first);
    row.fault = Latency::of(&recorded.calls, first, u64::MAX);
    row.loss_window_ms = windows.map(|(sent, _)| sent);
    row.told_window_ms = windows.map(|(_, told)| told);
    row.figure("registry writes acknowledged", written.acknowledged.len() as f64);
    row.figure("registry writes refused or unanswered", written.refused as f64);
    row.check(
        "0 acknowledged registry writes lost",
        format!("{missing} of {}", written.acknowledged.len()),
        missing == 0 && !written.acknowledged.is_empty(),
    );
    let sent = windows.map_or(0.0, |(sent, _)| sent);
    row.check(
        format!("calls flow {WINDOW_MS} ms after a kill"),
        format!("the last that failed had left after {sent:.0} ms"),
        sent <= WINDOW_MS,
    );
    bed.close().await?;
    Ok(row)
}

async fn formed(cluster: &mut NatsCluster) -> anyhow::Result<()> {
    Box::pin(cluster.wait_until_formed()).await
}

/// Returns the name of the server that leads the registry's stream now.
async fn leader(lattice: &lattice_client::Lattice) -> anyhow::Result<String> {
    let bucket = subjects::registry_bucket(lattice.name());
    let mut bucket = lattice.jetstream().get_key_value(bucket).await?;
    let info = bucket.stream.info().await?;
    let cluster = info.cluster.clone().context("the registry is on no cluster")?;
    cluster.leader.context("there is no leader now")
}

/// Writes record after record into the registry, each at a key of its own.
struct Writer {
    task: JoinSet<anyhow::Result<Written>>,
    stop: CancellationToken,
}

/// What became of the writes.
#[derive(Default)]
struct Written {
    /// The keys of those that were acknowledged, and the mark of the write.
    acknowledged: Vec<(RegistryKey, String)>,
    refused: u64,
}

impl Writer {
    fn start(bed: &Bed) -> Self {
        let (registry, stop) = (bed.ledger.registry().clone(), CancellationToken::new());
        let mut task = JoinSet::new();
        let stopped = stop.clone();
        task.spawn(async move {
            let mut written = Written::default();
            while !stopped.is_cancelled() && written.acknowledged.len() < WRITES_MAX {
                // A revocation of an actor that nobody has: every node reads it, none minds.
                let what = Revoked::Actor(ActorKey::generate()?.0);
                let writer = uuid::Uuid::now_v7().to_string();
                let record = RevocationRecord {
                    v: WIRE_VERSION,
                    what: what.to_string(),
                    at_ms: 1,
                    why: String::new(),
                    writer: writer.clone(),
                };
                let key = RegistryKey::Revoked(what);
                match Box::pin(registry.put(&key, &record, None)).await {
                    Ok(_) => written.acknowledged.push((key, writer)),
                    Err(_) => written.refused += 1,
                }
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            Ok(written)
        });
        Self { task, stop }
    }

    async fn stop(mut self) -> anyhow::Result<Written> {
        self.stop.cancel();
        self.task.join_next().await.context("the writer has ended before")??
    }
}

impl Written {
    /// Returns how many acknowledged writes are not there any more.
    async fn missing(&self, bed: &Bed) -> anyhow::Result<usize> {
        let mut missing = 0;
        for (key, writer) in &self.acknowledged {
            let found = wait_for("an answer of the registry", SOON, async || {
                Ok(bed.ledger.registry().get::<RevocationRecord>(key).await?)
            });
            let there = found.await?.is_some_and(|entry| entry.record.writer == *writer);
            missing += usize::from(!there);
        }
        Ok(missing)
    }
}
