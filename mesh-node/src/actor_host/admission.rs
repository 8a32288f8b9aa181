//! Who may run now: a bounded number of calls, a bounded wait, then `busy`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lattice_protocol::{Error, ErrorCode};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits;

/// The places of one actor.
pub(crate) struct Admission {
    places: Semaphore,
    size: u32,
    waiting: AtomicU32,
}

/// Counts one that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// Makes `size` places.
    pub fn new(size: u32) -> Self {
        Self { places: Semaphore::new(size as usize), size, waiting: AtomicU32::new(0) }
    }

    /// Returns how many calls may run at once.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Waits for a place, no longer than until `deadline` and [`limits::PLACE_WAIT_MAX_MS`].
    ///
    /// # Errors
    /// `busy` when no place became free, or too many wait already.
    pub async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.places.try_acquire() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.size.saturating_mul(limits::WAITING_PER_PLACE) {
            return Err(self.busy());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.min(Duration::from_millis(limits::PLACE_WAIT_MAX_MS));
        match tokio::time::timeout(wait, self.places.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.busy()),
        }
    }

    /// Returns the error of a call for which there is no place.
    pub fn busy(&self) -> Error {
        Error::not_started(
            ErrorCode::Busy,
            format!("all {} places of the actor are taken", self.size),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_place_is_given_back_and_a_full_house_answers_busy() {
        let admission = Admission::new(1);
        let first = admission.enter(soon()).await.unwrap();
        assert_eq!(admission.enter(soon()).await.unwrap_err().code, ErrorCode::Busy);
        drop(first);
        assert!(admission.enter(soon()).await.is_ok());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn the_wait_is_bounded_in_number_too() {
        let admission = Admission::new(1);
        let _held = admission.enter(soon()).await.unwrap();
        let far = Instant::now() + Duration::from_secs(60);
        let mut waiting = Vec::new();
        for _ in 0..limits::WAITING_PER_PLACE {
            let mut wait = Box::pin(admission.enter(far));
            assert!(futures_util::poll!(wait.as_mut()).is_pending());
            waiting.push(wait);
        }
        let at_once = Instant::now();
        assert_eq!(admission.enter(far).await.unwrap_err().code, ErrorCode::Busy);
        assert!(at_once.elapsed() < Duration::from_millis(limits::PLACE_WAIT_MAX_MS));
    }
}
