//! When a call is tried again: pure decisions over values.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lattice_protocol::keys::TargetKey;
use lattice_protocol::{Error, ErrorCode};

use crate::limits;

/// Bounds the retries of a client: each call earns a part of one, so that a lattice in trouble
/// gets at most that part more load. In units of [`limits::CALLS_PER_RETRY`] a retry.
pub struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(limits::RETRY_BUDGET_MAX * limits::CALLS_PER_RETRY))
    }
}

impl RetryBudget {
    /// Counts a new call.
    pub fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < limits::RETRY_BUDGET_MAX * limits::CALLS_PER_RETRY {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes one retry; returns whether there was one.
    pub fn spend(&self) -> bool {
        self.spend_above(0)
    }

    /// Takes one retry for an attempt beside others, which may turn out not to have been needed: half of
    /// what can be saved up is kept for attempts that have failed.
    pub fn spend_spare(&self) -> bool {
        self.spend_above(limits::RETRY_BUDGET_MAX / 2)
    }

    fn spend_above(&self, kept: i64) -> bool {
        let least = (kept + 1) * limits::CALLS_PER_RETRY;
        let take = |units: i64| (units >= least).then(|| units - limits::CALLS_PER_RETRY);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// How one attempt failed.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// Somebody answered with an error.
    Answered(Error),
    /// Nobody listens.
    NoResponders(TargetKey),
    /// Whoever had it is gone.
    Gone(TargetKey),
    /// The connection was lost while the attempt was under way.
    ConnectionLost,
    /// The attempt had its time.
    TimedOut {
        /// What was asked for.
        operation: String,
    },
}

impl Attempt {
    /// Returns whether it was answered with an error that another attempt may not meet.
    pub fn is_passing(&self) -> bool {
        let passing = [ErrorCode::Busy, ErrorCode::Draining, ErrorCode::Stale];
        matches!(self, Attempt::Answered(error) if passing.contains(&error.code))
    }

    /// Returns whether there was no place for it.
    pub fn is_busy(&self) -> bool {
        matches!(self, Attempt::Answered(error) if error.code == ErrorCode::Busy && !error.started)
    }
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Attempt::Answered(error)
    }
}

/// What to do after a failed attempt.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// The call has failed.
    GiveUp(Error),
    /// Wait, then try again.
    RetryAfter(Duration),
    /// Wait for the other attempts.
    Wait,
}

/// What a call allows.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether running it twice does no harm.
    pub idempotent: bool,
    /// Time for the whole call.
    pub timeout: Duration,
    /// How long it is tried again while nobody serves the target.
    pub unserved: Duration,
}

impl Policy {
    /// Returns the time that is left of the call.
    pub fn left(&self, elapsed: Duration) -> Duration {
        self.timeout.saturating_sub(elapsed)
    }

    /// Returns how long one attempt is waited for before another begins beside it. Only where a call is
    /// idempotent is that less than all of its time: another node may answer what a dead one can't.
    pub fn slice(&self) -> Duration {
        if !self.idempotent {
            return self.timeout;
        }
        let slice = self.timeout / limits::IDEMPOTENT_ATTEMPT_FRACTION;
        slice.max(Duration::from_millis(limits::IDEMPOTENT_ATTEMPT_MIN_MS))
    }

    /// Decides after attempt number `attempts` (from 1). `jitter` is in 0..1.
    pub fn next(
        &self,
        attempt: &Attempt,
        attempts: u32,
        elapsed: Duration,
        jitter: f64,
        budget: &RetryBudget,
    ) -> Next {
        // Where nobody listens nobody has work with another attempt.
        let free = matches!(attempt, Attempt::NoResponders(_));
        let error = self.error(attempt);
        let again = match attempt {
            Attempt::Answered(_) => attempt.is_passing() && (!error.started || self.idempotent),
            Attempt::NoResponders(_) => elapsed < self.unserved,
            Attempt::Gone(_) | Attempt::ConnectionLost | Attempt::TimedOut { .. } => {
                self.idempotent
            }
        };
        let pause = pause(attempts, jitter);
        if again && elapsed + pause < self.timeout && (free || budget.spend()) {
            Next::RetryAfter(pause)
        } else {
            Next::GiveUp(error)
        }
    }

    /// Returns the error that a caller is told when an attempt was the last.
    pub fn error(&self, attempt: &Attempt) -> Error {
        match attempt {
            Attempt::Answered(error) => error.clone(),
            Attempt::NoResponders(target) => no_responders(target),
            Attempt::Gone(target) => Error::started(
                ErrorCode::NotFound,
                format!(
                    "whoever served {target} ended while the call was under way: whether it ran is \
                     unknown"
                ),
            ),
            Attempt::ConnectionLost => Error::started(
                ErrorCode::Internal,
                "the connection to NATS was lost while the call was under way: \
                 whether it ran is unknown",
            ),
            Attempt::TimedOut { operation } => Error::started(
                ErrorCode::DeadlineExceeded,
                format!(
                    "no answer to {operation:?} within {} ms: whether it ran is unknown",
                    self.timeout.as_millis()
                ),
            ),
        }
    }
}

