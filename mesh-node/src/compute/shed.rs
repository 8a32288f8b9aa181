//! Which calls are turned away when more come than can be run: a decision over times.
//!
//! A burst is let in: it passes. A wait that stands is not: whoever had to wait behind it would be
//! answered late, and so would everybody after. So once calls have been expected to wait longer than
//! [`limits::COMPUTE_WAIT_TARGET_MS`] for [`limits::COMPUTE_BURST_MS`], those that would are refused at once,
//! until for [`limits::COMPUTE_SHED_MS`] none had to be.

use std::time::{Duration, Instant};

use crate::limits;

/// What a queue remembers of its past.
#[derive(Debug, Default)]
pub(super) struct Shed {
    /// Since when the wait is too long.
    above_since: Option<Instant>,
    /// Until when calls that would wait too long are refused.
    sheds_until: Option<Instant>,
}

impl Shed {
    /// Decides about a call that would have to wait behind `ahead` others for about `expected`, where
    /// `processors` run at once.
    pub fn admits(
        &mut self,
        now: Instant,
        expected: Duration,
        ahead: usize,
        processors: usize,
    ) -> bool {
        // Whatever a call takes, one may wait for each that runs: no processor is idle in between.
        let above =
            ahead >= processors && expected > Duration::from_millis(limits::COMPUTE_WAIT_TARGET_MS);
        if !above {
            self.above_since = None;
            return true;
        }
        let since = *self.above_since.get_or_insert(now);
        let stands =
            now.saturating_duration_since(since) >= Duration::from_millis(limits::COMPUTE_BURST_MS);
        if stands || self.sheds_until.is_some_and(|until| now < until) {
            self.sheds_until = Some(now + Duration::from_millis(limits::COMPUTE_SHED_MS));
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const TARGET: Duration = Duration::from_millis(limits::COMPUTE_WAIT_TARGET_MS);
    const BURST: Duration = Duration::from_millis(limits::COMPUTE_BURST_MS);
    const LONG: Duration = Duration::from_millis(limits::COMPUTE_SHED_MS);

    #[test]
    fn a_burst_is_let_in_and_a_standing_queue_is_not() {
        let (mut shed, begun) = (Shed::default(), Instant::now());
        assert!(shed.admits(begun, TARGET * 10, 9, 2));
        assert!(shed.admits(begun + BURST - MS, TARGET * 10, 9, 2));
        assert!(!shed.admits(begun + BURST, TARGET * 10, 9, 2));
        assert!(shed.admits(begun + BURST, TARGET, 9, 2), "this one waits no longer than it may");
    }

    #[test]
    fn once_it_sheds_a_pause_does_not_let_the_next_burst_in() {
        let (mut shed, begun) = (Shed::default(), Instant::now());
        shed.admits(begun, TARGET * 2, 9, 2);
        assert!(!shed.admits(begun + BURST, TARGET * 2, 9, 2));
        assert!(shed.admits(begun + BURST + MS, Duration::ZERO, 0, 2));
        assert!(!shed.admits(begun + BURST + 2 * MS, TARGET * 2, 9, 2));
        // None had to be refused for long enough: bursts are bursts again.
        assert!(shed.admits(begun + BURST + 3 * MS, Duration::ZERO, 0, 2));
        let later = begun + BURST + 3 * MS + LONG;
        assert!(shed.admits(later, TARGET * 2, 9, 2));
    }

    #[test]
    fn a_call_for_each_that_runs_may_wait_however_long_they_take() {
        let (mut shed, begun) = (Shed::default(), Instant::now());
        for after in [Duration::ZERO, BURST, BURST * 2] {
            assert!(shed.admits(begun + after, TARGET * 100, 1, 2));
        }
    }
}
