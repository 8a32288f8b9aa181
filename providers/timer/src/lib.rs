//! The `mesh:timer` provider: actors called at intervals and by cron expressions.
//!
//! | setting | meaning |
//! |---|---|
//! | `interval_ms` | every so many milliseconds, 100 to 31536000000, at the multiples of it since 1970 |
//! | `cron` | five fields, in UTC: minute, hour, day of month, month, day of week |
//! | `timeout_ms` | time that the actor has for a tick, 10 to 300000; 10000 where absent |
//!
//! A link has either `interval_ms` or `cron`. Every process that serves the link comes to the same
//! times, and they agree in a bucket of the lattice on who delivers which tick (`agreement.rs`): each
//! is delivered once, and by another process if the one that took it dies before it is done.

mod agreement;
pub mod limits;
mod settings;
mod ticking;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use lattice_protocol::Error;
use lattice_protocol::contract::timer::CONTRACT;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider, ProviderCall};

use agreement::Agreement;
use settings::Settings;
use ticking::Ticking;

/// What the provider is.
pub const ABOUT: About = About {
    name: "timer",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "actors called at intervals and by cron expressions",
};

/// Makes the provider.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(Timer { context: context.clone() })
}

/// The provider.
struct Timer {
    context: Context,
}

impl Provider for Timer {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            let settings = Settings::read(link)?;
            let agreement = Box::pin(Agreement::open(&self.context.lattice, link)).await?;
            let ticking = Ticking::start(self.context.actors.clone(), link, settings, agreement);
            let ticking = Mutex::new(Some(ticking));
            Ok(Arc::new(Linked { ticking }) as Arc<dyn Answers>)
        })
    }
}

/// A link whose actor is called.
struct Linked {
    ticking: Mutex<Option<Ticking>>,
}

impl Answers for Linked {
    fn answer<'a>(&'a self, call: ProviderCall<'a>) -> BoxFuture<'a, Result<Bytes, Error>> {
        // The contract has nothing that a provider runs.
        let unknown = mesh_provider::contract::unknown(CONTRACT, call.operation);
        Box::pin(std::future::ready(Err(unknown)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let ticking = self.ticking.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(ticking) = ticking {
                ticking.stop().await;
            }
        })
    }
}
