//! The provider: a way out for each link.

use std::sync::{Arc, OnceLock};

use lattice_protocol::Error;
use lattice_protocol::contract::http_client;
use mesh_provider::contract::ServedHttpClient;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use crate::body::Room;
use crate::client::Out;
use crate::settings::Settings;
use crate::{limits, tls};

/// What the provider says of itself.
pub const ABOUT: About = About {
    name: "http-client",
    contract: http_client::CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "HTTP requests of actors, to the hosts that their links allow",
};

/// Makes the provider.
pub fn provider(_context: &Context) -> Arc<dyn Provider> {
    Arc::new(HttpClientProvider::new())
}

/// The provider.
pub struct HttpClientProvider {
    /// Read with the first link: it takes some milliseconds.
    tls: OnceLock<ClientConfig>,
    lookups: Arc<Semaphore>,
    room: Room,
}

impl HttpClientProvider {
    /// Makes it; it needs nothing of a lattice.
    pub fn new() -> Self {
        let lookups = Arc::new(Semaphore::new(limits::LOOKUPS_MAX));
        Self { tls: OnceLock::new(), lookups, room: Room::default() }
    }

    fn tls(&self) -> Result<ClientConfig, Error> {
        match self.tls.get() {
            Some(tls) => Ok(tls.clone()),
            None => tls::config().map(|tls| self.tls.get_or_init(|| tls).clone()),
        }
    }

    fn out(&self, link: &Link) -> Result<Out, Error> {
        let settings = Settings::of(&link.config)?;
        Out::new(settings, self.tls()?, self.lookups.clone(), self.room.clone())
    }
}

impl Default for HttpClientProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for HttpClientProvider {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        let opened = self.out(link).map(|out| Arc::new(ServedHttpClient(out)) as Arc<dyn Answers>);
        Box::pin(std::future::ready(opened))
    }
}
