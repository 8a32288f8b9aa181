//! The watch of the registry: every change, and every so often the whole of it anew, because a
//! watch alone has been seen to hang after a server's restart.

use std::ops::ControlFlow;
use std::time::Duration;

use async_nats::jetstream::kv::{self, WatcherError};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use lattice_protocol::subjects::RegistryKey;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;

use super::told::{Entry, Told};
use super::{Registry, RegistryError, within};
use crate::lattice::Connection;
use crate::limits;

/// A change of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A record was written.
    Put {
        /// Its key.
        key: RegistryKey,
        /// Its bytes; decode them with [`Record::decode`](lattice_protocol::record::Record::decode).
        value: Bytes,
        /// Revision of the key.
        at: u64,
    },
    /// A record was deleted.
    Removed {
        /// Its key.
        key: RegistryKey,
        /// Revision of the deletion; 0 where even that is gone.
        at: u64,
    },
    /// All that was there has been told, for the first time or again.
    Synced {
        /// The [connection](Connection::count) through which it was read, or an earlier one.
        connection: u64,
        /// How many [pauses](crate::Hearing::pauses) there had been when it began to be read.
        pauses: u64,
    },
    /// All that came until a [pause](crate::Hearing::pauses) was over has been told.
    CaughtUp {
        /// How many pauses there had been.
        pauses: u64,
    },
}

/// Changes of the registry as they happen. Ends when it is dropped.
pub struct RegistryWatch {
    changes: mpsc::Receiver<Change>,
    task: JoinHandle<()>,
}

impl RegistryWatch {
    /// Waits for the next change. `None` when the watch has ended, which it does only when the
    /// connection was closed for good.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

impl Drop for RegistryWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Registry {
    /// Watches every record: first all that is there, then [`Change::Synced`], then what changes.
    ///
    /// The whole is listed anew every [`limits::RELIST_INTERVAL_MS`] and after each reconnect; only
    /// what differs from what was told is told.
    pub fn watch(&self) -> RegistryWatch {
        let (sender, changes) = mpsc::channel(limits::WATCH_QUEUE_CAPACITY);
        let mut watcher = Watcher { changes: Some(sender), failures: 0, ..self.watch_once() };
        RegistryWatch { changes, task: tokio::spawn(async move { watcher.run().await }) }
    }

    pub(super) fn watch_once(&self) -> Watcher {
        Watcher {
            bucket: self.bucket.clone(),
            connection: self.lattice.connection(),
            pauses: self.lattice.hearing().pauses(),
            changes: None,
            told: Told::default(),
            // Who asks once has all the time.
            failures: u32::MAX,
        }
    }
}

pub(super) struct Watcher {
    bucket: kv::Store,
    connection: watch::Receiver<Connection>,
    pauses: watch::Receiver<u64>,
    changes: Option<mpsc::Sender<Change>>,
    told: Told,
    /// How often in a row it could not be opened.
    failures: u32,
}

/// Returns how long the server may take to answer when a watch is opened: short at first, since a question that
/// went to a leader that is gone is never answered, and longer each time, since a server may be slow.
fn answer_bound(failures: u32) -> Duration {
    let longer = 1u64.checked_shl(failures).unwrap_or(u64::MAX);
    let bound = limits::WATCH_ANSWER_FIRST_MS.saturating_mul(longer);
    Duration::from_millis(bound.min(limits::WATCH_LIST_TIMEOUT_MS))
}

/// Why a round of the watch ended.
enum Round {
    Relist,
    ReaderGone,
}

impl Watcher {
    /// Reads all records that are there now.
    pub(super) async fn list(&mut self) -> Result<Vec<(String, Bytes, u64)>, RegistryError> {
        let (_, entries) = self.open().await?;
        let live = entries.into_iter().filter(|entry| entry.operation == kv::Operation::Put);
        Ok(live.map(|entry| (entry.key, entry.value, entry.revision)).collect())
    }

    async fn run(&mut self) {
        loop {
            match self.round().await {
                Ok(Round::Relist) => self.failures = 0,
                Ok(Round::ReaderGone) => return,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    tracing::warn!(%error, "the watch of the registry failed; trying again");
                    tokio::time::sleep(Duration::from_millis(limits::WATCH_RETRY_PAUSE_MS)).await;
                }
            }
        }
    }

