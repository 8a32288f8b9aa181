//! The `mesh:keyvalue` provider on a file of one node: a store that needs no service.
//!
//! Its values are on the machine where it runs, and nowhere else: an actor that runs on other
//! machines, too, sees them over NATS, by this one provider. It is for development, for one machine,
//! for what is cached near to its actors.
//!
//! | setting | meaning |
//! |---|---|
//! | `database` | name of the file `<name>.redb` in the provider's folder: letters, digits, `-` and `_`; default `default`. `:memory:` is in memory, as long as a link uses it |
//! | `prefix` | what the keys are kept under: links of the same database with the same one share keys. Default: the actor's key and the link's name |
//! | `durability` | `immediate`, the default: a write is on the disk when it is answered. `eventual`: within about a second; a crash of the machine or the process may lose the last ones, never a part of one |
//!
//! A file is open once, whatever the number of links, and closed with the last of them. Reads see what was
//! answered before them. Writes wait for one writer a file, which takes all that wait into one
//! transaction. A life is over to the millisecond, by the clock of the machine.
//!
//! What is granted is less than the contract's bounds in one respect: a list has at most
//! [`limits::LIST_VALUES_MAX`] values. A full disk is `limit_exceeded`, a damaged file `internal`.
//!
//! | file | concern |
//! |---|---|
//! | `store` | the contract's operations for one link |
//! | `operations` | what they do with the tables |
//! | `record`, `tables` | how it is written |
//! | `database`, `job`, `writer` | reads, and writes in their queue |
//! | `file`, `databases` | opening, mending, sharing and closing files |

mod database;
mod databases;
mod file;
mod job;
pub mod limits;
mod operations;
mod record;
mod settings;
mod stop;
mod store;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use lattice_protocol::contract::keyvalue::CONTRACT;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::contract::ServedKeyValue;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};

use databases::Databases;
use settings::Settings;
use store::Store;

/// What the provider says of itself.
pub const ABOUT: About = About {
    name: "keyvalue-embedded",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "values, counters, lists and sets in a file of one node",
};

/// Returns the provider; its files are in the folder of the context, without which it has only
/// memory.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(KeyValueEmbedded::new(context.data.clone()))
}

/// The provider.
pub struct KeyValueEmbedded {
    databases: Arc<Databases>,
}

impl KeyValueEmbedded {
    /// Makes the provider of the files in a folder, or of memory alone.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { databases: Databases::new(folder) }
    }
}

impl Provider for KeyValueEmbedded {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            let Settings { database, tenant, durable } = Settings::of(link)?;
            let databases = self.databases.clone();
            let loan = tokio::task::spawn_blocking(move || databases.lend(&database)).await;
            let loan = loan.map_err(|error| {
                Error::not_started(ErrorCode::Internal, format!("opening a database: {error}"))
            })??;
            let store = Store::new(loan, tenant, durable);
            Ok(Arc::new(ServedKeyValue(store)) as Arc<dyn Answers>)
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(self.databases.health()))
    }
}
