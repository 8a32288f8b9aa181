//! Publishing to a stream.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode as ApiCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use bytes::Bytes;
use lattice_client::{Lattice, jetstream};
use lattice_protocol::{Error, ErrorCode};

use crate::limits;

/// Publishes to a stream, and returns when it has stored the message.
///
/// # Errors
/// `not_found` where no stream takes the subject, `too_large` and `limit_exceeded` where it takes no
/// such message, or no more: then nothing is stored. `provider_unavailable` where that is not known.
pub(crate) async fn publish_confirmed(
    lattice: &Lattice,
    subject: &str,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<(), Error> {
    let publish = async {
        let jetstream = lattice.jetstream();
        jetstream.publish_with_headers(subject.to_owned(), headers, payload).await?.await
    };
    let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
    match tokio::time::timeout(bound, publish).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unstored(subject, &error)),
        Err(_) => Err(Error::started(
            ErrorCode::ProviderUnavailable,
            "no stream has confirmed it in time",
        )),
    }
}

fn unstored(subject: &str, error: &PublishError) -> Error {
    let no = |code, why: String| Error::not_started(code, why);
    match error.kind() {
        PublishErrorKind::StreamNotFound => {
            return no(ErrorCode::NotFound, format!("no stream takes {subject}"));
        }
        PublishErrorKind::MaxPayloadExceeded => {
            return no(ErrorCode::TooLarge, format!("the server does not take it: {error}"));
        }
        _ => {}
    }
    match jetstream::said(error) {
        Some(said) if said.error_code() == ApiCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
            no(ErrorCode::TooLarge, format!("the stream does not take it: {said}"))
        }
        Some(said) if jetstream::is_full(&said) => {
            no(ErrorCode::LimitExceeded, format!("the stream takes no more: {said}"))
        }
        Some(said) => Error::started(ErrorCode::ProviderUnavailable, said.to_string()),
        None => Error::started(ErrorCode::ProviderUnavailable, error.to_string()),
    }
}
