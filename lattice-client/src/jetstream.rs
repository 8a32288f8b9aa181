//! What JetStream answered, dug out of the errors that its client makes of it.

use std::error::Error as StdError;

use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{
    DeleteMessageError, DeleteMessageErrorKind, LastRawMessageError, LastRawMessageErrorKind,
    PurgeError, PurgeErrorKind,
};
use async_nats::jetstream::{Error as ApiError, ErrorCode as ApiCode};

/// Returns what the server said, where it said something.
pub fn said(error: &(dyn StdError + 'static)) -> Option<ApiError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(api) = error.downcast_ref::<ApiError>() {
            return Some(api.clone());
        }
        if let Some(error) = error.downcast_ref::<GetStreamError>()
            && let GetStreamErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<CreateStreamError>()
            && let CreateStreamErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<LastRawMessageError>()
            && let LastRawMessageErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<PurgeError>()
            && let PurgeErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        if let Some(error) = error.downcast_ref::<DeleteMessageError>()
            && let DeleteMessageErrorKind::JetStream(api) = error.kind()
        {
            return Some(api);
        }
        next = error.source();
    }
    None
}

/// Returns whether the server refused a write because somebody else was faster.
pub fn is_conflict(error: &(dyn StdError + 'static)) -> bool {
    said(error).is_some_and(|said| {
        matches!(
            said.error_code(),
            ApiCode::STREAM_WRONG_LAST_SEQUENCE
                // Of a cluster whose leader has another write of the subject under way.
                | ApiCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT
                | ApiCode::STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY
        )
    })
}

/// Returns whether the server said that there is no such stream.
pub fn no_stream(error: &(dyn StdError + 'static)) -> bool {
    said(error).is_some_and(|said| said.error_code() == ApiCode::STREAM_NOT_FOUND)
}

/// Returns whether the server said that it has no JetStream, or none for this account.
pub fn is_not_enabled(error: &(dyn StdError + 'static)) -> bool {
    said(error).is_some_and(|said| {
        let code = said.error_code();
        matches!(code, ApiCode::JETSTREAM_NOT_ENABLED | ApiCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT)
    })
}

/// Returns whether the server said that a bound of its own, or of a stream, is reached.
pub fn is_full(error: &ApiError) -> bool {
    matches!(
        error.error_code(),
        ApiCode::ACCOUNT_RESOURCES_EXCEEDED
            | ApiCode::INSUFFICIENT_RESOURCES
            | ApiCode::STORAGE_RESOURCES_EXCEEDED
            | ApiCode::MEMORY_RESOURCES_EXCEEDED
            | ApiCode::MAXIMUM_STREAMS_LIMIT
            | ApiCode::STREAM_LIMITS
            | ApiCode::STREAM_STORE_FAILED
    )
}
