//! The engine's clock: a thread of its own that moves the epoch on, so that no busy executor can
//! starve it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::limits::{IDLE_TICKS_MAX, TICK_MAX_US, TICK_MIN_US, TURN_OF_ALL_US};

/// What calls tell the ticker.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Calls that run.
    running: AtomicUsize,
    /// Calls that used up their last turn: they compete for the threads.
    spinning: AtomicUsize,
    /// Whether the ticker sleeps until it is woken.
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Pulse {
    /// Returns how long a turn lasts: shorter the more loops compete.
    fn turn(&self) -> Duration {
        let loops = self.spinning.load(Ordering::Relaxed).max(1) as u64;
        Duration::from_micros((TURN_OF_ALL_US / loops).clamp(TICK_MIN_US, TICK_MAX_US))
    }
}

/// Owns the ticker thread; stops and joins it when dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    pulse: Arc<Pulse>,
    waker: Thread,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts a thread that calls `tick` each turn while calls run.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let pulse = Arc::new(Pulse::default());
        let thread = std::thread::Builder::new().name("mesh-ticker".to_owned()).spawn({
            let pulse = Arc::clone(&pulse);
            move || run(&pulse, tick)
        })?;
        Ok(Self { pulse, waker: thread.thread().clone(), thread: Some(thread) })
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Says that a call runs until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        // Sequentially consistent with the ticker's "asleep, then look at running": one of the
        // two sees the other.
        self.pulse.running.fetch_add(1, Ordering::SeqCst);
        if self.pulse.asleep.load(Ordering::SeqCst) {
            self.waker.unpark();
        }
        Running(&self.pulse)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pulse.stop.store(true, Ordering::SeqCst);
        self.waker.unpark();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the engine's ticker thread panicked");
        }
    }
}

fn run(pulse: &Pulse, tick: impl Fn()) {
    let mut idle_ticks = 0;
    while !pulse.stop.load(Ordering::SeqCst) {
        std::thread::park_timeout(pulse.turn());
        tick();
        if pulse.running.load(Ordering::Relaxed) > 0 {
            idle_ticks = 0;
            continue;
        }
        idle_ticks += 1;
        if idle_ticks >= IDLE_TICKS_MAX {
            idle_ticks = 0;
            pulse.asleep.store(true, Ordering::SeqCst);
            if pulse.running.load(Ordering::SeqCst) == 0 && !pulse.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            pulse.asleep.store(false, Ordering::SeqCst);
        }
    }
}

/// A call that runs.
pub(crate) struct Running<'a>(&'a Pulse);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether one call competes for the threads.
#[derive(Debug)]
pub(crate) struct Spin {
    pulse: Arc<Pulse>,
    spins: bool,
}

impl Spin {
    pub(crate) fn new(pulse: &Arc<Pulse>) -> Self {
        Self { pulse: Arc::clone(pulse), spins: false }
    }

    /// The call used up its turn.
    pub(crate) fn begin(&mut self) {
        if !self.spins {
            self.spins = true;
            self.pulse.spinning.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The call waits, or is over.
    pub(crate) fn end(&mut self) {
        if self.spins {
            self.spins = false;
            self.pulse.spinning.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn turns_get_shorter_as_loops_compete() {
        let pulse = Arc::new(Pulse::default());
        assert_eq!(pulse.turn(), Duration::from_micros(TICK_MAX_US));
        let mut spins: Vec<Spin> = (0..100).map(|_| Spin::new(&pulse)).collect();
        spins.iter_mut().for_each(Spin::begin);
        spins.iter_mut().for_each(Spin::begin);
        assert_eq!(pulse.turn(), Duration::from_micros(TURN_OF_ALL_US / 100));
        drop(spins);
        assert_eq!(pulse.turn(), Duration::from_micros(TICK_MAX_US));
    }

    #[test]
    fn sleeps_when_idle_wakes_for_a_call_and_ends_when_dropped() {
        let (sender, ticks) = mpsc::channel();
        let ticker = Ticker::start(move || sender.send(()).unwrap_or(())).unwrap();
        let patience = Duration::from_secs(10);
        // Idle: the ticks end by themselves, and the last one is before the sleep.
        let end = std::time::Instant::now() + patience;
        while !ticker.pulse.asleep.load(Ordering::SeqCst) {
            assert!(std::time::Instant::now() < end, "it does not fall asleep");
            let _ = ticks.recv_timeout(Duration::from_micros(TICK_MAX_US));
        }
        while ticks.try_recv().is_ok() {}
        let running = ticker.running();
        for _ in 0..IDLE_TICKS_MAX * 2 {
            ticks.recv_timeout(patience).unwrap();
        }
        drop(running);
        drop(ticker);
        while ticks.try_recv().is_ok() {}
        assert_eq!(ticks.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }
}