fn no_responders(target: &TargetKey) -> Error {
    let what = match target {
        TargetKey::Actor(_) => "actor",
        TargetKey::Provider(_) => "provider",
    };
    Error::not_started(ErrorCode::NotFound, format!("nobody serves {what} {target}"))
}

/// Doubles from the first pause to the longest, with full jitter above half of it.
fn pause(attempts: u32, jitter: f64) -> Duration {
    let exponent = attempts.saturating_sub(1).min(16);
    let full = (limits::RETRY_PAUSE_FIRST_MS << exponent).min(limits::RETRY_PAUSE_MAX_MS);
    Duration::from_millis(full).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(10);

    fn policy(idempotent: bool) -> Policy {
        let unserved = Duration::from_millis(limits::NO_RESPONDERS_WAIT_MS);
        Policy { idempotent, timeout: Duration::from_secs(2), unserved }
    }

    fn decide(idempotent: bool, attempt: &Attempt, elapsed: Duration) -> Next {
        policy(idempotent).next(attempt, 1, elapsed, 0.5, &RetryBudget::default())
    }

    fn answered(code: ErrorCode, started: bool) -> Attempt {
        Attempt::Answered(Error { started, ..Error::not_started(code, "x") })
    }

    fn timed_out() -> Attempt {
        Attempt::TimedOut { operation: "op".into() }
    }

    fn target() -> TargetKey {
        lattice_protocol::keys::ActorKey::generate().unwrap().0.into()
    }

    #[test]
    fn what_did_not_start_is_tried_again_within_the_time() {
        for code in [ErrorCode::Busy, ErrorCode::Draining, ErrorCode::Stale] {
            assert!(matches!(decide(false, &answered(code, false), NOW), Next::RetryAfter(_)));
            let late = Duration::from_secs(2);
            assert!(matches!(decide(false, &answered(code, false), late), Next::GiveUp(_)));
        }
    }

    #[test]
    fn every_other_answer_is_final() {
        for code in ErrorCode::ALL.iter().copied() {
            if matches!(code, ErrorCode::Busy | ErrorCode::Draining | ErrorCode::Stale) {
                continue;
            }
            for started in [false, true] {
                let next = decide(true, &answered(code, started), NOW);
                assert!(matches!(next, Next::GiveUp(_)), "{code} {started}");
            }
        }
    }

    #[test]
    fn an_unknown_outcome_is_tried_again_only_where_the_call_is_idempotent() {
        for attempt in [Attempt::ConnectionLost, timed_out()] {
            assert!(matches!(decide(false, &attempt, NOW), Next::GiveUp(e) if e.started));
            assert!(matches!(decide(true, &attempt, NOW), Next::RetryAfter(_)));
        }
    }

    #[test]
    fn nobody_listening_is_tried_again_for_a_while_only() {
        let nobody = Attempt::NoResponders(target());
        assert!(matches!(decide(false, &nobody, NOW), Next::RetryAfter(_)));
        let window = Duration::from_millis(limits::NO_RESPONDERS_WAIT_MS);
        let Next::GiveUp(error) = decide(false, &nobody, window) else { panic!("still trying") };
        assert_eq!((error.code, error.started), (ErrorCode::NotFound, false));
    }

    #[test]
    fn an_empty_budget_ends_the_retries_and_calls_earn_new_ones() {
        let budget = RetryBudget::default();
        let retry = || policy(false).next(&answered(ErrorCode::Busy, false), 1, NOW, 0.0, &budget);
        let nobody = || policy(false).next(&Attempt::NoResponders(target()), 1, NOW, 0.0, &budget);
        for _ in 0..limits::RETRY_BUDGET_MAX {
            assert!(matches!(retry(), Next::RetryAfter(_)));
        }
        assert!(matches!(retry(), Next::GiveUp(_)));
        assert!(matches!(nobody(), Next::RetryAfter(_)), "it costs nothing");
        for _ in 0..limits::CALLS_PER_RETRY {
            budget.earn();
        }
        assert!(matches!(retry(), Next::RetryAfter(_)));
        assert!(matches!(retry(), Next::GiveUp(_)));
    }

    #[test]
    fn attempts_beside_others_leave_retries_for_those_that_fail() {
        let budget = RetryBudget::default();
        let spare = (0..).take_while(|_| budget.spend_spare()).count();
        let rest = (0..).take_while(|_| budget.spend()).count();
        let half = usize::try_from(limits::RETRY_BUDGET_MAX / 2).unwrap();
        assert_eq!((spare, rest), (half, half));
    }

    #[test]
    fn only_an_idempotent_call_splits_its_time() {
        let third = Duration::from_secs(2) / limits::IDEMPOTENT_ATTEMPT_FRACTION;
        assert_eq!(policy(true).slice(), third);
        assert_eq!(policy(false).slice(), Duration::from_secs(2));
        let short = Policy { timeout: Duration::from_millis(1), ..policy(true) };
        assert_eq!(short.slice(), Duration::from_millis(limits::IDEMPOTENT_ATTEMPT_MIN_MS));
    }

    #[test]
    fn pauses_grow_to_their_limit() {
        assert!(pause(1, 0.0) < pause(3, 0.0));
        let longest = Duration::from_millis(limits::RETRY_PAUSE_MAX_MS);
        assert!(pause(u32::MAX, 1.0) <= longest);
    }
}
