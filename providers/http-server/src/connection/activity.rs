//! What goes on at a connection, noted in passing, so that one look now and then tells whether it
//! waits for too long. There is no timer for a request.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::limits;
use crate::options::Limits;

/// Milliseconds since the server was started, from 1; 0 is never.
pub type Moment = u64;

/// What goes on at a connection.
#[derive(Debug)]
pub struct Activity {
    /// Requests that are not answered to their end.
    requests: AtomicU32,
    /// Since when there is none.
    idle_since: AtomicU64,
    /// When the first byte of a head came (HTTP/1).
    head_since: AtomicU64,
    /// Whether there was a request.
    used: AtomicBool,
    /// Whether it speaks HTTP/2, where bytes without a request are no head.
    http2: AtomicBool,
    /// Since when its client takes too little of what it is sent.
    blocked_since: AtomicU64,
    taken: AtomicU64,
    /// Whether something was not read that the client had to say.
    unread: AtomicBool,
    /// Since when it is only read from.
    lingers_since: AtomicU64,
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It has nothing to do; its client can be told.
    Idle,
    /// Its client takes too long to ask, or to take what it asked for.
    Slow,
}

impl Activity {
    /// Begins with a connection that has just been opened.
    pub fn new(now: Moment) -> Self {
        Self {
            requests: AtomicU32::new(0),
            idle_since: AtomicU64::new(now),
            head_since: AtomicU64::new(0),
            used: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            blocked_since: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            lingers_since: AtomicU64::new(0),
        }
    }

    /// A request has begun.
    pub fn begin(&self, http2: bool) {
        self.requests.fetch_add(1, Relaxed);
        self.used.store(true, Relaxed);
        self.http2.store(http2, Relaxed);
        self.head_since.store(0, Relaxed);
        self.unread.store(false, Relaxed);
    }

    /// A request has ended.
    pub fn end(&self, now: Moment) {
        if self.requests.fetch_sub(1, Relaxed) == 1 {
            self.idle_since.store(now, Relaxed);
        }
    }

    /// Something was read.
    pub fn read(&self, bytes: &[u8], now: impl FnOnce() -> Moment) {
        if self.requests.load(Relaxed) > 0 || self.head_since.load(Relaxed) != 0 {
            return;
        }
        // The preface of HTTP/2 begins with a method that HTTP/1 will never have.
        if !self.used.load(Relaxed) && bytes.starts_with(b"PRI") {
            self.http2.store(true, Relaxed);
        }
        if !self.http2.load(Relaxed) {
            self.head_since.store(now(), Relaxed);
        }
    }

    /// The client took `bytes` of what it is sent.
    pub fn wrote(&self, bytes: usize) {
        if self.blocked_since.load(Relaxed) != 0 {
            let taken = self.taken.fetch_add(bytes as u64, Relaxed) + bytes as u64;
            if taken >= limits::WRITE_PROGRESS_BYTES {
                self.blocked_since.store(0, Relaxed);
            }
        }
    }

    /// The client takes no more for now.
    pub fn blocked(&self, now: impl FnOnce() -> Moment) {
        if self.blocked_since.load(Relaxed) == 0 {
            self.taken.store(0, Relaxed);
            self.blocked_since.store(now(), Relaxed);
        }
    }

    /// The client took all that there was.
    pub fn flushed(&self) {
        self.blocked_since.store(0, Relaxed);
    }

    /// Something of a request stays unread.
    pub fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// Returns whether the client may still be sending what nobody wants, and would miss its
    /// answer if the connection were just closed.
    pub fn must_linger(&self) -> bool {
        let in_head = self.requests.load(Relaxed) == 0 && self.head_since.load(Relaxed) != 0;
        self.unread.load(Relaxed) || in_head
    }

    /// From now on it is only read from.
    pub fn linger(&self, now: Moment) {
        self.lingers_since.store(now, Relaxed);
    }

    /// Returns how much would be cut off if it ended now.
    pub fn unfinished(&self) -> usize {
        let requests = self.requests.load(Relaxed) as usize;
        requests.max(usize::from(self.blocked_since.load(Relaxed) != 0))
    }

