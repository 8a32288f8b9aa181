//! Who echoes, and a load that measures it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use integration::bench::turns::Sample;
use integration::processor;
use integration::publisher::Publisher;
use integration::report::quantile;
use integration::testbed::SOON;
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;
use tokio::task::JoinSet;

/// Subject of the raw echo.
pub(super) const RAW_SUBJECT: &str = "raw.echo";
/// Time that one call may take.
const CALL_TIMEOUT_MS: u64 = 20_000;

/// The raw baseline: what comes is sent back, until the process ends.
pub async fn raw_echo(url: &str) -> anyhow::Result<()> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.queue_subscribe(RAW_SUBJECT, "raw".to_owned()).await?;
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

/// Signs a module as a new actor, deploys it and waits until a node answers.
pub(super) async fn deploy(
    lattice: &Lattice,
    name: &str,
    wasm: &[u8],
    isolation: Isolation,
    capabilities: &[&str],
) -> anyhow::Result<Publisher> {
    let mut publisher = Publisher::new(lattice, name).await?;
    publisher.shape = match isolation {
        Isolation::PerCall => |_| {},
        Isolation::Reuse => |record| record.isolation = Isolation::Reuse,
    };
    publisher.deploy(&publisher.sign(wasm, 1, capabilities)?, 1).await?;
    publisher.wait_until_served(1, SOON).await?;
    Ok(publisher)
}

/// Who echoes.
#[derive(Clone)]
pub(super) enum Echo {
    /// Whoever serves [`RAW_SUBJECT`].
    Raw(Client),
    /// An actor.
    Actor(Lattice, ActorKey),
    /// Actors, one after the other.
    Actors(Lattice, Arc<[ActorKey]>, Arc<AtomicUsize>),
}

impl Echo {
    /// Sends a payload and returns what comes back.
    pub(super) async fn call(&self, payload: Bytes) -> anyhow::Result<Bytes> {
        let (lattice, actor) = match self {
            Self::Raw(client) => return Ok(client.request(RAW_SUBJECT, payload).await?.payload),
            Self::Actor(lattice, actor) => (lattice, actor),
            Self::Actors(lattice, actors, next) => {
                let number = next.fetch_add(1, Ordering::Relaxed) % actors.len().max(1);
                (lattice, actors.get(number).context("there are no actors")?)
            }
        };
        let call = Call::new(actor.clone(), "echo", payload);
        let call = call.timeout(Duration::from_millis(CALL_TIMEOUT_MS));
        Ok(lattice.call(call).await?.payload)
    }
}

/// An echo, and the processes that take part in a call of it.
pub(super) struct Subject {
    /// The echo.
    pub(super) echo: Echo,
    /// By the names of their figures.
    pub(super) processes: Vec<(&'static str, u32)>,
}

/// How it is called.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Calls under way at once.
    pub(super) concurrency: u64,
    /// Bytes of each payload.
    pub(super) payload: usize,
    /// How long.
    pub(super) time: Duration,
}

impl Load {
    /// Calls `subject`; each answer is checked.
    ///
    /// Measures `per_second`, `p50_us`, `p99_us`, and of each process its processor time a call.
    pub(super) async fn measure(self, subject: &Subject) -> anyhow::Result<Sample> {
        let before = used(&subject.processes)?;
        let begun = Instant::now();
        let end = begun + self.time;
        let mut callers = JoinSet::new();
        for number in 0..self.concurrency {
            let echo = subject.echo.clone();
            let mut payload = format!("{number}/").into_bytes();
            payload.resize(self.payload.max(payload.len()), b'.');
            let payload = Bytes::from(payload);
            callers.spawn(async move {
                let mut latencies = Vec::new();
                while Instant::now() < end {
                    let sent = Instant::now();
                    let answer = echo.call(payload.clone()).await?;
                    ensure!(answer == payload, "the answer is not what was sent");
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                anyhow::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(caller) = callers.join_next().await {
            latencies.extend(caller??);
        }
        let took = begun.elapsed();
        let after = used(&subject.processes)?;
        latencies.sort_unstable();
        let calls = latencies.len() as f64;
        let sample = latency(&latencies).with("per_second", calls / took.as_secs_f64());
        Ok(processor_times(sample, &subject.processes, &before, &after, calls))
    }
}

/// Returns the quantiles of latencies that are sorted.
pub(super) fn latency(sorted_us: &[u32]) -> Sample {
    Sample::default()
        .with("p50_us", f64::from(quantile(sorted_us, 0.50)))
        .with("p99_us", f64::from(quantile(sorted_us, 0.99)))
}

/// Returns the processor time that each process has used so far.
pub(super) fn used(processes: &[(&'static str, u32)]) -> anyhow::Result<Vec<Duration>> {
    processes.iter().map(|(_, process)| processor::used(*process)).collect()
}

/// Adds the microseconds of processor time that each process has used a call, and all together.
pub(super) fn processor_times(
    mut sample: Sample,
    processes: &[(&'static str, u32)],
    before: &[Duration],
    after: &[Duration],
    calls: f64,
) -> Sample {
    let mut all = 0.0;
    for ((name, _), (before, after)) in processes.iter().zip(before.iter().zip(after)) {
        let us = after.saturating_sub(*before).as_secs_f64() * 1e6 / calls;
        all += us;
        sample = sample.with(format!("{name}_cpu_us"), us);
    }
    sample.with("all_cpu_us", all)
}
