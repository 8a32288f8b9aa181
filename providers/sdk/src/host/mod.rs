//! A provider at work: its links as the registry wants them, and the calls over them. The same in a
//! node and in a process of its own.

mod slot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use lattice_client::answer::Answered;
use lattice_protocol::keys::{ActorKey, ProviderKey, TargetKey};
use lattice_protocol::names::LinkName;
use lattice_protocol::record::LinkRecord;
use lattice_protocol::{Error, ErrorCode};
use mesh_program::telemetry;
use tokio::sync::watch;
use tracing::Instrument;

pub use slot::LinkStatus;
use slot::{End, Slot, State};

use crate::limits;
use crate::link::{Link, LinkId};
use crate::provider::{About, Answers, Provider, ProviderCall};

/// Who calls a provider, and over which of its links.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The actor.
    pub source: &'a ActorKey,
    /// The link's name.
    pub link: &'a LinkName,
}

/// A provider with its links. Cheap to clone.
#[derive(Clone)]
pub struct ProviderHost {
    inner: Arc<Inner>,
}

type Slots = HashMap<ActorKey, HashMap<LinkName, Arc<Slot>>>;

struct Inner {
    key: ProviderKey,
    provider: Arc<dyn Provider>,
    /// Whether spans are exported: calls pay for them only then.
    traced: bool,
    slots: RwLock<Slots>,
    /// Links that wait for another one to go.
    refused: Mutex<BTreeSet<LinkId>>,
    /// Grows with each change of a link, for whoever waits for one.
    changes: watch::Sender<u64>,
    end: End,
    draining: AtomicBool,
    calls: AtomicU64,
    in_flight: AtomicU32,
    idle: tokio::sync::Notify,
}

