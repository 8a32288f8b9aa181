//! A call: its deadline, its attempts, its answer.

pub mod attempts;
mod gone;
mod long;
mod looker;
mod looks;
mod pace;
pub mod retry;
mod served;
pub mod watch;

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_protocol::keys::TargetKey;
use lattice_protocol::subjects::Subject;
use lattice_protocol::{
    BodyRef, Error, ErrorCode, Invocation, InvocationId, Reply, limits as wire,
};

use attempts::{Attempts, Slice};
pub(crate) use gone::LastLook;
use long::{Live, Running};
pub(crate) use looker::{Looker, Watching, watching};
pub(crate) use pace::Paces;
pub use retry::RetryBudget;
use retry::{Attempt, Policy};
pub(crate) use served::Served;

use crate::lattice::Lattice;
use crate::mux::RequestError;
use crate::trace::TraceContext;
use crate::{bodies, limits};

/// A call to make. [`Call::new`] sets what every call has; the rest are wishes.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whom to call.
    pub target: TargetKey,
    /// What to do.
    pub operation: String,
    /// The payload, opaque to the mesh.
    pub payload: Bytes,
    /// Time for the whole call, retries included.
    pub timeout: Duration,
    /// Whether running it twice does no harm, so that an unknown outcome may be tried again.
    pub idempotent: bool,
    /// The oldest revision that may answer.
    pub min_revision: Option<u64>,
    /// Key of the caller, where it has one.
    pub origin: Option<String>,
    /// Name of the link that the caller uses.
    pub link: Option<String>,
    /// Calls that led to this one.
    pub hops: u8,
    /// Trace context to carry on.
    pub trace: TraceContext,
}

impl Call {
    /// Makes a call of `operation` with the default time-out.
    pub fn new(
        target: impl Into<TargetKey>,
        operation: impl Into<String>,
        payload: impl Into<Bytes>,
    ) -> Self {
        Self {
            target: target.into(),
            operation: operation.into(),
            payload: payload.into(),
            timeout: Duration::from_millis(u64::from(wire::CALL_TIMEOUT_DEFAULT_MS)),
            idempotent: false,
            min_revision: None,
            origin: None,
            link: None,
            hops: 0,
            trace: TraceContext::default(),
        }
    }

    /// Gives the whole call this much time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says that running it twice does no harm.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Wants an answer of revision `revision` or a newer one.
    #[must_use]
    pub fn min_revision(mut self, revision: u64) -> Self {
        self.min_revision = Some(revision);
        self
    }
}

/// What a call brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The target's payload.
    pub payload: Bytes,
    /// Key of the node or provider that answered.
    pub node: String,
    /// Revision of the actor that answered.
    pub revision: Option<u64>,
    /// Attempts that it took.
    pub attempts: u32,
}

/// Returns the error of a call whose target was busy until its time was over.
fn held_back() -> Error {
    Error::not_started(
        ErrorCode::Busy,
        "the target was busy, and the time of the call ran out before it could be sent",
    )
}

/// What all attempts of a call have in common.
struct Request<'a> {
    call: &'a Call,
    id: InvocationId,
    subject: &'a async_nats::Subject,
    stored: Option<&'a BodyRef>,
    /// When the call began.
    started: Instant,
}

