//! The recorder as an actor of a real lattice: providers reach it over NATS.

use std::sync::Arc;

use async_nats::Message;
use bytes::Bytes;
use lattice_client::Lattice;
use lattice_client::answer::{AnswerOptions, Answered, Answering, Incoming};
use lattice_client::control::Controls;
use lattice_client::serve::{Delivery, Handler, ServeError, Serving};
use lattice_protocol::keys::{ActorKey, NodeKey, TargetKey};
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::Semaphore;

use crate::Recorder;

/// Calls that may be answered at once.
const CALLS_IN_FLIGHT_MAX: usize = 4_096;
/// Payloads by reference that are in memory at once.
const BODIES_MAX: usize = 4;

impl Recorder {
    /// Serves the actor's calls in a lattice, as the node `node` would.
    ///
    /// # Errors
    /// That its subject can't be subscribed to.
    pub async fn serve(
        &self,
        lattice: &Lattice,
        node: NodeKey,
        actor: &ActorKey,
    ) -> Result<ServedActor, ServeError> {
        let options = AnswerOptions {
            target: TargetKey::from(actor.clone()),
            node: node.clone(),
            in_flight_max: CALLS_IN_FLIGHT_MAX,
            bodies: Arc::new(Semaphore::new(BODIES_MAX)),
        };
        let calls = lattice.answer_calls(options, Arc::new(Served(self.clone()))).await?;
        let controls = lattice.serve_controls(&node, Arc::new(NothingElse)).await?;
        Ok(ServedActor { _calls: calls, _controls: controls })
    }
}

/// An actor that is served until this is dropped.
pub struct ServedActor {
    _calls: Serving,
    /// Callers whose answers take long ask for their calls.
    _controls: Controls,
}

/// Answers no question but which calls are here.
struct NothingElse;

impl Handler for NothingElse {
    async fn handle(&self, _: Delivery) {}

    async fn refuse(&self, _: Message) {}
}

/// Calls over NATS.
struct Served(Recorder);

impl Answering for Served {
    async fn answer(&self, call: Incoming<'_>) -> Answered {
        let Some(link) = call.link.and_then(|link| link.parse().ok()) else {
            let nameless = "a provider names the link";
            return Err(Error::not_started(ErrorCode::BadRequest, nameless)).into();
        };
        let payload = Bytes::copy_from_slice(call.payload);
        Answered::from(self.0.answer(link, call.operation.to_owned(), payload, None).await)
    }

    fn overloaded(&self) -> Error {
        Error::not_started(ErrorCode::Busy, "a suite does not ask so much at once")
    }
}
