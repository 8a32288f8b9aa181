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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use async_nats::Client;
use tokio::sync::futures::Notified;
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
    /// How long after a pulse left the next one should be back.
    late_after: AtomicU64,
    /// Whether one came late, and none that left since is back.
    paused: AtomicBool,
    /// How often that was so, and is over.
    pauses: watch::Sender<u64>,
    /// Told of every pulse that is back.
    returns: Notify,
}

/// A time in which nothing came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    Short,
    /// So long that what is known by watching must be read anew.
    Gap,
}

/// How a pulse came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Return {
    InTime,
    /// Late: it may have left before the pause, and says nothing of what came since.
    Late(Pause),
    /// In time, after one that was late.
    Over(Pause),
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

    /// Waits until something is heard again, from the moment of this call on.
    pub fn again(&self) -> Notified<'_> {
        self.0.returns.notified()
    }
}

impl Pulse {
    pub fn new() -> Arc<Self> {
        let base = Instant::now();
        let [heard, gap_ended, before_gap] = [0, 0, 0].map(AtomicU64::new);
        let (begun, wanted, pauses) = (Once::new(), Notify::new(), watch::Sender::default());
        let late_after = AtomicU64::new(limits::PULSE_GAP_MS * 1_000);
        let (paused, returns) = (AtomicBool::new(false), Notify::new());
        Arc::new(Self {
            base,
            begun,
            wanted,
            heard,
            gap_ended,
            before_gap,
            late_after,
            paused,
            pauses,
            returns,
        })
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
        self.paused.load(Ordering::Acquire) || self.is_silent(now)
    }

    fn is_silent(&self, now: Instant) -> bool {
        let silent = self.micros(now).saturating_sub(self.heard.load(Ordering::Acquire));
        silent > self.late_after.load(Ordering::Relaxed)
    }

    /// Takes in that the pulse which left at `sent` is back `now`, in or after a `pause`.
    fn back(&self, sent: Instant, now: Instant, pause: Option<Pause>) -> Return {
        let before = self.heard.load(Ordering::Relaxed);
        let is_gap = self.micros(now).saturating_sub(before) > limits::PULSE_GAP_MS * 1_000;
        let silence = if is_gap { Pause::Gap } else { Pause::Short };
        let under_way = self.micros(now).saturating_sub(self.micros(sent));
        let is_late = match pause {
            None => self.is_silent(now),
            Some(_) => under_way > self.late_after.load(Ordering::Relaxed),
        };
        if is_late {
            self.paused.store(true, Ordering::Release);
            return Return::Late(pause.map_or(silence, |pause| pause.max(silence)));
        }
        let Some(pause) = pause else {
            self.heard.store(self.micros(sent), Ordering::Release);
            return Return::InTime;
        };
        if pause == Pause::Gap {
            self.before_gap.store(before, Ordering::Relaxed);
            self.gap_ended.store(self.micros(now), Ordering::Release);
        }
        // Before it is over: nobody may see neither.
        self.pauses.send_modify(|pauses| *pauses += 1);
        self.heard.store(self.micros(sent), Ordering::Release);
        self.paused.store(false, Ordering::Release);
        Return::Over(pause)
    }

