//! Time, and pauses that grow.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A pause that grows each time, up to its longest.
pub(crate) struct Pause {
    next_ms: u64,
    max_ms: u64,
}

impl Pause {
    pub(crate) fn new(first_ms: u64, max_ms: u64) -> Self {
        Self { next_ms: first_ms, max_ms }
    }

    /// Returns the pause to make now.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(self.next_ms);
        self.next_ms = self.next_ms.saturating_mul(2).min(self.max_ms);
        pause
    }
}

/// Returns the Unix milliseconds of this machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_up_to_its_longest() {
        let mut pause = Pause::new(100, 300);
        let made: Vec<u128> = (0..4).map(|_| pause.next().as_millis()).collect();
        assert_eq!(made, [100, 200, 300, 300]);
    }
}
