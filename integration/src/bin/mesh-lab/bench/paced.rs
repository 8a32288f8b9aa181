//! Calls at a rate that does not depend on how fast they are answered.

use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use integration::bench::turns::Sample;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::echo::{Subject, latency, processor_times, used};

/// Callers that share the rate: one call each under way at once.
const CALLERS: u64 = 16;

/// A load at a rate.
#[derive(Clone, Copy)]
pub(super) struct Paced {
    /// Calls a second.
    pub(super) rate: u64,
    /// Bytes of each payload.
    pub(super) payload: usize,
    /// How long.
    pub(super) time: Duration,
}

impl Paced {
    /// Calls `subject`; each answer is checked.
    ///
    /// Measures `per_second`, `p50_us` and `p99_us` from the moment at which a call leaves, and of
    /// each process its processor time a call.
    pub(super) async fn measure(self, subject: &Subject) -> anyhow::Result<Sample> {
        let before = used(&subject.processes)?;
        let begun = Instant::now();
        let end = begun + self.time;
        let step = Duration::from_secs_f64(CALLERS as f64 / self.rate as f64);
        let mut callers = JoinSet::new();
        for number in 0..CALLERS {
            let echo = subject.echo.clone();
            let payload = Bytes::from(vec![b'.'; self.payload]);
            // They begin one after the other, so that calls are apart.
            let mut next = begun + step.mul_f64(number as f64 / CALLERS as f64);
            callers.spawn(async move {
                let mut latencies = Vec::new();
                while next < end {
                    sleep_until(next).await;
                    let sent = Instant::now();
                    let answer = echo.call(payload.clone()).await?;
                    ensure!(answer == payload, "the answer is not what was sent");
                    latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                    next += step;
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
