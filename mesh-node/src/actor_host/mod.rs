//! One actor on this node: its revision that serves now, its places, its calls.

mod admission;
mod handler;
mod revision;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::presence::ServedActor;
use lattice_protocol::{Error, ErrorCode, reserved};

pub(crate) use admission::Admission;
pub(crate) use handler::CallHandler;
pub(crate) use revision::Revision;

use crate::call_host::CallHost;
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
    slot: ArcSwap<Slot>,
    in_flight: AtomicU32,
}

/// A call as it reaches an actor, from NATS or from another actor of this node.
pub(crate) struct Request<'a> {
    pub operation: &'a str,
    pub payload: &'a [u8],
    pub deadline: Instant,
    pub hops: u8,
    pub min_revision: Option<u64>,
    pub trace: TraceContext,
}

/// What came of a call, and the revision that answered.
pub(crate) struct Answered {
    pub outcome: Result<Bytes, Error>,
    pub revision: Option<u64>,
}

/// Counts one call, for as long as it runs.
struct InFlight<'a>(&'a AtomicU32);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ActorHost {
    pub fn new(key: ActorKey, shared: Arc<Shared>, slot: Slot) -> Self {
        let slot = ArcSwap::from_pointee(slot);
        Self { key, shared, slot, in_flight: AtomicU32::new(0) }
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
            revision: revision.number,
            digest: revision.digest.clone(),
            in_flight: self.in_flight(),
        })
    }

    /// Runs a call: pins the revision that serves now, waits for a place, and lets it run.
    pub async fn invoke(&self, request: Request<'_>) -> Answered {
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let _in_flight = InFlight(&self.in_flight);
        let slot = self.slot.load_full();
        let revision = match &*slot {
            Slot::Serving(revision) => revision,
            Slot::Refusing(error) => {
                return Answered { outcome: Err(error.clone()), revision: None };
            }
        };
        let outcome = self.run(revision, request).await;
        Answered { outcome, revision: Some(revision.number) }
    }

    async fn run(&self, revision: &Arc<Revision>, request: Request<'_>) -> Result<Bytes, Error> {
        if request.min_revision.is_some_and(|wanted| revision.number < wanted) {
            return Err(Error::not_started(
                ErrorCode::Stale,
                format!(
                    "this node serves revision {} of the actor, the call wants {} or a newer one",
                    revision.number,
                    request.min_revision.unwrap_or_default()
                ),
            ));
        }
        if request.operation.starts_with(reserved::PREFIX) {
            return reserved_operation(request.operation);
        }
        let deadline = match revision.timeout_max {
            Some(most) => request.deadline.min(Instant::now() + most),
            None => request.deadline,
        };
        let _place = revision.admission.enter(deadline).await?;
        if deadline <= Instant::now() {
            return Err(Error::not_started(
                ErrorCode::DeadlineExceeded,
                "the time of the call had run out before it could start",
            ));
        }
        let host = CallHost::new(
            self.shared.clone(),
            self.key.clone(),
            revision.clone(),
            deadline,
            request.hops,
            request.trace,
        );
        let call = mesh_runtime::Call {
            operation: request.operation,
            payload: request.payload,
            deadline,
            host: Arc::new(host),
        };
        revision.actor.call(call).await
    }
}

fn reserved_operation(operation: &str) -> Result<Bytes, Error> {
    if operation == reserved::PING {
        return Ok(Bytes::new());
    }
    Err(Error::not_started(
        ErrorCode::BadRequest,
        format!("{operation:?} is reserved and unknown to this node; {} is known", reserved::PING),
    ))
}

/// Returns the deadline of a call that has `budget_ms` from now on.
pub(crate) fn deadline_in(budget_ms: u32) -> Instant {
    Instant::now() + Duration::from_millis(u64::from(budget_ms))
}
