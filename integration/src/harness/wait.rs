//! Waiting for a condition, with a bound.

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::time::{Instant, sleep, timeout};

use super::limits::{CONDITION_ATTEMPT_MS, CONDITION_INTERVAL_MS};

/// Asks `attempt` until it succeeds, and returns what it then gave.
///
/// # Errors
/// The last error of `attempt` when `bound` has passed; `what` names what was waited for.
pub async fn wait_for<T, A>(what: &str, bound: Duration, mut attempt: A) -> anyhow::Result<T>
where
    A: AsyncFnMut() -> anyhow::Result<T>,
{
    let end = Instant::now() + bound;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // At least one whole look, however late it is.
        let patience = left.clamp(
            Duration::from_millis(CONDITION_INTERVAL_MS),
            Duration::from_millis(CONDITION_ATTEMPT_MS),
        );
        let error = match timeout(patience, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("the look itself did not end within {patience:?}"),
        };
        if Instant::now() >= end {
            return Err(error).with_context(|| format!("waited {bound:?} for {what}"));
        }
        sleep(Duration::from_millis(CONDITION_INTERVAL_MS)).await;
    }
}

/// Asks `condition` until it holds.
///
/// # Errors
/// When `bound` has passed; `what` names what was waited for.
pub async fn wait_until<C>(what: &str, bound: Duration, mut condition: C) -> anyhow::Result<()>
where
    C: AsyncFnMut() -> bool,
{
    wait_for(what, bound, async || {
        condition().await.then_some(()).ok_or_else(|| anyhow!("it does not hold"))
    })
    .await
}
