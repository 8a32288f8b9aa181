//! What every provider on JetStream decides alike: how long it waits, and how its errors read.

use std::error::Error as StdError;
use std::time::Duration;

use lattice_client::{Lattice, jetstream};
use lattice_protocol::{Error, ErrorCode};

use crate::CallInfo;
use crate::limits::JETSTREAM_ANSWER_MS;

/// Waits for JetStream within the time of a call, and no longer than NATS can be reached.
///
/// # Errors
/// `deadline_exceeded`, `provider_unavailable`.
pub async fn within<T>(
    lattice: &Lattice,
    info: &CallInfo,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let away = || Error::not_started(ErrorCode::ProviderUnavailable, "NATS can't be reached");
    let mut connection = lattice.connection();
    if !connection.borrow_and_update().up {
        return Err(away());
    }
    let left = info.left();
    let bound = left - Duration::from_millis(JETSTREAM_ANSWER_MS).min(left / 2);
    tokio::select! {
        done = tokio::time::timeout(bound, work) => done.map_err(|_| {
            Error::not_started(
                ErrorCode::DeadlineExceeded,
                "JetStream did not answer within the time of the call",
            )
        }),
        _ = connection.wait_for(|connection| !connection.up) => Err(away()),
    }
}

/// Returns the error of something that JetStream did not do: `limit_exceeded` where it is full,
/// `provider_unavailable` else.
pub fn failed(doing: &str, error: &(dyn StdError + 'static)) -> Error {
    let (code, why) = match jetstream::said(error) {
        None => (ErrorCode::ProviderUnavailable, error.to_string()),
        Some(said) if jetstream::is_full(&said) => (ErrorCode::LimitExceeded, said.to_string()),
        Some(said) => (ErrorCode::ProviderUnavailable, said.to_string()),
    };
    Error::not_started(code, format!("JetStream does not {doing}: {why}"))
}
