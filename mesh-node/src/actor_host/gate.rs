//! Whether a call may run on a revision: decisions over values.

use std::time::{Duration, Instant};

use lattice_protocol::keys::ActorKey;
use lattice_protocol::{Error, ErrorCode};

use crate::lattice_view::Revocations;
use crate::limits;
use crate::plan::Serving;

/// Decides whether `serving` is new enough for a call that wants `wanted` or a newer revision.
///
/// # Errors
/// `stale`.
pub fn new_enough(serving: u64, wanted: Option<u64>) -> Result<(), Error> {
    match wanted {
        Some(wanted) if serving < wanted => Err(Error::not_started(
            ErrorCode::Stale,
            format!(
                "this node serves revision {serving} of the actor, the call wants {wanted} or a \
                 newer one"
            ),
        )),
        _ => Ok(()),
    }
}

/// Returns how long a call that found none of `places` free may wait for one behind `waiting`
/// others, with `left` of its time; `None` when too many wait already.
pub fn patience(places: u32, waiting: u32, left: Duration) -> Option<Duration> {
    (waiting < places.saturating_mul(limits::WAITING_PER_PLACE))
        .then(|| left.min(Duration::from_millis(limits::PLACE_WAIT_MAX_MS)))
}

/// Decides whether a call that has waited may begin on the revision that it was given before.
///
/// # Errors
/// `revoked` when that was revoked meanwhile.
pub fn still_permitted(
    revocations: &Revocations,
    actor: &ActorKey,
    given: &Serving,
) -> Result<(), Error> {
    revocations.struck(actor, &given.issuer, &given.digest).map_or(Ok(()), Err)
}

/// Returns the error of a call for which none of `places` was free.
pub fn busy(places: u32) -> Error {
    Error::not_started(ErrorCode::Busy, format!("all {places} places of the actor are taken"))
}

/// Decides whether a call may begin at `now`.
///
/// # Errors
/// `deadline_exceeded` when its time has run out.
pub fn in_time(deadline: Instant, now: Instant) -> Result<(), Error> {
    if now < deadline {
        return Ok(());
    }
    Err(Error::not_started(
        ErrorCode::DeadlineExceeded,
        "the time of the call had run out before it could start",
    ))
}