impl ProviderHost {
    /// Makes a host without links for a provider that is known as `key`. `traced` says whether
    /// spans are exported.
    pub fn new(key: ProviderKey, provider: Arc<dyn Provider>, traced: bool) -> Self {
        let inner = Inner {
            key,
            provider,
            traced,
            slots: RwLock::default(),
            refused: Mutex::default(),
            changes: watch::Sender::default(),
            end: End::default(),
            draining: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            idle: tokio::sync::Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the provider's key.
    pub fn key(&self) -> &ProviderKey {
        &self.inner.key
    }

    /// Returns what the provider is.
    pub fn about(&self) -> About {
        self.inner.provider.about()
    }

    /// Returns how many calls were answered, and how many run now.
    pub fn calls(&self) -> (u64, u32) {
        let calls = self.inner.calls.load(Ordering::Relaxed);
        (calls, self.inner.in_flight.load(Ordering::Relaxed))
    }

    /// Returns how many links are open, and those that are refused with their reasons.
    pub fn links(&self) -> (usize, Vec<(LinkId, Error)>) {
        let slots = self.inner.slots.read().unwrap_or_else(PoisonError::into_inner);
        let (mut open, mut refused) = (0, Vec::new());
        for (source, links) in slots.iter() {
            for (name, slot) in links {
                let state = slot.state.borrow();
                open += usize::from(state.running.is_some());
                if let Some(error) = &state.refused {
                    let id = LinkId { source: source.clone(), name: name.clone() };
                    refused.push((id, error.clone()));
                }
            }
        }
        (open, refused)
    }

    /// Takes in a link's record, which may lead here, to somebody else or belong to another
    /// contract. `at` is its revision in the registry. Must be called in the order of the registry.
    pub fn put_link(&self, record: &LinkRecord, at: u64) {
        // What is opened from the end on would begin what nobody ends.
        if self.is_leaving() || record.contract.as_str() != self.about().contract.name {
            return;
        }
        let link = Link::from(record);
        if record.target != TargetKey::Provider(self.key().clone()) {
            return self.remove_link(&link.id);
        }
        let id = link.id.clone();
        let slot = {
            let mut slots = self.inner.slots.write().unwrap_or_else(PoisonError::into_inner);
            let links = slots.entry(id.source.clone()).or_default();
            links.entry(id.name.clone()).or_insert_with(|| Arc::new(Slot::new())).clone()
        };
        if slot.want(link, at) {
            self.work(id, slot);
        }
    }

    /// Takes out a link, if it led here.
    pub fn remove_link(&self, id: &LinkId) {
        let slot = {
            let mut slots = self.inner.slots.write().unwrap_or_else(PoisonError::into_inner);
            let Some(links) = slots.get_mut(&id.source) else { return };
            let slot = links.remove(&id.name);
            if links.is_empty() {
                slots.remove(&id.source);
            }
            slot
        };
        let Some(slot) = slot else { return };
        let host = self.clone();
        self.refused(|refused| refused.remove(id));
        let close = async move {
            if let Some(answers) = slot.remove() {
                slot::close(answers).await;
            }
            host.changed();
            host.try_refused_again();
        };
        self.begin(close);
    }

    /// Waits until what the registry says of a link at revision `at` runs or is refused.
    pub async fn settled(&self, id: &LinkId, at: u64) -> LinkStatus {
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(slot) = self.slot(&id.source, &id.name) {
                let mut state = slot.state.subscribe();
                let settled = state.wait_for(|state| state.settled_at >= at || state.removed).await;
                if let Ok(state) = settled
                    && !state.removed
                {
                    return state.status();
                }
            }
            if changes.changed().await.is_err() {
                return LinkStatus::default();
            }
        }
    }

    /// Answers a call over a link.
    ///
    /// # Errors
    /// The provider's, `no_link` when the link does not lead here, `busy`, `draining`,
    /// `deadline_exceeded`.
    pub async fn call(&self, from: Origin<'_>, call: ProviderCall<'_>) -> Result<Bytes, Error> {
        if !self.inner.traced {
            return self.run(from, call).await;
        }
        let span = telemetry::serve_span(self.key().as_str(), call.operation, &call.info.trace);
        let outcome = Box::pin(self.run(from, call).instrument(span.clone())).await;
        let answered = Answered::from(outcome);
        telemetry::finish(&span, &answered);
        answered.outcome
    }

    async fn run(&self, from: Origin<'_>, call: ProviderCall<'_>) -> Result<Bytes, Error> {
        let inner = &*self.inner;
        inner.calls.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight::enter(inner)?;
        if inner.draining.load(Ordering::Relaxed) {
            let leaving = "the provider is leaving";
            return Err(Error::not_started(ErrorCode::Draining, leaving));
        }
        let deadline = call.info.deadline;
        let (slot, answers) = match self.running(from) {
            Some(running) => running,
            None => self.wait_for(from, deadline).await?,
        };
        let _place = slot.enter()?;
        // All of it within: what does not wait panics when the future is made.
        let answer = AssertUnwindSafe(async { answers.answer(call).await }).catch_unwind();
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                Err(Error::started(ErrorCode::Internal, "the provider panicked: its log says more"))
            }
            Err(_) => Err(Error::started(
                ErrorCode::DeadlineExceeded,
                format!("{} did not answer within the time of the call", self.about().name),
            )),
        }
    }

    /// Asks the provider whether it is well.
    ///
    /// # Errors
    /// What is wrong, or that it does not say.
    pub async fn health(&self) -> Result<(), Error> {
        let bound = Duration::from_millis(limits::HEALTH_TIMEOUT_MS);
        tokio::time::timeout(bound, self.inner.provider.health()).await.unwrap_or_else(|_| {
            Err(Error::started(
                ErrorCode::DeadlineExceeded,
                format!("{} does not say whether it is well", self.about().name),
            ))
        })
    }

    /// Ends what the provider does by itself (requests from outside, deliveries, timers) while
    /// calls are still answered. Returns how much was abandoned at the bound.
    pub async fn quiet(&self, bound: Duration) -> usize {
        // What comes from outside ends first: until then it still finds its link.
        let abandoned = self.inner.provider.drain(bound).await;
        // Whatever is being opened is closed at once from now on.
        self.inner.end.leaving.cancel();
        let close = join_all(self.open_links().map(slot::close));
        let closed = tokio::time::timeout(bound, close).await;
        abandoned + usize::from(closed.is_err())
    }

    fn is_leaving(&self) -> bool {
        self.inner.end.leaving.is_cancelled()
    }

    fn open_links(&self) -> impl Iterator<Item = Arc<dyn Answers>> + use<> {
        let slots = self.inner.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slots = slots.values().flat_map(HashMap::values);
        let running = slots.filter_map(|slot| slot.state.borrow().running.clone());
        running.map(|running| running.answers).collect::<Vec<_>>().into_iter()
    }

    /// Answers no more calls and waits for those that run. Returns how many were abandoned.
    pub async fn finish(&self, bound: Duration) -> usize {
        self.inner.end.leaving.cancel();
        self.inner.draining.store(true, Ordering::Relaxed);
        self.inner.end.workers.close();
        let end = Instant::now() + bound;
        let running = self.until_idle(end).await;
        let release = async {
            self.inner.end.workers.wait().await;
            join_all(self.open_links().map(|answers| async move { answers.release().await })).await;
        };
        let bound = Duration::from_millis(limits::RELEASE_TIMEOUT_MS);
        if tokio::time::timeout(bound, release).await.is_err() {
            tracing::warn!(provider = self.about().name, "a link did not end in time");
        }
        running
    }

    /// Returns how many calls still run at `end`.
    async fn until_idle(&self, end: Instant) -> usize {
        loop {
            let idle = self.inner.idle.notified();
            let running = self.inner.in_flight.load(Ordering::Acquire);
            if running == 0 {
                return 0;
            }
            if tokio::time::timeout_at(end.into(), idle).await.is_err() {
                return usize::try_from(running).unwrap_or(usize::MAX);
            }
        }
    }

    fn slot(&self, source: &ActorKey, name: &LinkName) -> Option<Arc<Slot>> {
        let slots = self.inner.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(source)?.get(name).cloned()
    }

    fn running(&self, from: Origin<'_>) -> Option<(Arc<Slot>, Arc<dyn Answers>)> {
        let slots = self.inner.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(from.source)?.get(from.link)?;
        let answers = slot.state.borrow().running.as_ref()?.answers.clone();
        Some((slot.clone(), answers))
    }

    /// Waits for a link that is being opened, or that the registry has not told of yet.
    async fn wait_for(
        &self,
        from: Origin<'_>,
        deadline: Instant,
    ) -> Result<(Arc<Slot>, Arc<dyn Answers>), Error> {
        let unknown = Instant::now() + Duration::from_millis(limits::LINK_UNKNOWN_WAIT_MS);
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let Some(slot) = self.slot(from.source, from.link) else {
                let wait = tokio::time::timeout_at(unknown.min(deadline).into(), changes.changed());
                if wait.await.is_err() {
                    return Err(self.no_link(from));
                }
                continue;
            };
            let mut state = slot.state.subscribe();
            let decided =
                |state: &State| state.removed || state.running.is_some() || state.refused.is_some();
            let wait = tokio::time::timeout_at(deadline.into(), state.wait_for(decided)).await;
            let Ok(Ok(state)) = wait else {
                return Err(Error::not_started(
                    ErrorCode::ProviderUnavailable,
                    "the link was not opened within the time of the call",
                ));
            };
            if let Some(running) = &state.running {
                let answers = running.answers.clone();
                return Ok((slot.clone(), answers));
            }
            if let Some(error) = &state.refused {
                return Err(Error::not_started(
                    ErrorCode::ProviderUnavailable,
                    format!("{} refuses the link: {}", self.about().name, error.message),
                ));
            }
        }
    }

    fn no_link(&self, from: Origin<'_>) -> Error {
        Error::not_started(
            ErrorCode::NoLink,
            format!("no link {} of {} leads to {}", from.link, from.source, self.about().name),
        )
    }

    /// Opens a link: at once as far as that goes without waiting, so that links are begun in order.
    fn work(&self, id: LinkId, slot: Arc<Slot>) {
        let host = self.clone();
        let work = slot.clone().work(self.inner.provider.clone(), self.inner.end.clone());
        self.begin(async move {
            work.await;
            let refused = slot.state.borrow().refused.is_some();
            host.refused(|all| if refused { all.insert(id) } else { all.remove(&id) });
            host.changed();
            // One that is open now may have left the way free that it was in.
            if !refused {
                host.try_refused_again();
            }
        });
        self.changed();
    }

    fn begin(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut work = Box::pin(self.inner.end.workers.track_future(work));
        if (&mut work).now_or_never().is_none() {
            tokio::spawn(work);
        }
    }

    /// A link that another one stood in the way of may open once that one is gone.
    fn try_refused_again(&self) {
        let waiting = self.refused(std::mem::take);
        for id in waiting {
            if let Some(slot) = self.slot(&id.source, &id.name)
                && slot.want_again()
            {
                self.work(id, slot);
            }
        }
    }

    fn refused<T>(&self, change: impl FnOnce(&mut BTreeSet<LinkId>) -> T) -> T {
        change(&mut self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn changed(&self) {
        self.inner.changes.send_modify(|changes| *changes += 1);
    }
}

/// Counts one call, for as long as it runs.
struct InFlight<'a>(&'a Inner);

impl<'a> InFlight<'a> {
    fn enter(inner: &'a Inner) -> Result<Self, Error> {
        let running = inner.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = Self(inner);
        if running >= limits::CALLS_IN_FLIGHT_MAX {
            return Err(Error::not_started(
                ErrorCode::Busy,
                format!("{running} calls of the provider run already"),
            ));
        }
        Ok(entered)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::Release) == 1
            && self.0.draining.load(Ordering::Relaxed)
        {
            self.0.idle.notify_waiters();
        }
    }
}
