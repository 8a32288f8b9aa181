//! Answering calls: from a message on the subject of an actor or provider to its reply.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use lattice_protocol::keys::{NodeKey, TargetKey};
use lattice_protocol::subjects::{self, Subject};
use lattice_protocol::{Error, ErrorCode, Invocation, InvocationId, Reply, limits as wire};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::lattice::Lattice;
use crate::serve::{Delivery, Handler, ServeError, ServeOptions, Serving};
use crate::trace::TraceContext;
use crate::{bodies, limits};

/// A call as it came, read and checked.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// What to do.
    pub operation: &'a str,
    /// The payload, fetched where it came by reference.
    pub payload: &'a [u8],
    /// When the caller waits no longer.
    pub deadline: Instant,
    /// Calls that led to this one.
    pub hops: u8,
    /// The oldest revision that may answer.
    pub min_revision: Option<u64>,
    /// Key of the caller, where it told one.
    pub origin: Option<&'a str>,
    /// Name of the link that the caller uses.
    pub link: Option<&'a str>,
    /// The caller's trace.
    pub trace: TraceContext,
}

/// What came of a call, and the revision of the actor that answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The payload, or why there is none.
    pub outcome: Result<Bytes, Error>,
    /// The revision.
    pub revision: Option<u64>,
}

impl From<Result<Bytes, Error>> for Answered {
    fn from(outcome: Result<Bytes, Error>) -> Self {
        Self { outcome, revision: None }
    }
}

/// What answers the calls of a key.
pub trait Answering: Send + Sync + 'static {
    /// Answers a call.
    fn answer(&self, call: Incoming<'_>) -> impl Future<Output = Answered> + Send;

    /// Returns the error of a call for which there is no place.
    fn overloaded(&self) -> Error;
}

/// What serving calls needs to know.
#[derive(Clone)]
pub struct AnswerOptions {
    /// The key whose calls are answered.
    pub target: TargetKey,
    /// Who answers, as replies say.
    pub node: NodeKey,
    /// Calls that may be handled at once, waiting ones included; more are refused.
    pub in_flight_max: usize,
    /// Payloads by reference that are in memory at once; further calls that bring one wait.
    pub bodies: Arc<Semaphore>,
}

impl Lattice {
    /// As [`Lattice::answer_calls`], and does not wait until the server knows of the subscription: a
    /// [`fence`](Lattice::fence) tells that, of many at once.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn begin_to_answer<A: Answering>(
        &self,
        options: AnswerOptions,
        answering: Arc<A>,
    ) -> Result<Serving, ServeError> {
        let serve = serve_options(self, &options);
        let handler = CallHandler::new(self.clone(), options, answering);
        self.begin_to_serve(serve, Arc::new(handler)).await
    }

    /// Answers the calls of a key, together with all others that do so, until
    /// [`Serving::drain`]. Who answers for an actor has to serve controls too
    /// ([`Lattice::serve_controls`]): callers ask by them whether a call that takes long is lost.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn answer_calls<A: Answering>(
        &self,
        options: AnswerOptions,
        answering: Arc<A>,
    ) -> Result<Serving, ServeError> {
        let serve = serve_options(self, &options);
        let handler = CallHandler::new(self.clone(), options, answering);
        self.serve(serve, Arc::new(handler)).await
    }
}

fn serve_options(lattice: &Lattice, options: &AnswerOptions) -> ServeOptions {
    ServeOptions {
        subject: Subject::Call(lattice.name().clone(), options.target.clone()).to_string(),
        queue_group: Some(subjects::queue_group(&options.target)),
        in_flight_max: options.in_flight_max,
        sheds: true,
    }
}

/// Reads and checks the calls of a key, has them answered, and replies.
pub struct CallHandler<A> {
    lattice: Lattice,
    target: TargetKey,
    node: NodeKey,
    bodies: Arc<Semaphore>,
    answering: Arc<A>,
}

impl<A: Answering> CallHandler<A> {
    /// Has the calls of `options.target` answered by `answering`.
    pub fn new(lattice: Lattice, options: AnswerOptions, answering: Arc<A>) -> Self {
        let AnswerOptions { target, node, bodies, .. } = options;
        Self { lattice, target, node, bodies, answering }
    }

