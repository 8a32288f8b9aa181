//! What the checks of all suites have in common.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use lattice_protocol::contract::Message;
use lattice_protocol::{Error, ErrorCode};

use crate::Link;

/// Asks for what a caller of this language would not even send.
pub async fn refused(
    link: &Link,
    operation: &str,
    request: &impl Message,
    codes: &[ErrorCode],
) -> Result<(), String> {
    let bytes = request.encode().map_err(|error| error.to_string())?;
    let error = fails(operation, link.raw(operation, bytes).await, codes)?;
    if error.started {
        return Err(format!("{operation} says that it may have begun"));
    }
    Ok(())
}

/// Asks, and says which operation failed how.
pub async fn ask<R: Message>(
    link: &Link,
    operation: &str,
    request: &impl Message,
) -> Result<R, String> {
    link.ask(operation, request).await.map_err(|error| format!("{operation} failed: {error}"))
}

/// Says that two values must be the same.
pub fn same<T: PartialEq + Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let cut = |value: T| format!("{value:?}").chars().take(200).collect::<String>();
    Err(format!("{what} is {}, not {}", cut(found), cut(wanted)))
}

/// Says that bytes must be the same, without showing all of them.
pub fn same_bytes(what: &str, found: &[u8], wanted: &[u8]) -> Result<(), String> {
    same(&format!("the length of {what}"), found.len(), wanted.len())?;
    match found.iter().zip(wanted).position(|(found, wanted)| found != wanted) {
        None => Ok(()),
        Some(at) => Err(format!("{what} differs at {at}")),
    }
}

/// Says that there must be something.
pub fn some<T>(what: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{what} is absent"))
}

/// Says that something must fail with one of `codes`.
pub fn fails<T>(
    what: &str,
    result: Result<T, Error>,
    codes: &[ErrorCode],
) -> Result<Error, String> {
    match result {
        Err(error) if codes.contains(&error.code) => Ok(error),
        Err(error) => Err(format!("{what} fails with {error}, not {codes:?}")),
        Ok(_) => Err(format!("{what} does not fail")),
    }
}

/// Says that an error must name what was not found.
pub fn not_found<T>(what: &str, result: Result<T, Error>, thing: &str) -> Result<(), String> {
    let error = fails(what, result, &[ErrorCode::NotFound])?;
    same(
        &format!("detail.what of {what}"),
        error.detail.get("what").map(String::as_str),
        Some(thing),
    )
}

/// Returns a name that no other run uses, fit for a container.
pub fn unique(of: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{of}-{now:x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Returns bytes of which no two stretches are alike.
pub fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let next = || {
        // Xorshift: cheap, and any shift of the bytes is noticed.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let words = std::iter::repeat_with(next).take(length.div_ceil(8));
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(length);
    bytes
}
