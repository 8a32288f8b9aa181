//! Providers that the registry wants this node to run: as processes, kept alive until they are
//! wanted no more.

mod decide;
mod process;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lattice_client::ConnectOptions;
use lattice_protocol::control::SupervisedProvider;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::record::ProviderRecord;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;
use process::Supervised;

/// The providers that the registry wants, whoever is to run them.
pub(crate) type WantedProviders = Arc<BTreeMap<ProviderKey, Arc<ProviderRecord>>>;

/// Where and how a node runs providers as processes.
#[derive(Clone, Debug)]
pub(crate) struct SupervisorOptions {
    /// The folder whose programs may be run; without one nothing is.
    pub folder: Option<PathBuf>,
    /// Where they keep what they keep on this machine: each in a folder of its own.
    pub data: Option<PathBuf>,
    /// How they reach NATS: as the node does.
    pub connect: ConnectOptions,
    /// Time that a provider has to end by itself.
    pub stop_bound: Duration,
}

/// What is known of the processes, for whoever asks.
#[derive(Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<ProviderKey, SupervisedProvider>>>);

impl Board {
    /// Returns what is known of each.
    pub fn all(&self) -> Vec<SupervisedProvider> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn change(&self, record: &ProviderRecord, change: impl FnOnce(&mut SupervisedProvider)) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(board.entry(record.key.clone()).or_insert_with(|| SupervisedProvider {
            key: record.key.clone(),
            name: record.name.clone(),
            pid: None,
            process: None,
            writer: record.writer.clone(),
            starts: 0,
            reason: None,
        }));
    }

    fn remove(&self, key: &ProviderKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

struct Kept {
    record: Arc<ProviderRecord>,
    stop: CancellationToken,
}

/// Runs what is wanted until `stop`, and ends it all then.
pub(crate) async fn run(
    shared: Arc<Shared>,
    options: SupervisorOptions,
    mut wanted: watch::Receiver<WantedProviders>,
    stop: CancellationToken,
) {
    let options = Arc::new(options);
    let mut kept: HashMap<ProviderKey, Kept> = HashMap::new();
    let mut tasks: JoinSet<ProviderKey> = JoinSet::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        // One that changed is ended first and started again when it has.
        for (key, running) in &kept {
            if now.get(key) != Some(&running.record) {
                running.stop.cancel();
            }
        }
        for (key, record) in now.iter() {
            if !kept.contains_key(key) && decide::is_for(&shared.labels, record) {
                let stop = stop.child_token();
                let supervised =
                    Supervised::new(shared.clone(), options.clone(), record.clone(), stop.clone());
                let key = key.clone();
                kept.insert(key.clone(), Kept { record: record.clone(), stop });
                tasks.spawn(async move {
                    supervised.keep().await;
                    key
                });
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            Some(ended) = tasks.join_next() => {
                if let Ok(key) = ended {
                    shared.board.remove(&key);
                    kept.remove(&key);
                }
            }
            () = stop.cancelled() => break,
        }
    }
    for running in kept.values() {
        running.stop.cancel();
    }
    while tasks.join_next().await.is_some() {}
}