    /// Takes in how long the last pulses were under way: what takes long anyway is not late.
    fn usual(&self, round_trips: &VecDeque<Duration>) {
        let mut round_trips: Vec<_> = round_trips.iter().copied().collect();
        round_trips.sort_unstable();
        // The longest but one: a link that got slow is known by two, and one that stood still once is not slow.
        let usual = round_trips.iter().rev().nth(1).copied().unwrap_or_default();
        // One that left just after what was heard is back a round trip, an interval and another later.
        let late_after = 2 * usual + Duration::from_millis(limits::PULSE_LATE_MS);
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
        let mut pause = None;
        let pulses = async {
            self.wanted.notified().await;
            loop {
                // While NATS is away they would only pile up in front of whatever is sent then.
                let _ = connection.wait_for(|connection| connection.up).await;
                let sent = Instant::now();
                // Without a bound of its own: while it is under way, nothing newer could be known.
                if mux.fence(&nats).await.is_ok() {
                    if round_trips.len() == limits::PULSE_ROUND_TRIPS {
                        round_trips.pop_front();
                    }
                    round_trips.push_back(sent.elapsed());
                    self.usual(&round_trips);
                    let returned = self.back(sent, Instant::now(), pause);
                    self.returns.notify_waiters();
                    match returned {
                        Return::InTime => {}
                        Return::Late(silence) => {
                            pause = Some(silence);
                            // To be over soon. Each waits for the one before: they are no flood.
                            continue;
                        }
                        Return::Over(silence) => {
                            pause = None;
                            if silence == Pause::Gap {
                                tracing::warn!(
                                    "this process or its link to NATS stood still for a while"
                                );
                                state.send_modify(|connection| connection.count += 1);
                            } else {
                                tracing::debug!("this process or its link to NATS stood still");
                            }
                        }
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
        assert_eq!(pulse.back(begun + 100 * MS, begun + 110 * MS, None), Return::InTime);
        assert_eq!(pulse.sent_after(begun + 120 * MS), begun + 100 * MS);
    }

    #[test]
    fn after_a_gap_a_message_is_old_until_its_queue_was_empty() {
        let pulse = Pulse::new();
        let begun = pulse.base;
        let gap = Duration::from_millis(limits::PULSE_GAP_MS);
        let settle = Duration::from_millis(limits::PULSE_SETTLE_MS);
        assert_eq!(pulse.back(begun + 100 * MS, begun + 110 * MS, None), Return::InTime);
        let late = begun + 110 * MS + 5 * gap;
        let ended = late + 2 * MS;
        assert_eq!(pulse.back(begun + 210 * MS, late, None), Return::Late(Pause::Gap));
        assert_eq!(pulse.sent_after(late), begun + 100 * MS, "nothing newer is known");
        let over = pulse.back(ended - MS, ended, Some(Pause::Gap));
        assert_eq!(over, Return::Over(Pause::Gap));
        for emptied in [begun, ended - MS, ended, ended + settle - MS] {
            assert_eq!(pulse.sent_after(emptied), begun + 100 * MS, "{:?}", emptied - begun);
        }
        assert_eq!(pulse.sent_after(ended + settle), ended - MS);
        // The next pulse ends no gap.
        let next = pulse.back(ended + 100 * MS, ended + 101 * MS, None);
        assert_eq!(next, Return::InTime);
        assert_eq!(pulse.sent_after(ended + settle), ended + 100 * MS);
    }

    #[test]
    fn a_pause_lasts_until_a_pulse_is_back_that_left_in_it() {
        let pulse = Pulse::new();
        let (begun, late) = (pulse.base, Duration::from_millis(limits::PULSE_LATE_MS));
        // The link takes 20 ms, if all goes well.
        pulse.usual(&VecDeque::from([10 * MS, 20 * MS, 800 * MS]));
        assert_eq!(pulse.back(begun + 100 * MS, begun + 120 * MS, None), Return::InTime);
        let allowed = begun + 140 * MS + late;
        assert!(!pulse.is_late(allowed));
        assert!(pulse.is_late(allowed + MS));
        // This one left before the link stood still: nothing is known of what came after.
        let returned = pulse.back(begun + 130 * MS, begun + 600 * MS, None);
        assert_eq!(returned, Return::Late(Pause::Short));
        // However slow the link is now thought to be.
        pulse.usual(&VecDeque::from([470 * MS, 470 * MS]));
        assert!(pulse.is_late(begun + 600 * MS));
        assert_eq!(*pulse.pauses.borrow(), 0, "it is not over");
        let returned = pulse.back(begun + 601 * MS, begun + 621 * MS, Some(Pause::Short));
        assert_eq!(returned, Return::Over(Pause::Short));
        assert_eq!(*pulse.pauses.borrow(), 1);
        assert!(!pulse.is_late(begun + 622 * MS));
    }

    /// Returns how many of `pulses` over a link of `round_trip` were late, or would have made a call wait.
    fn late(pulse: &Pulse, round_trip: Duration, pulses: u32) -> u32 {
        let mut now = pulse.base + Duration::from_micros(pulse.heard.load(Ordering::Relaxed));
        let (mut pause, mut late) = (None, 0);
        let mut round_trips = VecDeque::new();
        for _ in 0..pulses {
            if pause.is_none() {
                now += Duration::from_millis(limits::PULSE_INTERVAL_MS);
            }
            let sent = now;
            now += round_trip;
            round_trips.push_front(round_trip);
            round_trips.truncate(limits::PULSE_ROUND_TRIPS);
            late += u32::from(pulse.is_late(now - Duration::from_micros(1)));
            pulse.usual(&round_trips);
            pause = match pulse.back(sent, now, pause) {
                Return::Late(silence) => Some(silence),
                Return::InTime | Return::Over(_) => None,
            };
        }
        late
    }

    #[test]
    fn a_link_that_is_slow_is_not_late_for_long() {
        for ms in [1, 20, 150, 300, 900, 3_000] {
            let pulse = Pulse::new();
            assert_eq!(late(&pulse, MS, 20), 0);
            let got_slow = late(&pulse, ms * MS, 20);
            assert!(got_slow <= 3, "{got_slow} of 20 at {ms} ms");
        }
    }
}
