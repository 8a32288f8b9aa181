//! The messages of a subscription that were read and are not handled yet, and which of them are refused
//! because they have waited too long where the wait stands.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits;
use crate::standing::Standing;

const WAIT: Duration = Duration::from_millis(limits::BACKLOG_WAIT_MS);
const BURST: Duration = Duration::from_millis(limits::BACKLOG_BURST_MS);
const CALM: Duration = Duration::from_millis(limits::BACKLOG_CALM_MS);

/// See the module.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    waiting: VecDeque<(Instant, T)>,
    standing: Standing,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), standing: Standing::new(BURST, CALM) }
    }
}

impl<T> Backlog<T> {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns whether there is room for another.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < limits::BACKLOG_MESSAGES_MAX
    }

    /// Adds one that was read at `taken`.
    pub fn push(&mut self, taken: Instant, message: T) {
        self.waiting.push_back((taken, message));
    }

    /// Takes the first away; tells whether it is refused.
    pub fn pop(&mut self, now: Instant) -> Option<(T, bool)> {
        let (taken, message) = self.waiting.pop_front()?;
        let too_long = now.saturating_duration_since(taken) > WAIT;
        Some((message, self.standing.refuses(now, too_long)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_is_worked_off_however_long_it_waited() {
        let (mut backlog, begun) = (Backlog::default(), Instant::now());
        (0..100).for_each(|message| backlog.push(begun, message));
        let now = begun + WAIT + BURST / 2;
        let handled = std::iter::from_fn(|| backlog.pop(now)).filter(|(_, refused)| !refused);
        assert_eq!(handled.count(), 100);
        assert!(backlog.is_empty());
    }

    #[test]
    fn where_the_wait_stands_the_oldest_are_refused_and_the_rest_wait_no_longer_than_they_may() {
        let (mut backlog, begun) = (Backlog::default(), Instant::now());
        let (mut refused, mut longest) = (0, Duration::ZERO);
        // One is handled each millisecond, two come.
        for ms in 0..2_000u32 {
            let now = begun + ms * MS;
            (0..2).for_each(|_| backlog.push(now, now));
            while let Some((taken, is_refused)) = backlog.pop(now) {
                if !is_refused {
                    if ms > 1_000 {
                        longest = longest.max(now - taken);
                    }
                    break;
                }
                refused += 1;
            }
        }
        assert!(longest <= WAIT, "{longest:?}");
        assert!((1_500..2_000).contains(&refused), "{refused}");
    }

    #[test]
    fn there_is_room_for_so_many_only() {
        let mut backlog = Backlog::default();
        while backlog.has_room() {
            backlog.push(Instant::now(), ());
        }
        assert_eq!(backlog.waiting.len(), limits::BACKLOG_MESSAGES_MAX);
    }
}
