//! The clock of one link: waits for the next time, and delivers its tick if no other process does.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::Error;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::timer::{Schedule, Tick, operation};
use mesh_provider::{ActorCall, Actors, Link, LinkId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agreement::{Agreement, Known, Turn, turn};
use crate::limits;
use crate::settings::Settings;

/// A clock that runs.
pub struct Ticking {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Ticking {
    /// Starts the clock of a link.
    pub fn start(
        actors: Arc<dyn Actors>,
        link: &Link,
        settings: Settings,
        agreement: Agreement,
    ) -> Self {
        let stop = CancellationToken::new();
        let clock =
            Clock { actors, link: link.id.clone(), settings, agreement, stop: stop.clone() };
        Self { task: tokio::spawn(clock.run()), stop }
    }

    /// Stops the clock; a tick under way is delivered first.
    pub async fn stop(self) {
        self.stop.cancel();
        let bound = Duration::from_millis(limits::CLOSE_TIMEOUT_MS);
        if tokio::time::timeout(bound, self.task).await.is_err() {
            tracing::warn!("a tick was abandoned");
        }
    }
}

struct Clock {
    actors: Arc<dyn Actors>,
    link: LinkId,
    settings: Settings,
    agreement: Agreement,
    stop: CancellationToken,
}

impl Clock {
    async fn run(self) {
        let mut due = self.settings.schedule.next_after_ms(now_ms());
        while let Some(due_at_ms) = due {
            if !self.sleep_until(due_at_ms).await {
                return;
            }
            let next = self.settings.schedule.next_after_ms(due_at_ms);
            if !self.tick(due_at_ms, next).await {
                return;
            }
            // Times that have passed meanwhile are told with the next tick as missed.
            let now = now_ms();
            due = match next {
                Some(next) if next < now => last_before(&self.settings.schedule, next, now),
                next => next,
            };
        }
        tracing::info!(link = %self.link, "a timer has no more times");
    }

    /// Returns whether the time came, rather than the end.
    async fn sleep_until(&self, due_at_ms: u64) -> bool {
        loop {
            let left = due_at_ms.saturating_sub(now_ms());
            if left == 0 {
                return !self.stop.is_cancelled();
            }
            let pause = Duration::from_millis(left.min(limits::SLEEP_MAX_MS));
            if !self.pause(pause).await {
                return false;
            }
        }
    }

    async fn pause(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Sees to it that a tick is delivered, by this process or another; gives up when the next one
    /// is due. Returns whether the clock goes on.
    async fn tick(&self, due_at_ms: u64, next: Option<u64>) -> bool {
        loop {
            let pause = match self.try_to_tick(due_at_ms).await {
                Ok(None) => return true,
                Ok(Some(until_ms)) => Duration::from_millis(until_ms.saturating_sub(now_ms()) + 1),
                Err(error) => {
                    tracing::warn!(link = %self.link, due_at_ms, %error, "a tick can't be delivered yet");
                    Duration::from_millis(limits::RETRY_PAUSE_MS)
                }
            };
            let left = next.map(|next| Duration::from_millis(next.saturating_sub(now_ms())));
            let pause = left.map_or(pause, |left| pause.min(left));
            if !self.pause(pause).await {
                return false;
            }
            if next.is_some_and(|next| next <= now_ms()) {
                return true;
            }
        }
    }

    /// Delivers a tick if it is this process's turn; returns until when another one works on it.
    ///
    /// # Errors
    /// Why nobody could decide, or the actor could not be called.
    async fn try_to_tick(&self, due_at_ms: u64) -> Result<Option<u64>, Error> {
        let (known, at) = self.agreement.known().await?;
        match turn(known, due_at_ms, now_ms()) {
            Turn::Done => return Ok(None),
            Turn::Taken(until_ms) => return Ok(Some(until_ms)),
            Turn::Free => {}
        }
        let timeout = u64::try_from(self.settings.timeout.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now_ms().saturating_add(timeout).saturating_add(limits::TAKEN_GRACE_MS);
        let taken = Known { due_at_ms, taken_until_ms: until_ms };
        let Some(at) = self.agreement.say(taken, at).await? else { return Ok(Some(now_ms())) };
        let missed = missed(&self.settings.schedule, known.due_at_ms, due_at_ms);
        match self.call(due_at_ms, missed).await {
            // What had not started is tried again, by whoever is first.
            Err(error) if !error.started => {
                self.agreement.say(known, at).await?;
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(link = %self.link, due_at_ms, %error, "an actor failed at a tick");
            }
            Ok(()) => {}
        }
        self.agreement.say(Known { due_at_ms, taken_until_ms: 0 }, at).await?;
        Ok(None)
    }

    async fn call(&self, due_at_ms: u64, missed: u64) -> Result<(), Error> {
        let tick = Tick { due_at_ms, link: self.link.name.to_string(), missed };
        let payload = tick.encode().map_err(|error| {
            Error::not_started(lattice_protocol::ErrorCode::Internal, error.to_string())
        })?;
        let call = ActorCall {
            link: self.link.clone(),
            operation: operation::TICK,
            payload: Bytes::from(payload),
            timeout: self.settings.timeout,
            trace: TraceContext::default(),
        };
        self.actors.call(call).await.map(drop)
    }
}

/// Ticks that are counted before it is only said that there were many.
const MISSED_COUNTED_MAX: u64 = 1_000;

/// Returns how many times of a schedule lie between two.
fn missed(schedule: &Schedule, after_ms: u64, before_ms: u64) -> u64 {
    if after_ms == 0 {
        return 0;
    }
    let mut count = 0;
    let mut time = schedule.next_after_ms(after_ms);
    while let Some(next) = time.filter(|next| *next < before_ms) {
        count += 1;
        if count == MISSED_COUNTED_MAX {
            break;
        }
        time = schedule.next_after_ms(next);
    }
    count
}

/// Returns the last time of a schedule from `first` on that is not after `now_ms`.
fn last_before(schedule: &Schedule, first: u64, now_ms: u64) -> Option<u64> {
    if let Schedule::Interval(interval) = schedule {
        return now_ms.checked_div(*interval)?.checked_mul(*interval);
    }
    let mut last = first;
    for _ in 0..MISSED_COUNTED_MAX {
        match schedule.next_after_ms(last) {
            Some(next) if next <= now_ms => last = next,
            _ => return Some(last),
        }
    }
    schedule.next_after_ms(now_ms)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_have_passed_are_counted_and_the_last_one_is_delivered() {
        let every = Schedule::Interval(100);
        assert_eq!(missed(&every, 0, 1_000), 0, "nothing was delivered before");
        assert_eq!(missed(&every, 500, 600), 0);
        assert_eq!(missed(&every, 500, 1_000), 4);
        assert_eq!(missed(&every, 100, 100_000_000), MISSED_COUNTED_MAX);
        assert_eq!(last_before(&every, 600, 1_050), Some(1_000));
        let cron = Schedule::Cron("* * * * *".parse().unwrap());
        assert_eq!(last_before(&cron, 60_000, 250_000), Some(240_000));
        assert_eq!(missed(&cron, 60_000, 240_000), 2);
    }
}
