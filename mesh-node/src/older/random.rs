//! `wascc:extras`, `wasmcloud:extras` and `wasmcloud:builtin:numbergen`.

use std::sync::atomic::{AtomicU64, Ordering};

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::random::{Guid, Integer, NAME, Range, operation as op};
use lattice_protocol::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

use super::step::{self, Step};
use super::wire::{Form, done, form_of, no_operation, read};

/// From `min` on, to below `max`.
#[derive(Clone, Copy, Deserialize)]
struct OfRange {
    #[serde(default)]
    min: u32,
    #[serde(default)]
    max: u32,
}

/// The one answer to all that the plain form asks; modules read one field of it.
#[derive(Default, Serialize)]
struct Generated {
    guid: Option<String>,
    #[serde(rename = "sequenceNumber")]
    sequence_number: u64,
    /// Some modules read one name, some the other.
    #[serde(rename = "randomNumber")]
    random_number: u32,
    #[serde(rename = "random_number")]
    random_number_too: u32,
}

pub(super) fn begin(operation: &str, payload: &[u8], sequence: &AtomicU64) -> Result<Step, Error> {
    match form_of("NumberGen", operation) {
        Some((Form::Plain, "RequestGuid")) => {
            guid(|guid| done(&Generated { guid: Some(guid), ..Generated::default() }))
        }
        Some((Form::Plain, "RequestRandom")) => below(read(operation, payload)?, |number| {
            let random_number_too = number;
            done(&Generated { random_number: number, random_number_too, ..Generated::default() })
        }),
        Some((Form::Plain, "RequestSequence")) => {
            let sequence_number = sequence.fetch_add(1, Ordering::Relaxed);
            done(&Generated { sequence_number, ..Generated::default() })
        }
        Some((Form::Interface, "GenerateGuid")) => guid(|guid| done(&guid)),
        Some((Form::Interface, "RandomInRange")) => {
            below(read(operation, payload)?, |number| done(&number))
        }
        Some((Form::Interface, "Random32")) => within(0, u32::MAX, |number| done(&number)),
        _ => Err(no_operation(NAME, operation)),
    }
}

fn guid(then: impl FnOnce(String) -> Result<Step, Error> + Send + 'static) -> Result<Step, Error> {
    step::ask(NAME, op::GUID, &Empty {}, |answer: Guid| then(answer.guid))
}

/// Asks for a number of an older range. One that is empty has its one bound.
fn below(
    range: OfRange,
    then: impl FnOnce(u32) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let OfRange { min, max } = range;
    within(min, if max > min { max - 1 } else { max }, then)
}

fn within(
    min: u32,
    max: u32,
    then: impl FnOnce(u32) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let request = Range { min: min.into(), max: max.into() };
    step::ask(NAME, op::INTEGER, &request, |answer: Integer| {
        let number = u32::try_from(answer.value).map_err(|_| {
            let message = format!("`{NAME}` answered {}, which was not asked for", answer.value);
            Error::started(ErrorCode::Internal, message)
        })?;
        then(number)
    })
}
