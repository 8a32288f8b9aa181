//! `blobstore-fs`: blobs in a folder of this machine.
//!
//! A blob is a file: its bytes, and at the end 4,096 more that say what it is. It is written beside
//! its place, flushed to the disk and renamed. The name is encoded ([the module of it](self) keeps
//! every name within the folder). Several processes may share the folder where the file system is a
//! local one; nodes on several machines do not see each other's blobs.
//!
//! | setting of the link | meaning | default |
//! |---|---|---|
//! | `prefix` | the tenant: links of one prefix share containers, others see none of them; 1 to 32 of `a-z 0-9 -` | the actor's own |

use std::path::PathBuf;
use std::sync::Arc;

use lattice_protocol::contract::blobstore;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::blobstore::tenant;
use mesh_provider::contract::ServedBlobStore;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};
use object_store::local::LocalFileSystem;

use crate::fault::failed;
use crate::layout::{Form, Layout};
use crate::objects::Objects;
use crate::store::Store;

/// What it is.
pub const ABOUT: About = About {
    name: "blobstore-fs",
    contract: blobstore::CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "Keeps blobs in a folder",
};

/// Makes the provider. Without a folder it refuses its links.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(BlobStoreFs { folder: context.data.clone() })
}

/// The provider.
pub struct BlobStoreFs {
    folder: Option<PathBuf>,
}

impl Provider for BlobStoreFs {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            link.config.only(&["prefix"])?;
            let tenant = tenant(link)?;
            let store = self.folder().await?;
            let layout = Layout::new(Form::Folder, &tenant, link.id.source.as_str());
            let objects = Objects { store: Arc::new(store), layout };
            Ok(Arc::new(ServedBlobStore(Store::new(objects))) as Arc<dyn Answers>)
        })
    }
}

impl BlobStoreFs {
    async fn folder(&self) -> Result<LocalFileSystem, Error> {
        let Some(folder) = &self.folder else {
            let why = "blobstore-fs has no folder: start it with --data DIR (MESH_DATA)";
            return Err(Error::not_started(ErrorCode::BadRequest, why));
        };
        tokio::fs::create_dir_all(folder).await.map_err(|error| {
            let why = format!("the folder {} can't be made: {error}", folder.display());
            Error::not_started(ErrorCode::ProviderUnavailable, why)
        })?;
        let store = LocalFileSystem::new_with_prefix(folder);
        let store = store.map_err(|error| failed("open the folder", &error))?;
        Ok(store.with_automatic_cleanup(true).with_fsync(true))
    }
}
