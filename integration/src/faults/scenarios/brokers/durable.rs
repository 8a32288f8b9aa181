//! Durable invocation after durable invocation is stored: what the stream confirmed must have run afterwards, at
//! least once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lattice_client::queue::Durable;
use lattice_protocol::subjects;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::faults::report::Row;
use crate::faults::{Bed, entry, limits};
use crate::harness::wait_for;

/// Numbers of durable invocations begin here: no call of the load has such a one.
const FROM: u64 = 1 << 40;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_millis(20);
/// Durable invocations that one run stores at most.
const STORED_MAX: usize = 50_000;

/// Stores.
pub(super) struct Storer {
    task: JoinSet<Stored>,
    stop: CancellationToken,
}

/// What became of them.
#[derive(Default)]
pub(super) struct Stored {
    /// The numbers of those that the stream confirmed.
    confirmed: Vec<u64>,
    /// Those that it did not, or refused: they may have run all the same.
    unconfirmed: u64,
}

impl Storer {
    pub(super) fn start(bed: &Bed) -> Self {
        let (lattice, actor) = (bed.direct().clone(), bed.ledger.key().clone());
        let stop = CancellationToken::new();
        let (mut task, stopped) = (JoinSet::new(), stop.clone());
        task.spawn(async move {
            let mut stored = Stored::default();
            for number in FROM.. {
                if stopped.is_cancelled() || stored.confirmed.len() >= STORED_MAX {
                    break;
                }
                let one = Durable::new(actor.clone(), "enter", entry(number, 0, false));
                let one = one.timeout(Duration::from_millis(limits::CALL_TIMEOUT_MS));
                match Box::pin(lattice.enqueue(one.message_id(format!("faults-{number}")))).await {
                    Ok(_) => stored.confirmed.push(number),
                    Err(_) => stored.unconfirmed += 1,
                }
                tokio::time::sleep(PAUSE).await;
            }
            stored
        });
        Self { task, stop }
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<Stored> {
        self.stop.cancel();
        Ok(self.task.join_next().await.context("what stores has ended before")??)
    }
}

impl Stored {
    /// Waits until the queue is empty, at most [`limits::QUEUE_END_MS`], and tells which of those that were
    /// confirmed have not run.
    pub(super) async fn tell(&self, bed: &Bed, row: &mut Row) -> anyhow::Result<()> {
        let begun = Instant::now();
        let bound = Duration::from_millis(limits::QUEUE_END_MS);
        let emptied = wait_for("the queue to be empty", bound, async || {
            let left = left(bed, &subjects::queue_stream(bed.direct().name())).await?;
            ensure!(left == 0, "{left} are left");
            Ok(())
        });
        // What is left then is told below, by what has not run.
        let _ = emptied.await;
        let took_s = begun.elapsed().as_secs_f64();
        let [queued, dead] = [subjects::queue_stream, subjects::dead_stream];
        let queued = left(bed, &queued(bed.direct().name())).await?;
        let dead = left(bed, &dead(bed.direct().name())).await?;

        let mut runs = HashMap::<u64, u64>::new();
        for run in bed.executions().await?.read().await? {
            *runs.entry(run.number).or_default() += 1;
        }
        let of = |number: &u64| runs.get(number).copied().unwrap_or_default();
        let lost = self.confirmed.iter().filter(|number| of(number) == 0).count();
        let again: u64 = self.confirmed.iter().map(|number| of(number).saturating_sub(1)).sum();
        row.figure("durable: confirmed", self.confirmed.len() as f64);
        row.figure("durable: not confirmed", self.unconfirmed as f64);
        row.figure("durable: runs beyond the first", again as f64);
        row.figure("durable: until the queue was empty (s)", took_s);
        row.check(
            "0 acknowledged durable invocations lost",
            format!(
                "{lost} of {} have not run; {queued} still wait, {dead} were put aside",
                self.confirmed.len()
            ),
            lost == 0 && !self.confirmed.is_empty(),
        );
        row.check(
            format!("the queue is empty {} s after the last fault", limits::QUEUE_END_MS / 1_000),
            format!("{queued} still wait"),
            queued == 0,
        );
        Ok(())
    }
}

/// Returns how many messages a stream holds.
async fn left(bed: &Bed, stream: &str) -> anyhow::Result<u64> {
    let mut stream = bed.direct().jetstream().get_stream(stream).await?;
    Ok(stream.info().await?.state.messages)
}
