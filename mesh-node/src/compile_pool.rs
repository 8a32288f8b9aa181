//! Threads on which modules are verified and compiled: with a lower priority than those that serve, so that a
//! new revision costs calls in flight no processor.

use lattice_protocol::{Error, ErrorCode};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::limits;

/// The threads; they end when it is dropped.
pub(crate) struct CompilePool(ThreadPool);

impl CompilePool {
    /// Starts a thread for each processor that this process may use; one compilation uses all of them.
    ///
    /// # Errors
    /// What the system says when it refuses a thread.
    pub fn start() -> std::io::Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .thread_name(|number| format!("mesh-compile-{number}"))
            .start_handler(|_| make_way())
            // Whoever waits is told; without a handler the process would end.
            .panic_handler(|_| tracing::error!("a compilation panicked"))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self(pool))
    }

    /// Runs `work` and returns what it returned.
    ///
    /// # Errors
    /// `internal` when it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (done, outcome) = oneshot::channel();
        self.0.spawn(move || {
            // Nobody may want to know any more.
            let _ = done.send(work());
        });
        outcome
            .await
            .map_err(|_| Error::not_started(ErrorCode::Internal, "the compilation ended early"))
    }
}

/// Lowers the priority of the thread that this is called in.
fn make_way() {
    // Only Linux has a priority for each thread; elsewhere this would be that of the whole process.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // `None` is the thread that asks.
        let lowered = getpriority_process(None)
            .and_then(|nice| setpriority_process(None, nice + limits::COMPILE_NICE));
        if let Err(error) = lowered {
            tracing::debug!(%error, "a thread that compiles has the priority of all others");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_is_an_error() {
        let pool = CompilePool::start().unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
        let panicked: Result<(), _> = pool.run(|| panic!("a bug")).await;
        assert_eq!(panicked.unwrap_err().code, ErrorCode::Internal);
        assert_eq!(pool.run(|| 8).await, Ok(8), "the threads go on");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_makes_way_for_everything_else() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let there = CompilePool::start().unwrap().run(priority).await.unwrap();
        // Nobody is nicer than 19.
        assert_eq!(there, (priority() + limits::COMPILE_NICE).min(19));
    }
}