    /// Returns whether it waits for its client for too long, and for what.
    pub fn late(&self, now: Moment, limits: &Limits) -> Option<Late> {
        let over = |since: Moment, bound: Duration| {
            since != 0 && u128::from(now.saturating_sub(since)) >= bound.as_millis()
        };
        if over(self.lingers_since.load(Relaxed), Duration::from_millis(limits::LINGER_MS))
            || over(self.blocked_since.load(Relaxed), limits.write_stall)
        {
            return Some(Late::Slow);
        }
        if self.requests.load(Relaxed) > 0 || self.blocked_since.load(Relaxed) != 0 {
            return None;
        }
        let idle = self.idle_since.load(Relaxed);
        let slow = match self.head_since.load(Relaxed) {
            0 => !self.used.load(Relaxed) && over(idle, limits.head_timeout),
            since => over(since, limits.head_timeout),
        };
        match slow {
            true => Some(Late::Slow),
            false => over(idle, limits.idle_timeout).then_some(Late::Idle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Moment = limits::HEAD_TIMEOUT_MS;
    const IDLE: Moment = limits::IDLE_TIMEOUT_MS;
    const STALL: Moment = limits::WRITE_STALL_MS;

    fn late(activity: &Activity, now: Moment) -> Option<Late> {
        activity.late(now, &Limits::default())
    }

    #[test]
    fn the_first_head_must_come_soon_and_the_next_may_wait() {
        let activity = Activity::new(1);
        assert_eq!(late(&activity, HEAD), None);
        assert_eq!(late(&activity, HEAD + 1), Some(Late::Slow));
        activity.begin(false);
        assert_eq!(late(&activity, 10 * IDLE), None, "that is up to whoever answers");
        activity.end(1000);
        assert_eq!(late(&activity, 1000 + IDLE - 1), None);
        assert_eq!(late(&activity, 1000 + IDLE), Some(Late::Idle));
        activity.read(b"G", || 2000);
        activity.read(b"E", || 9000);
        assert_eq!(late(&activity, 2000 + HEAD - 1), None);
        assert_eq!(late(&activity, 2000 + HEAD), Some(Late::Slow), "bytes one by one don't help");
        activity.begin(false);
        activity.end(3000);
        assert_eq!(late(&activity, 3000 + HEAD), None);
    }

    #[test]
    fn frames_without_a_request_are_no_head() {
        let activity = Activity::new(1);
        activity.read(b"PRI * HTTP/2.0", || 1);
        assert_eq!(late(&activity, HEAD + 1), Some(Late::Slow));
        activity.begin(true);
        activity.end(5);
        activity.read(b"ping", || 6);
        assert_eq!(late(&activity, 6 + HEAD), None);
        assert_eq!(late(&activity, 5 + IDLE), Some(Late::Idle));
    }

    #[test]
    fn a_client_must_take_enough_of_what_it_is_sent() {
        let activity = Activity::new(1);
        activity.begin(false);
        activity.blocked(|| 10);
        activity.wrote(1);
        activity.blocked(|| 20);
        assert_eq!(late(&activity, 10 + STALL - 1), None);
        assert_eq!(late(&activity, 10 + STALL), Some(Late::Slow), "drops don't help");
        activity.wrote(limits::WRITE_PROGRESS_BYTES as usize);
        assert_eq!(late(&activity, 10 + STALL), None);
        activity.blocked(|| 30);
        activity.end(30);
        assert_eq!(activity.unfinished(), 1);
        assert_eq!(late(&activity, 30 + STALL), Some(Late::Slow));
        activity.flushed();
        assert_eq!((late(&activity, 30 + STALL), activity.unfinished()), (None, 0));
    }

    #[test]
    fn what_was_left_unread_is_lingered_for() {
        let activity = Activity::new(1);
        assert!(!activity.must_linger());
        activity.read(b"G", || 1);
        assert!(activity.must_linger(), "a head that was refused");
        activity.begin(false);
        assert!(!activity.must_linger());
        activity.leave_unread();
        assert!(activity.must_linger());
        activity.linger(100);
        assert_eq!(late(&activity, 99 + limits::LINGER_MS), None);
        assert_eq!(late(&activity, 100 + limits::LINGER_MS), Some(Late::Slow));
        activity.begin(false);
        assert!(!activity.must_linger());
    }
}
