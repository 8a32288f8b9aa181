//! Revision after revision of the actor is swapped on one node, over links of several delays.

use std::time::Duration;

use crate::faults::ledger::Rule;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan};
use crate::report::quantile;

const ROUNDS: u64 = 1_000;
/// Delays of every link, one way, in microseconds.
const ONE_WAY_US: [u64; 4] = [0, 500, 2_000, 20_000];
/// Mean rate of calls: a million in a whole run.
const RATE_PER_S: f64 = 850.0;
/// Shortest time from one swap to the next. Back to back they would keep one of two processors compiling,
/// and the figures would tell what that costs.
const INTERVAL: Duration = Duration::from_millis(300);
/// Under swaps the p99 is at most so many times that of quiet.
const P99_FACTOR: f64 = 2.0;

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for one_way in ONE_WAY_US.map(Duration::from_micros) {
        let name = format!("swaps, {} ms", one_way.as_secs_f64() * 1e3);
        if context.stopped() {
            break;
        }
        match Box::pin(at(&context, &name, one_way)).await {
            Ok(row) => rows.push(row),
            Err(error) => rows.push(Row::broken(&name, &error)),
        }
    }
    Ok(rows)
}

async fn at(context: &Context, name: &str, one_way: Duration) -> anyhow::Result<Row> {
    let mut bed =
        Bed::start("swaps", BedOptions { nodes: 1, network: Network::Links(one_way) }).await?;
    let plan = Plan::new(context.seed_of(name), Mix::Plain);
    let load = bed.load(Plan { rate_per_s: RATE_PER_S, ..plan });
    context.pause(context.quiet).await;

    let (rounds, begun, mut swaps_ms) = (context.rounds(ROUNDS), load.now_us(), Vec::new());
    while (swaps_ms.len() as u64) < rounds && !context.stopped() {
        let from = std::time::Instant::now();
        let revision = bed.deploy_next().await?;
        let keys: Vec<_> = bed.members.iter().map(crate::faults::Member::key).collect();
        bed.wait_until_answered(&load, &keys, revision).await?;
        let took = from.elapsed();
        swaps_ms.push(u32::try_from(took.as_millis()).unwrap_or(u32::MAX));
        context.pause(INTERVAL.saturating_sub(took)).await;
        if swaps_ms.len() % 100 == 0 {
            context.progress(name, swaps_ms.len() as u64, rounds, &load);
        }
    }
    let ended = load.now_us();
    let recorded = load.stop().await?;
    let mut row = Row::new(name, bed.verdict(&recorded, &Rule::STRICT).await?);
    row.load(context, &recorded, (swaps_ms.len() as u64, rounds), begun..ended);
    let factor = f64::from(row.fault.p99_us) / f64::from(row.quiet.p99_us.max(1));
    row.check(
        format!("p99 at most {P99_FACTOR} × quiet"),
        format!("{factor:.2} ×"),
        factor <= P99_FACTOR,
    );
    swaps_ms.sort_unstable();
    row.figure("swap, p50 (ms)", quantile(&swaps_ms, 0.5).into());
    row.figure("swap, slowest (ms)", quantile(&swaps_ms, 1.0).into());
    bed.close().await?;
    Ok(row)
}