impl Lattice {
    /// Calls an actor or provider over NATS and waits for its answer.
    ///
    /// What did not start is tried again within the time of the call (`busy`, `draining`, `stale`,
    /// nobody listening); what may have started only where the call is idempotent. Then attempts overlap:
    /// where nobody who answers has one, another begins while the first is waited for.
    ///
    /// A call that somebody had who is there no more fails within about a second.
    ///
    /// # Errors
    /// The target's [`Error`], or one of the way to it: `not_found` when nobody listens or who had it ended,
    /// `deadline_exceeded` when time ran out, `too_large`, `internal` when the connection was lost.
    pub async fn call(&self, call: Call) -> Result<Answer, Error> {
        let id = InvocationId::generate();
        let started = Instant::now();
        let longest = Duration::from_millis(u64::from(wire::CALL_TIMEOUT_MAX_MS));
        let timeout = call.timeout.min(longest);
        let subject = async_nats::Subject::from(
            Subject::Call(self.name().clone(), call.target.clone()).to_string(),
        );
        self.retries().earn();
        // Once for all attempts.
        let store = bodies::store_if_large(self, &call.payload);
        let stored = tokio::time::timeout(timeout, store).await.map_err(|_| {
            let late = "the payload could not be stored within the time of the call";
            Error::not_started(ErrorCode::DeadlineExceeded, late)
        })??;
        let stored = stored.as_ref();
        let request = Request { call: &call, id, subject: &subject, stored, started };
        let Some(paced) = self.paces().enter(&call.target, started + timeout).await else {
            return Err(held_back());
        };
        // Nobody was looked for until now.
        let unserved = started.elapsed() + self.served().patience(&call.target);
        let idempotent = call.idempotent;
        let mut attempts = Attempts::new(Policy { idempotent, timeout, unserved });
        let began = started.elapsed();
        let slice = attempts.begin(began);
        let token = self.mux().token();
        let mut first = pin!(self.attempt(&request, token, slice));
        // Most calls end here; what others need is made when they do.
        let soon = slice.wait.min(Duration::from_millis(limits::LOOK_AFTER_MS));
        let first: Running<'_> = match tokio::time::timeout(soon, first.as_mut()).await {
            Ok(Ok(answer)) => {
                self.paces().told(&call.target, started + began, false);
                return Ok(Answer { attempts: 1, ..answer });
            }
            Ok(failed) => Box::pin(std::future::ready(failed)),
            Err(_) => Box::pin(first),
        };
        let live = Live { number: attempts.made(), token, began: started + began };
        Box::pin(self.call_long(&request, attempts, paced, live, first)).await
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        token: u64,
        slice: Slice,
    ) -> Result<Answer, Attempt> {
        let Request { call, id, subject, stored, .. } = *request;
        let inline = if stored.is_some() { &[][..] } else { &call.payload };
        let invocation = Invocation {
            origin: call.origin.as_deref(),
            link: call.link.as_deref(),
            timeout_ms: Some(slice.budget_ms()),
            hops: (call.hops > 0).then_some(call.hops),
            idempotent: call.idempotent.then_some(true),
            min_revision: call.min_revision,
            body_ref: stored.cloned(),
            ..Invocation::new(id, call.target.as_str(), &call.operation, inline)
        };
        let bytes = invocation.encode().map_err(|error| {
            Attempt::Answered(Error::not_started(ErrorCode::BadRequest, error.to_string()))
        })?;
        let headers = call.trace.to_headers();
        let (mux, nats) = (self.mux(), self.nats());
        let reply = mux.request_as(token, nats, subject.clone(), headers, bytes.into()).await;
        let message = reply.map_err(|error| match error {
            RequestError::NoResponders => Attempt::NoResponders(call.target.clone()),
            RequestError::ConnectionLost => Attempt::ConnectionLost,
            RequestError::TooMany => Attempt::Answered(Error::not_started(
                ErrorCode::Busy,
                format!("{} calls of this client wait already", limits::PENDING_CALLS_MAX),
            )),
            RequestError::NotSent => Attempt::Answered(Error::not_started(
                ErrorCode::Internal,
                "the connection to NATS is closed",
            )),
        })?;
        self.served().answered(&call.target);
        self.read_answer(id, &message.payload).await
    }

    async fn read_answer(&self, id: InvocationId, payload: &Bytes) -> Result<Answer, Attempt> {
        let broken = |cause: String| {
            Attempt::Answered(Error::started(
                ErrorCode::Internal,
                format!("the reply can't be read: {cause}"),
            ))
        };
        let reply = Reply::decode(payload).map_err(|error| broken(error.to_string()))?;
        // Whoever could not read a request answers it with the nil id.
        if reply.id != id && !(reply.err.is_some() && reply.id.0.is_nil()) {
            return Err(broken("it answers another call".to_owned()));
        }
        if let Some(error) = reply.err {
            return Err(Attempt::Answered(error));
        }
        let body = match (reply.ok, &reply.body_ref) {
            (Some(inline), _) => payload.slice_ref(inline),
            (None, Some(reference)) => {
                // Whatever becomes of its answer: it ran.
                let fetched = bodies::fetch(self, reference).await;
                fetched.map_err(|error| Attempt::Answered(Error { started: true, ..error }))?
            }
            (None, None) => return Err(broken("it carries nothing".to_owned())),
        };
        Ok(Answer {
            payload: body,
            node: reply.node.to_owned(),
            revision: reply.revision,
            attempts: 0,
        })
    }
}
