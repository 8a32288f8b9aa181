//! A long run with churn: revisions, links and nodes come and go, one call of a hundred is never
//! waited for. The nodes that stay must not grow.

use std::time::{Duration, Instant};

use crate::faults::ledger::Rule;
use crate::faults::processes::{Held, slope_mib_h};
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, OpenLoad, Plan};
use crate::report::median;

const MINUTES: f64 = 30.0;
/// Nodes; the last is restarted again and again, the others stay.
const NODES: usize = 3;
/// One call of so many is given up before anybody can answer it.
const IMPATIENT_EVERY: u64 = 100;
/// Pause between two changes.
const CHURN_PAUSE: Duration = Duration::from_secs(2);
/// Part of the time that is warm-up.
const WARM_UP: f64 = 0.25;
/// Looks at each end of the rest whose middle is compared.
const ENDS: usize = 10;

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: NODES, network: Network::Links(Duration::ZERO) };
    let mut bed = Bed::start("soak", options).await?;
    let seed = context.seed_of("soak calls");
    let plan = Plan { impatient_every: IMPATIENT_EVERY, ..Plan::new(seed, Mix::Plain) };
    let load = bed.load(plan);
    context.pause(context.quiet).await;

    let (time, begun, from_us) = (context.time(MINUTES), Instant::now(), load.now_us());
    let mut looks = vec![Vec::new(); NODES - 1];
    let mut changes = 0u64;
    while begun.elapsed() < time && !context.stopped() {
        Box::pin(churn(&mut bed, &load, changes)).await?;
        changes += 1;
        context.pause(CHURN_PAUSE).await;
        for (member, looks) in bed.members.iter_mut().zip(&mut looks) {
            looks.push(Held::of(member.node.process().pid(), begun.elapsed().as_secs_f64())?);
        }
        if changes.is_multiple_of(20) {
            let (sent, _, failed) = load.counts();
            let minutes = begun.elapsed().as_secs_f64() / 60.0;
            let held = looks.iter().filter_map(|looks| looks.last());
            let held: Vec<_> =
                held.map(|it| format!("{:.0} MiB {} files", it.rss_mib, it.files)).collect();
            (context.say)(&format!(
                "soak: {minutes:.1} min, {changes} changes; {sent} calls, {failed} failed; {}",
                held.join(", ")
            ));
        }
    }
    let recorded = load.stop().await?;
    let mut row = Row::new("soak", bed.verdict(&recorded, &Rule::STRICT).await?);
    row.load(&context, &recorded, (changes, changes), from_us..u64::MAX);
    row.figure("minutes", begun.elapsed().as_secs_f64() / 60.0);
    for (number, looks) in looks.iter().enumerate() {
        tell(&mut row, number, looks);
    }
    bed.close().await?;
    Ok(vec![row])
}

/// Makes one change, and waits until it has taken effect.
async fn churn(bed: &mut Bed, load: &OpenLoad, number: u64) -> anyhow::Result<()> {
    match number % 3 {
        0 => {
            let revision = bed.deploy_next().await?;
            let keys: Vec<_> = bed.members.iter().map(crate::faults::Member::key).collect();
            bed.wait_until_answered(load, &keys, revision).await?;
        }
        1 => {
            let at = bed.put_link().await?;
            for member in &bed.members {
                bed.wait_until_knows(member.key(), at).await?;
            }
        }
        _ => {
            let Some(mut last) = bed.members.pop() else { return Ok(()) };
            let status = last.node.terminate().await?;
            anyhow::ensure!(status.success(), "a node that drained ended with {status}");
            let next = bed.start_member(NODES - 1).await?;
            bed.wait_until_serves(&next).await?;
            bed.members.push(next);
        }
    }
    Ok(())
}

/// Adds what one node held to a row.
fn tell(row: &mut Row, number: usize, looks: &[Held]) {
    let end_s = looks.last().map_or(0.0, |look| look.at_s);
    let warm: Vec<Held> =
        looks.iter().filter(|look| look.at_s >= end_s * WARM_UP).copied().collect();
    let files = |looks: &[Held]| {
        median(&mut looks.iter().map(|look| look.files as f64).collect::<Vec<_>>())
    };
    let ends = ENDS.min(warm.len());
    let (first, last) = (warm.get(..ends), warm.get(warm.len() - ends..));
    let grown = files(last.unwrap_or_default()) - files(first.unwrap_or_default());
    let memory = looks.last().map_or(0.0, |look| look.rss_mib);
    row.figure(&format!("node {number}: memory at the end (MiB)"), memory);
    row.figure(&format!("node {number}: growth of memory (MiB/h)"), slope_mib_h(&warm));
    row.check(
        format!("node {number}: open files do not grow"),
        format!("{grown:+} of {}", files(first.unwrap_or_default())),
        grown <= 0.0,
    );
}
