//! When bytes may go on: pure arithmetic over times.

use std::time::Duration;

use tokio::time::Instant;

use super::conditions::Conditions;

/// The bytes of one direction, one read after the other.
#[derive(Default)]
pub(super) struct Pace {
    /// When the read before had gone wholly.
    free_at: Option<Instant>,
}

impl Pace {
    /// Returns when a read of `bytes` that arrived at `arrived` has gone on wholly. `share` (0..1)
    /// of the jitter is added; no read overtakes the one before it.
    pub fn departs(
        &mut self,
        arrived: Instant,
        bytes: usize,
        conditions: &Conditions,
        share: f64,
    ) -> Instant {
        let due = arrived + conditions.delay + conditions.jitter.mul_f64(share.clamp(0.0, 1.0));
        let from = self.free_at.map_or(due, |free| free.max(due));
        let takes = match conditions.bytes_per_second {
            Some(rate) => Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64),
            None => Duration::ZERO,
        };
        let departs = from + takes;
        self.free_at = Some(departs);
        departs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_delay_is_no_queue() {
        let conditions = Conditions { delay: 10 * MS, ..Conditions::default() };
        let (mut pace, begun) = (Pace::default(), Instant::now());
        for number in 0..5 {
            let arrived = begun + number * MS;
            assert_eq!(pace.departs(arrived, 100, &conditions, 0.9), arrived + 10 * MS);
        }
    }

    #[test]
    fn jitter_never_reorders() {
        let conditions = Conditions { delay: MS, jitter: 10 * MS, ..Conditions::default() };
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert_eq!(pace.departs(begun, 1, &conditions, 1.0), begun + 11 * MS);
        assert_eq!(pace.departs(begun + MS, 1, &conditions, 0.0), begun + 11 * MS);
        assert_eq!(pace.departs(begun + 20 * MS, 1, &conditions, 0.5), begun + 26 * MS);
    }

    #[test]
    fn a_narrow_link_is_a_queue() {
        let conditions = Conditions { bytes_per_second: Some(1_000), ..Conditions::default() };
        let (mut pace, begun) = (Pace::default(), Instant::now());
        assert_eq!(pace.departs(begun, 100, &conditions, 0.0), begun + 100 * MS);
        assert_eq!(pace.departs(begun, 50, &conditions, 0.0), begun + 150 * MS);
        assert_eq!(pace.departs(begun + 400 * MS, 10, &conditions, 0.0), begun + 410 * MS);
    }
}
