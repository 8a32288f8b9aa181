//! Record after record is written into the registry: what it acknowledged must be there afterwards.

use std::time::Duration;

use anyhow::Context as _;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::record::RevocationRecord;
use lattice_protocol::subjects::{RegistryKey, Revoked};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::faults::Bed;
use crate::faults::report::Row;
use crate::harness::wait_for;
use crate::testbed::SOON;

/// Pause between two writes.
const PAUSE: Duration = Duration::from_millis(20);
/// Writes that one run makes at most.
const WRITES_MAX: usize = 50_000;

/// Writes, each record at a key of its own.
pub(super) struct Writer {
    task: JoinSet<anyhow::Result<Written>>,
    stop: CancellationToken,
}

/// What became of the writes.
#[derive(Default)]
pub(super) struct Written {
    /// The keys of those that were acknowledged, and the mark of the write.
    acknowledged: Vec<(RegistryKey, String)>,
    refused: u64,
}

impl Writer {
    pub(super) fn start(bed: &Bed) -> Self {
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
                tokio::time::sleep(PAUSE).await;
            }
            Ok(written)
        });
        Self { task, stop }
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<Written> {
        self.stop.cancel();
        self.task.join_next().await.context("the writer has ended before")??
    }
}

impl Written {
    /// Looks for every acknowledged write, and tells what is missing.
    pub(super) async fn tell(&self, bed: &Bed, row: &mut Row) -> anyhow::Result<()> {
        let mut missing = 0;
        for (key, writer) in &self.acknowledged {
            let found = wait_for("an answer of the registry", SOON, async || {
                Ok(bed.ledger.registry().get::<RevocationRecord>(key).await?)
            });
            let there = found.await?.is_some_and(|entry| entry.record.writer == *writer);
            missing += usize::from(!there);
        }
        row.figure("registry writes acknowledged", self.acknowledged.len() as f64);
        row.figure("registry writes refused or unanswered", self.refused as f64);
        row.check(
            "0 acknowledged registry writes lost",
            format!("{missing} of {}", self.acknowledged.len()),
            missing == 0 && !self.acknowledged.is_empty(),
        );
        Ok(())
    }
}
