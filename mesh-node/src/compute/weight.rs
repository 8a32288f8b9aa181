//! Whether the calls of an actor compute for long.
//!
//! A call of microseconds is run by whoever read it: to hand it to another thread would cost more than it
//! does. A call of milliseconds run there would keep messages from being read.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::limits;

/// Fixed point of the mean, so that small samples count.
const UNIT: u32 = 16;

/// What the calls of an actor usually compute.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    /// Mean of the computing time, in sixteenths of a microsecond; 0 while nothing is known.
    mean: AtomicU32,
    calls: AtomicU32,
    heavy: std::sync::atomic::AtomicBool,
}

impl Weight {
    /// Returns whether calls are to be run apart.
    pub fn is_heavy(&self) -> bool {
        self.heavy.load(Ordering::Relaxed)
    }

    /// Takes in what one call computed.
    pub fn note(&self, spent: Duration) {
        let most = limits::HEAVY_US * 64;
        let us = u32::try_from(spent.as_micros()).unwrap_or(u32::MAX).min(most);
        let sample = (us * UNIT).max(1);
        let mean = match self.mean.load(Ordering::Relaxed) {
            0 => sample,
            mean => mean - mean / 8 + sample / 8,
        };
        // Two at once lose one of two samples: no harm.
        self.mean.store(mean, Ordering::Relaxed);
        let bound = if self.is_heavy() { limits::LIGHT_US } else { limits::HEAVY_US };
        self.heavy.store(mean >= bound * UNIT, Ordering::Relaxed);
    }

    /// Runs a call here, and every so often takes in what it computed.
    pub async fn weigh<T>(&self, call: impl Future<Output = T>) -> T {
        if !self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(limits::WEIGHED_EVERY) {
            return call.await;
        }
        let mut call = pin!(call);
        let mut spent = Duration::ZERO;
        let mut noted = false;
        poll_fn(|context| {
            let begun = Instant::now();
            let polled = call.as_mut().poll(context);
            spent += begun.elapsed();
            // Who loops is known before it ends.
            let long = spent >= Duration::from_micros(u64::from(limits::HEAVY_US) * 8);
            if !noted && (polled.is_ready() || long) {
                noted = true;
                self.note(spent);
            }
            polled
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_heavy_while_its_calls_are() {
        let weight = Weight::default();
        weight.note(Duration::from_micros(10));
        assert!(!weight.is_heavy());
        for _ in 0..8 {
            weight.note(Duration::from_millis(1));
        }
        assert!(weight.is_heavy());
        // In between it stays what it is.
        let between = Duration::from_micros(u64::from((limits::HEAVY_US + limits::LIGHT_US) / 2));
        for _ in 0..100 {
            weight.note(between);
        }
        assert!(weight.is_heavy());
        for _ in 0..40 {
            weight.note(Duration::from_micros(10));
        }
        assert!(!weight.is_heavy());
    }

    #[test]
    fn one_call_of_seconds_is_enough_to_know_and_does_not_count_for_ever() {
        let weight = Weight::default();
        weight.note(Duration::from_micros(10));
        weight.note(Duration::from_secs(5));
        assert!(weight.is_heavy());
        for _ in 0..60 {
            weight.note(Duration::from_micros(10));
        }
        assert!(!weight.is_heavy());
    }

    #[tokio::test]
    async fn the_first_call_is_weighed() {
        let weight = Weight::default();
        let long = Duration::from_micros(u64::from(limits::HEAVY_US) * 2);
        weight.weigh(async { std::thread::sleep(long) }).await;
        assert!(weight.is_heavy());
    }
}
