//! Whose turn it is to tick: what the providers of a link tell each other, and what follows.

use std::time::Duration;

use lattice_protocol::contract::timer::Schedule;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::times::{due_between, last_due};

/// What the providers of a link know together: the value at its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// The schedule that the times belong to.
    pub schedule: String,
    /// When the last tick that is over was due; before the first, when the link began.
    pub done_ms: u64,
    /// When the tick that is under way was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way_ms: Option<u64>,
    /// Which provider wrote this.
    pub by: String,
}

impl Turn {
    /// Returns what is known once the tick that is under way is over. One that did not reach its
    /// actor was left out: the next one counts it.
    pub(crate) fn over(&self, due_ms: u64, reached: bool) -> Self {
        let done_ms = if reached { due_ms } else { self.done_ms };
        Self { done_ms, under_way_ms: None, ..self.clone() }
    }
}

/// What a provider does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is known of this schedule: it begins now.
    Begin,
    /// Nothing until then.
    Wait(Duration),
    /// It is time, and nobody else has begun: claim the tick.
    Claim {
        /// When it was due.
        due_ms: u64,
        /// How many before it were left out.
        missed: u64,
    },
    /// There is no time after this one.
    Never,
}

/// What a provider knows of itself.
pub(crate) struct Me<'a> {
    pub id: &'a str,
    pub schedule: &'a Schedule,
    /// The schedule as text.
    pub schedule_text: &'a str,
}

impl Me<'_> {
    /// Decides by what is known together, which has not changed for `unchanged`.
    ///
    /// Whether a provider is gone is told by its silence, never by comparing clocks.
    pub(crate) fn next(&self, turn: Option<&Turn>, now_ms: u64, unchanged: Duration) -> Step {
        let Some(turn) = turn.filter(|turn| turn.schedule == self.schedule_text) else {
            return Step::Begin;
        };
        // A clock that ran far ahead must not silence the link until that time comes.
        if turn.done_ms > now_ms.saturating_add(limits::CLOCK_AHEAD_MAX_MS) {
            return Step::Begin;
        }
        let Some(next_ms) = self.schedule.next_after_ms(now_ms) else { return Step::Never };
        let until_next = Duration::from_millis(next_ms.saturating_sub(now_ms));
        let lease = Duration::from_millis(limits::LEASE_MS);
        if turn.under_way_ms.is_some() && turn.by != self.id && unchanged < lease {
            return Step::Wait(until_next.min(lease - unchanged));
        }
        // Whether a tick was heard whose provider is gone nobody knows: it comes again, unless a
        // later one is due already.
        let due_ms = last_due(self.schedule, turn.done_ms, now_ms).max(turn.under_way_ms);
        match due_ms {
            None => Step::Wait(until_next),
            Some(due_ms) => {
                Step::Claim { due_ms, missed: due_between(self.schedule, turn.done_ms, due_ms) }
            }
        }
    }

    /// Returns what is known once the schedule has begun.
    pub(crate) fn begun(&self, now_ms: u64) -> Turn {
        Turn {
            schedule: self.schedule_text.to_owned(),
            done_ms: now_ms,
            under_way_ms: None,
            by: self.id.to_owned(),
        }
    }

    /// Returns what is known while this provider ticks, after `turn`.
    pub(crate) fn claimed(&self, turn: &Turn, due_ms: u64) -> Turn {
        Turn { under_way_ms: Some(due_ms), by: self.id.to_owned(), ..turn.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Schedule = Schedule::Interval(1_000);
    const LEASE: Duration = Duration::from_millis(limits::LEASE_MS);

    fn me() -> Me<'static> {
        Me { id: "me", schedule: &EVERY, schedule_text: "every" }
    }

    fn turn(done_ms: u64, under_way_ms: Option<u64>, by: &str) -> Turn {
        Turn { schedule: "every".into(), done_ms, under_way_ms, by: by.into() }
    }

    fn next(turn: &Turn, now_ms: u64, unchanged: Duration) -> Step {
        me().next(Some(turn), now_ms, unchanged)
    }

    #[test]
    fn a_schedule_begins_once() {
        assert_eq!(me().next(None, 1_500, LEASE), Step::Begin);
        let other = Turn { schedule: "other".into(), ..turn(1_000, None, "you") };
        assert_eq!(next(&other, 1_500, LEASE), Step::Begin);
        let begun = me().begun(1_500);
        assert_eq!(next(&begun, 1_500, LEASE), Step::Wait(Duration::from_millis(500)));
        assert_eq!(next(&begun, 2_000, LEASE), Step::Claim { due_ms: 2_000, missed: 0 });
    }

    #[test]
    fn what_somebody_else_ticks_is_left_to_them() {
        let theirs = turn(1_000, Some(2_000), "you");
        assert_eq!(next(&theirs, 2_100, Duration::ZERO), Step::Wait(Duration::from_millis(900)));
        let almost = LEASE - Duration::from_millis(10);
        assert_eq!(next(&theirs, 2_100, almost), Step::Wait(Duration::from_millis(10)));
        let over = turn(2_000, None, "you");
        assert_eq!(next(&over, 2_100, LEASE), Step::Wait(Duration::from_millis(900)));
    }

    #[test]
    fn the_tick_of_one_that_is_gone_comes_again_or_is_counted() {
        let theirs = turn(1_000, Some(2_000), "you");
        assert_eq!(next(&theirs, 2_900, LEASE), Step::Claim { due_ms: 2_000, missed: 0 });
        assert_eq!(next(&theirs, 5_100, LEASE), Step::Claim { due_ms: 5_000, missed: 3 });
        // A claim of this provider whose answer was lost.
        let mine = turn(1_000, Some(2_000), "me");
        let again = Step::Claim { due_ms: 2_000, missed: 0 };
        assert_eq!(next(&mine, 2_100, Duration::ZERO), again);
    }

    #[test]
    fn what_was_due_while_nobody_ran_is_made_up_for_once() {
        let long_ago = turn(1_000, None, "you");
        assert_eq!(next(&long_ago, 9_500, LEASE), Step::Claim { due_ms: 9_000, missed: 7 });
        let claimed = me().claimed(&long_ago, 9_000);
        assert_eq!(claimed.done_ms, 1_000);
        let over = claimed.over(9_000, true);
        assert_eq!(next(&over, 9_600, LEASE), Step::Wait(Duration::from_millis(400)));
        let left_out = claimed.over(9_000, false);
        assert_eq!(next(&left_out, 10_000, LEASE), Step::Claim { due_ms: 10_000, missed: 8 });
    }

    #[test]
    fn a_clock_that_ran_ahead_does_not_silence_the_link() {
        let ahead = turn(10_000_000, None, "you");
        assert_eq!(next(&ahead, 1_500, LEASE), Step::Begin);
        let a_little = turn(2_000, None, "you");
        assert_eq!(next(&a_little, 1_990, LEASE), Step::Wait(Duration::from_millis(10)));
        assert_eq!(next(&a_little, 2_100, LEASE), Step::Wait(Duration::from_millis(900)));
    }
}
