//! The compiled modules in memory: brought in by the first call that needs one, and let go when they were not called
//! for long or there are too many. What they belong to stays: the revision, its subscription, its places.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::actor_host::{Module, Revision};
use crate::compile_pool::Haste;
use crate::lattice_view::Wanted;
use crate::limits;
use crate::loader::Loader;
use crate::open_files;
use crate::refusal::Refused;

/// A module on its way, for all that wait for it.
pub(crate) type Bringing = Shared<BoxFuture<'static, Result<Arc<Module>, Refused>>>;

/// A module that was found to be refused only when it was wanted.
pub(crate) struct FoundBad {
    pub wanted: Arc<Wanted>,
    pub refused: Refused,
}

/// The modules of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Modules(Arc<Inner>);

struct Inner {
    loader: Loader,
    /// What may be in memory.
    bounds: Bounds,
    /// Seconds since the start, as of the last tick.
    clock: AtomicU32,
    /// By the place of their records in the registry.
    held: Mutex<HashMap<u64, Held>>,
    bad: mpsc::Sender<FoundBad>,
    _ticks: OnceTicks,
}

type OnceTicks = std::sync::OnceLock<AbortOnDropHandle<()>>;

/// A revision that has its module in memory.
struct Held {
    revision: Weak<Revision>,
    bytes: u64,
}

/// How much may be held.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    bytes: u64,
    modules: usize,
}

impl Bounds {
    /// Returns what stays where there is too much, so that not each one that comes has to look for room.
    fn less(self) -> Self {
        let Self { bytes, modules } = self;
        let part = limits::MODULES_ROOM_DIVISOR;
        Self { bytes: bytes - bytes / part as u64, modules: modules - modules / part }
    }
}

/// What is known of one that is held, for the decision which goes.
#[derive(Clone, Debug, PartialEq)]
struct Use<K> {
    key: K,
    bytes: u64,
    /// When it was used last, in seconds.
    used: u32,
    /// Whether it can be brought back in no time.
    is_kept: bool,
}

impl Modules {
    /// Makes one for modules that `loader` loads, of at most `bytes_max` bytes of code; `bad` is told what is refused
    /// late.
    pub fn start(loader: Loader, bytes_max: u64, bad: mpsc::Sender<FoundBad>) -> Self {
        let (clock, held, _ticks) = (AtomicU32::new(0), Mutex::default(), OnceTicks::new());
        let files = usize::try_from(open_files::raise() / 2).unwrap_or(usize::MAX);
        let bounds = Bounds { bytes: bytes_max, modules: files.min(limits::MODULES_HELD_MAX) };
        let inner = Arc::new(Inner { loader, bounds, clock, held, bad, _ticks });
        let weak = Arc::downgrade(&inner);
        let ticks = AbortOnDropHandle::new(tokio::spawn(tick(weak, Instant::now())));
        // It is new: there is none before.
        let _ = inner._ticks.set(ticks);
        Self(inner)
    }

    /// Returns what loads them.
    pub fn loader(&self) -> &Loader {
        &self.0.loader
    }

    /// Returns the module of a revision, and notes that it is used; `None` when it is not in memory.
    pub fn get(&self, revision: &Revision) -> Option<Arc<Module>> {
        let module = revision.module.load_full()?;
        let now = self.0.clock.load(Ordering::Relaxed);
        // To read is cheaper than to write where many threads call one actor.
        if revision.used.load(Ordering::Relaxed) != now {
            revision.used.store(now, Ordering::Relaxed);
        }
        Some(module)
    }

