//! `mesh:messaging`: publish, ask, and receive.
//!
//! What comes in is an operation `deliver`, and what it returns decides about the message:
//!
//! ```
//! use mesh_actor::prelude::*;
//!
//! struct Orders;
//!
//! #[actor]
//! impl Orders {
//!     #[operation]
//!     fn deliver(delivery: messaging::Delivery) -> Result<messaging::Acknowledgement> {
//!         if delivery.message.body.is_empty() {
//!             return Ok(messaging::reject("an order says what is ordered"));
//!         }
//!         messaging::publish("orders.seen", &delivery.message.body)?;
//!         Ok(messaging::ack())
//!     }
//! }
//! ```
//!
//! An operation that fails has not decided, and a durable source delivers again.

use lattice_protocol::contract::messaging::{self as wire, Request, operation as op};
use lattice_protocol::contract::{Empty, Headers};

pub use lattice_protocol::contract::messaging::{Delivery as WireDelivery, Message, Verdict};

use super::Checked;
use crate::Result;

/// What `deliver` takes.
pub type Delivery = Checked<wire::Delivery>;

/// What `deliver` may return; `()` acknowledges as well.
pub type Acknowledgement = Checked<wire::Acknowledgement>;

super::handle! {
    /// A broker that a link leads to.
    Broker of messaging
}

impl Broker<'_> {
    /// Publishes a body on a subject.
    ///
    /// # Errors
    /// [`Error::BadPayload`](crate::Error::BadPayload) for what is no subject,
    /// [`Error::Host`](crate::Error::Host); `unauthorized` for a subject that the link does not
    /// permit.
    pub fn publish(&self, subject: &str, body: impl AsRef<[u8]>) -> Result<()> {
        self.send(&message(subject, body))
    }

    /// Publishes a message with all that it may have.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn send(&self, message: &Message) -> Result<()> {
        let Empty {} = self.ask(op::PUBLISH, message)?;
        Ok(())
    }

    /// Publishes a body and waits for an answer: so many milliseconds, or as long as the call has
    /// time.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); `not_found` where nobody listens, `deadline_exceeded` without
    /// an answer in time.
    pub fn request(
        &self,
        subject: &str,
        body: impl AsRef<[u8]>,
        timeout_ms: Option<u32>,
    ) -> Result<Message> {
        self.ask(op::REQUEST, &Request { message: message(subject, body), timeout_ms })
    }
}

/// Publishes by the default link: see [`Broker::publish`].
///
/// # Errors
/// As [`Broker::publish`].
pub fn publish(subject: &str, body: impl AsRef<[u8]>) -> Result<()> {
    Broker::default().publish(subject, body)
}

/// Asks by the default link: see [`Broker::request`].
///
/// # Errors
/// As [`Broker::request`].
pub fn request(subject: &str, body: impl AsRef<[u8]>, timeout_ms: Option<u32>) -> Result<Message> {
    Broker::default().request(subject, body, timeout_ms)
}

/// Makes a message of a subject and a body.
pub fn message(subject: &str, body: impl AsRef<[u8]>) -> Message {
    Message {
        subject: subject.to_owned(),
        reply_to: None,
        id: None,
        headers: Headers::new(),
        body: body.as_ref().to_vec(),
    }
}

/// Says that the actor is done with a message.
pub fn ack() -> Acknowledgement {
    decided(Verdict::Ack)
}

/// Says that the actor is done with a message, and answers it where it wants an answer.
pub fn answer(body: impl Into<Vec<u8>>) -> Acknowledgement {
    let reply = Some(body.into().into());
    wire::Acknowledgement { reply, ..decided(Verdict::Ack).0 }.into()
}

/// Says that the actor wants a message again: after so many milliseconds, or when the source likes.
pub fn retry(after_ms: Option<u64>, reason: impl Into<String>) -> Acknowledgement {
    let reason = Some(reason.into());
    wire::Acknowledgement { retry_after_ms: after_ms, reason, ..decided(Verdict::Retry).0 }.into()
}

/// Says that the actor never wants a message again.
pub fn reject(reason: impl Into<String>) -> Acknowledgement {
    wire::Acknowledgement { reason: Some(reason.into()), ..decided(Verdict::Reject).0 }.into()
}

fn decided(verdict: Verdict) -> Acknowledgement {
    wire::Acknowledgement { verdict, ..wire::Acknowledgement::default() }.into()
}
