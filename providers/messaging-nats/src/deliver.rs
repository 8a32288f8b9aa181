//! One delivery to the actor, whatever the message came from.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::contract::Message as _;
use lattice_protocol::contract::messaging::{Acknowledgement, Delivery, Message, operation};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{ActorCall, Actors, LinkId};

/// Delivers to the actor of one link.
#[derive(Clone)]
pub(crate) struct Deliverer {
    pub actors: Arc<dyn Actors>,
    pub link: LinkId,
    pub timeout: Duration,
}

impl Deliverer {
    /// Delivers a message and returns what the actor decided about it.
    ///
    /// # Errors
    /// The actor's, or one of the way to it; `bad_request` or `too_large` for a message that the
    /// contract does not allow.
    pub async fn deliver(
        &self,
        message: Message,
        attempt: u32,
        durable: bool,
        headers: Option<&async_nats::HeaderMap>,
    ) -> Result<Acknowledgement, Error> {
        let delivery = Delivery { message, attempt, durable };
        delivery.check()?;
        let payload = delivery.encode();
        let payload =
            payload.map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
        let call = ActorCall {
            link: self.link.clone(),
            operation: operation::DELIVER,
            payload: Bytes::from(payload),
            timeout: self.timeout,
            trace: TraceContext::from_headers(headers),
        };
        let answer = self.actors.call(call).await?;
        Acknowledgement::decode(&answer).map_err(|cause| {
            Error::started(ErrorCode::ActorError, format!("the actor's answer: {cause}"))
        })
    }
}
