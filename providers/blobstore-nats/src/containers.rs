//! The containers of a tenant.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use lattice_client::Lattice;
use lattice_protocol::contract::blobstore::Containers;
use lattice_protocol::{Error, subjects};
use mesh_provider::blobstore::Page;

use crate::bucket::Bucket;
use mesh_provider::jetstream::failed;

use crate::fault::bad;
use crate::meta;

/// Makes a container. Returns whether it was there.
pub async fn create(bucket: &Bucket, replicas: usize) -> Result<bool, Error> {
    if bucket.exists().await? {
        return Ok(true);
    }
    bucket.create(replicas).await?;
    Ok(false)
}

/// Removes a container without blobs. Returns whether it was there.
pub async fn delete(bucket: &Bucket, container: &str) -> Result<bool, Error> {
    if !bucket.exists().await? {
        return Ok(false);
    }
    let mut names = BTreeSet::new();
    let filter = subjects::object_meta(&bucket.name, "*");
    bucket
        .subjects(&filter, |token| {
            if names.len() < SAMPLE {
                names.extend(meta::name_of(token));
            }
        })
        .await?;
    // A blob whose deletion was broken off may have left its mark.
    for name in &names {
        if meta::find(bucket, name).await?.is_some() {
            return Err(bad(format!("the container {container} has blobs")));
        }
    }
    if names.len() == SAMPLE {
        return Err(bad(format!("the container {container} has too many marks of deleted blobs")));
    }
    bucket.remove().await
}

/// Blobs that are examined before a container counts as empty: marks hardly ever stay.
const SAMPLE: usize = 256;

/// Lists the containers of a tenant in the order of their names.
pub async fn list(
    lattice: &Lattice,
    prefix: &str,
    cursor: Option<&str>,
    entries: usize,
) -> Result<Containers, Error> {
    let prefix = subjects::object_stream(prefix);
    let mut page = Page::new(cursor, entries);
    let mut streams = lattice.jetstream().stream_names();
    while let Some(stream) =
        streams.try_next().await.map_err(|error| failed("list the containers", &error))?
    {
        if let Some(container) = stream.strip_prefix(&prefix) {
            page.offer(container);
        }
    }
    let (containers, cursor) = page.end();
    Ok(Containers { containers, cursor })
}
