//! What a provider asks of an older module: HTTP requests and messages of a broker.

use lattice_protocol::contract::messaging::{self, Delivery};
use lattice_protocol::contract::{ByteBuf, Empty, Message, http};
use lattice_protocol::{Error, ErrorCode, codec};
use serde::{Deserialize, Serialize};

use super::dialect::Dialect;
use super::headers;
use super::messaging::Older;
use super::wire::{Form, unwritable};

/// A call in the words of an older module.
#[derive(Debug)]
pub struct ToActor {
    /// The operation.
    pub operation: &'static str,
    /// The message.
    pub payload: Vec<u8>,
    answer: Answer,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Http,
    Message,
}

/// Returns the call of a provider as the module wants it; nothing for any other operation, which
/// the module gets as it is.
///
/// # Errors
/// `bad_request` or `too_large` when the payload is not a message of the contract.
pub fn to_actor(
    dialect: Dialect,
    operation: &str,
    payload: &[u8],
) -> Result<Option<ToActor>, Error> {
    match operation {
        http::operation::HANDLE => request(dialect, http::Request::decode(payload)?).map(Some),
        messaging::operation::DELIVER => delivery(dialect, Delivery::decode(payload)?).map(Some),
        _ => Ok(None),
    }
}

impl ToActor {
    /// Returns the module's answer as one of the contract.
    ///
    /// # Errors
    /// `actor_error` when it is not one that an older module gives, or beyond the bounds of the
    /// contract.
    pub fn answered(self, answer: &[u8]) -> Result<Vec<u8>, Error> {
        match self.answer {
            Answer::Http => response(self.operation, answer),
            // A module that had to say no would have failed.
            Answer::Message => Empty {}.encode().map_err(unwritable),
        }
    }
}

impl Dialect {
    fn form(self) -> Form {
        match self {
            Dialect::Wascc | Dialect::Wasmcloud => Form::Plain,
            Dialect::Wasmbus => Form::Interface,
        }
    }
}

#[derive(Serialize)]
struct OlderRequest {
    method: String,
    path: String,
    #[serde(rename = "queryString")]
    query_string: String,
    /// Some modules read one name, some the other.
    #[serde(rename = "query_string")]
    query_string_too: String,
    header: headers::Older,
    body: ByteBuf,
}

#[derive(Deserialize)]
struct OlderResponse {
    #[serde(rename = "statusCode", alias = "status_code")]
    status_code: u32,
    #[serde(default)]
    header: headers::Older,
    #[serde(default)]
    body: Option<ByteBuf>,
}

fn request(dialect: Dialect, request: http::Request) -> Result<ToActor, Error> {
    let operation = match dialect {
        Dialect::Wascc | Dialect::Wasmcloud => "HandleRequest",
        Dialect::Wasmbus => "HttpServer.HandleRequest",
    };
    let bulk_bytes = request.bulk_bytes() + request.query.len() + 128;
    let request = OlderRequest {
        method: request.method,
        path: request.path,
        query_string_too: request.query.clone(),
        query_string: request.query,
        header: headers::Older::new(&request.headers, dialect.form()),
        body: request.body.into(),
    };
    let payload = codec::encode_with_capacity(&request, bulk_bytes).map_err(unwritable)?;
    Ok(ToActor { operation, payload, answer: Answer::Http })
}

fn response(operation: &str, answer: &[u8]) -> Result<Vec<u8>, Error> {
    let wrong = |cause: &dyn std::fmt::Display| {
        let message = format!("the answer to `{operation}`, an older operation: {cause}");
        Error::started(ErrorCode::ActorError, message)
    };
    let older: OlderResponse = codec::decode(answer).map_err(|cause| wrong(&cause))?;
    let status = u16::try_from(older.status_code).unwrap_or(u16::MAX);
    let body = older.body.unwrap_or_default().into_vec();
    let response = http::Response { status, headers: older.header.into_headers(), body };
    response.check().map_err(|cause| wrong(&cause))?;
    response.encode().map_err(unwritable)
}

fn delivery(dialect: Dialect, delivery: Delivery) -> Result<ToActor, Error> {
    let operation = match dialect {
        Dialect::Wascc => "DeliverMessage",
        Dialect::Wasmcloud => "HandleMessage",
        Dialect::Wasmbus => "MessageSubscriber.HandleMessage",
    };
    let bulk_bytes = delivery.bulk_bytes() + 128;
    let message = Older::new(delivery.message, dialect.form());
    let payload = codec::encode_with_capacity(&message, bulk_bytes).map_err(unwritable)?;
    Ok(ToActor { operation, payload, answer: Answer::Message })
}