    /// Brings in the module of a revision, for a call that waits until `deadline`.
    ///
    /// # Errors
    /// `busy` when it can't be had now, `deadline_exceeded`, or why the module is refused.
    pub async fn bring(
        &self,
        revision: &Arc<Revision>,
        deadline: Instant,
    ) -> Result<Arc<Module>, Error> {
        let late = |_| {
            let message = "the module could not be loaded within the time of the call";
            Error::not_started(ErrorCode::DeadlineExceeded, message)
        };
        let bringing = self.begin(revision, Haste::Awaited);
        let outcome = tokio::time::timeout_at(deadline.into(), bringing).await.map_err(late)?;
        outcome.map_err(|refused| match refused.passing {
            // Another node may have it; this one may soon.
            true => Error::not_started(ErrorCode::Busy, refused.error.message),
            false => refused.error,
        })
    }

    /// Begins to bring in a module, unless that is under way.
    pub fn begin(&self, revision: &Arc<Revision>, haste: Haste) -> Bringing {
        let mut slot = revision.bringing();
        if let Some(bringing) = &*slot {
            return bringing.clone();
        }
        if let Some(module) = self.get(revision) {
            return std::future::ready(Ok(module)).boxed().shared();
        }
        let (modules, revision) = (self.clone(), revision.clone());
        let work = tokio::spawn(async move { modules.load(&revision, haste).await });
        let work = AbortOnDropHandle::new(work);
        let ended = || Refused::passing("the module could not be loaded");
        let bringing = async move { work.await.unwrap_or_else(|_| Err(ended())) };
        slot.insert(bringing.boxed().shared()).clone()
    }

    /// Compiles, one after the other and in no hurry, what was never compiled here, so that its first call need not
    /// wait for that; where nothing is kept on disk, as far as there is room for it in memory.
    pub async fn compile_later(self, revisions: Vec<Weak<Revision>>) {
        tokio::time::sleep(Duration::from_millis(limits::COMPILE_LATER_AFTER_MS)).await;
        for revision in revisions {
            let Some(revision) = revision.upgrade() else { continue };
            if revision.module.load().is_some() || self.0.loader.is_kept(&revision.wanted.record) {
                continue;
            }
            if !self.0.loader.keeps_code() && self.0.is_half_full() {
                return;
            }
            // Whoever calls it is told what came of it.
            let _ = self.begin(&revision, Haste::Unhurried).await;
            tokio::time::sleep(Duration::from_millis(limits::COMPILE_LATER_PAUSE_MS)).await;
        }
    }

    /// Puts a module where calls of its revision find it.
    pub fn put(&self, revision: &Arc<Revision>, module: &Arc<Module>) {
        revision.used.store(self.0.clock.load(Ordering::Relaxed), Ordering::Relaxed);
        revision.module.store(Some(module.clone()));
        let bytes = module.actor.code_bytes();
        let held = Held { revision: Arc::downgrade(revision), bytes };
        self.0.held().insert(revision.wanted.at, held);
        self.0.make_room(None);
    }

    async fn load(&self, revision: &Arc<Revision>, haste: Haste) -> Result<Arc<Module>, Refused> {
        let _bringing = Ends(revision);
        let outcome = self.0.loader.module(&revision.wanted.record, haste).await;
        match &outcome {
            Ok(module) => self.put(revision, module),
            Err(refused) if !refused.passing => {
                let (wanted, refused) = (revision.wanted.clone(), refused.clone());
                // Where many are, the next call of it tells again.
                let _ = self.0.bad.try_send(FoundBad { wanted, refused });
            }
            Err(_) => {}
        }
        outcome
    }
}

