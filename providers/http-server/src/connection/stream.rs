//! Streams of HTTP/2: each is a task, watched for a client that does not take what it asked for. A
//! connection does not show that: its other streams may go on.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

use super::{Clock, Moment};
use crate::limits;

tokio::task_local! {
    static STREAM: Arc<Progress>;
}

/// How far a stream is with its response.
#[derive(Debug, Default)]
pub struct Progress {
    /// When it took the last part; 0 before the first.
    moved_at: AtomicU64,
}

impl Progress {
    /// Returns that of the stream whose task this is, if it is one.
    pub fn of_this_stream() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// It took a part.
    pub fn moved(&self, now: Moment) {
        self.moved_at.store(now, Relaxed);
    }

    fn stalls(&self, now: Moment, bound: Duration) -> bool {
        let moved_at = self.moved_at.load(Relaxed);
        moved_at != 0 && u128::from(now.saturating_sub(moved_at)) >= bound.as_millis()
    }
}

/// Runs streams.
#[derive(Clone)]
pub struct Streams {
    /// Owns their tasks.
    pub tasks: TaskTracker,
    /// What time it is.
    pub clock: Clock,
    /// How long one may stall.
    pub stall: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (clock, stall) = (self.clock, self.stall);
        let progress = Arc::new(Progress::default());
        let watched = progress.clone();
        let task = async move {
            let mut stream = pin!(stream);
            let interval = Duration::from_millis(limits::WATCH_INTERVAL_MS);
            while tokio::time::timeout(interval, stream.as_mut()).await.is_err() {
                if watched.stalls(clock.now(), stall) {
                    tracing::debug!("a client does not take its response: its stream is reset");
                    return;
                }
            }
        };
        self.tasks.spawn(STREAM.scope(progress, task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_stalls_after_its_last_part_only() {
        let (progress, bound) = (Progress::default(), Duration::from_millis(100));
        assert!(!progress.stalls(1_000_000, bound), "nothing is sent yet");
        progress.moved(50);
        assert!(!progress.stalls(149, bound));
        assert!(progress.stalls(150, bound));
        progress.moved(150);
        assert!(!progress.stalls(150, bound));
    }
}
