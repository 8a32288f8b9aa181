//! One actor on this node: its revision that serves now, its places, its calls.

mod admission;
pub mod gate;
mod revision;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_client::answer::{Answered, Answering, Incoming};
use lattice_protocol::keys::{ActorKey, ProviderKey};
use lattice_protocol::presence::ServedActor;
use lattice_protocol::{Error, reserved};

pub(crate) use admission::Admission;
pub(crate) use revision::{Module, Revision};
use tokio::sync::SemaphorePermit;
use tracing::Instrument;

use crate::call_host::CallHost;
use crate::compute::{Line, MainHost, Patience, Turn, Yields};
use crate::modules::Modules;
use crate::older;
use crate::permit;
use crate::shared::Shared;

/// What answers the calls of an actor.
#[derive(Clone)]
pub(crate) enum Slot {
    /// A revision.
    Serving(Arc<Revision>),
    /// This error: the actor was revoked.
    Refusing(Error),
}

/// One actor on this node. Its subscription lasts as long as its deployment; what answers is
/// swapped behind it by one pointer, and each call stays with what it was given.
pub(crate) struct ActorHost {
    key: ActorKey,
    shared: Arc<Shared>,
    modules: Modules,
    slot: ArcSwap<Slot>,
    in_flight: AtomicU32,
    /// Whether it is served only until another node serves it.
    lingering: AtomicBool,
    /// Where calls of this node wait for a processor.
    line_here: OnceLock<Arc<Line>>,
    /// Where calls that came over NATS do.
    line_elsewhere: OnceLock<Arc<Line>>,
}

/// A call as it reaches an actor: from NATS, or from an actor or a provider of this node.
pub(crate) struct Request<'a> {
    pub operation: &'a str,
    pub payload: &'a [u8],
    pub deadline: Instant,
    pub hops: u8,
    pub min_revision: Option<u64>,
    /// Key of the caller, where it told one.
    pub origin: Option<&'a str>,
    /// How long it may wait for a processor.
    pub patience: Patience,
    pub trace: TraceContext,
}

/// Counts one call, for as long as it runs.
struct InFlight<'a>(&'a AtomicU32);

