//! The call of the actor for one tick.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::timer::{Schedule, Tick, operation};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{ActorCall, Actors, LinkId};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::pause::{Pause, now_ms};

/// Whom a link calls, and when.
pub(crate) struct Actor {
    pub link: LinkId,
    pub schedule: Schedule,
    pub timeout: Duration,
    pub actors: Arc<dyn Actors>,
    pub stop: CancellationToken,
}

impl Actor {
    /// Calls the actor; what did not start is tried again until the next tick is due. Returns
    /// whether the tick may have reached it.
    pub(crate) async fn tick(&self, due_ms: u64, missed: u64) -> bool {
        let tick = Tick { due_at_ms: due_ms, link: self.link.name.to_string(), missed };
        let payload = match tick.encode() {
            Ok(payload) => Bytes::from(payload),
            Err(error) => {
                tracing::error!(link = %self.link, %error, "a tick can't be encoded");
                return false;
            }
        };
        let first = limits::TICK_RETRY_PAUSE_FIRST_MS;
        let mut pause = Pause::new(first, limits::TICK_RETRY_PAUSE_MAX_MS);
        loop {
            match self.call(payload.clone()).await {
                Ok(_) => return true,
                Err(error) if error.started => {
                    tracing::warn!(link = %self.link, due_ms, %error, "an actor failed at a tick");
                    return true;
                }
                Err(error) => {
                    tracing::warn!(link = %self.link, due_ms, %error, "a tick did not reach its actor");
                }
            }
            if !self.may_try_again(pause.next()).await {
                return false;
            }
        }
    }

    /// Waits before another attempt; returns whether there is still time for one.
    async fn may_try_again(&self, pause: Duration) -> bool {
        let now = now_ms();
        // Of the time that is now, not of the tick: one that was made up for is late already.
        let next = self.schedule.next_after_ms(now).unwrap_or(u64::MAX);
        let left = Duration::from_millis(next.saturating_sub(now));
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(pause.min(left)) => pause < left,
        }
    }

    async fn call(&self, payload: Bytes) -> Result<Bytes, Error> {
        let call = self.actors.call(ActorCall {
            link: self.link.clone(),
            operation: operation::TICK,
            payload,
            timeout: self.timeout,
            trace: TraceContext::default(),
        });
        // A second bound: the link must tick again whatever the way to the actor does.
        tokio::time::timeout(self.timeout, call).await.unwrap_or_else(|_| {
            Err(Error::started(
                ErrorCode::DeadlineExceeded,
                format!("the actor did not answer within {} ms", self.timeout.as_millis()),
            ))
        })
    }
}
