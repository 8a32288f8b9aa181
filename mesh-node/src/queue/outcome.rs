//! What becomes of a durable invocation: a pure decision over values.

use std::time::Duration;

use lattice_protocol::{Error, ErrorCode, limits as wire};

/// A message as it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// How often it was delivered, this time included.
    pub attempt: u32,
    /// How often it may fail.
    pub attempts_max: u32,
    /// How long ago it was stored.
    pub age: Duration,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done.
    Done,
    /// It is delivered again after this pause.
    Again(Duration),
    /// It is put aside.
    Dead,
}

/// What an error says about another attempt.
enum Class {
    /// It would end the same way.
    Final,
    /// It may go well, and this one counts.
    Counts,
    /// It did not begin, for a reason that passes by itself.
    Passes,
}

fn class(error: &Error) -> Class {
    use ErrorCode as Code;
    match (error.code, error.started) {
        (Code::BadRequest | Code::TooLarge | Code::Unauthorized | Code::Revoked, _)
        // Too many calls follow from one another.
        | (Code::LimitExceeded, false) => Class::Final,
        (Code::Busy | Code::Draining | Code::Stale, _)
        | (
            Code::NotFound
            | Code::NoLink
            | Code::ProviderUnavailable
            | Code::DeadlineExceeded
            | Code::Internal,
            false,
        ) => Class::Passes,
        _ => Class::Counts,
    }
}

/// Reads how often a message may fail, where it says so.
pub(super) fn attempts_max(wish: Option<&str>) -> u32 {
    let wish = wish.and_then(|text| text.parse::<u32>().ok());
    wish.map_or(wire::QUEUE_ATTEMPTS_DEFAULT, |wish| wish.clamp(1, wire::QUEUE_ATTEMPTS_MAX))
}

/// Returns why a message shall not even be tried: whoever had it so often never came to a decision.
pub(super) fn hopeless(delivery: Delivery) -> Option<Error> {
    (delivery.attempt > wire::QUEUE_DELIVERIES_MAX).then(|| {
        Error::started(
            ErrorCode::Internal,
            format!("it was delivered {} times without a decision", wire::QUEUE_DELIVERIES_MAX),
        )
    })
}

/// Decides after an attempt. `jitter` is in 0..1.
pub(super) fn decide(failed: Option<&Error>, delivery: Delivery, jitter: f64) -> Fate {
    let Some(error) = failed else { return Fate::Done };
    let again = match class(error) {
        Class::Final => false,
        Class::Counts => delivery.attempt < delivery.attempts_max,
        Class::Passes => delivery.age < Duration::from_millis(wire::QUEUE_PASSING_MAX_MS),
    };
    if again { Fate::Again(pause_after(delivery.attempt, jitter)) } else { Fate::Dead }
}

/// Doubles from the first pause to the longest, with full jitter above half of it.
pub(super) fn pause_after(attempt: u32, jitter: f64) -> Duration {
    let exponent = attempt.saturating_sub(1).min(16);
    let full = (wire::QUEUE_PAUSE_FIRST_MS << exponent).min(wire::QUEUE_PAUSE_MAX_MS);
    Duration::from_millis(full).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(1);
    const OLD: Duration = Duration::from_millis(wire::QUEUE_PASSING_MAX_MS);

    fn fate(code: ErrorCode, started: bool, attempt: u32, age: Duration) -> Fate {
        let error = Error { started, ..Error::not_started(code, "x") };
        decide(Some(&error), Delivery { attempt, attempts_max: 3, age }, 1.0)
    }

    #[test]
    fn what_went_well_is_done() {
        let delivery = Delivery { attempt: 99, attempts_max: 3, age: OLD };
        assert_eq!(decide(None, delivery, 0.0), Fate::Done);
    }

    /// Each code, and what becomes of the first, the last and an old attempt.
    #[test]
    fn every_code_has_its_fate() {
        for code in ErrorCode::ALL {
            for started in [false, true] {
                let dead = |attempt, age| fate(*code, started, attempt, age) == Fate::Dead;
                let (first, last, old) = (dead(1, FRESH), dead(3, FRESH), dead(1, OLD));
                use ErrorCode::*;
                let expected = match (code, started) {
                    (BadRequest | TooLarge | Unauthorized | Revoked, _)
                    | (LimitExceeded, false) => (true, true, true),
                    (Busy | Draining | Stale, _)
                    | (NotFound | NoLink | ProviderUnavailable, false)
                    | (DeadlineExceeded | Internal, false) => (false, false, true),
                    _ => (false, true, false),
                };
                assert_eq!((first, last, old), expected, "{code} {started}");
            }
        }
    }

    #[test]
    fn pauses_double_to_a_bound_and_are_spread() {
        let (first, most) = (wire::QUEUE_PAUSE_FIRST_MS, wire::QUEUE_PAUSE_MAX_MS);
        for (attempt, full) in [(0, first), (1, first), (2, 2 * first), (4, 8 * first), (40, most)]
        {
            assert_eq!(pause_after(attempt, 1.0), Duration::from_millis(full));
            assert_eq!(pause_after(attempt, 0.0), Duration::from_millis(full / 2));
        }
    }

    #[test]
    fn a_wish_for_attempts_is_brought_within_the_limits() {
        for (wish, attempts) in [
            (None, wire::QUEUE_ATTEMPTS_DEFAULT),
            (Some("many"), wire::QUEUE_ATTEMPTS_DEFAULT),
            (Some("0"), 1),
            (Some("7"), 7),
            (Some("4000000000"), wire::QUEUE_ATTEMPTS_MAX),
        ] {
            assert_eq!(attempts_max(wish), attempts, "{wish:?}");
        }
    }

    #[test]
    fn what_nobody_decides_about_ends() {
        let delivery = |attempt| Delivery { attempt, attempts_max: 3, age: FRESH };
        assert!(hopeless(delivery(wire::QUEUE_DELIVERIES_MAX)).is_none());
        assert!(hopeless(delivery(wire::QUEUE_DELIVERIES_MAX + 1)).is_some());
    }
}
