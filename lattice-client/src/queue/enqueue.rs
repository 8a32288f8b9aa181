//! Storing a durable invocation.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use async_nats::jetstream::ErrorCode as ApiCode;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::names::is_operation;
use lattice_protocol::subjects::{self, Subject, header};
use lattice_protocol::{Invocation, InvocationId, limits as wire};
use tokio::time::Instant;

use super::QueueError;
use crate::jetstream::is_full;
use crate::lattice::Lattice;
use crate::limits;
use crate::trace::TraceContext;

/// A durable invocation to store. [`Durable::new`] sets what every one has; the rest are wishes.
#[derive(Clone, Debug)]
pub struct Durable {
    /// The actor.
    pub target: ActorKey,
    /// What to do.
    pub operation: String,
    /// The payload, opaque to the mesh; must fit into one message.
    pub payload: Bytes,
    /// Time that each attempt has to run.
    pub timeout: Duration,
    /// How often it may fail before it is put aside.
    pub attempts_max: Option<u32>,
    /// What it is known by: stored once, however often it is sent within the window of the stream.
    pub message_id: Option<String>,
    /// The oldest revision that may run it.
    pub min_revision: Option<u64>,
    /// Key of the caller, where it has one.
    pub origin: Option<String>,
    /// Trace context to carry on.
    pub trace: TraceContext,
}

impl Durable {
    /// Makes a durable invocation of `operation` with the default time-out.
    pub fn new(target: ActorKey, operation: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            target,
            operation: operation.into(),
            payload: payload.into(),
            timeout: Duration::from_millis(u64::from(wire::CALL_TIMEOUT_DEFAULT_MS)),
            attempts_max: None,
            message_id: None,
            min_revision: None,
            origin: None,
            trace: TraceContext::default(),
        }
    }

    /// Gives each attempt this much time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets it fail this often before it is put aside: 1 to
    /// [`wire::QUEUE_ATTEMPTS_MAX`] times.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = Some(attempts);
        self
    }

    /// Names it: another one of that name is not stored within the window of the stream.
    #[must_use]
    pub fn message_id(mut self, id: impl Into<String>) -> Self {
        self.message_id = Some(id.into());
        self
    }

    fn encode(&self, id: InvocationId) -> Result<Bytes, QueueError> {
        if !is_operation(&self.operation) {
            return Err(QueueError::BadRequest(format!(
                "an operation is 1 to {} bytes without control characters",
                wire::OPERATION_BYTES_MAX
            )));
        }
        let timeout_ms = u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX).max(1);
        let invocation = Invocation {
            timeout_ms: Some(timeout_ms),
            origin: self.origin.as_deref(),
            min_revision: self.min_revision,
            ..Invocation::new(id, self.target.as_str(), &self.operation, &self.payload)
        };
        let bytes = invocation.encode();
        Ok(bytes.map_err(|error| QueueError::BadRequest(error.to_string()))?.into())
    }

    fn headers(&self) -> Result<HeaderMap, QueueError> {
        let mut headers = self.trace.to_headers().unwrap_or_default();
        if let Some(attempts) = self.attempts_max {
            if !(1..=wire::QUEUE_ATTEMPTS_MAX).contains(&attempts) {
                return Err(QueueError::BadRequest(format!(
                    "a durable invocation may fail 1 to {} times, not {attempts}",
                    wire::QUEUE_ATTEMPTS_MAX
                )));
            }
            headers.insert(header::ATTEMPTS_MAX, attempts.to_string());
        }
        Ok(headers)
    }
}

/// A durable invocation that the stream has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The stream.
    pub stream: String,
    /// Its number there.
    pub sequence: u64,
    /// Its message id.
    pub id: String,
    /// Whether it was stored before under that id; then `sequence` is that of the first.
    pub duplicate: bool,
}

impl Lattice {
    /// Stores a durable invocation; returns when the stream has it. A node that serves the actor
    /// runs it then, or as soon as there is one: at least once, with pauses after failures, until it
    /// succeeds or is put aside as a dead letter.
    ///
    /// # Errors
    /// [`QueueError::TooLarge`] and [`QueueError::BadRequest`] before anything is sent;
    /// [`QueueError::Full`]; [`QueueError::Unconfirmed`] when it may have been stored all the same,
    /// and [`QueueError::NoJetStream`] or [`QueueError::Unreachable`] when it was not.
    pub async fn enqueue(&self, durable: Durable) -> Result<Enqueued, QueueError> {
        let most = self.nats().max_payload().saturating_sub(2 * wire::QUEUE_OVERHEAD_BYTES);
        if durable.payload.len() > most {
            return Err(QueueError::TooLarge { found: durable.payload.len(), limit: most });
        }
        let id = InvocationId::generate();
        let message_id = match &durable.message_id {
            Some(text) => checked_id(text)?,
            None => id.to_string(),
        };
        let headers = durable.headers()?;
        let bytes = durable.encode(id)?;
        self.store(&durable.target, message_id, headers, bytes).await
    }

