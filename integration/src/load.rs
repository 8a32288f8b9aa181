//! A load of echo calls whose every answer is checked: is it ours, is it no older than what was
//! seen before on the same node.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What to call, how hard, how long at most.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// An actor whose operation `echo` answers with its payload.
    pub target: ActorKey,
    /// Calls under way at once.
    pub concurrency: usize,
    /// Size of each payload.
    pub payload_bytes: usize,
    /// Calls in all; the load ends by itself then.
    pub calls_max: u64,
    /// Time of each call.
    pub timeout: Duration,
    /// Pause of each worker between two calls.
    pub pause: Duration,
}

impl LoadOptions {
    /// Returns a load of `concurrency` workers with payloads of 128 bytes, bounded at ten million
    /// calls.
    pub fn new(target: ActorKey, concurrency: usize) -> Self {
        Self {
            target,
            concurrency,
            payload_bytes: 128,
            calls_max: 10_000_000,
            timeout: Duration::from_secs(5),
            pause: Duration::ZERO,
        }
    }
}

/// What a load saw.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls that were made.
    pub calls: u64,
    /// Calls that failed, or brought another answer than they should.
    pub failed: u64,
    /// Why, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Answers of a revision older than one that this caller had seen on that node before it sent
    /// the call.
    pub went_back: u64,
    /// Answers by revision.
    pub revisions: BTreeMap<u64, u64>,
    /// Answers by node.
    pub nodes: BTreeMap<String, u64>,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Microseconds of each call that succeeded.
    pub latencies_us: Vec<u32>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.went_back += other.went_back;
        self.retries += other.retries;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        for (revision, count) in other.revisions {
            *self.revisions.entry(revision).or_default() += count;
        }
        for (node, count) in other.nodes {
            *self.nodes.entry(node).or_default() += count;
        }
        self.latencies_us.extend(other.latencies_us);
    }

    /// Returns the latency that `share` (0..=1) of the calls did not exceed, in microseconds.
    pub fn quantile_us(&self, share: f64) -> u32 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        crate::report::quantile(&sorted, share)
    }
}

/// The newest revision that was seen on each node.
type Seen = Arc<Mutex<BTreeMap<String, u64>>>;

/// A load that runs.
pub struct Load {
    workers: JoinSet<Tally>,
    stop: CancellationToken,
    seen: Seen,
    answered: Arc<AtomicU64>,
}

impl Load {
    /// Starts calling.
    pub fn start(lattice: &Lattice, options: &LoadOptions) -> Self {
        let stop = CancellationToken::new();
        let seen = Seen::default();
        let answered = Arc::<AtomicU64>::default();
        let mut workers = JoinSet::new();
        for number in 0..options.concurrency {
            let worker = Worker {
                lattice: lattice.clone(),
                options: options.clone(),
                seen: seen.clone(),
                answered: answered.clone(),
                number,
            };
            workers.spawn(worker.run(stop.clone()));
        }
        Self { workers, stop, seen, answered }
    }

    /// Returns the newest revision that was seen on each node so far.
    pub fn seen(&self) -> BTreeMap<String, u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how many calls were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the load after the calls under way, and returns what it saw.
    ///
    /// # Errors
    /// When a worker panicked.
    pub async fn stop(self) -> anyhow::Result<Tally> {
        self.stop.cancel();
        self.finish().await
    }

    /// Waits until every call that was allowed has been made.
    ///
    /// # Errors
    /// When a worker panicked.
    pub async fn finish(mut self) -> anyhow::Result<Tally> {
        let mut total = Tally::default();
        while let Some(tally) = self.workers.join_next().await {
            total.add(tally?);
        }
        Ok(total)
    }
}

struct Worker {
    lattice: Lattice,
    options: LoadOptions,
    seen: Seen,
    answered: Arc<AtomicU64>,
    number: usize,
}

impl Worker {
    async fn run(self, stop: CancellationToken) -> Tally {
        let mut tally = Tally::default();
        let share = self.options.calls_max.div_ceil(self.options.concurrency.max(1) as u64);
        while tally.calls < share && !stop.is_cancelled() {
            self.call(&mut tally).await;
            if !self.options.pause.is_zero() {
                tokio::time::sleep(self.options.pause).await;
            }
        }
        tally
    }

    async fn call(&self, tally: &mut Tally) {
        let mark = format!("{}/{}", self.number, tally.calls);
        let mut payload = mark.into_bytes();
        payload.resize(self.options.payload_bytes.max(payload.len()), b'.');
        let payload = Bytes::from(payload);
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let call = Call::new(self.options.target.clone(), "echo", payload.clone())
            .timeout(self.options.timeout);
        let sent = Instant::now();
        let outcome = self.lattice.call(call).await;
        let took = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        tally.calls += 1;
        let mut fail = |why: String| {
            tally.failed += 1;
            *tally.errors.entry(why).or_default() += 1;
        };
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => return fail(error.to_string()),
        };
        if answer.payload != payload {
            return fail("the answer to another call".to_owned());
        }
        let Some(revision) = answer.revision else {
            return fail("an answer without revision".to_owned());
        };
        if before.get(&answer.node).is_some_and(|newest| revision < *newest) {
            tally.went_back += 1;
        }
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let newest = seen.entry(answer.node.clone()).or_default();
            *newest = revision.max(*newest);
        }
        *tally.revisions.entry(revision).or_default() += 1;
        *tally.nodes.entry(answer.node).or_default() += 1;
        self.answered.fetch_add(1, Ordering::Relaxed);
        tally.retries += u64::from(answer.attempts.saturating_sub(1));
        tally.latencies_us.push(took);
    }
}
