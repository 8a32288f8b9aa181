//! One of two nodes is frozen: its connection stays, it says nothing, and for as long as the
//! server believes in it, it swallows its share of calls.

use std::time::Duration;

use crate::faults::ledger::{CallRecord, Rule};
use crate::faults::phases::Strikes;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan};

const ROUNDS: u64 = 1;
/// How long a node is frozen, in minutes.
const FROZEN_MIN: f64 = 0.5;
/// Plain calls that leave later than this after the freeze must be answered.
const WINDOW_MS: f64 = 3_500.0;
/// How long the load goes on after the thaw.
const AFTER: Duration = Duration::from_secs(2);

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: 2, network: Network::Links(Duration::ZERO) };
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
    let mut row = Row::new("freeze", verdict);
    let (sent, _) = row.struck(&context, &recorded, &strikes, rounds);
    row.figure("plain calls lost a freeze", row.excused as f64 / strikes.0.len().max(1) as f64);
    row.no_idempotent_call_fails(&recorded);
    row.check(
        format!("the last call that failed had left within {WINDOW_MS} ms of the freeze"),
        format!("{sent:.0} ms"),
        sent <= WINDOW_MS,
    );
    bed.close().await?;
    Ok(vec![row])
}
