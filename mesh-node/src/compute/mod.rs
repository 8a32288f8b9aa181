//! Where calls run that compute for long: on threads of their own, as many at once as there are
//! processors, so that messages go on being read and answered however much is computed.
//!
//! Most calls never come here: they take microseconds, and are run where they are read ([`Weight`]). The calls of
//! actors that take longer wait in lines of a [`RunQueue`], one for those that came over NATS and one for those
//! from this node; the lines take turns. What would wait long where the wait stands is refused at once: `busy`.

mod main_host;
mod run_queue;
mod turns;
mod weight;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lattice_protocol::{Error, ErrorCode};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

pub(crate) use main_host::MainHost;
pub(crate) use run_queue::Patience;
use run_queue::{LineId, RunQueue, Ticket};
use turns::{Asked, InTurns, Seat};
pub(crate) use turns::{Turn, Yields};
pub(crate) use weight::Weight;

use crate::limits;

type Queue = Arc<Mutex<RunQueue<Arc<Seat>>>>;

/// The threads, and who waits for them.
pub(crate) struct Compute {
    queue: Queue,
    /// There until it is dropped.
    runtime: Option<Runtime>,
}

impl Compute {
    /// Starts a thread for each processor that this process may use.
    ///
    /// # Errors
    /// What the system says when it refuses a thread.
    pub fn start() -> std::io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(processors)
            .thread_name("mesh-compute")
            .enable_all()
            .build()?;
        let queue = Arc::new(Mutex::new(RunQueue::new(processors)));
        Ok(Self { queue, runtime: Some(runtime) })
    }

    /// Opens a line for the calls of an actor.
    pub fn line(&self) -> Arc<Line> {
        let queue = self.queue.clone();
        let id = locked(&queue).open();
        Arc::new(Line { queue, id })
    }

    /// Runs `work` on the threads, beginning with `turn`; notes in `weight` what it computed. Ends when the
    /// future is dropped. What `work` waits for while it says nothing by `yields`, it waits for without a
    /// processor.
    ///
    /// # Errors
    /// What `work` fails with; `internal` when it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        turn: Turn,
        yields: Yields,
        weight: &Weight,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let gone = || Error::started(ErrorCode::Internal, "the call ended without an answer");
        let Some(runtime) = &self.runtime else { return Err(gone()) };
        let running = AbortOnDropHandle::new(runtime.spawn(InTurns::new(turn, yields, work)));
        let (outcome, spent) = running.await.map_err(|error| {
            tracing::error!(%error, "a call that computes panicked");
            gone()
        })?;
        weight.note(spent);
        outcome
    }
}

impl Drop for Compute {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nobody waits for what runs any more, and a wait is not allowed everywhere.
            runtime.shutdown_background();
        }
    }
}

/// A line of calls that wait for a processor.
pub(crate) struct Line {
    queue: Queue,
    id: LineId,
}

impl Line {
    /// Waits for a processor, at most [`limits::PLACE_WAIT_MAX_MS`] and until `deadline`.
    ///
    /// # Errors
    /// `busy` when others wait already and `patience` is short, or it took too long.
    pub async fn turn(
        self: &Arc<Self>,
        patience: Patience,
        deadline: Instant,
    ) -> Result<Turn, Error> {
        let waiting = match self.enter(patience) {
            Asked::Has(turn) => return Ok(turn),
            Asked::Waits(waiting) => waiting,
            Asked::Refused => return Err(busy()),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let most = left.min(Duration::from_millis(limits::PLACE_WAIT_MAX_MS));
        tokio::time::timeout(most, waiting).await.map_err(|_| busy())
    }

    fn queue(&self) -> MutexGuard<'_, RunQueue<Arc<Seat>>> {
        locked(&self.queue)
    }

    fn leave(&self) {
        let next = self.queue().leave(Instant::now());
        if let Some(next) = next {
            next.grant();
        }
    }

    fn cancel(&self, ticket: Ticket) -> bool {
        self.queue().cancel(self.id, ticket)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.queue().close(self.id);
    }
}

fn locked(queue: &Queue) -> MutexGuard<'_, RunQueue<Arc<Seat>>> {
    // Nothing panics while it is held.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy() -> Error {
    Error::not_started(
        ErrorCode::Busy,
        "every processor of the node is taken, and enough calls wait already",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// Computes for a while, yielding its thread every so often as guests do.
    async fn compute(turns: u32, yields: &Yields) {
        for _ in 0..turns {
            std::thread::sleep(Duration::from_millis(1));
            yields.note();
            tokio::task::yield_now().await;
        }
    }

    async fn run(compute: &Compute, line: &Arc<Line>, turns: u32) -> Result<(), Error> {
        let turn = line.turn(Patience::Long, far()).await?;
        let weight = Weight::default();
        let yields = Yields::default();
        let told = yields.clone();
        let work = async move {
            self::compute(turns, &told).await;
            Ok(())
        };
        compute.run(turn, yields, &weight, work).await
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_processors() {
        let (compute, weight) = (Compute::start().unwrap(), Weight::default());
        let line = compute.line();
        let processors = std::thread::available_parallelism().unwrap().get();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let calls = (0..processors * 8).map(|_| {
            let (now, most) = (now.clone(), most.clone());
            let (line, compute, weight) = (&line, &compute, &weight);
            async move {
                let turn = line.turn(Patience::Long, far()).await.unwrap();
                let yields = Yields::default();
                let told = yields.clone();
                let work = async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    self::compute(2, &told).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                compute.run(turn, yields, weight, work).await
            }
        });
        for outcome in futures_util::future::join_all(calls).await {
            outcome.unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= processors);
        assert!(weight.is_heavy(), "what it computed was noted");
    }

    #[tokio::test]
    async fn who_computes_for_long_does_not_keep_others_from_it() {
        let compute = Compute::start().unwrap();
        let (long, short) = (compute.line(), compute.line());
        let processors = std::thread::available_parallelism().unwrap().get();
        let loops: Vec<_> = (0..processors).map(|_| run(&compute, &long, 1_000_000)).collect();
        let loops = futures_util::future::join_all(loops);
        tokio::select! {
            _ = loops => panic!("they do not end"),
            ended = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                run(&compute, &short, 1).await
            } => ended.unwrap(),
        }
        // What is dropped runs no more, and keeps no processor.
        for _ in 0..processors * 4 {
            run(&compute, &short, 1).await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_waits_for_something_else_leaves_its_processor() {
        let compute = Compute::start().unwrap();
        let line = compute.line();
        let processors = std::thread::available_parallelism().unwrap().get();
        let weight = Weight::default();
        let sleepers = (0..processors).map(|_| async {
            let turn = line.turn(Patience::Long, far()).await.unwrap();
            let sleep = async {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(())
            };
            compute.run(turn, Yields::default(), &weight, sleep).await
        });
        tokio::select! {
            _ = futures_util::future::join_all(sleepers) => panic!("they sleep"),
            ended = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                run(&compute, &line, 1).await
            } => ended.unwrap(),
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_one_call() {
        let compute = Compute::start().unwrap();
        let line = compute.line();
        let turn = line.turn(Patience::Short, far()).await.unwrap();
        let weight = Weight::default();
        let outcome: Result<(), _> =
            compute.run(turn, Yields::default(), &weight, async { panic!("a bug") }).await;
        assert_eq!(outcome.unwrap_err().code, ErrorCode::Internal);
        run(&compute, &line, 1).await.unwrap();
    }
}
