//! The one writer of a database: a thread that takes the writes that wait, as many as there are, into
//! one transaction, and answers each when that is done. In between it removes what is over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use lattice_protocol::{Error, ErrorCode};
use redb::Durability;

use crate::file::File;
use crate::job::Job;
use crate::limits::{
    SWEEP_INTERVAL_MS, SWEEP_PAUSE_MS, TRANSACTION_BYTES_MAX, TRANSACTION_WRITES_MAX,
};
use crate::operations::sweep;
use crate::stop::{Stop, failed, panicked};
use crate::tables::Tables;

/// The writer of a database.
pub struct Writer {
    file: Arc<File>,
    queue: Receiver<Job>,
    /// Whether a write was answered that may not be on the disk yet.
    unsaved: bool,
    /// Whether the last sweep failed.
    failing: bool,
}

impl Writer {
    /// Makes the writer of a file. It ends when nothing can be queued any more and all that was is
    /// done, and closes the file.
    pub fn new(file: Arc<File>, queue: Receiver<Job>) -> Self {
        Self { file, queue, unsaved: false, failing: false }
    }

    /// Writes until the end.
    pub fn run(mut self) {
        let mut next_sweep = Instant::now() + Duration::from_millis(SWEEP_INTERVAL_MS);
        loop {
            let wait = next_sweep.saturating_duration_since(Instant::now());
            match self.queue.recv_timeout(wait) {
                Ok(job) => self.write(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= next_sweep {
                let pause = if self.sweep() { SWEEP_PAUSE_MS } else { SWEEP_INTERVAL_MS };
                next_sweep = Instant::now() + Duration::from_millis(pause);
            }
        }
        // What fails is in the log.
        let _ = self.save();
        self.file.close();
    }

    /// Takes a job and those that wait behind it, and answers them.
    fn write(&mut self, first: Job) {
        let mut jobs = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            self.file.waiting.taken(job.bytes);
            if job.deadline <= Instant::now() {
                let text = "the time of the call ran out before its write began";
                job.work.tell(Err(Error::not_started(ErrorCode::DeadlineExceeded, text)));
            } else if !job.work.is_abandoned() {
                bytes += job.bytes;
                jobs.push(job);
            }
            if jobs.len() < TRANSACTION_WRITES_MAX && bytes < TRANSACTION_BYTES_MAX {
                next = self.queue.try_recv().ok();
            }
        }
        if jobs.is_empty() {
            return;
        }
        let durable = jobs.iter().any(|job| job.durable);
        let outcome = self
            .transact(durable, |tables| jobs.iter_mut().try_for_each(|job| job.work.run(tables)));
        for job in jobs {
            job.work.tell(outcome.clone());
        }
    }

    /// Removes what is over, and puts on the disk what was answered before it was there. Returns
    /// whether there is more to remove.
    fn sweep(&mut self) -> bool {
        let has_waste = self
            .file
            .mend()
            .and_then(|()| self.file.read(|snapshot, now_ms| snapshot.has_waste(now_ms)));
        let mut more = false;
        let done = match has_waste {
            Ok(true) => self.transact(true, |tables| {
                more = sweep::sweep(tables)?;
                Ok(())
            }),
            Ok(false) => self.save(),
            Err(error) => Err(error),
        };
        if let Err(error) = &done
            && !self.failing
        {
            tracing::warn!(database = self.file.name(), %error, "can't remove what is over");
        }
        self.failing = done.is_err();
        more && done.is_ok()
    }

    /// Puts on the disk what was answered before it was there.
    fn save(&mut self) -> Result<(), Error> {
        if self.unsaved { self.transact(true, |_| Ok(())) } else { Ok(()) }
    }

    /// Runs a transaction: all of it or nothing.
    fn transact(
        &mut self,
        durable: bool,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Stop>,
    ) -> Result<(), Error> {
        self.file.mend()?;
        let run = AssertUnwindSafe(|| self.try_transact(durable, change));
        let done = catch_unwind(run).unwrap_or_else(|_| {
            // It may have happened while the transaction ended.
            Err(Error { started: true, ..panicked(self.file.name()) })
        });
        if let Err(error) = &done {
            self.file.broke();
            let lost = std::mem::take(&mut self.unsaved);
            tracing::error!(database = self.file.name(), lost, %error, "a transaction failed");
        }
        done
    }

    fn try_transact(
        &mut self,
        durable: bool,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Stop>,
    ) -> Result<(), Error> {
        let name = self.file.name();
        let told = |stop: Stop| match stop {
            Stop::Refused(error) => error,
            Stop::Failed(error) => failed(name, &error),
        };
        let mut transaction = self.file.begin_write().map_err(told)?;
        let durability = if durable { Durability::Immediate } else { Durability::None };
        transaction.set_durability(durability).map_err(|error| told(error.into()))?;
        let mut tables = Tables::open(&transaction, self.file.now_ms()).map_err(told)?;
        change(&mut tables).map_err(told)?;
        let changed = tables.changed;
        drop(tables);
        let saves = durable && self.unsaved;
        if !changed && !saves {
            return transaction.abort().map_err(|error| told(error.into()));
        }
        // Whether a commit that failed is on the disk can't be told.
        let commit = transaction.commit();
        commit.map_err(|error| Error { started: true, ..told(error.into()) })?;
        self.unsaved = !durable;
        Ok(())
    }
}
