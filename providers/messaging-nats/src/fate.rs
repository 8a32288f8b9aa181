//! What becomes of a durable message after a delivery: decisions over values.

use std::time::Duration;

use lattice_protocol::contract::messaging::{Acknowledgement, Verdict};
use lattice_protocol::{Error, ErrorCode};

use crate::limits;
use crate::settings::Durable;

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done with.
    Done,
    /// It comes again after a pause.
    Again { pause: Duration, why: String },
    /// It is put where dead letters go.
    Aside(String),
    /// Nobody has seen it: it is held here and tried again, which counts as the same delivery.
    Held(Error),
}

/// Decides by what came of delivery number `attempt` (from 1).
pub(crate) fn after(
    outcome: Result<Acknowledgement, Error>,
    attempt: u32,
    durable: &Durable,
) -> Fate {
    let (pause, why) = match outcome {
        Ok(decided) => {
            let why = decided.reason.unwrap_or_default();
            match decided.verdict {
                Verdict::Ack => return Fate::Done,
                Verdict::Reject => return Fate::Aside(format!("the actor rejects it: {why}")),
                Verdict::Retry => (
                    decided.retry_after_ms.map(Duration::from_millis),
                    format!("the actor wants it again: {why}"),
                ),
            }
        }
        Err(error) if !error.started && is_of_the_way(error.code) => return Fate::Held(error),
        Err(error) => (None, error.to_string()),
    };
    if attempt >= durable.max_deliver {
        return Fate::Aside(why);
    }
    Fate::Again { pause: pause.unwrap_or_else(|| durable.pause_after(attempt)), why }
}

/// Returns whether what did not start may start later without any change of the message.
fn is_of_the_way(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::BadRequest
            | ErrorCode::TooLarge
            | ErrorCode::LimitExceeded
            | ErrorCode::ActorError
            | ErrorCode::ActorTrapped
            | ErrorCode::Internal
    )
}

/// Returns why a message is put aside before delivery number `attempt`, if it is.
///
/// The server counts deliveries that ended without any decision, too: with a process that died, or
/// with a link that was closed while it held the message. Many of them are allowed, for a message
/// whose actor is away; one that ends processes must come to an end.
pub(crate) fn before(attempt: u32, durable: &Durable) -> Option<String> {
    let most = durable.max_deliver.saturating_add(limits::UNDECIDED_MAX);
    (attempt > most).then(|| format!("{attempt} deliveries ended without a decision"))
}

/// Returns the pause before what could not be done `failures` times is tried again.
pub(crate) fn pause_between(failures: u32, durable: &Durable) -> Duration {
    durable.pause_after(failures).clamp(
        Duration::from_millis(limits::HELD_PAUSE_MIN_MS),
        Duration::from_millis(limits::HELD_PAUSE_MAX_MS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durable() -> Durable {
        Durable {
            stream: "s".into(),
            consumer: "c".into(),
            own: false,
            max_deliver: 2,
            backoff: vec![Duration::ZERO, Duration::from_secs(3_600)],
            ack_wait: Duration::from_secs(1),
            dead_letter: None,
        }
    }

    #[test]
    fn what_did_not_reach_the_actor_is_held_however_often() {
        for code in [
            ErrorCode::NotFound,
            ErrorCode::Busy,
            ErrorCode::Draining,
            ErrorCode::ProviderUnavailable,
            ErrorCode::Unauthorized,
            ErrorCode::NoLink,
            ErrorCode::DeadlineExceeded,
        ] {
            let error = Error::not_started(code, "away");
            assert_eq!(after(Err(error.clone()), 50, &durable()), Fate::Held(error));
        }
        let started = Error::started(ErrorCode::NotFound, "ended meanwhile");
        assert!(matches!(after(Err(started.clone()), 1, &durable()), Fate::Again { .. }));
        assert!(matches!(after(Err(started), 2, &durable()), Fate::Aside(_)));
    }

    #[test]
    fn a_message_that_can_never_be_delivered_is_put_aside_in_the_end() {
        for code in [ErrorCode::BadRequest, ErrorCode::TooLarge] {
            let error = Error::not_started(code, "no message");
            assert!(matches!(after(Err(error.clone()), 1, &durable()), Fate::Again { .. }));
            assert!(matches!(after(Err(error), 2, &durable()), Fate::Aside(_)));
        }
    }

    #[test]
    fn the_actor_decides() {
        let decided = |verdict| Ok(Acknowledgement { verdict, ..Acknowledgement::default() });
        assert_eq!(after(decided(Verdict::Ack), 9, &durable()), Fate::Done);
        assert!(matches!(after(decided(Verdict::Reject), 1, &durable()), Fate::Aside(_)));
        assert!(matches!(after(decided(Verdict::Retry), 1, &durable()), Fate::Again { .. }));
        assert!(matches!(after(decided(Verdict::Retry), 2, &durable()), Fate::Aside(_)));
    }

    #[test]
    fn a_message_that_ends_processes_comes_to_an_end() {
        let most = 2 + limits::UNDECIDED_MAX;
        assert_eq!(before(most, &durable()), None);
        assert!(before(most + 1, &durable()).is_some());
    }

    #[test]
    fn what_is_held_is_tried_again_neither_at_once_nor_never() {
        let pauses = [1, 2, 9].map(|failures| pause_between(failures, &durable()).as_millis());
        assert_eq!(pauses, [100, 30_000, 30_000]);
    }
}
