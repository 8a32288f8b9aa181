//! What Redis, or the way to it, answers with: as errors of the contract.

use std::time::Duration;

use lattice_protocol::{Error, ErrorCode};
use mesh_provider::keyvalue::{self, Sort};
use redis::RedisError;

/// What an operation was about, for its errors.
#[derive(Clone, Copy)]
pub struct About<'a> {
    pub key: &'a str,
    pub sort: Sort,
}

/// Returns the error of the contract for one of Redis. `server` is its name for people.
pub fn error(server: &str, about: About<'_>, error: &RedisError) -> Error {
    let detail = error.detail().unwrap_or_default();
    match error.code() {
        // An error inside of a script is told as its text.
        _ if is(error, "WRONGTYPE") => keyvalue::wrong_sort(about.key, about.sort),
        _ if is(error, "value is not an integer") => keyvalue::no_number(about.key),
        _ if is(error, "would overflow") => keyvalue::beyond(about.key),
        _ if is(error, "OOM") => {
            Error::not_started(ErrorCode::LimitExceeded, format!("Redis at {server} is full"))
        }
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Error::not_started(
            ErrorCode::ProviderUnavailable,
            format!("Redis at {server} refuses the user that the link names"),
        ),
        Some("LOADING" | "READONLY" | "MASTERDOWN" | "BUSY") => Error::not_started(
            ErrorCode::ProviderUnavailable,
            format!("Redis at {server} is not ready: {detail}"),
        ),
        Some(code) => Error::started(
            ErrorCode::Internal,
            format!("Redis at {server} answers {code}: {detail}"),
        ),
        None => away(server, error),
    }
}

/// Returns the error of a server that did not answer within `bound`: of the call, whose deadline it
/// may have been, or of the server.
pub fn silent(server: &str, bound: Duration, deadline: bool) -> Error {
    let code = match deadline {
        true => ErrorCode::DeadlineExceeded,
        false => ErrorCode::ProviderUnavailable,
    };
    Error::started(
        code,
        format!("Redis at {server} did not answer within {} ms", bound.as_millis()),
    )
}

fn is(error: &RedisError, what: &str) -> bool {
    error.code() == Some(what) || error.detail().is_some_and(|detail| detail.contains(what))
}

/// The server was not reached, or not heard of again.
fn away(server: &str, error: &RedisError) -> Error {
    let message = format!("Redis at {server} can't be reached: {error}");
    match error.is_connection_refusal() {
        true => Error::not_started(ErrorCode::ProviderUnavailable, message),
        false => Error::started(ErrorCode::ProviderUnavailable, message),
    }
}