impl<'a> InFlight<'a> {
    fn of(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ActorHost {
    pub fn new(key: ActorKey, shared: Arc<Shared>, modules: Modules, slot: Slot) -> Self {
        let slot = ArcSwap::from_pointee(slot);
        let (line_here, line_elsewhere) = (OnceLock::new(), OnceLock::new());
        let (in_flight, lingering) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { key, shared, modules, slot, in_flight, lingering, line_here, line_elsewhere }
    }

    pub fn key(&self) -> &ActorKey {
        &self.key
    }

    /// Returns how many calls run now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Puts another revision, or an error, where new calls find it.
    pub fn swap(&self, slot: Slot) {
        self.slot.store(Arc::new(slot));
    }

    /// Says whether it is served only until another node serves it.
    pub fn set_lingering(&self, lingering: bool) {
        self.lingering.store(lingering, Ordering::Relaxed);
    }

    /// Returns the revision that new calls get.
    pub fn revision(&self) -> Option<Arc<Revision>> {
        match &**self.slot.load() {
            Slot::Serving(revision) => Some(revision.clone()),
            Slot::Refusing(_) => None,
        }
    }

    /// Returns what the heartbeat says of this actor.
    pub fn served(&self) -> Option<ServedActor> {
        let revision = self.revision()?;
        Some(ServedActor {
            key: self.key.clone(),
            revision: revision.number(),
            digest: revision.digest().clone(),
            in_flight: self.in_flight(),
            lingering: self.lingering.load(Ordering::Relaxed),
        })
    }

    /// Pins the revision that serves now, waits for a place, and lets the call run.
    async fn invoke(&self, request: Request<'_>) -> Answered {
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight::of(&self.in_flight);
        let _in_flight_of_all = InFlight::of(&self.shared.in_flight);
        let slot = self.slot.load_full();
        let revision = match &*slot {
            Slot::Serving(revision) => revision,
            Slot::Refusing(error) => {
                return Answered { outcome: Err(error.clone()), revision: None };
            }
        };
        let outcome = self.run(revision, request).await;
        Answered { outcome, revision: Some(revision.number()) }
    }

    /// Runs a call and tells of it to whoever follows the trace.
    pub async fn serve(&self, request: Request<'_>) -> Answered {
        if !self.shared.traced {
            return self.invoke(request).await;
        }
        let span = mesh_program::telemetry::serve_span(
            self.key.as_str(),
            request.operation,
            &request.trace,
        );
        let answered = Box::pin(self.invoke(request).instrument(span.clone())).await;
        mesh_program::telemetry::finish(&span, &answered);
        answered
    }

    async fn run(&self, revision: &Arc<Revision>, request: Request<'_>) -> Result<Bytes, Error> {
        gate::new_enough(revision.number(), request.min_revision)?;
        if self.shared.is_draining() {
            // What a node that leaves has left is followed no more, and may still be called in it.
            self.still_permitted(revision)?;
        }
        if request.operation.starts_with(reserved::PREFIX) {
            return reserved::answer(request.operation).map(Bytes::from);
        }
        let deadline = match revision.timeout_max() {
            Some(most) => request.deadline.min(Instant::now() + most),
            None => request.deadline,
        };
        // Who waits for the module waits in its place: so many, and no more, do.
        let (module, place) = match self.modules.get(revision) {
            Some(module) => (module, None),
            None => {
                let place = self.enter(revision, deadline).await?;
                let module = Box::pin(self.modules.bring(revision, deadline)).await?;
                self.still_permitted(revision)?;
                (module, Some(place))
            }
        };
        let by_provider =
            request.origin.is_some_and(|origin| origin.parse::<ProviderKey>().is_ok());
        if by_provider {
            permit::provider_call(&module.capabilities, request.operation)?;
        }
        // In the words of an older module, where it is one.
        let translated = match module.dialect.filter(|_| by_provider) {
            Some(dialect) => older::to_actor(dialect, request.operation, request.payload)?,
            None => None,
        };
        let _place = match place {
            Some(place) => place,
            None => self.enter(revision, deadline).await?,
        };
        gate::in_time(deadline, Instant::now())?;
        // Before anything is made that only a call needs which runs.
        let turn = match revision.weight.is_heavy() {
            true => Some(self.turn(revision, request.patience, deadline).await?),
            false => None,
        };
        let host = Arc::new(CallHost::new(
            self.shared.clone(),
            self.key.clone(),
            (revision.clone(), module.clone()),
            deadline,
            request.hops,
            request.trace,
        ));
        let (operation, payload) = match &translated {
            Some(older) => (older.operation, older.payload.as_slice()),
            None => (request.operation, request.payload),
        };
        let answer = match turn {
            Some(turn) => {
                let call = Heavy { operation, payload, deadline, host };
                Box::pin(self.compute(revision, call, turn)).await?
            }
            None => {
                let call = mesh_runtime::Call { operation, payload, deadline, host };
                revision.weight.weigh(module.actor.call(call)).await?
            }
        };
        match translated {
            Some(older) => older.answered(&answer).map(Bytes::from),
            None => Ok(answer),
        }
    }

    /// Answers a call that came over NATS.
    pub async fn take(&self, call: Incoming<'_>, patience: Patience) -> Answered {
        if let Err(error) = self.shared.freshness.for_call(call.deadline).await {
            return Answered::from(Err(error));
        }
        let request = Request {
            operation: call.operation,
            payload: call.payload,
            deadline: call.deadline,
            hops: call.hops,
            min_revision: call.min_revision,
            origin: call.origin,
            patience,
            trace: call.trace,
        };
        self.serve(request).await
    }

    /// Waits for a place for a call.
    async fn enter<'a>(
        &self,
        revision: &'a Revision,
        deadline: Instant,
    ) -> Result<SemaphorePermit<'a>, Error> {
        if let Some(place) = revision.admission.try_enter() {
            return Ok(place);
        }
        let place = revision.admission.wait(deadline).await?;
        self.still_permitted(revision)?;
        Ok(place)
    }

    /// Waits for a processor for a call that computes for long.
    async fn turn(
        &self,
        revision: &Revision,
        patience: Patience,
        deadline: Instant,
    ) -> Result<Turn, Error> {
        let line = match patience {
            Patience::Long => &self.line_here,
            Patience::Short => &self.line_elsewhere,
        };
        let line = line.get_or_init(|| self.shared.compute.line());
        let turn = line.turn(patience, deadline).await?;
        self.still_permitted(revision)?;
        gate::in_time(deadline, Instant::now())?;
        Ok(turn)
    }

    /// Runs a call that computes for long apart from those that don't.
    async fn compute(
        &self,
        revision: &Arc<Revision>,
        call: Heavy<'_>,
        turn: Turn,
    ) -> Result<Bytes, Error> {
        let Heavy { operation, payload, deadline, host } = call;
        let (operation, payload) = (operation.to_owned(), Bytes::copy_from_slice(payload));
        let yields = Yields::default();
        let actor = host.module.actor.clone();
        let host = Arc::new(MainHost::here(host, yields.clone()));
        let work = async move {
            let (operation, payload) = (operation.as_str(), &payload[..]);
            actor.call(mesh_runtime::Call { operation, payload, deadline, host }).await
        };
        self.shared.compute.run(turn, yields, &revision.weight, work).await
    }

    /// Looks again at what may have changed since a call was given its revision.
    fn still_permitted(&self, revision: &Revision) -> Result<(), Error> {
        gate::still_permitted(&self.shared.revocations(), &self.key, &revision.serving())
    }
}

/// A call that is to run on another thread.
struct Heavy<'a> {
    operation: &'a str,
    payload: &'a [u8],
    deadline: Instant,
    host: Arc<CallHost>,
}

impl Answering for ActorHost {
    async fn answer(&self, call: Incoming<'_>) -> Answered {
        self.take(call, Patience::Short).await
    }

    fn overloaded(&self) -> Error {
        match &**self.slot.load() {
            Slot::Serving(revision) => revision.admission.busy(),
            Slot::Refusing(error) => error.clone(),
        }
    }
}
