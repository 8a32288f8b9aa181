//! Three nodes are restarted one after the other, again and again.

use std::time::Duration;

use crate::faults::ledger::Rule;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan};

const ROUNDS: u64 = 20;
const NODES: usize = 3;
const ONE_WAY: Duration = Duration::from_millis(2);

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: NODES, network: Network::Links(ONE_WAY) };
    let mut bed = Bed::start("rolling", options).await?;
    let load = bed.load(Plan::new(context.seed_of("rolling calls"), Mix::Plain));
    context.pause(context.quiet).await;

    let (rounds, begun, mut done) = (context.rounds(ROUNDS), load.now_us(), 0);
    while done < rounds && !context.stopped() {
        for seat in 0..NODES {
            let mut before = bed.members.remove(0);
            let status = before.node.terminate().await?;
            anyhow::ensure!(status.success(), "a node that drained ended with {status}");
            let next = bed.start_member(seat).await?;
            bed.wait_until_serves(&next).await?;
            bed.members.push(next);
        }
        done += 1;
        context.progress("rolling", done, rounds, &load);
    }
    let recorded = load.stop().await?;
    let mut row = Row::new("rolling", bed.verdict(&recorded, &Rule::STRICT).await?);
    row.load(&context, &recorded, (done, rounds), begun..u64::MAX);
    bed.close().await?;
    Ok(vec![row])
}