    /// Checks a call that came with `headers`, and has it answered; replies to nobody. Its budget runs
    /// from `taken`: what the way to there cost is the caller's to know.
    pub async fn answer(
        &self,
        headers: Option<&HeaderMap>,
        invocation: &Invocation<'_>,
        taken: Instant,
    ) -> Answered {
        let budget = Duration::from_millis(u64::from(invocation.budget_ms()));
        let deadline = taken + budget;
        if invocation.target != self.target.as_str() {
            return Answered::from(Err(Error::not_started(
                ErrorCode::BadRequest,
                format!("the subject is that of {}, the target another", self.target),
            )));
        }
        let hops = invocation.hops.unwrap_or(0);
        if hops > wire::HOPS_MAX {
            return Answered::from(Err(Error::not_started(
                ErrorCode::LimitExceeded,
                format!("more than {} calls follow from one another", wire::HOPS_MAX),
            )));
        }
        let (fetched, _held);
        let payload = match &invocation.body_ref {
            None => invocation.msg,
            Some(reference) => {
                let fetch = async {
                    let held = self.bodies.acquire().await;
                    bodies::fetch(&self.lattice, reference).await.map(|bytes| (bytes, held))
                };
                match tokio::time::timeout_at(deadline.into(), Box::pin(fetch)).await {
                    Ok(Ok((bytes, held))) => (fetched, _held) = (bytes, held),
                    Ok(Err(error)) => return Answered::from(Err(error)),
                    Err(_) => return Answered::from(Err(late_body())),
                }
                &fetched
            }
        };
        let incoming = Incoming {
            operation: invocation.operation,
            payload,
            deadline,
            hops,
            min_revision: invocation.min_revision,
            origin: invocation.origin,
            link: invocation.link,
            trace: TraceContext::from_headers(headers),
        };
        self.answering.answer(incoming).await
    }

    async fn reply(&self, message: &Message, id: InvocationId, answered: Answered) {
        let Some(to) = message.reply.clone() else { return };
        let busy = answered.outcome.as_ref().is_err_and(|error| error.code == ErrorCode::Busy);
        let bytes = self.encode(id, answered).await;
        if busy {
            // Where many are refused, what runs has the processor first.
            self.lattice.publish_later(to, bytes).await;
        } else if let Err(error) = self.lattice.nats().publish(to, bytes).await {
            tracing::warn!(%error, target = %self.target, "a reply could not be sent");
        }
    }

    async fn encode(&self, id: InvocationId, answered: Answered) -> Bytes {
        let Answered { mut outcome, revision } = answered;
        let mut stored = None;
        if let Ok(payload) = &outcome {
            match bodies::store_if_large(&self.lattice, payload).await {
                Ok(reference) => stored = reference,
                Err(error) => outcome = Err(Error { started: true, ..error }),
            }
        }
        let outcome = outcome.as_ref().map(|payload| &**payload).map_err(Clone::clone);
        let mut reply = Reply { revision, ..Reply::new(id, self.node.as_str(), outcome) };
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

fn late_call() -> Error {
    Error::not_started(
        ErrorCode::Stale,
        "the process or its link to NATS stood still, and the caller's time may have run out meanwhile",
    )
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

impl<A: Answering> Handler for CallHandler<A> {
    async fn handle(&self, delivery: Delivery) {
        let message = &delivery.message;
        if !may_reply(message) {
            tracing::debug!(target = %self.target, "a call with a forbidden reply subject is dropped");
            return;
        }
        let (id, answered) = match Invocation::decode(&message.payload) {
            Ok(invocation) => {
                let budget = Duration::from_millis(u64::from(invocation.budget_ms()));
                let gap = Duration::from_millis(limits::PULSE_GAP_MS);
                // The way may have been so long that the caller has gone.
                let answered = if delivery.sent_after.elapsed() > budget.max(gap) {
                    Answered::from(Err(late_call()))
                } else {
                    self.answer(message.headers.as_ref(), &invocation, delivery.taken).await
                };
                (invocation.id, answered)
            }
            Err(error) => (no_id(), Answered::from(Err(error.into()))),
        };
        self.reply(message, id, answered).await;
    }

    async fn refuse(&self, message: Message) {
        if !may_reply(&message) {
            return;
        }
        let id = Invocation::decode(&message.payload).map_or_else(|_| no_id(), |call| call.id);
        self.reply(&message, id, Answered::from(Err(self.answering.overloaded()))).await;
    }
}
