//! `wascc:messaging` and `wasmcloud:messaging`: what a module sends. What it gets is in
//! `incoming.rs`.

use lattice_protocol::Error;
use lattice_protocol::contract::messaging::{Message, NAME, Request, operation as op};
use lattice_protocol::contract::{ByteBuf, Empty, Headers};
use serde::{Deserialize, Serialize};

use super::step::{self, Step};
use super::wire::{Form, done, done_silently, form_of, no_operation, read};

#[derive(Deserialize)]
struct OfPublish {
    subject: String,
    #[serde(default, rename = "replyTo", alias = "reply_to")]
    reply_to: Option<String>,
    #[serde(default)]
    body: Option<ByteBuf>,
}

#[derive(Deserialize)]
struct OfRequest {
    subject: String,
    #[serde(default)]
    body: Option<ByteBuf>,
    /// Milliseconds; 0 or less means as long as there is time.
    #[serde(default, alias = "timeoutMs", alias = "timeout_ms")]
    timeout: i64,
}

#[derive(Serialize)]
struct Published {
    published: bool,
}

/// A message as older modules get it.
#[derive(Serialize)]
pub(super) struct Older {
    subject: String,
    /// The later form leaves it out where there is none, the earlier one has an empty text.
    #[serde(rename = "replyTo", skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    body: ByteBuf,
}

impl Older {
    pub(super) fn new(message: Message, form: Form) -> Self {
        let reply_to = match form {
            Form::Plain => Some(message.reply_to.unwrap_or_default()),
            Form::Interface => message.reply_to,
        };
        Self { subject: message.subject, reply_to, body: message.body.into() }
    }
}

pub(super) fn begin(namespace: &str, operation: &str, payload: &[u8]) -> Result<Step, Error> {
    match form_of("Messaging", operation) {
        Some((form, "Publish")) => publish(read(operation, payload)?, form),
        Some((form, "Request")) => {
            request(read(operation, payload)?, namespace.starts_with("wascc:"), form)
        }
        _ => Err(no_operation(NAME, operation)),
    }
}

fn publish(request: OfPublish, form: Form) -> Result<Step, Error> {
    let reply_to = request.reply_to.filter(|subject| !subject.is_empty());
    let message = Message { reply_to, ..message(request.subject, request.body) };
    step::ask(NAME, op::PUBLISH, &message, move |_: Empty| match form {
        Form::Plain => done(&Published { published: true }),
        Form::Interface => done_silently(),
    })
}

/// The first modules get the answer's body as it is, the later ones the message around it.
fn request(request: OfRequest, body_alone: bool, form: Form) -> Result<Step, Error> {
    let timeout = u64::try_from(request.timeout).unwrap_or(0);
    let timeout_ms = u32::try_from(timeout).unwrap_or(u32::MAX);
    let request = Request {
        message: message(request.subject, request.body),
        timeout_ms: (timeout_ms > 0).then_some(timeout_ms),
    };
    step::ask(NAME, op::REQUEST, &request, move |answer: Message| match form {
        Form::Plain if body_alone => Ok(Step::Done(answer.body)),
        form => done(&Older::new(answer, form)),
    })
}

fn message(subject: String, body: Option<ByteBuf>) -> Message {
    let body = body.unwrap_or_default().into_vec();
    Message { subject, body, reply_to: None, id: None, headers: Headers::new() }
}
