//! Holds calls back whose target answers `busy`: they wait here, where it costs nobody anything, instead
//! of being sent, refused and sent again.
//!
//! How many may be under way is found out as a network's sender does: fewer after each `busy`, slowly more while
//! there is none. A target that has not been busy for a while is held back no more; for all others nothing
//! is done, and nothing looked up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lattice_protocol::keys::TargetKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// How many calls of one target may be under way: a decision over what comes back.
#[derive(Debug)]
struct Window {
    size: usize,
    /// Answers since it changed last.
    answered: usize,
    /// When it shrank last. What began before tells nothing new, however much of it there is.
    shrunk: Instant,
    busy: Instant,
}

/// What becomes of a window.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Stays,
    Grows,
    /// By so many.
    Shrinks(usize),
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { size: limits::PACE_FIRST, answered: 0, shrunk: now, busy: now }
    }

    /// The target was busy for an attempt that began at `begun`.
    fn busy(&mut self, begun: Instant, now: Instant) -> Change {
        self.busy = now;
        if begun <= self.shrunk || self.size <= 1 {
            return Change::Stays;
        }
        let less = (self.size / 4).max(1);
        self.size -= less;
        self.answered = 0;
        self.shrunk = now;
        Change::Shrinks(less)
    }

    /// The target answered an attempt that began at `begun`; `full` says whether as many are under way as may be.
    fn answered(&mut self, begun: Instant, full: bool) -> Change {
        // Where fewer are, nobody knows whether more would be answered.
        if begun <= self.shrunk || !full {
            return Change::Stays;
        }
        self.answered += 1;
        if self.answered < self.size * limits::PACE_GROWS_AFTER {
            return Change::Stays;
        }
        self.answered = 0;
        self.size += 1;
        Change::Grows
    }

    fn is_over(&self, now: Instant) -> bool {
        let past = Duration::from_millis(limits::PACE_FORGET_MS);
        now.saturating_duration_since(self.busy) > past || self.size > limits::PACE_MAX
    }
}

/// The window of one target.
struct Pace {
    window: Mutex<Window>,
    places: Arc<Semaphore>,
    /// Places to take away as they become free.
    owed: AtomicUsize,
}

impl Pace {
    fn new(now: Instant) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(limits::PACE_FIRST));
        Arc::new(Self { window: Mutex::new(Window::new(now)), places, owed: AtomicUsize::new(0) })
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Stays => {}
            Change::Grows if self.take_debt() => {}
            Change::Grows => self.places.add_permits(1),
            Change::Shrinks(less) => {
                let forgotten = self.places.forget_permits(*less);
                self.owed.fetch_add(less - forgotten, Ordering::Relaxed);
            }
        }
    }

    fn take_debt(&self) -> bool {
        let take = |owed: usize| owed.checked_sub(1);
        self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// A call that may be under way, until it is dropped.
pub(super) struct Paced(Option<(Arc<Pace>, OwnedSemaphorePermit)>);

impl Paced {
    /// Returns whether it has one of a few places.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if let Some((pace, place)) = self.0.take()
            && pace.take_debt()
        {
            place.forget();
        }
    }
}

/// The targets that were busy lately.
#[derive(Default)]
pub(crate) struct Paces {
    count: AtomicUsize,
    paces: Mutex<HashMap<TargetKey, Arc<Pace>>>,
}

impl Paces {
    /// Waits until another call of `target` may be under way, at most [`limits::PACE_WAIT_MAX_MS`]: who has
    /// the places may wait for this very call, or for a node that stands still. `None` when that takes until
    /// `deadline`.
    pub(super) async fn enter(&self, target: &TargetKey, deadline: Instant) -> Option<Paced> {
        let Some(pace) = self.of(target) else { return Some(Paced(None)) };
        let now = Instant::now();
        if pace.window().is_over(now) {
            self.forget(target, &pace);
            return Some(Paced(None));
        }
        let most = now + Duration::from_millis(limits::PACE_WAIT_MAX_MS);
        let place = pace.places.clone().acquire_owned();
        match tokio::time::timeout_at(deadline.min(most).into(), place).await {
            Ok(Ok(place)) => Some(Paced(Some((pace, place)))),
            _ if most < deadline => Some(Paced(None)),
            _ => None,
        }
    }

    /// Takes in whether `target` was busy for an attempt that began at `begun`.
    pub(super) fn told(&self, target: &TargetKey, begun: Instant, busy: bool) {
        let pace = self.of(target);
        if pace.is_none() && !busy {
            return;
        }
        let now = Instant::now();
        let Some(pace) = pace else {
            let mut paces = self.paces();
            if paces.len() < limits::PACED_TARGETS_MAX {
                paces.entry(target.clone()).or_insert_with(|| Pace::new(now));
                self.count.store(paces.len(), Ordering::Relaxed);
            }
            return;
        };
        let full = pace.places.available_permits() == 0;
        let mut window = pace.window();
        let change = match busy {
            true => window.busy(begun, now),
            false => window.answered(begun, full),
        };
        let over = window.is_over(now);
        drop(window);
        pace.apply(&change);
        if over {
            self.forget(target, &pace);
        }
    }

