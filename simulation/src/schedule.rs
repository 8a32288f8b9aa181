//! Virtual time: events in the order of their times, and of their making where those are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the start of a run.
pub type Time = u64;

/// Microseconds of a millisecond.
pub const MS: Time = 1_000;

struct Due<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl<E> Eq for Due<E> {}
impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Due<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What is to happen, and when it is.
pub struct Schedule<E> {
    now: Time,
    next: u64,
    due: BinaryHeap<Reverse<Due<E>>>,
}

impl<E> Default for Schedule<E> {
    fn default() -> Self {
        Self { now: 0, next: 0, due: BinaryHeap::new() }
    }
}

impl<E> Schedule<E> {
    /// Returns the time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets `event` happen at `at`, or now where that is past.
    pub fn at(&mut self, at: Time, event: E) {
        let (at, number) = (at.max(self.now), self.next);
        self.next += 1;
        self.due.push(Reverse(Due { at, number, event }));
    }

    /// Goes to the next event that is due by `end`.
    pub fn next(&mut self, end: Time) -> Option<E> {
        if self.due.peek().is_none_or(|Reverse(due)| due.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let Reverse(due) = self.due.pop()?;
        self.now = due.at;
        Some(due.event)
    }
}
