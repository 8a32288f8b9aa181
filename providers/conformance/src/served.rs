//! The recorder as an actor of a real lattice: providers reach it over NATS.

use std::sync::Arc;

use bytes::Bytes;
use lattice_client::serve::{Handler, ServeError, ServeOptions, Serving};
use lattice_client::{Lattice, bodies};
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::subjects::{self, Subject};
use lattice_protocol::{Error, ErrorCode, Invocation, Outcome, Reply};

use crate::Recorder;

/// Calls that may be answered at once.
const CALLS_IN_FLIGHT_MAX: usize = 4_096;

impl Recorder {
    /// Serves the actor's calls in a lattice, as a node would.
    ///
    /// # Errors
    /// That its subject can't be subscribed to.
    pub async fn serve(&self, lattice: &Lattice, actor: &ActorKey) -> Result<Serving, ServeError> {
        let target = TargetKey::from(actor.clone());
        let options = ServeOptions {
            queue_group: Some(subjects::queue_group(&target)),
            subject: Subject::Call(lattice.name().clone(), target).to_string(),
            in_flight_max: CALLS_IN_FLIGHT_MAX,
        };
        let served =
            Served { recorder: self.clone(), lattice: lattice.clone(), key: actor.clone() };
        lattice.serve(options, Arc::new(served)).await
    }
}

/// Calls over NATS.
struct Served {
    recorder: Recorder,
    lattice: Lattice,
    key: ActorKey,
}

impl Served {
    async fn outcome(&self, call: &Invocation<'_>) -> Result<Bytes, Error> {
        let payload = match &call.body_ref {
            Some(reference) => bodies::fetch(&self.lattice, reference).await?,
            None => Bytes::copy_from_slice(call.msg),
        };
        let link = call.link.and_then(|link| link.parse().ok()).ok_or_else(|| {
            Error::not_started(ErrorCode::BadRequest, "a provider names the link")
        })?;
        self.recorder.answer(link, call.operation.to_owned(), payload, None).await
    }
}

impl Handler for Served {
    async fn handle(&self, message: async_nats::Message) {
        let Some(reply_to) = message.reply else { return };
        let Ok(call) = Invocation::decode(&message.payload) else { return };
        let outcome = self.outcome(&call).await;
        let outcome: Outcome<&[u8]> = match &outcome {
            Ok(payload) => Ok(payload),
            Err(error) => Err(error.clone()),
        };
        if let Ok(bytes) = Reply::new(call.id, self.key.as_str(), outcome).encode() {
            // Whoever asked may have gone.
            let _ = self.lattice.nats().publish(reply_to, bytes.into()).await;
        }
    }

    async fn refuse(&self, _: async_nats::Message) {}
}