    /// Holds the calls of a target back no more.
    fn forget(&self, target: &TargetKey, pace: &Arc<Pace>) {
        let mut paces = self.paces();
        if paces.get(target).is_some_and(|now| Arc::ptr_eq(now, pace)) {
            paces.remove(target);
            self.count.store(paces.len(), Ordering::Relaxed);
            // Whoever still waits goes at once.
            pace.places.add_permits(limits::PENDING_CALLS_MAX);
        }
    }

    fn of(&self, target: &TargetKey) -> Option<Arc<Pace>> {
        // Almost always so.
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.paces().get(target).cloned()
    }

    fn paces(&self) -> MutexGuard<'_, HashMap<TargetKey, Arc<Pace>>> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_util::poll;
    use lattice_protocol::keys::ActorKey;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_window_shrinks_once_for_what_was_under_way_together_and_never_closes() {
        let begun = Instant::now();
        let mut window = Window::new(begun);
        for _ in 0..10_000 {
            assert_eq!(window.busy(begun, begun + MS), Change::Stays, "however many left at once");
        }
        let quarter = Change::Shrinks(limits::PACE_FIRST / 4);
        assert_eq!(window.busy(begun + MS, begun + 3 * MS), quarter);
        for _ in 0..10_000 {
            assert_eq!(window.busy(begun + 2 * MS, begun + 4 * MS), Change::Stays);
        }
        for ms in 4..100 {
            window.busy(begun + ms * MS, begun + (ms + 1) * MS);
        }
        assert_eq!(window.size, 1);
    }

    #[test]
    fn a_window_grows_where_it_is_full_and_is_forgotten_in_the_end() {
        let begun = Instant::now();
        let (mut window, later) = (Window::new(begun), begun + MS);
        for _ in 0..1_000 {
            assert_eq!(window.answered(later, false), Change::Stays);
            assert_eq!(window.answered(begun, true), Change::Stays, "it began before");
        }
        for _ in 1..limits::PACE_FIRST * limits::PACE_GROWS_AFTER {
            assert_eq!(window.answered(later, true), Change::Stays);
        }
        assert_eq!(window.answered(later, true), Change::Grows);
        assert!(!window.is_over(begun));
        assert!(window.is_over(begun + Duration::from_millis(limits::PACE_FORGET_MS + 1)));
    }

    /// Refusals cost retries, and calls earn one in [`limits::CALLS_PER_RETRY`]: callers without number who all
    /// wait for their answers must not use them up, however long the way.
    #[test]
    fn a_standing_load_is_refused_less_often_than_its_calls_earn_retries() {
        // A call takes 1 ms; what would be the sixth to wait is refused.
        for way_ms in [0, 5, 20] {
            let base = Instant::now();
            let at = |ms: u64| base + Duration::from_millis(ms);
            let mut window = Window::new(base);
            // What arrives when, what waits, and what is told when: each with when it began.
            let (mut arrives, mut waits, mut told) =
                (VecDeque::new(), VecDeque::new(), VecDeque::new());
            let (mut idle, mut answered, mut refused, mut out) = (0, 0i64, 0i64, 0);
            for ms in 0..20_000u64 {
                if let Some(begun) = waits.pop_front() {
                    told.push_back((ms + way_ms, begun, false));
                } else {
                    idle += 1;
                }
                while arrives.front().is_some_and(|(due, _)| *due <= ms) {
                    let (_, begun) = arrives.pop_front().unwrap();
                    match waits.len() {
                        0..5 => waits.push_back(begun),
                        _ => told.push_back((ms + way_ms, begun, true)),
                    }
                }
                while told.front().is_some_and(|(due, ..)| *due <= ms) {
                    let (_, begun, busy) = told.pop_front().unwrap();
                    out -= 1;
                    if busy {
                        refused += 1;
                        window.busy(at(begun), at(ms));
                    } else {
                        answered += 1;
                        window.answered(at(begun), true);
                    }
                }
                while out < window.size {
                    out += 1;
                    arrives.push_back((ms + way_ms, ms));
                }
            }
            assert!(refused > 0 && idle < 4_000, "{way_ms} ms: {idle} ms idle, {refused} refused");
            assert!(
                refused * limits::CALLS_PER_RETRY < answered,
                "{way_ms} ms: {refused} of {answered}"
            );
        }
    }

    #[tokio::test]
    async fn calls_of_a_busy_target_wait_here_and_those_of_others_do_not() {
        let paces = Paces::default();
        let [target, other]: [TargetKey; 2] =
            std::array::from_fn(|_| ActorKey::generate().unwrap().0.into());
        let far = Instant::now() + Duration::from_secs(60);
        paces.told(&target, Instant::now(), true);
        let mut under_way = Vec::new();
        for _ in 0..limits::PACE_FIRST {
            under_way.push(paces.enter(&target, far).await.unwrap());
        }
        let mut next = Box::pin(paces.enter(&target, far));
        assert!(poll!(next.as_mut()).is_pending());
        assert!(paces.enter(&other, far).await.is_some());
        assert!(paces.enter(&target, Instant::now()).await.is_none(), "its time is over");
        // What began since was refused too: a quarter of those that end make no room.
        let since = Instant::now();
        paces.told(&target, since, true);
        under_way.truncate(limits::PACE_FIRST - limits::PACE_FIRST / 4);
        assert!(poll!(next.as_mut()).is_pending());
        under_way.pop();
        assert!(next.await.is_some());
    }
}
