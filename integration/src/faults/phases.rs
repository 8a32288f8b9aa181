//! Which fault a failure follows, and what latencies were before and under faults. Pure.

use super::ledger::CallRecord;
use crate::report::quantile;

/// When faults struck, in microseconds since the start of the load, in order.
#[derive(Clone, Debug, Default)]
pub struct Strikes(pub Vec<u64>);

/// How a call lies to the fault that it is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    /// Microseconds from the fault until the call left; 0 where it was under way.
    pub sent_after_us: u64,
    /// Microseconds from the fault until the caller was told.
    pub told_after_us: u64,
}

impl Strikes {
    /// Returns the fault of a call: the first that struck while it was under way, else the last
    /// before it.
    pub fn blame(&self, call: &CallRecord) -> Option<Blame> {
        let next = self.0.partition_point(|at| *at < call.sent_us);
        let within = self.0.get(next).filter(|at| **at <= call.done_us);
        let at = within.or_else(|| self.0.get(next.checked_sub(1)?))?;
        Some(Blame {
            sent_after_us: call.sent_us.saturating_sub(*at),
            told_after_us: call.done_us.saturating_sub(*at),
        })
    }

    /// Returns the longest of what the calls that failed were blamed with, in milliseconds:
    /// `(sent, told)` after the fault; nothing where none failed.
    pub fn windows_ms<'a>(
        &self,
        failed: impl Iterator<Item = &'a CallRecord>,
    ) -> Option<(f64, f64)> {
        failed
            .filter_map(|call| self.blame(call))
            .map(|blame| (blame.sent_after_us as f64 / 1e3, blame.told_after_us as f64 / 1e3))
            .reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)))
    }
}

/// Latencies of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Latency {
    /// Median, in microseconds.
    pub p50_us: u32,
    /// What one call of a hundred exceeds, in microseconds.
    pub p99_us: u32,
}

impl Latency {
    /// Returns those of the calls that were due in `from..to` and succeeded.
    pub fn of(calls: &[CallRecord], from: u64, to: u64) -> Self {
        let mut times: Vec<u32> = calls
            .iter()
            .filter(|call| call.succeeded() && (from..to).contains(&call.due_us))
            .map(|call| u32::try_from(call.latency_us()).unwrap_or(u32::MAX))
            .collect();
        times.sort_unstable();
        Self { p50_us: quantile(&times, 0.50), p99_us: quantile(&times, 0.99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::ledger::Outcome;

    fn call(sent_us: u64, done_us: u64) -> CallRecord {
        let outcome = Outcome::Answered { node: "a".into(), revision: 1, code: 1, attempts: 1 };
        let (number, due_us) = (0, sent_us);
        let (idempotent, impatient) = (false, false);
        CallRecord { number, due_us, sent_us, done_us, idempotent, impatient, outcome }
    }

    #[test]
    fn a_call_is_blamed_on_the_fault_it_met_else_on_the_last() {
        let strikes = Strikes(vec![100, 1_000]);
        let blame = |sent, done| strikes.blame(&call(sent, done));
        let blamed = |sent_after_us, told_after_us| Some(Blame { sent_after_us, told_after_us });
        assert_eq!(blame(10, 90), None);
        assert_eq!(blame(10, 150), blamed(0, 50));
        assert_eq!(blame(150, 400), blamed(50, 300));
        assert_eq!(blame(950, 1_200), blamed(0, 200));
        assert_eq!(blame(1_000, 1_200), blamed(0, 200));
        assert_eq!(blame(5_000, 5_001), blamed(4_000, 4_001));
        let windows = strikes.windows_ms([call(150, 400), call(950, 1_200)].iter());
        assert_eq!(windows, Some((0.05, 0.3)));
        assert_eq!(strikes.windows_ms([].iter()), None);
    }

    #[test]
    fn latencies_are_of_their_time_and_from_when_a_call_was_due() {
        let late = CallRecord { due_us: 5, ..call(20, 30) };
        let calls = [call(0, 10), late, call(100, 1_000)];
        assert_eq!(Latency::of(&calls, 0, 100), Latency { p50_us: 25, p99_us: 25 });
        assert_eq!(Latency::of(&calls, 100, 200).p50_us, 900);
        assert_eq!(Latency::of(&calls, 200, 300), Latency::default());
    }
}
