//! From a NATS message to an answer: decode, check, run, reply.

use std::sync::Arc;

use async_nats::Message;
use bytes::Bytes;
use lattice_client::serve::Handler;
use lattice_client::{TraceContext, bodies};
use lattice_protocol::{
    Error, ErrorCode, Invocation, InvocationId, Reply, limits as wire, subjects,
};
use tracing::Instrument;
use uuid::Uuid;

use super::{ActorHost, Answered, Request, Slot, deadline_in};
use crate::shared::Shared;
use crate::telemetry;

/// Answers the messages of an actor's subject.
pub(crate) struct CallHandler {
    host: Arc<ActorHost>,
    shared: Arc<Shared>,
}

impl CallHandler {
    pub fn new(host: Arc<ActorHost>, shared: Arc<Shared>) -> Self {
        Self { host, shared }
    }

    async fn answer(&self, message: &Message, invocation: &Invocation<'_>) -> Answered {
        let refuse = |error: Error| Answered { outcome: Err(error), revision: None };
        // The budget runs from here: what the way cost is the caller's to know.
        let deadline = deadline_in(invocation.budget_ms());
        if invocation.target != self.host.key().as_str() {
            return refuse(Error::not_started(
                ErrorCode::BadRequest,
                format!("the subject is that of {}, the target another", self.host.key()),
            ));
        }
        let hops = invocation.hops.unwrap_or(0);
        if hops > wire::HOPS_MAX {
            return refuse(Error::not_started(
                ErrorCode::LimitExceeded,
                format!("more than {} calls follow from one another", wire::HOPS_MAX),
            ));
        }
        let (fetched, _held);
        let payload = match &invocation.body_ref {
            None => invocation.msg,
            Some(reference) => {
                let fetch = async {
                    let held = self.shared.bodies.acquire().await;
                    bodies::fetch(&self.shared.lattice, reference).await.map(|bytes| (bytes, held))
                };
                match tokio::time::timeout_at(deadline.into(), Box::pin(fetch)).await {
                    Ok(Ok((bytes, held))) => (fetched, _held) = (bytes, held),
                    Ok(Err(error)) => return refuse(error),
                    Err(_) => return refuse(late_body()),
                }
                &fetched
            }
        };
        let request = Request {
            operation: invocation.operation,
            payload,
            deadline,
            hops,
            min_revision: invocation.min_revision,
            trace: TraceContext::from_headers(message.headers.as_ref()),
        };
        if self.shared.traced {
            let span = telemetry::serve_span(self.host.key(), &request);
            let answered = Box::pin(self.host.invoke(request).instrument(span.clone())).await;
            telemetry::finish(&span, &answered);
            return answered;
        }
        self.host.invoke(request).await
    }

    async fn reply(&self, message: &Message, id: InvocationId, answered: Answered) {
        let Some(to) = message.reply.clone() else { return };
        let bytes = self.encode(id, answered).await;
        if let Err(error) = self.shared.lattice.nats().publish(to, bytes).await {
            tracing::warn!(%error, actor = %self.host.key(), "a reply could not be sent");
        }
    }

    async fn encode(&self, id: InvocationId, answered: Answered) -> Bytes {
        let node = self.shared.key.as_str();
        let Answered { mut outcome, revision } = answered;
        let mut stored = None;
        if let Ok(payload) = &outcome {
            match bodies::store_if_large(&self.shared.lattice, payload).await {
                Ok(reference) => stored = reference,
                Err(error) => outcome = Err(Error { started: true, ..error }),
            }
        }
        let outcome = outcome.as_ref().map(|payload| &**payload).map_err(Clone::clone);
        let mut reply = Reply { revision, ..Reply::new(id, node, outcome) };
        if stored.is_some() {
            reply.ok = None;
            reply.body_ref = stored;
        }
        reply.encode().map_or_else(
            |error| {
                tracing::error!(%error, "a reply could not be encoded");
                Bytes::new()
            },
            Bytes::from,
        )
    }
}

fn late_body() -> Error {
    Error::not_started(
        ErrorCode::DeadlineExceeded,
        "the payload by reference could not be fetched within the time of the call",
    )
}

/// Stands in a reply for the id of a request that was too broken to tell it.
fn no_id() -> InvocationId {
    InvocationId(Uuid::nil())
}

/// Returns whether the message may be handled: it wants no reply, or one that may be given.
fn may_reply(message: &Message) -> bool {
    message.reply.as_ref().is_none_or(|reply| subjects::is_reply_subject(reply))
}

impl Handler for CallHandler {
    async fn handle(&self, message: Message) {
        if !may_reply(&message) {
            tracing::debug!(actor = %self.host.key(), "a call with a forbidden reply subject is dropped");
            return;
        }
        let (id, answered) = match Invocation::decode(&message.payload) {
            Ok(invocation) => (invocation.id, self.answer(&message, &invocation).await),
            Err(error) => (no_id(), Answered { outcome: Err(error.into()), revision: None }),
        };
        self.reply(&message, id, answered).await;
    }

    async fn refuse(&self, message: Message) {
        if !may_reply(&message) {
            return;
        }
        let error = match &**self.host.slot.load() {
            Slot::Serving(revision) => revision.admission.busy(),
            Slot::Refusing(error) => error.clone(),
        };
        let id = Invocation::decode(&message.payload).map_or_else(|_| no_id(), |call| call.id);
        self.reply(&message, id, Answered { outcome: Err(error), revision: None }).await;
    }
}