    /// Stores what is invoked durably under `id`, trying again until it is confirmed.
    pub(super) async fn store(
        &self,
        actor: &ActorKey,
        id: String,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Enqueued, QueueError> {
        let target = TargetKey::Actor(actor.clone());
        let subject = Subject::Queue(self.name().clone(), target).to_string();
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        // Not in somebody else's stream that happens to have the subject too.
        headers.insert(NATS_EXPECTED_STREAM, subjects::queue_stream(self.name()).as_str());
        let end = Instant::now() + Duration::from_millis(limits::ENQUEUE_TIMEOUT_MS);
        let mut sent = false;
        loop {
            let failed = match self.publish(&subject, &headers, &payload).await {
                Ok(PublishAck { stream, sequence, duplicate, .. }) => {
                    return Ok(Enqueued { stream, sequence, id, duplicate });
                }
                Err(failed) => failed,
            };
            let opened = match &failed {
                Failed::Final(error) => return Err(error.clone()),
                Failed::NoStream => self.open_queue().await,
                Failed::Unconfirmed => {
                    sent = true;
                    Ok(())
                }
            };
            let pause = Duration::from_millis(limits::ENQUEUE_RETRY_PAUSE_MS);
            if Instant::now() + pause >= end {
                return Err(match opened {
                    _ if sent => QueueError::Unconfirmed { id },
                    Err(error) => error,
                    Ok(()) => QueueError::Unreachable("the stream is not there".to_owned()),
                });
            }
            match opened {
                Err(error @ QueueError::NoJetStream(_)) if !sent => return Err(error),
                // A stream that was just made, and is not known everywhere, wants a moment too.
                _ => tokio::time::sleep(pause).await,
            }
        }
    }

    async fn publish(
        &self,
        subject: &str,
        headers: &HeaderMap,
        payload: &Bytes,
    ) -> Result<PublishAck, Failed> {
        let publish = async {
            let (headers, payload) = (headers.clone(), payload.clone());
            let sent = self.jetstream().publish_with_headers(subject.to_owned(), headers, payload);
            sent.await?.await
        };
        let bound = Duration::from_millis(limits::ENQUEUE_ATTEMPT_MS);
        let Ok(published) = tokio::time::timeout(bound, Box::pin(publish)).await else {
            return Err(Failed::Unconfirmed);
        };
        let most = self.nats().max_payload().saturating_sub(wire::QUEUE_OVERHEAD_BYTES);
        published.map_err(|error| match error.kind() {
            PublishErrorKind::StreamNotFound => Failed::NoStream,
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => Failed::Unconfirmed,
            PublishErrorKind::MaxPayloadExceeded => {
                Failed::Final(QueueError::TooLarge { found: payload.len(), limit: most })
            }
            _ => match crate::jetstream::said(&error) {
                None => Failed::Unconfirmed,
                Some(said) if said.error_code() == ApiCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                    Failed::Final(QueueError::TooLarge { found: payload.len(), limit: most })
                }
                // A cluster without a leader for now.
                Some(said) if said.code() == 503 && !is_full(&said) => Failed::NoStream,
                Some(_) => Failed::Final(QueueError::of(&error)),
            },
        })
    }
}

/// Why one attempt to store something failed.
enum Failed {
    /// There is no stream, or nobody who leads it.
    NoStream,
    /// Whether it was stored is unknown.
    Unconfirmed,
    /// The server says no.
    Final(QueueError),
}

fn checked_id(text: &str) -> Result<String, QueueError> {
    let fits = (1..=limits::MESSAGE_ID_BYTES_MAX).contains(&text.len());
    if !fits || text.chars().any(char::is_control) {
        return Err(QueueError::BadRequest(format!(
            "a message id is 1 to {} bytes without control characters",
            limits::MESSAGE_ID_BYTES_MAX
        )));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_checked_before_anything_is_sent() {
        let target = ActorKey::generate().unwrap().0;
        let durable = Durable::new(target, "Run", b"".as_slice());
        for attempts in [0, wire::QUEUE_ATTEMPTS_MAX + 1] {
            assert!(durable.clone().attempts_max(attempts).headers().is_err(), "{attempts}");
        }
        let headers = durable.clone().attempts_max(3).headers().unwrap();
        assert_eq!(headers.get(header::ATTEMPTS_MAX).unwrap().as_str(), "3");
        let unnamed = Durable { operation: String::new(), ..durable };
        assert!(unnamed.encode(InvocationId::generate()).is_err());
        for id in ["", "a\r\nNats-Rollup: all", &"a".repeat(limits::MESSAGE_ID_BYTES_MAX + 1)] {
            assert!(checked_id(id).is_err(), "{id:?}");
        }
        assert_eq!(checked_id("order 17").unwrap(), "order 17");
    }
}
