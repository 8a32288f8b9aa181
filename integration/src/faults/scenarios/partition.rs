//! One of two nodes is cut off, in each way that a network knows, while the actor is revoked,
//! unlinked or redeployed. Once the node is back it must not run what it must not run.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::faults::ledger::{CallRecord, Execution, Rule};
use crate::faults::phases::Strikes;
use crate::faults::report::Row;
use crate::faults::ways::Way;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, OpenLoad, Plan};

const ROUNDS: u64 = 50;
const ONE_WAY: Duration = Duration::from_millis(1);
/// Time of each call: shorter than most partitions.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a node is cut off: below and above what the server needs to give it up.
const PARTED_MS: std::ops::Range<u64> = 300..6_000;
/// How long calls go on after the node knows of the change, before it is undone.
const AFTERWARDS: Duration = Duration::from_millis(400);

/// What is changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The module that is served is revoked.
    Revoke,
    /// The link is deleted.
    Unlink,
    /// The next revision is deployed.
    Redeploy,
}

const CHANGES: [Change; 3] = [Change::Revoke, Change::Unlink, Change::Redeploy];

/// One partition, in microseconds since the start of the load.
#[derive(Clone, Copy, Debug)]
struct Span {
    round: u64,
    way: Way,
    change: Change,
    /// When the node was cut off.
    parted_us: u64,
    /// When every node that could be reached knew of the change.
    changed_us: u64,
    /// When the link was healed.
    healed_us: u64,
    /// When the change began to be undone.
    undone_us: u64,
    /// When all was as before.
    over_us: u64,
}

impl Span {
    /// Returns whether a call left when nobody was to run it any more.
    fn forbids(&self, call: &CallRecord) -> bool {
        self.change != Change::Redeploy && (self.changed_us..self.undone_us).contains(&call.sent_us)
    }

    /// Returns whether a run was between the healing of the link and the end of the change: two
    /// marks are written each round, one at either.
    fn healed(&self, run: &Execution) -> bool {
        run.marks == 2 * self.round + 1
    }

    /// Returns whether a call was under way while something was amiss.
    fn excuses(&self, call: &CallRecord) -> bool {
        call.sent_us <= self.over_us && call.done_us >= self.parted_us
    }
}

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: 2, network: Network::Links(ONE_WAY) };
    let mut bed = Bed::start("partition", options).await?;
    let mut random = context.random("partition");
    let seed = context.seed_of("partition calls");
    let load = bed.load(Plan { timeout: CALL_TIMEOUT, ..Plan::new(seed, Mix::Both) });
    context.pause(context.quiet).await;

    let (rounds, mut spans) = (context.rounds(ROUNDS), Vec::new());
    // Each way with each change in fifteen rounds, since five and three have no common divisor.
    let kinds = Way::ALL.into_iter().cycle().zip(CHANGES.into_iter().cycle());
    for (round, (way, change)) in (0..rounds).zip(kinds) {
        if context.stopped() {
            break;
        }
        let span =
            Box::pin(part(&context, &mut bed, &load, &mut random, (round, way, change))).await;
        spans.push(
            span.map_err(|error| error.context(format!("round {round}: {way:?}, {change:?}")))?,
        );
        context.progress(&format!("partition ({way:?}, {change:?})"), round + 1, rounds, &load);
    }
    let recorded = load.stop().await?;

    let forbidden = |call: &CallRecord, run: &Execution| {
        spans.iter().any(|span| span.forbids(call) && span.healed(run))
    };
    let excused = |call: &CallRecord| spans.iter().any(|span| span.excuses(call));
    let rule = Rule { may_fail: &excused, must_not_run: &forbidden };
    let verdict = bed.verdict(&recorded, &rule).await?;
    let strikes = Strikes(spans.iter().map(|span| span.parted_us).collect());

    let mut row = Row::new("partition", verdict);
    row.struck(&context, &recorded, &strikes, rounds);
    let knew = spans.iter().map(|it| it.undone_us.saturating_sub(it.healed_us)).max();
    let knew_ms = knew.unwrap_or_default() as f64 / 1e3 - AFTERWARDS.as_secs_f64() * 1e3;
    row.figure("from healing until the node knew of the change, slowest (ms)", knew_ms);
    let runs = bed.executions().await?.read().await?;
    tell(&mut row, &recorded.calls, &runs, &spans);
    bed.close().await?;
    Ok(vec![row])
}

