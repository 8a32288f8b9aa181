//! Why a guest's code was ended, and the error that its caller sees.

use lattice_protocol::{Error, ErrorCode};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::limiter::Denied;
use crate::limits::{SHOWN_CAUSE_CHARACTERS_MAX, SHOWN_NAME_CHARACTERS_MAX, TRAP_FRAMES_MAX};

/// Why an import ended the guest that called it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The call's time is over.
    #[error("the call's time is over")]
    Deadline,
    /// A pointer or a length leads out of the guest's memory.
    #[error("{import}: {what} ({length} bytes at {pointer}) lies outside the actor's memory")]
    OutOfBounds { import: &'static str, what: &'static str, pointer: u32, length: u32 },
    /// The guest has no memory that pointers could lead into.
    #[error("{import}: the actor has no memory")]
    NoMemory { import: &'static str },
    /// A payload is larger than any may be.
    #[error("{import}: {what} of {length} bytes exceeds the limit of {limit}")]
    TooLarge { import: &'static str, what: &'static str, length: usize, limit: usize },
    /// WASI's `proc_exit`.
    #[error("the actor exited with code {0}")]
    Exit(i32),
    /// AssemblyScript's `env.abort`.
    #[error("the actor aborted: {0}")]
    Abort(String),
    /// An import was called outside of any call.
    #[error("{import}: no call runs")]
    Idle { import: &'static str },
}

impl Fault {
    /// Returns the fault that `error` carries.
    pub(crate) fn of(error: &wasmtime::Error) -> Option<&Fault> {
        error.downcast_ref()
    }
}

/// Returns the error of a call that passed its deadline.
pub(crate) fn late(started: bool) -> Error {
    let message = if started {
        "the actor did not finish within the call's time"
    } else {
        "the call's time was over before it began"
    };
    made(ErrorCode::DeadlineExceeded, message.to_owned(), started)
}

/// Returns what a caller sees of `error`, which ended the guest or kept it from starting.
///
/// `denied` is the growth that was refused before, if any: what follows from it is its doing.
pub(crate) fn explain(error: &wasmtime::Error, denied: Option<Denied>, started: bool) -> Error {
    if error.is::<PoolConcurrencyLimitError>() {
        return made(
            ErrorCode::Busy,
            format!("no instance is free on this node: {error}"),
            started,
        );
    }
    match Fault::of(error) {
        Some(Fault::Deadline) => return late(started),
        Some(fault @ Fault::TooLarge { .. }) => {
            return made(ErrorCode::TooLarge, fault.to_string(), started);
        }
        _ => {}
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return late(started);
    }
    if let Some(Denied { what, wanted_bytes, limit_bytes }) = denied {
        let message = format!(
            "{what} was not allowed to grow: the actor would have {wanted_bytes} bytes, its limit is {limit_bytes}"
        );
        return made(ErrorCode::LimitExceeded, message, started);
    }
    let cause = match (Fault::of(error), trap) {
        (Some(fault), _) => fault.to_string(),
        (None, Some(trap)) => trap.to_string(),
        (None, None) => error.root_cause().to_string(),
    };
    let code = if started { ErrorCode::ActorTrapped } else { ErrorCode::Internal };
    made(code, format!("{cause}{}", frames(error)), started)
}

fn made(code: ErrorCode, message: String, started: bool) -> Error {
    if started { Error::started(code, message) } else { Error::not_started(code, message) }
}

/// Names the functions in which a trap happened, innermost first.
fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .take(TRAP_FRAMES_MAX)
        .map(|frame| match frame.func_name() {
            Some(name) => shown(name),
            None => format!("function {}", frame.func_index()),
        })
        .collect();
    if names.is_empty() { String::new() } else { format!(" (in {})", names.join(" < ")) }
}

/// Makes a name out of a module fit to be shown.
pub(crate) fn shown(name: &str) -> String {
    cut(name, SHOWN_NAME_CHARACTERS_MAX)
}

/// Makes an error that may quote a module fit to be shown.
pub(crate) fn shown_cause(error: &wasmtime::Error) -> String {
    cut(&format!("{error:#}"), SHOWN_CAUSE_CHARACTERS_MAX)
}

fn cut(text: &str, characters: usize) -> String {
    text.chars()
        .take(characters)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}
