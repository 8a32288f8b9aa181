//! One link at a provider: what is wanted of it, what runs, why it does not.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits;
use crate::link::Link;
use crate::provider::{Answers, Provider};

/// How far a provider is with a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkStatus {
    /// Generation that answers calls.
    pub running: Option<u64>,
    /// Why the newest generation does not run.
    pub refused: Option<Error>,
}

#[derive(Clone, Default)]
pub(super) struct State {
    pub running: Option<Running>,
    pub refused: Option<Error>,
    /// Revision in the registry up to which the link's fate is known.
    pub settled_at: u64,
    /// Whether it leads here no more.
    pub removed: bool,
}

#[derive(Clone)]
pub(super) struct Running {
    pub generation: u64,
    pub answers: Arc<dyn Answers>,
}

impl State {
    pub fn status(&self) -> LinkStatus {
        LinkStatus {
            running: self.running.as_ref().map(|running| running.generation),
            refused: self.refused.clone(),
        }
    }
}

/// What the registry wants of a link.
#[derive(Default)]
struct Wanted {
    link: Option<(Link, u64)>,
    /// Whether `link` was not begun yet.
    fresh: bool,
    /// Whether a task works on it.
    worked_on: bool,
}

/// What the work on links ends with.
#[derive(Clone, Default)]
pub(super) struct End {
    /// Says that whatever is opened from now on is closed at once.
    pub leaving: CancellationToken,
    /// All work on links.
    pub workers: TaskTracker,
}

pub(super) struct Slot {
    pub state: watch::Sender<State>,
    wanted: Mutex<Wanted>,
    /// Says that something fresh is wanted, or nothing any more.
    news: tokio::sync::Notify,
    calls: AtomicU32,
}

/// Counts one call over a link, for as long as it runs.
pub(super) struct Place<'a>(&'a AtomicU32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    pub fn new() -> Self {
        Self {
            state: watch::Sender::default(),
            wanted: Mutex::default(),
            news: tokio::sync::Notify::new(),
            calls: AtomicU32::new(0),
        }
    }

    /// Lets a call begin: no link may take all places of the provider.
    ///
    /// # Errors
    /// `busy` where too many calls over this link run.
    pub fn enter(&self) -> Result<Place<'_>, Error> {
        let running = self.calls.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.calls);
        if running >= limits::LINK_CALLS_IN_FLIGHT_MAX {
            let text = format!("{running} calls over the link run already");
            return Err(Error::not_started(ErrorCode::Busy, text));
        }
        Ok(place)
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants a generation of the link; returns whether somebody must [`work`](Self::work).
    pub fn want(&self, link: Link, at: u64) -> bool {
        let mut wanted = self.wanted();
        wanted.link = Some((link, at));
        wanted.fresh = true;
        self.news.notify_one();
        !std::mem::replace(&mut wanted.worked_on, true)
    }

    /// Wants what is wanted already once more; returns whether somebody must work.
    pub fn want_again(&self) -> bool {
        let mut wanted = self.wanted();
        wanted.fresh = wanted.link.is_some();
        self.news.notify_one();
        wanted.fresh && !std::mem::replace(&mut wanted.worked_on, true)
    }

    /// Wants nothing any more.
    pub fn remove(&self) -> Option<Arc<dyn Answers>> {
        self.wanted().link = None;
        let mut running = None;
        self.state.send_modify(|state| {
            state.removed = true;
            running = state.running.take();
        });
        self.news.notify_one();
        running.map(|running| running.answers)
    }

    fn take(&self) -> Option<(Link, u64)> {
        let mut wanted = self.wanted();
        if !wanted.fresh {
            wanted.worked_on = false;
            return None;
        }
        wanted.fresh = false;
        let link = wanted.link.clone();
        if link.is_none() {
            wanted.worked_on = false;
        }
        link
    }

    /// Brings the link to what is wanted of it: one worker a slot, the newest wish wins.
    pub async fn work(self: Arc<Self>, provider: Arc<dyn Provider>, end: End) {
        let mut pause = Duration::from_millis(limits::LINK_RETRY_PAUSE_FIRST_MS);
        while let Some((link, at)) = self.take() {
            match open(&*provider, &link).await {
                Ok(answers) => self.run(link, at, answers, &end).await,
                Err(error) => {
                    let passing = is_passing(error.code);
                    tracing::warn!(link = %link.id, generation = link.generation, %error, "a link is refused");
                    self.state.send_modify(|state| {
                        state.refused = Some(error);
                        state.settled_at = at;
                    });
                    if passing && self.pause(pause, &end.leaving).await {
                        self.wanted().fresh = true;
                        let longest = Duration::from_millis(limits::LINK_RETRY_PAUSE_MAX_MS);
                        pause = (pause * 2).min(longest);
                    }
                }
            }
        }
    }

    async fn run(&self, link: Link, at: u64, answers: Arc<dyn Answers>, end: &End) {
        let running = Running { generation: link.generation, answers: answers.clone() };
        let mut before = None;
        let mut removed = false;
        self.state.send_modify(|state| {
            removed = state.removed || end.leaving.is_cancelled();
            if !removed {
                before = state.running.replace(running).map(|before| before.answers);
                state.refused = None;
            }
            state.settled_at = at;
        });
        if removed {
            return close(answers).await;
        }
        tracing::info!(link = %link.id, generation = link.generation, "a link is open");
        if let Some(before) = before {
            // The next generation does not wait for what this one finishes.
            end.workers.spawn(close(before));
        }
    }

    /// Waits before an opening is tried again; returns whether it shall be, rather than something
    /// fresher or nothing.
    async fn pause(&self, pause: Duration, leaving: &CancellationToken) -> bool {
        let mut end = std::pin::pin!(tokio::time::sleep(pause));
        loop {
            tokio::select! {
                () = &mut end => return self.wanted().link.is_some(),
                () = leaving.cancelled() => return false,
                () = self.news.notified() => {
                    // It may be old news, about what is being tried.
                    let wanted = self.wanted();
                    if wanted.fresh || wanted.link.is_none() {
                        return false;
                    }
                }
            }
        }
    }
}

/// Ends what a handle has begun by itself, within a bound.
pub(super) async fn close(answers: Arc<dyn Answers>) {
    let bound = Duration::from_millis(limits::LINK_CLOSE_TIMEOUT_MS);
    let close = AssertUnwindSafe(async { answers.close().await }).catch_unwind();
    match tokio::time::timeout(bound, close).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => tracing::error!("a provider panicked when it closed a link"),
        Err(_) => tracing::warn!("a provider did not close a link in time"),
    }
}

/// Whether it is worth to open a link again that failed so.
fn is_passing(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ProviderUnavailable | ErrorCode::DeadlineExceeded | ErrorCode::Busy)
}

async fn open(provider: &dyn Provider, link: &Link) -> Result<Arc<dyn Answers>, Error> {
    let bound = Duration::from_millis(limits::LINK_OPEN_TIMEOUT_MS);
    // All of it within: what does not wait panics when the future is made.
    let open = AssertUnwindSafe(async { provider.open(link).await }).catch_unwind();
    match tokio::time::timeout(bound, open).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Error::started(
            ErrorCode::Internal,
            "the provider panicked when it opened the link: its log says more",
        )),
        Err(_) => Err(Error::started(
            ErrorCode::DeadlineExceeded,
            format!("the provider did not open the link within {} ms", bound.as_millis()),
        )),
    }
}
