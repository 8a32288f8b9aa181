//! The attempts of one call, which may overlap: pure decisions over values.
//!
//! A call that is not idempotent has one attempt at a time. An idempotent one begins another when the
//! newest has had its slice of the time, or when nobody who answers has it; the earlier ones are waited
//! for all the same, and the first answer wins.

use std::time::Duration;

use lattice_protocol::Error;

use super::retry::{Attempt, Next, Policy, RetryBudget};
use crate::limits;

/// The time that a new attempt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// What is left of the call: the budget of whoever answers.
    pub left: Duration,
    /// How long until there is something to decide, if nothing happens before.
    pub wait: Duration,
}

impl Slice {
    /// Returns the budget as an invocation tells it: at least 1, since 0 means the default.
    pub fn budget_ms(&self) -> u32 {
        u32::try_from(self.left.as_millis()).unwrap_or(u32::MAX).max(1)
    }
}

/// What the clock says.
#[derive(Debug, PartialEq)]
pub enum Due {
    /// Nothing yet.
    Wait,
    /// The next attempt begins.
    Begin,
    /// The call has failed.
    GiveUp(Error),
}

/// The attempts of one call. Times are since the call began.
#[derive(Debug, Clone, Copy)]
pub struct Attempts {
    policy: Policy,
    made: u32,
    /// Attempts that an answer may still come of.
    waiting: u32,
    /// Whether the one that began last is among them.
    newest_waits: bool,
    /// When it began, or another would have begun if there had been a retry to spend.
    newest_at: Duration,
    /// When the next one begins, where the last has failed.
    retry_at: Option<Duration>,
    /// Attempts that began beside others because of what looks had told.
    hedges: u32,
    /// Whether one that has failed may have run.
    started: bool,
}

impl Attempts {
    /// Begins a call.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            made: 0,
            waiting: 0,
            newest_waits: false,
            newest_at: Duration::ZERO,
            retry_at: None,
            hedges: 0,
            started: false,
        }
    }

    /// Begins the next attempt, `elapsed` after the call began.
    pub fn begin(&mut self, elapsed: Duration) -> Slice {
        self.made += 1;
        self.waiting += 1;
        self.newest_waits = true;
        self.newest_at = elapsed;
        self.retry_at = None;
        Slice { left: self.policy.left(elapsed), wait: self.next_at().saturating_sub(elapsed) }
    }

    /// Returns the time of the whole call.
    pub fn timeout(&self) -> Duration {
        self.policy.timeout
    }

    /// Returns how many attempts have begun.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Returns whether the next attempt begins because one has failed.
    pub fn retries(&self) -> bool {
        self.retry_at.is_some()
    }

    /// Returns when [`Attempts::due`] has something to decide, if nothing happens before.
    pub fn next_at(&self) -> Duration {
        let next = match self.retry_at {
            Some(at) => at,
            None if self.newest_waits => self.newest_at.saturating_add(self.policy.slice()),
            None => self.policy.timeout,
        };
        next.min(self.policy.timeout)
    }

    /// Decides what the clock brings. `operation` is what was asked for.
    pub fn due(&mut self, elapsed: Duration, operation: &str, budget: &RetryBudget) -> Due {
        if elapsed >= self.policy.timeout {
            let timed_out = Attempt::TimedOut { operation: operation.to_owned() };
            return Due::GiveUp(self.policy.error(&timed_out));
        }
        if elapsed < self.next_at() {
            return Due::Wait;
        }
        // A retry was paid for when it was decided on.
        if self.retries() || budget.spend() {
            return Due::Begin;
        }
        self.newest_at = elapsed;
        Due::Wait
    }

    /// Returns whether another attempt begins because looks say so of attempt number `attempt`.
    pub fn another(&mut self, attempt: u32, elapsed: Duration, budget: &RetryBudget) -> bool {
        let pace = Duration::from_millis(limits::HEDGE_INTERVAL_MS);
        let wanted = self.policy.idempotent
            && attempt == self.made
            && self.newest_waits
            && self.hedges < limits::HEDGES_MAX
            && elapsed >= self.newest_at + pace
            && elapsed < self.policy.timeout;
        let begins = wanted && budget.spend_spare();
        self.hedges += u32::from(begins);
        begins
    }

    /// Decides what follows when attempt number `number` (from 1) has failed. `jitter` is in 0..1.
    pub fn failed(
        &mut self,
        number: u32,
        attempt: &Attempt,
        elapsed: Duration,
        jitter: f64,
        budget: &RetryBudget,
    ) -> Next {
        self.waiting = self.waiting.saturating_sub(1);
        let is_newest = number == self.made;
        self.newest_waits &= !is_newest;
        // Answered as every other would be.
        if matches!(attempt, Attempt::Answered(_)) && !attempt.is_passing() {
            return Next::GiveUp(self.told(self.policy.error(attempt)));
        }
        let error = self.policy.error(attempt);
        self.started |= error.started;
        // One that is newer has taken its place.
        if self.newest_waits || self.retries() {
            return Next::Wait;
        }
        match self.policy.next(attempt, self.made, elapsed, jitter, budget) {
            Next::RetryAfter(pause) => {
                self.retry_at = Some(elapsed + pause);
                Next::RetryAfter(pause)
            }
            _ if self.waiting > 0 => Next::Wait,
            _ => Next::GiveUp(self.told(error)),
        }
    }

    /// Decides what follows when nobody is left who could answer any attempt that is waited for.
    pub fn all_gone(
        &mut self,
        gone: &Attempt,
        elapsed: Duration,
        jitter: f64,
        budget: &RetryBudget,
    ) -> Next {
        if self.waiting == 0 {
            return Next::Wait;
        }
        self.waiting = 1;
        self.failed(self.made, gone, elapsed, jitter, budget)
    }

    /// What may have run in any attempt may have run in the call.
    pub(super) fn told(&self, error: Error) -> Error {
        Error { started: error.started || self.started || self.waiting > 0, ..error }
    }
}

#[cfg(test)]
mod tests;
