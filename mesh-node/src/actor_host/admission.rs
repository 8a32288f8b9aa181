//! Who may run now: a bounded number of calls, a bounded wait, then `busy`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use lattice_protocol::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::gate;

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

    /// Takes a place, where one is free.
    pub fn try_enter(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Waits for a place, no longer than until `deadline` and as [`gate::patience`] has it.
    ///
    /// # Errors
    /// `busy` when no place became free, or too many wait already.
    pub async fn wait(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(wait) = gate::patience(self.size, before, left) else { return Err(self.busy()) };
        match tokio::time::timeout(wait, self.places.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.busy()),
        }
    }

    /// Returns the error of a call for which there is no place.
    pub fn busy(&self) -> Error {
        gate::busy(self.size)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lattice_protocol::ErrorCode;

    use super::*;
    use crate::limits;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_place_is_given_back_and_a_full_house_answers_busy() {
        let admission = Admission::new(1);
        let first = admission.try_enter().unwrap();
        assert!(admission.try_enter().is_none());
        assert_eq!(admission.wait(soon()).await.unwrap_err().code, ErrorCode::Busy);
        drop(first);
        assert!(admission.wait(soon()).await.is_ok());
        assert!(admission.try_enter().is_some());
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn the_wait_is_bounded_in_number_too() {
        let admission = Admission::new(1);
        let _held = admission.try_enter().unwrap();
        let far = Instant::now() + Duration::from_secs(60);
        let mut waiting = Vec::new();
        for _ in 0..limits::WAITING_PER_PLACE {
            let mut wait = Box::pin(admission.wait(far));
            assert!(futures_util::poll!(wait.as_mut()).is_pending());
            waiting.push(wait);
        }
        let at_once = Instant::now();
        assert_eq!(admission.wait(far).await.unwrap_err().code, ErrorCode::Busy);
        assert!(at_once.elapsed() < Duration::from_millis(limits::PLACE_WAIT_MAX_MS));
    }
}
