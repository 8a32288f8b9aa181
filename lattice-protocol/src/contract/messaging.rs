//! `mesh:messaging`: an actor publishes and receives messages of a broker.
//!
//! The subjects that an actor receives are in its link ([`config`]). The provider calls the actor's
//! `deliver`, and what the actor answers decides about the message: [`Verdict`]. A durable source
//! delivers again what was not decided about: where the call failed, or the actor said `retry`.
//! A source that is not durable can't, and drops it.
//!
//! A subject is one of NATS outside of the mesh: see
//! [`is_reply_subject`](crate::subjects::is_reply_subject). Others are `bad_request`, those that the
//! link does not permit `unauthorized`.

use serde::{Deserialize, Serialize};

use super::limits::messaging as limits;
use super::{Headers, bounded};
use crate::codec::DecodeError;
use crate::subjects::is_reply_subject;

super::contract! { "mesh:messaging";
    /// [`Message`](super::Message) to [`Empty`](super::super::Empty): the broker has it. A durable
    /// one has stored it.
    PUBLISH = "publish", Provider, false;
    /// [`Request`](super::Request) to the [`Message`](super::Message) that answers it. Where nobody
    /// listens that is `not_found`, without an answer in time `deadline_exceeded`.
    REQUEST = "request", Provider, false;
    /// [`Delivery`](super::Delivery) to [`Acknowledgement`](super::Acknowledgement).
    DELIVER = "deliver", Actor, false;
}

/// Configuration of a link: what the provider gives to the link's source.
pub mod config {
    /// Subjects to receive, separated by commas; with the wildcards of NATS.
    pub const SUBJECTS: &str = "subjects";
    /// Those that name the same group share the messages; absent means the actor's key.
    pub const GROUP: &str = "group";
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Where it goes, or where it came in.
    pub subject: String,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Identity, at most [`limits::ID_BYTES_MAX`] bytes: a durable broker stores two messages of one
    /// identity once, as far as it remembers; a message that is delivered again has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The headers.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// The body; at most [`limits::BODY_BYTES_MAX`] bytes, and at most what the broker takes.
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl super::Message for Message {
    fn check(&self) -> Result<(), DecodeError> {
        check_subject(&self.subject)?;
        self.reply_to.as_deref().map_or(Ok(()), check_subject)?;
        if let Some(id) = &self.id {
            bounded::name(limits::ID_BYTES_MAX, "an id", id)?;
        }
        self.headers.check()?;
        bounded::size(limits::BODY_BYTES_MAX, "a body", self.body.len())
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.headers.bulk_bytes() + self.subject.len()
    }
}

/// A message that waits for an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The message; its `reply_to` is chosen by the provider and must be absent.
    pub message: Message,
    /// Milliseconds to wait; absent or 0 means what is left of the call's budget, which is never
    /// exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
}

impl super::Message for Request {
    fn check(&self) -> Result<(), DecodeError> {
        if self.message.reply_to.is_some() {
            return Err(DecodeError::Shape("a request has no reply_to".into()));
        }
        self.message.check()
    }

    fn bulk_bytes(&self) -> usize {
        self.message.bulk_bytes()
    }
}

/// A message on its way to an actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// How often it was delivered, this time included. Default 1.
    #[serde(default = "first")]
    pub attempt: u32,
    /// Whether it comes again unless the actor decides about it. Default false.
    #[serde(default)]
    pub durable: bool,
}

fn first() -> u32 {
    1
}

impl super::Message for Delivery {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::within(1, u32::MAX.into(), "an attempt", self.attempt.into())?;
        self.message.check()
    }

    fn bulk_bytes(&self) -> usize {
        self.message.bulk_bytes()
    }
}

/// What an actor decides about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is done with it.
    #[default]
    Ack,
    /// It wants it again, later.
    Retry,
    /// It never wants it again: the message is of no use. A source with a place for such messages
    /// puts it there.
    Reject,
}

/// How an actor answers a [`Delivery`]. One without fields acknowledges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// What becomes of the message. Default `ack`.
    #[serde(default)]
    pub verdict: Verdict,
    /// Milliseconds after which it should come again, at most [`limits::RETRY_AFTER_MAX_MS`]; for
    /// `retry` alone. Absent means as the source is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Why, for people; at most [`limits::REASON_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Body of an answer that the provider sends to `reply_to` where the message has one; for `ack`
    /// alone. At most [`limits::BODY_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<serde_bytes::ByteBuf>,
}

