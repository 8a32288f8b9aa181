//! How old a message may be that was just read.
//!
//! A process that was frozen, or whose link stood still, reads what waited for it meanwhile as if it
//! had just been sent: calls whose callers have long gone. No message says when it was sent by a
//! clock that the reader could trust. So a client that serves sends itself a message every
//! [`limits::PULSE_INTERVAL_MS`] through the same connection. The server keeps the order: what is read
//! after a pulse has come back was sent by the server after that pulse left here.
//!
//! Pulses and calls wait in queues of their own on the last bit of the way. After a gap in the pulses a
//! message therefore counts as old until its queue was seen empty after the gap's end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use async_nats::Client;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::lattice::Connection;
use crate::limits;
use crate::mux::Mux;

/// What the pulses tell. Times are microseconds since `base`.
#[derive(Debug)]
pub(crate) struct Pulse {
    base: Instant,
    /// Whether somebody wants to know.
    begun: Once,
    wanted: Notify,
    /// When the last pulse left that has come back.
    heard: AtomicU64,
    /// When the last gap ended.
    gap_ended: AtomicU64,
    /// When the last pulse left that came back before that gap.
    before_gap: AtomicU64,
}

impl Pulse {
    pub fn new() -> Arc<Self> {
        let base = Instant::now();
        let [heard, gap_ended, before_gap] = [0, 0, 0].map(AtomicU64::new);
        let (begun, wanted) = (Once::new(), Notify::new());
        Arc::new(Self { base, begun, wanted, heard, gap_ended, before_gap })
    }

    /// Begins the pulses, unless they have begun: only who serves needs them.
    pub fn begin(&self) {
        self.begun.call_once(|| {
            // Nobody sends anything to a subscription that is not there yet.
            self.heard.store(self.micros(Instant::now()), Ordering::Release);
            self.wanted.notify_one();
        });
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    fn instant(&self, micros: u64) -> Instant {
        self.base + Duration::from_micros(micros)
    }

    /// Takes in that the pulse which left at `sent` is back `now`; returns whether a gap ended.
    fn back(&self, sent: Instant, now: Instant) -> bool {
        let before = self.heard.load(Ordering::Relaxed);
        let now = self.micros(now);
        let gap = now.saturating_sub(before) > limits::PULSE_GAP_MS * 1_000;
        if gap {
            self.before_gap.store(before, Ordering::Relaxed);
            self.gap_ended.store(now, Ordering::Release);
        }
        self.heard.store(self.micros(sent), Ordering::Release);
        gap
    }

    /// Returns a moment after which the server sent a message that is taken now from a queue which was
    /// empty at `emptied`.
    pub fn sent_after(&self, emptied: Instant) -> Instant {
        // Before what a gap's end writes first: a pulse that is seen was preceded by its gap.
        let heard = self.heard.load(Ordering::Acquire);
        let gap_ended = self.gap_ended.load(Ordering::Acquire);
        let settled = gap_ended + limits::PULSE_SETTLE_MS * 1_000;
        if gap_ended > 0 && self.micros(emptied) < settled {
            return self.instant(self.before_gap.load(Ordering::Relaxed).min(heard));
        }
        self.instant(heard)
    }

    /// Sends pulses until `stop`. The end of a gap counts as a new connection: what is known by
    /// watching must be read anew.
    pub async fn run(
        self: Arc<Self>,
        mux: Mux,
        nats: Client,
        state: watch::Sender<Connection>,
        stop: CancellationToken,
    ) {
        let interval = Duration::from_millis(limits::PULSE_INTERVAL_MS);
        let mut connection = state.subscribe();
        let pulses = async {
            self.wanted.notified().await;
            loop {
                // While NATS is away they would only pile up in front of whatever is sent then.
                let _ = connection.wait_for(|connection| connection.up).await;
                let sent = Instant::now();
                // Without a bound of its own: while it is under way, nothing newer could be known.
                if mux.fence(&nats).await.is_ok() {
                    if self.back(sent, Instant::now()) {
                        tracing::warn!("this process or its link to NATS stood still for a while");
                        state.send_modify(|connection| connection.count += 1);
                    }
                    connection.mark_unchanged();
                }
                // What comes by a new connection is young: to be known at once.
                let _ = tokio::time::timeout(interval, connection.changed()).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = pulses => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_message_is_younger_than_the_last_pulse() {
        let pulse = Pulse::new();
        let begun = pulse.base;
        assert!(!pulse.back(begun + 100 * MS, begun + 110 * MS));
        assert_eq!(pulse.sent_after(begun + 120 * MS), begun + 100 * MS);
    }

    #[test]
    fn after_a_gap_a_message_is_old_until_its_queue_was_empty() {
        let pulse = Pulse::new();
        let begun = pulse.base;
        let gap = Duration::from_millis(limits::PULSE_GAP_MS);
        let settle = Duration::from_millis(limits::PULSE_SETTLE_MS);
        assert!(!pulse.back(begun + 100 * MS, begun + 110 * MS));
        let ended = begun + 110 * MS + 5 * gap;
        assert!(pulse.back(ended - MS, ended));
        for emptied in [begun, ended - MS, ended, ended + settle - MS] {
            assert_eq!(pulse.sent_after(emptied), begun + 100 * MS, "{:?}", emptied - begun);
        }
        assert_eq!(pulse.sent_after(ended + settle), ended - MS);
        // The next pulse ends no gap.
        assert!(!pulse.back(ended + 100 * MS, ended + 101 * MS));
        assert_eq!(pulse.sent_after(ended + settle), ended + 100 * MS);
    }
}
