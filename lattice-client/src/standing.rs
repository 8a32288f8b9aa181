//! Tells a burst, which passes, from a queue that stands: a decision over times.
//!
//! A burst is let in. Where the wait stands, whoever had to wait behind it would be answered late, and so
//! would everybody after. So once the wait has been too long for a while, those who would wait too long are refused,
//! until for another while none had to be.

use std::time::{Duration, Instant};

/// Remembers how long a wait has been too long.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    burst: Duration,
    calm: Duration,
    /// Since when it is.
    since: Option<Instant>,
    /// Until when nobody waits too long.
    refuses_until: Option<Instant>,
}

impl Standing {
    /// What lasts up to `burst` is let in, unless one was refused within the last `calm`.
    pub fn new(burst: Duration, calm: Duration) -> Self {
        Self { burst, calm, since: None, refuses_until: None }
    }

    /// Decides about one who has waited, or would have to wait, `too_long` or not; returns whether it is
    /// refused.
    pub fn refuses(&mut self, now: Instant, too_long: bool) -> bool {
        if !too_long {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let stands = now.saturating_duration_since(since) >= self.burst;
        let refuses = stands || self.refuses_until.is_some_and(|until| now < until);
        if refuses {
            self.refuses_until = Some(now + self.calm);
        }
        refuses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Duration = Duration::from_millis(100);
    const CALM: Duration = Duration::from_millis(500);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_is_let_in_and_a_standing_queue_is_not() {
        let (mut standing, begun) = (Standing::new(BURST, CALM), Instant::now());
        assert!(!standing.refuses(begun, true));
        assert!(!standing.refuses(begun + BURST - MS, true));
        assert!(standing.refuses(begun + BURST, true));
        assert!(!standing.refuses(begun + BURST, false), "this one waits no longer than it may");
    }

    #[test]
    fn a_short_wait_in_between_does_not_let_the_next_burst_in() {
        let (mut standing, begun) = (Standing::new(BURST, CALM), Instant::now());
        standing.refuses(begun, true);
        assert!(standing.refuses(begun + BURST, true));
        assert!(!standing.refuses(begun + BURST + MS, false));
        assert!(standing.refuses(begun + BURST + 2 * MS, true));
        // None had to be refused for long enough: bursts are bursts again.
        assert!(!standing.refuses(begun + BURST + 3 * MS, false));
        assert!(!standing.refuses(begun + BURST + 2 * MS + CALM, true));
    }
}