    /// Lists everything, tells what is new, then tells what changes until it is time to list anew.
    async fn round(&mut self) -> Result<Round, RegistryError> {
        let mut connection = self.connection.clone();
        let through = connection.borrow_and_update().count;
        let pauses = *self.pauses.borrow_and_update();
        let (mut live, entries) = self.open().await?;
        let (changes, missing) = self.told.listed(entries.into_iter().map(as_entry).collect());
        for change in changes {
            if !self.send(change).await {
                return Ok(Round::ReaderGone);
            }
        }
        for (key, at) in missing {
            let is_there = self.is_there(&key).await;
            let change = self.told.missing(key, at, is_there);
            if !self.send(change).await {
                return Ok(Round::ReaderGone);
            }
        }
        if !self.send(Change::Synced { connection: through, pauses }).await {
            return Ok(Round::ReaderGone);
        }
        let mut relist =
            std::pin::pin!(tokio::time::sleep(Duration::from_millis(limits::RELIST_INTERVAL_MS)));
        loop {
            let flow = tokio::select! {
                entry = live.next() => self.tell(entry).await,
                Ok(()) = self.pauses.changed() => self.catch_up(&mut live).await,
                changed = connection.changed() => match changed {
                    Err(_) => ControlFlow::Break(Round::ReaderGone),
                    Ok(()) if connection.borrow_and_update().up => ControlFlow::Break(Round::Relist),
                    Ok(()) => ControlFlow::Continue(()),
                },
                () = &mut relist => ControlFlow::Break(Round::Relist),
            };
            if let ControlFlow::Break(ended) = flow {
                return Ok(ended);
            }
        }
    }

    /// Tells what a watch brought.
    async fn tell(&mut self, entry: Option<Result<kv::Entry, WatcherError>>) -> ControlFlow<Round> {
        let Some(Ok(entry)) = entry else { return ControlFlow::Break(Round::Relist) };
        let change = self.told.came(as_entry(entry));
        self.send_on(change).await
    }

    /// Tells all that has come until now, and that a pause is over.
    async fn catch_up(&mut self, live: &mut kv::Watch) -> ControlFlow<Round> {
        let pauses = *self.pauses.borrow_and_update();
        // Unconstrained: a task that has used up its turn is told that nothing is there.
        while let Some(entry) = unconstrained(live.next()).now_or_never() {
            self.tell(entry).await?;
        }
        self.send_on(Change::CaughtUp { pauses }).await
    }

    async fn send_on(&mut self, change: impl Into<Option<Change>>) -> ControlFlow<Round> {
        match self.send(change).await {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(Round::ReaderGone),
        }
    }

    /// Opens a watch and reads the last entry of every key.
    async fn open(&mut self) -> Result<(kv::Watch, Vec<kv::Entry>), RegistryError> {
        let unreachable = |cause: String| RegistryError::Unreachable(cause);
        let bound = Duration::from_millis(limits::WATCH_LIST_TIMEOUT_MS);
        let answer = answer_bound(self.failures);
        let silent = |_| unreachable(format!("no answer within {} ms", answer.as_millis()));
        let open = async {
            let watch = Box::pin(self.bucket.watch_with_history(">"));
            let watch = tokio::time::timeout(answer, watch).await.map_err(silent)?;
            let mut watch = watch.map_err(|error| unreachable(error.to_string()))?;
            let mut entries = Vec::new();
            // An empty bucket gives no entry that could say that it was the last. (The bucket's
            // own `status` tells what it was when it was opened.)
            let stream = Box::pin(self.bucket.stream.get_info());
            let stream = tokio::time::timeout(answer, stream).await.map_err(silent)?;
            let stream = stream.map_err(|error| unreachable(error.to_string()))?;
            if stream.state.messages == 0 {
                return Ok((watch, entries));
            }
            while let Some(entry) = watch.next().await {
                let entry = entry.map_err(|error| unreachable(error.to_string()))?;
                let last = entry.delta == 0;
                // What was told already need not be held until all is there: there may be many.
                let known = self.told.knows(&entry.key, entry.revision);
                let value = if known { Bytes::new() } else { entry.value };
                entries.push(kv::Entry { value, ..entry });
                if last {
                    return Ok((watch, entries));
                }
            }
            Err(unreachable("the watch ended".to_owned()))
        };
        let late = |_| Err(unreachable("the registry was not listed in time".to_owned()));
        tokio::time::timeout(bound, open).await.unwrap_or_else(late)
    }

    /// Returns whether a key has a record, or may have one: a question without an answer counts.
    async fn is_there(&self, key: &str) -> bool {
        match within(async { Ok(self.bucket.entry(key).await) }).await {
            Ok(Ok(entry)) => entry.is_some_and(|entry| entry.operation == kv::Operation::Put),
            _ => true,
        }
    }

    /// Tells a change, where there is one; returns whether somebody still listens.
    async fn send(&mut self, change: impl Into<Option<Change>>) -> bool {
        let Some(change) = change.into() else { return true };
        match &self.changes {
            Some(changes) => changes.send(change).await.is_ok(),
            None => false,
        }
    }
}

fn as_entry(entry: kv::Entry) -> Entry {
    let there = entry.operation == kv::Operation::Put;
    Entry { key: entry.key, value: there.then_some(entry.value), at: entry.revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_server_is_asked_again_soon_and_then_ever_later() {
        let ms = |failures| u64::try_from(answer_bound(failures).as_millis()).unwrap();
        assert_eq!([ms(0), ms(1), ms(2), ms(3)], [1_000, 2_000, 4_000, 8_000]);
        for failures in [4, 63, 64, u32::MAX] {
            assert_eq!(ms(failures), limits::WATCH_LIST_TIMEOUT_MS);
        }
    }
}
