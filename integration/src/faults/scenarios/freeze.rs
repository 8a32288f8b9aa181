//! One of two nodes is frozen: its connection stays, it says nothing, and for as long as the
//! server believes in it, it swallows its share of calls.

use std::time::Duration;

use crate::faults::ledger::{CallRecord, Rule};
use crate::faults::phases::{Latency, Strikes};
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Plan};

const ROUNDS: u64 = 1;
/// How long a node is frozen, in minutes.
const FROZEN_MIN: f64 = 0.5;
/// Plain calls that leave later than this after the freeze must be answered.
const WINDOW_MS: f64 = 3_500.0;
/// How long the load goes on after the thaw.
const AFTER: Duration = Duration::from_secs(2);

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: 2, one_way: Duration::ZERO, cluster: false };
    let mut bed = Bed::start("freeze", options).await?;
    let load = bed.load(Plan::new(context.seed_of("freeze calls"), Mix::Both));
    context.pause(context.quiet).await;

    let (rounds, mut strikes) = (context.rounds(ROUNDS), Strikes::default());
    let frozen = context.time(FROZEN_MIN);
    for round in 0..rounds {
        if context.stopped() {
            break;
        }
        let victim = usize::try_from(round)? % bed.members.len();
        let Some(member) = bed.members.get_mut(victim) else { break };
        strikes.0.push(load.now_us());
        member.node.process().freeze().await?;
        (context.say)(&format!("freeze: {} of {rounds}, for {frozen:?}", round + 1));
        context.pause(frozen).await;
        member.node.process().thaw()?;
        context.pause(AFTER).await;
        bed.wait_until_served().await?;
    }
    let recorded = load.stop().await?;

    let within = |call: &CallRecord| {
        let blame = strikes.blame(call);
        !call.idempotent && blame.is_some_and(|it| it.sent_after_us as f64 / 1e3 <= WINDOW_MS)
    };
    let rule = Rule { may_fail: &within, ..Rule::STRICT };
    let verdict = bed.verdict(&recorded, &rule).await?;
    let first = strikes.0.first().copied().unwrap_or(u64::MAX);
    let failed = || recorded.calls.iter().filter(|call| !call.succeeded());
    let windows = strikes.windows_ms(failed());
    let idempotent = failed().filter(|call| call.idempotent).count();

    let mut row = Row::new("freeze", verdict);
    row.rounds = (strikes.0.len() as u64, rounds);
    row.held_back = recorded.held_back;
    row.interrupted = context.stopped();
    row.quiet = Latency::of(&recorded.calls, 0, first);
    row.fault = Latency::of(&recorded.calls, first, u64::MAX);
    row.loss_window_ms = windows.map(|(sent, _)| sent);
    row.told_window_ms = windows.map(|(_, told)| told);
    row.figure("plain calls lost a freeze", row.excused as f64 / strikes.0.len().max(1) as f64);
    row.check("0 idempotent calls failed", idempotent.to_string(), idempotent == 0);
    let sent = windows.map_or(0.0, |(sent, _)| sent);
    row.check(
        format!("the last call that failed had left within {WINDOW_MS} ms of the freeze"),
        format!("{sent:.0} ms"),
        sent <= WINDOW_MS,
    );
    bed.close().await?;
    Ok(vec![row])
}
