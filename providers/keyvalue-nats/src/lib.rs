//! The `mesh:keyvalue` provider on a JetStream key-value bucket: nothing to install beside NATS.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `bucket` | the bucket; made where there is none | that of the lattice |
//! | `prefix` | what the keys are kept under; links with the same one share them | the actor's key and the link's name |
//!
//! Each key is one message of the bucket's stream, changed by compare-and-set on its revision; reads
//! go to the stream's leader, so that nobody reads what was there before their own write. A list or a
//! set is one message too: with all that it holds it must fit into what the server takes (1 MiB
//! unless configured), else `limit_exceeded`.

mod bucket;
mod combine;
mod content;
mod keys;
pub mod limits;
mod listing;
mod settings;
mod store;

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::contract::keyvalue::CONTRACT;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::contract::ServedKeyValue;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};

use bucket::Bucket;
use settings::Settings;
use store::Store;

/// What the provider is.
pub const ABOUT: About = About {
    name: "keyvalue-nats",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "keys and values in NATS JetStream",
};

/// Makes the provider.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(KeyValueNats { context: context.clone() })
}

/// The provider.
struct KeyValueNats {
    context: Context,
}

impl Provider for KeyValueNats {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            let settings = Settings::read(link, self.context.lattice.name())?;
            let bound = Duration::from_millis(limits::OPEN_TIMEOUT_MS);
            let open = Box::pin(Bucket::open(&self.context.lattice, &settings.bucket));
            let bucket = tokio::time::timeout(bound, open).await.map_err(|_| {
                Error::not_started(
                    ErrorCode::ProviderUnavailable,
                    format!("JetStream did not open the bucket {} in time", settings.bucket),
                )
            })??;
            let store = Store::new(bucket, settings.space);
            Ok(Arc::new(ServedKeyValue(store)) as Arc<dyn Answers>)
        })
    }
}