impl super::Message for Acknowledgement {
    fn check(&self) -> Result<(), DecodeError> {
        if let Some(after) = self.retry_after_ms {
            bounded::within(0, limits::RETRY_AFTER_MAX_MS, "a retry_after_ms", after)?;
            if self.verdict != Verdict::Retry {
                return Err(DecodeError::Shape("retry_after_ms is for `retry` alone".into()));
            }
        }
        if let Some(reason) = &self.reason {
            bounded::size(limits::REASON_BYTES_MAX, "a reason", reason.len())?;
        }
        if self.reply.is_some() && self.verdict != Verdict::Ack {
            return Err(DecodeError::Shape("a reply is for `ack` alone".into()));
        }
        bounded::size(limits::BODY_BYTES_MAX, "a reply", bounded::content(&self.reply).len())
    }

    fn bulk_bytes(&self) -> usize {
        bounded::content(&self.reply).len()
    }
}

/// Checks a subject that an actor or a stranger chose.
fn check_subject(subject: &str) -> Result<(), DecodeError> {
    if !is_reply_subject(subject) {
        let shown: String = subject.chars().take(80).collect();
        return Err(DecodeError::Shape(format!(
            "{shown:?} is no subject: tokens of printable ASCII joined by dots, no wildcard, at most {} bytes, outside of the mesh and of $",
            crate::limits::SUBJECT_BYTES_MAX
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Message as _;
    use super::*;

    fn message(subject: &str) -> Message {
        Message { subject: subject.into(), ..Message::default() }
    }

    #[test]
    fn nobody_speaks_to_the_mesh_or_the_server_by_a_message() {
        for subject in ["orders.eu", "_INBOX.a.b", "a"] {
            assert_eq!(message(subject).check(), Ok(()));
        }
        for subject in ["", "a..b", "orders.*", "orders.>", "a b", "mesh.default.call.M", "$JS.API"]
        {
            assert!(message(subject).check().is_err(), "{subject}");
            let reply_to = Some(subject.to_owned());
            assert!(Message { reply_to, ..message("a") }.check().is_err(), "{subject}");
        }
    }

    #[test]
    fn an_answer_without_fields_acknowledges() {
        for bytes in [&b""[..], b"\xc0", b"\x80"] {
            let read = Acknowledgement::decode(bytes).unwrap();
            assert_eq!(read.verdict, Verdict::Ack);
        }
        assert!(Acknowledgement::decode(b"\x81\xa7verdict\xa5maybe").is_err());
    }

    #[test]
    fn what_goes_with_one_verdict_is_refused_with_another() {
        let with = |verdict, retry_after_ms, reply: Option<&[u8]>| {
            let reply = reply.map(|body| body.to_vec().into());
            Acknowledgement { verdict, retry_after_ms, reason: None, reply }.check().is_ok()
        };
        assert!(with(Verdict::Retry, Some(limits::RETRY_AFTER_MAX_MS), None));
        assert!(!with(Verdict::Retry, Some(limits::RETRY_AFTER_MAX_MS + 1), None));
        assert!(with(Verdict::Ack, None, Some(b"done")));
        assert!(!with(Verdict::Ack, Some(1), None) && !with(Verdict::Reject, None, Some(b"")));
    }

    #[test]
    fn a_message_is_bounded() {
        let body = |size| Message { body: vec![0; size], ..message("a") }.check();
        assert_eq!(body(limits::BODY_BYTES_MAX), Ok(()));
        assert!(matches!(body(limits::BODY_BYTES_MAX + 1), Err(DecodeError::TooLarge { .. })));
        let id = |id: String| Message { id: Some(id), ..message("a") }.check();
        assert_eq!(id("a".repeat(limits::ID_BYTES_MAX)), Ok(()));
        assert!(id("a".repeat(limits::ID_BYTES_MAX + 1)).is_err() && id(String::new()).is_err());
        let answered = Message { reply_to: Some("b".into()), ..message("a") };
        assert!(Request { message: answered, timeout_ms: None }.check().is_err());
    }
}
