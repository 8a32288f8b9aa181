//! The `mesh:timer` provider: actors are called at intervals and by cron expressions.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `interval_ms` | 100 to 31536000000: a tick at each multiple of it since 1970 | one of the two |
//! | `cron` | minute, hour, day of the month, month, day of the week, in UTC | must be there |
//! | `timeout_ms` | 100 to 300000: time that the actor has for a tick | 60000 |
//!
//! Every provider that serves a link comes to the same times, and one of them ticks: they agree in
//! a key-value bucket of JetStream, by compare-and-set. Whoever has claimed a tick says so again
//! while it is under way; after [`limits::LEASE_MS`] of silence another one takes it over, so that a
//! tick comes at least once though its provider died. One whose call ended without the actor's word,
//! since its node or the way to it was lost, comes again, too: up to [`limits::TICK_UNKNOWN_MAX`]
//! times, and until the next one is due. A tick is late, never lost, where NATS was
//! away or no provider ran: it comes as soon as one can, unless the next one is due already, which
//! then counts it as missed.
//!
//! | file | concern |
//! |---|---|
//! | `turn.rs` | whose turn it is: a decision over values |
//! | `times.rs` | when ticks were due |
//! | `store.rs` | the bucket |
//! | `claim.rs` | a tick that was claimed |
//! | `actor.rs` | the call of the actor |
//! | `ticking.rs` | the task of one link |

mod actor;
mod claim;
pub mod limits;
mod pause;
mod store;
mod ticking;
mod times;
mod turn;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lattice_client::Lattice;
use lattice_protocol::contract::timer::{CONTRACT, Schedule, config};
use lattice_protocol::limits::CALL_TIMEOUT_MAX_MS;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{
    About, Actors, Answers, BoxFuture, Config, Context, Link, Provider, ProviderCall,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use actor::Actor;
use store::Store;
use ticking::Ticking;

/// What the provider is.
pub const ABOUT: About = About {
    name: "timer",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "calls actors at intervals and by cron expressions",
};

/// The setting of a link beside those of the contract.
const TIMEOUT_MS: &str = "timeout_ms";

/// Makes the provider.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    let Context { lattice, actors, .. } = context.clone();
    Arc::new(TimerProvider { lattice, actors })
}

/// The provider.
pub struct TimerProvider {
    lattice: Lattice,
    actors: Arc<dyn Actors>,
}

impl Provider for TimerProvider {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move { Ok(Arc::new(self.start(link).await?) as Arc<dyn Answers>) })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), Error>> {
        let up = self.lattice.connection().borrow().up;
        let away = || Error::not_started(ErrorCode::ProviderUnavailable, "NATS can't be reached");
        Box::pin(std::future::ready(up.then_some(()).ok_or_else(away)))
    }
}

impl TimerProvider {
    async fn start(&self, link: &Link) -> Result<Timer, Error> {
        let (schedule, text, timeout) = settings(&link.config)?;
        let mut store = Store::new(self.lattice.clone(), &link.id.source, &link.id.name);
        // A server without JetStream is told at once, to whoever put the link.
        store.read().await?;
        let stop = CancellationToken::new();
        let actor = Actor {
            link: link.id.clone(),
            schedule,
            timeout,
            actors: self.actors.clone(),
            stop: stop.clone(),
        };
        let id = uuid::Uuid::now_v7().simple().to_string();
        let ticking = Ticking { actor, schedule: text, id, store, stop: stop.clone() };
        let task = AbortOnDropHandle::new(tokio::spawn(ticking.run()));
        Ok(Timer { stop, task: Mutex::new(Some(task)) })
    }
}

/// Reads the settings of a link: the schedule, the schedule as text, the time for a tick.
fn settings(settings: &Config) -> Result<(Schedule, String, Duration), Error> {
    settings.only(&[config::INTERVAL_MS, config::CRON, TIMEOUT_MS])?;
    let schedule = Schedule::from_config(settings.all())?;
    let (kind, text) = match &schedule {
        Schedule::Interval(_) => (config::INTERVAL_MS, settings.required(config::INTERVAL_MS)?),
        Schedule::Cron(_) => (config::CRON, settings.required(config::CRON)?),
    };
    let most = u64::from(CALL_TIMEOUT_MAX_MS);
    let timeout = settings.duration_ms(TIMEOUT_MS, limits::TICK_TIMEOUT_MIN_MS, most)?;
    let default = Duration::from_millis(limits::TICK_TIMEOUT_DEFAULT_MS);
    Ok((schedule, format!("{kind} {text}"), timeout.unwrap_or(default)))
}

/// The timer of one link.
struct Timer {
    stop: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Answers for Timer {
    fn answer<'a>(&'a self, call: ProviderCall<'a>) -> BoxFuture<'a, Result<Bytes, Error>> {
        let shown: String = call.operation.chars().take(80).collect();
        Box::pin(std::future::ready(Err(Error::not_started(
            ErrorCode::BadRequest,
            format!("{} has no operation {shown:?} for actors: it calls them", CONTRACT.name),
        ))))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(task) = task
                && let Err(error) = task.await
            {
                tracing::error!(%error, "a timer ended before its time");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<(Schedule, String, Duration), Error> {
        settings(&Config::of(pairs.iter().copied()))
    }

    #[test]
    fn a_link_has_one_schedule_and_a_time_for_the_actor() {
        let (schedule, text, timeout) = read(&[("interval_ms", "250")]).unwrap();
        assert_eq!((schedule, text.as_str()), (Schedule::Interval(250), "interval_ms 250"));
        assert_eq!(timeout.as_millis(), 60_000);
        let (_, text, timeout) = read(&[("cron", "* * * * *"), ("timeout_ms", "100")]).unwrap();
        assert_eq!((text.as_str(), timeout.as_millis()), ("cron * * * * *", 100));
        for wrong in [
            &[][..],
            &[("interval_ms", "250"), ("cron", "* * * * *")],
            &[("interval_ms", "250"), ("timeout_ms", "99")],
            &[("interval_ms", "250"), ("intervall", "1")],
        ] {
            assert_eq!(read(wrong).unwrap_err().code, ErrorCode::BadRequest, "{wrong:?}");
        }
    }
}
