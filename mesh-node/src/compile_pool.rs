//! Threads on which modules are verified and compiled. What replaces a revision that serves is compiled with a
//! lower priority than calls are served with: it costs them no processor, and nobody waits for it. Where nothing
//! serves yet callers may wait, and it is compiled as everything else is done.

use lattice_protocol::{Error, ErrorCode};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::limits;

/// Whether calls may wait for a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Nothing serves its actor here.
    Awaited,
    /// An earlier revision does.
    Unhurried,
}

/// The threads; they end when it is dropped.
pub(crate) struct CompilePool {
    awaited: ThreadPool,
    unhurried: ThreadPool,
}

impl CompilePool {
    /// Starts threads, for each haste one a processor that this process may use; one compilation uses all of its
    /// haste.
    ///
    /// # Errors
    /// What the system says when it refuses a thread.
    pub fn start() -> std::io::Result<Self> {
        let start = |kind: &'static str, begin: fn()| {
            ThreadPoolBuilder::new()
                .thread_name(move |number| format!("mesh-{kind}-{number}"))
                .start_handler(move |_| begin())
                // Whoever waits is told; without a handler the process would end.
                .panic_handler(|_| tracing::error!("a compilation panicked"))
                .build()
                .map_err(std::io::Error::other)
        };
        Ok(Self { awaited: start("compile", || {})?, unhurried: start("recompile", make_way)? })
    }

    /// Runs `work` and returns what it returned.
    ///
    /// # Errors
    /// `internal` when it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        haste: Haste,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let pool = match haste {
            Haste::Awaited => &self.awaited,
            Haste::Unhurried => &self.unhurried,
        };
        let (done, outcome) = oneshot::channel();
        pool.spawn(move || {
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
        for haste in [Haste::Awaited, Haste::Unhurried] {
            assert_eq!(pool.run(haste, || 7).await, Ok(7));
            let panicked: Result<(), _> = pool.run(haste, || panic!("a bug")).await;
            assert_eq!(panicked.unwrap_err().code, ErrorCode::Internal);
            assert_eq!(pool.run(haste, || 8).await, Ok(8), "the threads go on");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_nobody_waits_for_makes_way() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let pool = CompilePool::start().unwrap();
        assert_eq!(pool.run(Haste::Awaited, priority).await, Ok(priority()));
        // Nobody is nicer than 19.
        let nicer = (priority() + limits::COMPILE_NICE).min(19);
        assert_eq!(pool.run(Haste::Unhurried, priority).await, Ok(nicer));
    }
}
