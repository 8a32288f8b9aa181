//! The `mesh:keyvalue` provider on Redis.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `url` | `redis://[user:password@]host[:port][/database]` | `redis://127.0.0.1:6379` |
//! | `prefix` | what the keys are kept under; links with the same one share them | the actor's key and the link's name |
//! | `timeout_ms` | time that Redis has for an answer, 10 to 60000 | 2000 |
//!
//! Links with the same `url` share one connection, which is made again by itself. A Redis that is
//! away is `provider_unavailable`; a link that can't reach it is opened as soon as it can. Keys are
//! `mesh:<prefix>:<key>`, so the database may hold others beside them. Whatever one command does not
//! do atomically is a script that Redis runs.

mod fault;
mod keys;
pub mod limits;
mod scripts;
mod servers;
mod settings;
mod store;

use std::sync::Arc;

use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::CONTRACT;
use mesh_provider::contract::ServedKeyValue;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};

use servers::Servers;
use settings::Settings;
use store::Store;

/// What the provider is.
pub const ABOUT: About = About {
    name: "keyvalue-redis",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "keys and values in Redis",
};

/// Makes the provider.
pub fn provider(_context: &Context) -> Arc<dyn Provider> {
    Arc::new(KeyValueRedis { servers: Servers::default() })
}

/// The provider.
struct KeyValueRedis {
    servers: Servers,
}

impl Provider for KeyValueRedis {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            let settings = Settings::read(link)?;
            let server = self.servers.server(&settings)?;
            let store = Store::new(server, settings);
            store.reach().await?;
            Ok(Arc::new(ServedKeyValue(store)) as Arc<dyn Answers>)
        })
    }
}
