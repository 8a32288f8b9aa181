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

/// Whether a tick that failed has reached its actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
    /// Nobody heard of it again: the node, or the way to it, may be gone.
    Unknown,
}

impl Reached {
    fn by(error: &Error) -> Self {
        match error.code {
            _ if !error.started => Reached::No,
            // What an actor's code, or its node about it, answers with.
            ErrorCode::ActorError
            | ErrorCode::ActorTrapped
            | ErrorCode::LimitExceeded
            | ErrorCode::BadRequest
            | ErrorCode::TooLarge => Reached::Yes,
            _ => Reached::Unknown,
        }
    }
}

/// Whom a link calls, and when.
pub(crate) struct Actor {
    pub link: LinkId,
    pub schedule: Schedule,
    pub timeout: Duration,
    pub actors: Arc<dyn Actors>,
    pub stop: CancellationToken,
}

impl Actor {
    /// Calls the actor; what did not reach it, or may not have, is tried again until the next tick is
    /// due. Returns whether the tick has reached it, as far as can be known.
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
        let mut unknown = 0;
        loop {
            match self.call(payload.clone()).await.map_err(|error| (Reached::by(&error), error)) {
                Ok(_) => return true,
                Err((Reached::Yes, error)) => {
                    tracing::warn!(link = %self.link, due_ms, %error, "an actor failed at a tick");
                    return true;
                }
                Err((Reached::Unknown, error)) => {
                    tracing::warn!(link = %self.link, due_ms, %error, "whether a tick reached its actor is unknown");
                    unknown += 1;
                    if unknown >= limits::TICK_UNKNOWN_MAX {
                        return true;
                    }
                }
                Err((Reached::No, error)) => {
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
        // A second bound: the link must tick again whatever the way to the actor does. It has time to
        // tell what became of the call itself.
        let bound = self.timeout + Duration::from_millis(limits::TICK_TIMEOUT_SLACK_MS);
        tokio::time::timeout(bound, call).await.unwrap_or_else(|_| {
            Err(Error::started(
                ErrorCode::DeadlineExceeded,
                format!("the actor did not answer within {} ms", self.timeout.as_millis()),
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use lattice_protocol::keys::ActorKey;
    use lattice_protocol::names::LinkName;
    use mesh_provider::BoxFuture;

    use super::*;

    /// Fails with an error for so many calls.
    struct Failing {
        error: Error,
        left: AtomicU32,
        calls: AtomicU32,
    }

    impl Actors for Failing {
        fn call(&self, _: ActorCall) -> BoxFuture<'_, Result<Bytes, Error>> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            let failed = self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            let outcome = failed.map_or(Ok(Bytes::new()), |_| Err(self.error.clone()));
            Box::pin(std::future::ready(outcome))
        }
    }

    /// Returns whether a tick is told to have reached the actor, and how often it was called.
    async fn tick(error: Error, times: u32) -> (bool, u32) {
        let calls = AtomicU32::new(0);
        let actors = Arc::new(Failing { error, left: AtomicU32::new(times), calls });
        let source = ActorKey::generate().unwrap().0;
        let actor = Actor {
            link: LinkId { source, name: LinkName::default_link() },
            schedule: Schedule::Interval(31_536_000_000),
            timeout: Duration::from_secs(1),
            actors: actors.clone(),
            stop: CancellationToken::new(),
        };
        (actor.tick(0, 0).await, actors.calls.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_tick_of_which_nobody_heard_again_comes_again() {
        for code in [ErrorCode::NotFound, ErrorCode::Internal, ErrorCode::DeadlineExceeded] {
            assert_eq!(tick(Error::started(code, "lost"), 2).await, (true, 3), "{code}");
        }
        let most = limits::TICK_UNKNOWN_MAX;
        let slow = Error::started(ErrorCode::DeadlineExceeded, "lost");
        assert_eq!(tick(slow, 1_000).await, (true, most));
    }

    #[tokio::test]
    async fn what_the_actor_answers_ends_a_tick_and_what_did_not_start_does_not() {
        for code in [ErrorCode::ActorError, ErrorCode::ActorTrapped, ErrorCode::LimitExceeded] {
            assert_eq!(tick(Error::started(code, "no"), 9).await, (true, 1), "{code}");
        }
        assert_eq!(tick(Error::not_started(ErrorCode::Busy, "no"), 3).await, (true, 4));
    }
}