/// Says that a module is not on its way any more, however that ended.
struct Ends<'a>(&'a Revision);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        let ended = self.0.bringing().take();
        // Not while the lock is held: it may be the last of those that hold this very task.
        drop(ended);
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether no more is to be brought in that nobody has called.
    fn is_half_full(&self) -> bool {
        let held = self.held();
        let bytes: u64 = held.values().map(|held| held.bytes).sum();
        bytes > self.bounds.bytes / 2 || held.len() > self.bounds.modules / 2
    }

    /// Lets modules go: those beyond the bounds, and at a `tick` those that were not used for long.
    fn make_room(&self, tick: Option<u32>) {
        let mut held = self.held();
        let bytes: u64 = held.values().map(|held| held.bytes).sum();
        let is_full = bytes > self.bounds.bytes || held.len() > self.bounds.modules;
        if !is_full && tick.is_none() {
            return;
        }
        let bounds = if is_full { self.bounds.less() } else { self.bounds };
        held.retain(|_, held| held.revision.upgrade().is_some_and(|it| it.module.load().is_some()));
        let uses = held.iter().filter_map(|(key, held)| {
            let revision = held.revision.upgrade()?;
            let used = revision.used.load(Ordering::Relaxed);
            let is_kept = self.loader.keeps_code();
            Some(Use { key: *key, bytes: held.bytes, used, is_kept })
        });
        for key in surplus(uses.collect(), bounds, tick) {
            let Some(revision) = held.remove(&key).and_then(|held| held.revision.upgrade()) else {
                continue;
            };
            // Calls that run have it still.
            revision.module.store(None);
        }
    }
}

/// Counts time, and lets go what was not used for long, for as long as the modules are there.
async fn tick(of: Weak<Inner>, begun: Instant) {
    let mut tick = tokio::time::interval(Duration::from_millis(limits::MODULE_TICK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(inner) = of.upgrade() else { return };
        let now = u32::try_from(begun.elapsed().as_secs()).unwrap_or(u32::MAX);
        inner.clock.store(now, Ordering::Relaxed);
        inner.make_room(Some(now));
    }
}

/// Decides which modules go, those first that were used longest ago: what is beyond the bounds, and `now` what was
/// not used for long, can be brought back soon, and is not among the few that always stay.
fn surplus<K>(mut uses: Vec<Use<K>>, bounds: Bounds, now: Option<u32>) -> Vec<K> {
    uses.sort_by_key(|one| std::cmp::Reverse(one.used));
    let (mut count, mut bytes) = (0, 0u64);
    let mut goes = Vec::new();
    for one in uses {
        let fits = count < bounds.modules && bytes.saturating_add(one.bytes) <= bounds.bytes;
        let idle = now.is_some_and(|now| now.saturating_sub(one.used) >= limits::MODULE_IDLE_S);
        // One always stays: what was just brought in, whatever its size.
        if count > 0 && (!fits || idle && one.is_kept && count >= limits::MODULES_IDLE_KEPT) {
            goes.push(one.key);
        } else {
            count += 1;
            bytes += one.bytes;
        }
    }
    goes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(used: &[u32], is_kept: bool) -> Vec<Use<usize>> {
        let of = |(key, used): (usize, &u32)| Use { key, bytes: 10, used: *used, is_kept };
        used.iter().enumerate().map(of).collect()
    }

    #[test]
    fn what_was_used_longest_ago_goes_and_no_more_than_must() {
        let goes = |bytes| surplus(uses(&[5, 1, 9], true), Bounds { bytes, modules: 3 }, None);
        assert_eq!(goes(30), Vec::<usize>::new());
        assert_eq!(goes(29), [1]);
        assert_eq!(goes(10), [0, 1]);
        assert_eq!(goes(0), [0, 1], "what was used last stays");
        let few = Bounds { bytes: u64::MAX, modules: 2 };
        assert_eq!(surplus(uses(&[1, 2, 3, 4], true), few, None), [1, 0]);
    }

    #[test]
    fn what_was_not_used_for_long_goes_if_it_is_soon_back() {
        let many = vec![0; limits::MODULES_IDLE_KEPT + 2];
        let all = Bounds { bytes: u64::MAX, modules: usize::MAX };
        let goes = |now, is_kept| surplus(uses(&many, is_kept), all, Some(now)).len();
        assert_eq!(goes(limits::MODULE_IDLE_S - 1, true), 0);
        assert_eq!(goes(limits::MODULE_IDLE_S, true), 2);
        assert_eq!(goes(limits::MODULE_IDLE_S, false), 0, "it would have to be compiled again");
    }
}
