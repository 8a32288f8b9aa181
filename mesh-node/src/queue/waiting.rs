//! For which actors something waits. A node with many actors does not ask the stream for each of them all the time:
//! it asks now and then for whom anything is stored, and only those are read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::keys::TargetKey;
use lattice_protocol::subjects::{self, Subject};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;

use crate::limits;

/// The readers that sleep until something waits for their actors.
#[derive(Clone)]
pub(super) struct Waiting {
    sleeping: Arc<Mutex<HashMap<ActorKey, Arc<Notify>>>>,
    /// Those that never sleep.
    awake: Arc<Semaphore>,
}

/// The place of a reader that never sleeps.
pub(super) type Awake = OwnedSemaphorePermit;

impl Waiting {
    pub fn new() -> Self {
        let awake = Arc::new(Semaphore::new(limits::QUEUE_READERS_AWAKE));
        Self { sleeping: Arc::default(), awake }
    }

    /// Returns a place among those that never sleep, where one is free.
    pub fn stay_awake(&self) -> Option<Awake> {
        self.awake.clone().try_acquire_owned().ok()
    }

    /// Waits until something waits for an actor.
    pub async fn for_actor(&self, actor: &ActorKey) {
        let notify = Arc::new(Notify::new());
        self.sleeping().insert(actor.clone(), notify.clone());
        let _asleep = Asleep { of: self, actor };
        notify.notified().await;
    }

    /// Looks for whom something waits, for as long as it is polled.
    pub async fn look(self, lattice: Lattice) {
        let mut looks =
            tokio::time::interval(Duration::from_millis(limits::QUEUE_LOOK_INTERVAL_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complained = false;
        loop {
            looks.tick().await;
            if self.sleeping().is_empty() || !lattice.connection().borrow().up {
                continue;
            }
            let bound = Duration::from_millis(limits::QUEUE_SETUP_TIMEOUT_MS);
            let look = tokio::time::timeout(bound, Box::pin(self.wake(&lattice))).await;
            match look.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(()) => complained = false,
                Err(error) if !std::mem::replace(&mut complained, true) => {
                    tracing::warn!(error, "durable invocations can't be looked for; trying again");
                }
                Err(_) => {}
            }
        }
    }

    async fn wake(&self, lattice: &Lattice) -> Result<(), String> {
        let stream = subjects::queue_stream(lattice.name());
        let stream = lattice.jetstream().get_stream_no_info(stream).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let stored = stream.info_with_subjects(subjects::all_queued(lattice.name())).await;
        let mut stored = stored.map_err(|error| error.to_string())?;
        while let Some(one) = stored.next().await {
            let (subject, _) = one.map_err(|error| error.to_string())?;
            if let Ok(Subject::Queue(_, TargetKey::Actor(actor))) = subject.parse()
                && let Some(notify) = self.sleeping().get(&actor)
            {
                notify.notify_one();
            }
        }
        Ok(())
    }

    fn sleeping(&self) -> MutexGuard<'_, HashMap<ActorKey, Arc<Notify>>> {
        self.sleeping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a reader out of those that sleep, however it ends.
struct Asleep<'a> {
    of: &'a Waiting,
    actor: &'a ActorKey,
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.of.sleeping().remove(self.actor);
    }
}
