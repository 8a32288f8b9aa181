//! Messages of NATS as those of the contract, and the other way round.

use async_nats::{HeaderMap, HeaderValue, header};
use bytes::Bytes;
use lattice_protocol::contract::Headers;
use lattice_protocol::contract::messaging::Message;
use lattice_protocol::subjects::is_reply_subject;
use lattice_protocol::{Error, ErrorCode};

/// Returns the message of the contract that a message of NATS is. What headers NATS uses itself
/// are left out, but for the identity.
pub(crate) fn from_nats(message: &async_nats::Message, id: Option<String>) -> Message {
    let mut headers = Headers::new();
    let mut told = None;
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        if name.eq_ignore_ascii_case(header::NATS_MESSAGE_ID.as_ref()) {
            told = values.first().map(|value| value.as_str().to_owned());
        } else if !is_of_nats(name) {
            for value in values {
                headers.append(name, value.as_str());
            }
        }
    }
    Message {
        subject: message.subject.to_string(),
        // Where nobody may be answered, there is nothing to tell; the message counts all the same.
        reply_to: message.reply.as_deref().filter(|to| is_reply_subject(to)).map(str::to_owned),
        id: told.or(id),
        headers,
        body: message.payload.to_vec(),
    }
}

/// Returns the headers and the payload of NATS for a message of the contract.
///
/// # Errors
/// `bad_request` for a header that NATS can't carry, or uses itself; `too_large` where the server
/// does not take so much.
pub(crate) fn to_nats(message: Message, payload_max: usize) -> Result<(HeaderMap, Bytes), Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in message.headers.iter() {
        let refused = |why: &str| {
            Error::not_started(ErrorCode::BadRequest, format!("the header {name:?} {why}"))
        };
        if is_of_nats(name) {
            return Err(refused("is one of NATS itself"));
        }
        let value =
            std::str::from_utf8(value).ok().and_then(|text| text.parse::<HeaderValue>().ok());
        headers.append(name, value.ok_or_else(|| refused("has a value that is no text"))?);
    }
    if let Some(id) = &message.id {
        headers.insert(header::NATS_MESSAGE_ID, id.as_str());
    }
    if message.body.len() + message.headers.bytes() > payload_max {
        return Err(Error::not_started(
            ErrorCode::TooLarge,
            format!("the server takes messages of at most {payload_max} bytes"),
        ));
    }
    Ok((headers, message.body.into()))
}

/// Returns whether a header is one by which NATS is told, or tells, something.
pub(crate) fn is_of_nats(name: &str) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("nats-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_identity_go_both_ways() {
        let message = Message {
            subject: "a".into(),
            id: Some("7".into()),
            headers: Headers::new().with("x", "1").with("x", "2"),
            body: b"b".to_vec(),
            ..Message::default()
        };
        let (headers, payload) = to_nats(message.clone(), 100).unwrap();
        let nats = async_nats::Message {
            subject: "a".into(),
            reply: None,
            payload,
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        };
        assert_eq!(from_nats(&nats, Some("other".into())), message);
        assert!(to_nats(message.clone(), 2).is_err());
        for headers in [
            Headers::new().with("Nats-Expected-Stream", "x"),
            Headers::new().with("x", [0xff]),
            Headers::new().with("nats-rollup", "all"),
        ] {
            assert!(to_nats(Message { headers, ..message.clone() }, 100).is_err());
        }
    }
}
