//! When calls leave: fixed by a seed and a rate, whatever becomes of earlier calls.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Times since the start of a load, each later than the one before: independent arrivals at a rate
/// (a Poisson process), as from many callers who know nothing of each other.
pub struct Schedule {
    random: StdRng,
    mean_s: f64,
    at_s: f64,
}

impl Schedule {
    /// Returns the schedule of `seed` at `rate_per_s`.
    pub fn new(seed: u64, rate_per_s: f64) -> Self {
        let mean_s = 1.0 / rate_per_s.max(f64::MIN_POSITIVE);
        Self { random: StdRng::seed_from_u64(seed), mean_s, at_s: 0.0 }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        // In (0, 1]: its logarithm is a number.
        let share = 1.0 - self.random.random::<f64>();
        self.at_s += -share.ln() * self.mean_s;
        Duration::try_from_secs_f64(self.at_s).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_schedule() {
        let times = |seed| Schedule::new(seed, 1_000.0).take(100).collect::<Vec<_>>();
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
        assert!(times(7).is_sorted());
    }

    #[test]
    fn the_rate_is_kept_in_the_long_run_and_only_there() {
        let times: Vec<_> = Schedule::new(1, 1_000.0).take(20_000).collect();
        let took = times.last().unwrap().as_secs_f64();
        assert!((19.0..21.0).contains(&took), "{took}");
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().any(|gap| *gap > Duration::from_millis(5)));
        assert!(gaps.iter().any(|gap| *gap < Duration::from_micros(50)));
    }
}
