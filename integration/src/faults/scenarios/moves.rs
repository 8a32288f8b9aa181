//! The actor moves between two nodes, by each way that there is.

use std::time::Duration;

use crate::faults::ledger::Rule;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan, Recorded};

const ROUNDS: u64 = 200;
const ONE_WAY: Duration = Duration::from_millis(2);
/// How long the actor stays before it moves again.
const STAY: Duration = Duration::from_millis(100);

/// How the actor moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// Its next revision wants the other node's label.
    Labels,
    /// Its node drains while another with the same label starts.
    Drain,
    /// It is undeployed here, then deployed there.
    Elsewhere,
}

const WAYS: [Way; 3] = [Way::Labels, Way::Drain, Way::Elsewhere];

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let mut bed =
        Bed::start("moves", BedOptions { nodes: 2, network: Network::Links(ONE_WAY) }).await?;
    let mut seat = 0;
    Box::pin(bed.deploy_at(Some(seat))).await?;
    settle(&bed, seat).await?;
    let load = bed.load(Plan::new(context.seed_of("moves calls"), Mix::Plain));
    context.pause(context.quiet).await;

    let (rounds, begun, mut moves) = (context.rounds(ROUNDS), load.now_us(), Vec::new());
    for way in WAYS.into_iter().cycle().take(usize::try_from(rounds)?) {
        if context.stopped() {
            break;
        }
        moves.push((load.now_us(), way));
        seat = Box::pin(go(&mut bed, way, seat)).await?;
        let key = bed.members.get(seat).map(|member| member.key().clone());
        let revision = bed.revision();
        bed.wait_until_answered(&load, &key.iter().collect::<Vec<_>>(), revision).await?;
        context.pause(STAY).await;
        let done = moves.len();
        if done % 20 == 0 {
            context.progress("moves", done as u64, rounds, &load);
        }
    }
    let recorded = load.stop().await?;
    let mut row = Row::new("moves", bed.verdict(&recorded, &Rule::STRICT).await?);
    row.load(&context, &recorded, (moves.len() as u64, rounds), begun..u64::MAX);
    for way in WAYS {
        row.figure(&format!("failed while it moved by {way:?}"), failed_by(&recorded, &moves, way));
    }
    bed.close().await?;
    Ok(vec![row])
}

/// Returns how many calls failed whose time of leaving is that of a move by `way`.
fn failed_by(recorded: &Recorded, moves: &[(u64, Way)], way: Way) -> f64 {
    let failed = recorded.calls.iter().filter(|call| !call.succeeded());
    let by = failed.filter(|call| {
        let before = moves.partition_point(|(at, _)| *at <= call.done_us);
        before.checked_sub(1).and_then(|at| moves.get(at)).is_some_and(|(_, by)| *by == way)
    });
    by.count() as f64
}

/// Moves the actor; returns where it is then.
async fn go(bed: &mut Bed, way: Way, seat: usize) -> anyhow::Result<usize> {
    let other = 1 - seat;
    match way {
        Way::Labels => {
            bed.deploy_at(Some(other)).await?;
        }
        Way::Drain => {
            let next = bed.start_member(seat).await?;
            if let Some(member) = bed.members.get_mut(seat) {
                let mut before = std::mem::replace(member, next);
                let status = before.node.terminate().await?;
                anyhow::ensure!(status.success(), "a node that drained ended with {status}");
            }
            return Ok(seat);
        }
        Way::Elsewhere => {
            bed.ledger.undeploy().await?;
            bed.deploy_at(Some(other)).await?;
        }
    }
    settle(bed, other).await?;
    Ok(other)
}

/// Waits until the node of `seat` serves the actor and the other one does not.
async fn settle(bed: &Bed, seat: usize) -> anyhow::Result<()> {
    for (at, member) in bed.members.iter().enumerate() {
        match at == seat {
            true => bed.wait_until_serves(member).await?,
            false => bed.wait_until_left(member.key()).await?,
        }
    }
    Ok(())
}
