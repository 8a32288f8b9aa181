//! `blobstore-nats`: `mesh:blobstore` on the object stores of JetStream.
//!
//! A container is an object store of its own, and its blobs are objects that `nats object` and
//! other clients read, too. A part of a blob is found by the sequence of its blocks, so that reading
//! in the middle costs no more than at the beginning. Every process of this provider can answer
//! every call: all that is known about an upload is in the store.
//!
//! | setting of the link | meaning | default |
//! |---|---|---|
//! | `prefix` | the tenant: links of one prefix share containers, others see none of them; 1 to 32 of `a-z 0-9 -` | the actor's own |
//!
//! A blob has at most 2^40 bytes. Listing blobs costs a look at all names of the container, listing
//! containers one at all streams of the account. A container that is deleted while
//! somebody writes its first blob may take that with it. Uploads that got no chunk for ten minutes
//! are removed when another one begins. With three servers or more there are three copies.

mod block;
mod bucket;
mod chunk;
mod containers;
mod fault;
mod hash;
pub mod limits;
mod meta;
mod read;
mod store;
mod sweep;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use lattice_client::Lattice;
use lattice_protocol::contract::blobstore;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::contract::ServedBlobStore;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};

use store::Store;

/// What it is.
pub const ABOUT: About = About {
    name: "blobstore-nats",
    contract: blobstore::CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "Keeps blobs in the object stores of JetStream",
};

/// Makes the provider.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(BlobStoreNats { lattice: context.lattice.clone() })
}

/// The provider.
pub struct BlobStoreNats {
    lattice: Lattice,
}

impl Provider for BlobStoreNats {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            link.config.only(&["prefix"])?;
            let tenant = mesh_provider::blobstore::tenant(link)?;
            self.reach().await?;
            let source = link.id.source.as_str().to_owned();
            let store = Store::new(self.lattice.clone(), &tenant, source);
            Ok(Arc::new(ServedBlobStore(store)) as Arc<dyn Answers>)
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), Error>> {
        let up = self.lattice.connection().borrow().up;
        let away = || Error::not_started(ErrorCode::ProviderUnavailable, "NATS can't be reached");
        Box::pin(std::future::ready(up.then_some(()).ok_or_else(away)))
    }
}

impl BlobStoreNats {
    async fn reach(&self) -> Result<(), Error> {
        let bound = Duration::from_millis(limits::OPEN_TIMEOUT_MS);
        let account = tokio::time::timeout(bound, self.lattice.jetstream().query_account()).await;
        let why = match account {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        let why = format!("JetStream can't be reached: {why}");
        Err(Error::not_started(ErrorCode::ProviderUnavailable, why))
    }
}
