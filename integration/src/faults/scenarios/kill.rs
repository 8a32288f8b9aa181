//! One of two nodes is killed, again and again, and another takes its place.

use std::time::Duration;

use rand::Rng;

use crate::faults::ledger::{CallRecord, Rule};
use crate::faults::phases::Strikes;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan, limits};

const ROUNDS: u64 = 100;
/// A failure that comes later is not in time.
const WINDOW_MS: f64 = 1_000.0;
/// Work of each call: so many steps take about a millisecond, so that some are in flight.
const STEPS: u32 = 300_000;
/// The kill comes at a random time after the new node serves.
const KILL_AFTER_MS: std::ops::Range<u64> = 200..700;

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: 2, network: Network::Links(Duration::ZERO) };
    let mut bed = Bed::start("kill", options).await?;
    let mut random = context.random("kill");
    let plan = Plan { steps: STEPS, ..Plan::new(context.seed_of("kill calls"), Mix::Both) };
    let load = bed.load(plan);
    context.pause(context.quiet).await;

    let (rounds, mut strikes) = (context.rounds(ROUNDS), Strikes::default());
    for round in 0..rounds {
        if context.stopped() {
            break;
        }
        context.pause(Duration::from_millis(random.random_range(KILL_AFTER_MS))).await;
        let victim = random.random_range(0..bed.members.len());
        // Looked up before: the kill shall be the moment that is written down.
        let mut member = bed.members.swap_remove(victim);
        strikes.0.push(load.now_us());
        member.node.process().kill()?;
        let next = bed.start_member(usize::try_from(round)? + 2).await?;
        bed.wait_until_serves(&next).await?;
        bed.members.push(next);
        if round % 10 == 9 {
            context.progress("kill", round + 1, rounds, &load);
        }
    }
    let recorded = load.stop().await?;

    let in_flight = |call: &CallRecord| {
        let blame = strikes.blame(call);
        !call.idempotent && blame.is_some_and(|it| it.sent_after_us <= limits::NOTICE_MS * 1_000)
    };
    let rule = Rule { may_fail: &in_flight, ..Rule::STRICT };
    let verdict = bed.verdict(&recorded, &rule).await?;
    let mut row = Row::new("kill", verdict);
    let (_, told) = row.struck(&context, &recorded, &strikes, rounds);
    row.figure("plain calls lost a kill", row.excused as f64 / strikes.0.len().max(1) as f64);
    row.no_idempotent_call_fails(&recorded);
    row.check(
        format!("the last failure is told within {WINDOW_MS} ms of the kill"),
        format!("{told:.0} ms"),
        told <= WINDOW_MS,
    );
    bed.close().await?;
    Ok(vec![row])
}
