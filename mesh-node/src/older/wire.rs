//! Older messages as bytes, and the two forms of operations.

use std::fmt;

use lattice_protocol::{Error, ErrorCode, codec};
use serde::{Deserialize, Serialize};

use super::step::Step;

/// The form of an older operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `Add`: maps both ways.
    Plain,
    /// `KeyValue.Increment`: single values where there is one field, nothing where there is none.
    Interface,
}

/// Takes the interface off an operation. One of another interface is no operation at all.
pub(super) fn form_of<'a>(interface: &str, operation: &'a str) -> Option<(Form, &'a str)> {
    match operation.rsplit_once('.') {
        None => Some((Form::Plain, operation)),
        Some((of, name)) => (of == interface).then_some((Form::Interface, name)),
    }
}

/// Reads an older request: a map, an array of the fields in their order, or a single value.
///
/// # Errors
/// `bad_request` when it is another message.
pub(super) fn read<'a, T: Deserialize<'a>>(operation: &str, payload: &'a [u8]) -> Result<T, Error> {
    codec::decode(payload).map_err(|cause| {
        let message = format!("the payload of `{operation}`, an older operation: {cause}");
        Error::not_started(ErrorCode::BadRequest, message)
    })
}

/// Returns the step that ends a call with an older answer.
///
/// # Errors
/// `internal`; not seen to happen.
pub(super) fn done<T: Serialize + ?Sized>(answer: &T) -> Result<Step, Error> {
    codec::encode(answer).map(Step::Done).map_err(unwritable)
}

/// Returns the step that ends a call without an answer.
pub(super) fn done_silently() -> Result<Step, Error> {
    Ok(Step::Done(Vec::new()))
}

/// Makes the error for an operation that no older contract has.
pub(super) fn no_operation(namespace: &str, operation: &str) -> Error {
    let message = format!("`{operation}` is no operation of {namespace} that a module may call");
    Error::not_started(ErrorCode::BadRequest, message)
}

pub(super) fn unwritable(cause: impl fmt::Display) -> Error {
    Error::not_started(ErrorCode::Internal, cause.to_string())
}

/// Reads bytes as the text that older messages have in their place.
///
/// # Errors
/// `bad_request` naming `what` where they are no UTF-8.
pub(super) fn text(what: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("{what} is not UTF-8, and older modules take nothing else");
        Error::started(ErrorCode::BadRequest, message)
    })
}

/// Returns the texts of several values.
///
/// # Errors
/// As [`text`].
pub(super) fn texts(
    what: &str,
    values: impl IntoIterator<Item = impl Into<Vec<u8>>>,
) -> Result<Vec<String>, Error> {
    values.into_iter().map(|value| text(what, value.into())).collect()
}

/// Returns a count as older messages have it.
pub(super) fn count(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