/// Tells how often what must not run ran, before and after the link was healed.
fn tell(row: &mut Row, calls: &[CallRecord], runs: &[Execution], spans: &[Span]) {
    let calls: BTreeMap<u64, &CallRecord> = calls.iter().map(|it| (it.number, it)).collect();
    let (mut parted, mut last_ms) = (0u64, None::<f64>);
    let mut healed = BTreeMap::<String, u64>::new();
    for run in runs {
        let Some(call) = calls.get(&run.number) else { continue };
        let Some(span) = spans.iter().find(|span| span.forbids(call)) else { continue };
        if !span.healed(run) {
            parted += 1;
            continue;
        }
        *healed.entry(format!("{:?}, {:?}", span.way, span.change)).or_default() += 1;
        let after_ms = (call.sent_us as f64 - span.healed_us as f64) / 1e3;
        last_ms = Some(last_ms.map_or(after_ms, |last| last.max(after_ms)));
    }
    row.figure("ran and must not while the node was still cut off", parted as f64);
    for (kind, count) in healed {
        row.figure(&format!("ran and must not after healing: {kind}"), count as f64);
    }
    if let Some(last_ms) = last_ms {
        row.figure("from healing until the last of these left (ms)", last_ms);
    }
}

/// Cuts a node off, changes something, heals the link, and puts everything back.
async fn part(
    context: &Context,
    bed: &mut Bed,
    load: &OpenLoad,
    random: &mut StdRng,
    (round, way, change): (u64, Way, Change),
) -> anyhow::Result<Span> {
    let mut ran = bed.executions().await?;
    let victim = random.random_range(0..bed.members.len());
    let parted = Duration::from_millis(random.random_range(PARTED_MS));
    let member = bed.members.get(victim).ok_or_else(|| anyhow::anyhow!("no such node"))?;
    let (victim, parted_us) = (member.key().clone(), load.now_us());
    way.apply(member.link()?);
    let at = Box::pin(make(bed, change)).await?;
    for other in bed.members.iter().filter(|member| *member.key() != victim) {
        bed.wait_until_knows(other.key(), at).await?;
    }
    let changed_us = load.now_us();
    context.pause(parted.saturating_sub(Duration::from_micros(changed_us - parted_us))).await;
    let healed_us = load.now_us();
    ran.mark().await?;
    for member in &bed.members {
        member.link()?.heal();
    }
    bed.wait_until_knows(&victim, at).await?;
    tokio::time::sleep(AFTERWARDS).await;
    let undone_us = load.now_us();
    ran.mark().await?;
    match change {
        Change::Revoke => drop(Box::pin(bed.deploy_next()).await?),
        Change::Unlink => drop(bed.put_link().await?),
        Change::Redeploy => {}
    }
    bed.wait_until_served().await?;
    let keys: Vec<_> = bed.members.iter().map(crate::faults::Member::key).collect();
    bed.wait_until_answered(load, &keys, bed.revision()).await?;
    let over_us = load.now_us();
    Ok(Span { round, way, change, parted_us, changed_us, healed_us, undone_us, over_us })
}

/// Makes a change; returns the revision of the registry that it is known from.
async fn make(bed: &mut Bed, change: Change) -> anyhow::Result<u64> {
    match change {
        Change::Revoke => bed.revoke_module().await,
        Change::Unlink => bed.delete_link().await,
        Change::Redeploy => {
            bed.deploy_next().await?;
            bed.actor_at().await
        }
    }
}
