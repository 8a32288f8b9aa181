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

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::IssuerKey;
    use lattice_protocol::names::Digest;
    use lattice_protocol::subjects::{RegistryKey, Revoked};

    use super::*;
    use crate::lattice_view::LatticeView;

    #[test]
    fn a_call_that_waited_does_not_begin_on_what_was_revoked_meanwhile() {
        let (actor, _) = ActorKey::generate().unwrap();
        let (issuer, _) = IssuerKey::generate().unwrap();
        let given = Serving { revision: 5, issuer, digest: Digest::of(b"five") };
        for what in [
            Revoked::Actor(actor.clone()),
            Revoked::Issuer(given.issuer.clone()),
            Revoked::Module(given.digest.clone()),
        ] {
            let mut view = LatticeView::default();
            assert_eq!(still_permitted(view.revocations(), &actor, &given), Ok(()));
            // Even a revocation that can't be read strikes.
            view.put(RegistryKey::Revoked(what.clone()), b"", 1).unwrap();
            let error = still_permitted(view.revocations(), &actor, &given).unwrap_err();
            assert_eq!((error.code, error.started), (ErrorCode::Revoked, false), "{what}");
        }
    }

    #[test]
    fn patience_is_bounded_in_number_and_time() {
        let (most, soon) =
            (Duration::from_millis(limits::PLACE_WAIT_MAX_MS), Duration::from_millis(3));
        assert_eq!(patience(2, 0, most * 2), Some(most));
        assert_eq!(patience(2, 0, soon), Some(soon));
        let waiting = 2 * limits::WAITING_PER_PLACE;
        assert_eq!(patience(2, waiting - 1, soon), Some(soon));
        assert_eq!(patience(2, waiting, soon), None);
    }

    #[test]
    fn a_call_begins_before_its_deadline_and_on_a_revision_that_it_wants() {
        let now = Instant::now();
        assert_eq!(in_time(now + Duration::from_micros(1), now), Ok(()));
        assert_eq!(in_time(now, now).unwrap_err().code, ErrorCode::DeadlineExceeded);
        assert_eq!(new_enough(5, None), Ok(()));
        assert_eq!(new_enough(5, Some(5)), Ok(()));
        assert_eq!(new_enough(5, Some(6)).unwrap_err().code, ErrorCode::Stale);
    }
}
