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
//!
//! Long before a gap a pulse is late ([`limits::PULSE_LATE_MS`]): what comes then may come together with changes
//! of the registry that were made before it was sent, and overtake them here. Whoever runs calls on what the registry
//! says waits until the pulse is back and what came before it was taken in ([`Hearing`]).

use std::collections::VecDeque;
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
    /// How long after a pulse left the next is late.
    late_after: AtomicU64,
    /// How often one was late.
    pauses: watch::Sender<u64>,
}

/// How a pulse came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Return {
    InTime,
    Late,
    /// So late that what is known by watching must be read anew.
    AfterGap,
}

/// Whether what the server sends is heard as it is sent, as far as a client that serves can know.
#[derive(Clone, Debug)]
pub struct Hearing(Arc<Pulse>);

impl Default for Hearing {
    /// Of a client that has nothing to hear: never late.
    fn default() -> Self {
        Self(Pulse::new())
    }
}

impl Hearing {
    pub(crate) fn new(pulse: Arc<Pulse>) -> Self {
        Self(pulse)
    }

    /// Returns whether nothing has been heard for a while: the process or its link may have stood still, and a
    /// message that is read now may have overtaken others that were sent before it.
    pub fn is_late(&self) -> bool {
        self.0.begun.is_completed() && self.0.is_late(Instant::now())
    }

    /// Returns a receiver that knows how often that was so, and is over. It counts before
    /// [`Hearing::is_late`] ends.
    pub fn pauses(&self) -> watch::Receiver<u64> {
        self.0.pauses.subscribe()
    }
}

impl Pulse {
    pub fn new() -> Arc<Self> {
        let base = Instant::now();
        let [heard, gap_ended, before_gap] = [0, 0, 0].map(AtomicU64::new);
        let late_after = AtomicU64::new(limits::PULSE_GAP_MS * 1_000);
        let (begun, wanted, pauses) = (Once::new(), Notify::new(), watch::Sender::default());
        Arc::new(Self { base, begun, wanted, heard, gap_ended, before_gap, late_after, pauses })
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

    fn is_late(&self, now: Instant) -> bool {
        let silent = self.micros(now).saturating_sub(self.heard.load(Ordering::Acquire));
        silent > self.late_after.load(Ordering::Relaxed)
    }

    /// Takes in that the pulse which left at `sent` is back `now`.
    fn back(&self, sent: Instant, now: Instant) -> Return {
        let before = self.heard.load(Ordering::Relaxed);
        let returned = if self.micros(now).saturating_sub(before) > limits::PULSE_GAP_MS * 1_000 {
            self.before_gap.store(before, Ordering::Relaxed);
            self.gap_ended.store(self.micros(now), Ordering::Release);
            Return::AfterGap
        } else if self.is_late(now) {
            Return::Late
        } else {
            Return::InTime
        };
        if returned != Return::InTime {
            // Before it is not late any more: nobody may see neither.
            self.pauses.send_modify(|pauses| *pauses += 1);
        }
        self.heard.store(self.micros(sent), Ordering::Release);
        returned
    }

    /// Takes in the last round trips: what takes long anyway is not late.
    fn usual(&self, round_trips: &VecDeque<Duration>) {
        let usual = round_trips.iter().min().copied().unwrap_or_default();
        let late_after = usual + Duration::from_millis(limits::PULSE_LATE_MS);
        self.late_after
            .store(late_after.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
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
        let mut round_trips = VecDeque::with_capacity(limits::PULSE_ROUND_TRIPS);
        let pulses = async {
            self.wanted.notified().await;
            loop {
                // While NATS is away they would only pile up in front of whatever is sent then.
                let _ = connection.wait_for(|connection| connection.up).await;
                let sent = Instant::now();
                // Without a bound of its own: while it is under way, nothing newer could be known.
                if mux.fence(&nats).await.is_ok() {
                    let returned = self.back(sent, Instant::now());
                    if returned == Return::AfterGap {
                        tracing::warn!("this process or its link to NATS stood still for a while");
                        state.send_modify(|connection| connection.count += 1);
                    }
                    connection.mark_unchanged();
                    if round_trips.len() == limits::PULSE_ROUND_TRIPS {
                        round_trips.pop_front();
                    }
                    round_trips.push_back(sent.elapsed());
                    self.usual(&round_trips);
                    // One that left before a pause says nothing of what came after it.
                    if returned != Return::InTime && self.is_late(Instant::now()) {
                        continue;
                    }
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
        assert_eq!(pulse.back(begun + 100 * MS, begun + 110 * MS), Return::InTime);
        assert_eq!(pulse.sent_after(begun + 120 * MS), begun + 100 * MS);
    }

    #[test]
    fn after_a_gap_a_message_is_old_until_its_queue_was_empty() {
        let pulse = Pulse::new();
        let begun = pulse.base;
        let gap = Duration::from_millis(limits::PULSE_GAP_MS);
        let settle = Duration::from_millis(limits::PULSE_SETTLE_MS);
        assert_eq!(pulse.back(begun + 100 * MS, begun + 110 * MS), Return::InTime);
        let ended = begun + 110 * MS + 5 * gap;
        assert_eq!(pulse.back(ended - MS, ended), Return::AfterGap);
        for emptied in [begun, ended - MS, ended, ended + settle - MS] {
            assert_eq!(pulse.sent_after(emptied), begun + 100 * MS, "{:?}", emptied - begun);
        }
        assert_eq!(pulse.sent_after(ended + settle), ended - MS);
        // The next pulse ends no gap.
        assert_eq!(pulse.back(ended + 100 * MS, ended + 101 * MS), Return::InTime);
        assert_eq!(pulse.sent_after(ended + settle), ended + 100 * MS);
    }

    #[test]
    fn a_pulse_that_is_not_back_is_late_and_its_return_counts_before_it_is_so_no_more() {
        let pulse = Pulse::new();
        let (begun, late) = (pulse.base, Duration::from_millis(limits::PULSE_LATE_MS));
        // The link takes 20 ms, if all goes well.
        pulse.usual(&VecDeque::from([800 * MS, 20 * MS, 30 * MS]));
        assert_eq!(pulse.back(begun + 100 * MS, begun + 120 * MS), Return::InTime);
        let allowed = begun + 120 * MS + late;
        assert!(!pulse.is_late(allowed));
        assert!(pulse.is_late(allowed + MS));
        // This one left before the link stood still: nothing is known of what came after.
        assert_eq!(pulse.back(begun + 130 * MS, begun + 600 * MS), Return::Late);
        assert_eq!(*pulse.pauses.borrow(), 1);
        assert!(pulse.is_late(begun + 600 * MS));
        assert_eq!(pulse.back(begun + 601 * MS, begun + 621 * MS), Return::Late);
        assert_eq!(*pulse.pauses.borrow(), 2);
        assert!(!pulse.is_late(begun + 622 * MS));
    }
}
