//! The containers of a tenant: a mark each.

use std::collections::BTreeMap;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use lattice_protocol::Error;
use lattice_protocol::contract::blobstore::{Blobs, Containers, List};
use mesh_provider::blobstore::{Page, no_container};
use object_store::path::Path;
use object_store::{ObjectMeta, PutMode};

use crate::fault::{bad, failed};
use crate::limits;
use crate::objects::Objects;

/// Makes a container. Returns whether it was there.
pub async fn create(objects: &Objects, container: &str) -> Result<bool, Error> {
    let mark = objects.layout.mark(container);
    Ok(!objects.create(&mark, Vec::new().into()).await?)
}

/// Checks that a container exists.
pub async fn must_exist(objects: &Objects, container: &str) -> Result<(), Error> {
    match objects.exists(&objects.layout.mark(container)).await? {
        true => Ok(()),
        false => Err(no_container(container)),
    }
}

/// Removes a container without blobs. Returns whether it was there.
///
/// The mark goes first, and comes back where a blob is there all the same: whoever stores one
/// looks for the mark afterwards, so that one of the two sees the other.
pub async fn delete(objects: &Objects, container: &str) -> Result<bool, Error> {
    let mark = objects.layout.mark(container);
    if !objects.exists(&mark).await? {
        return Ok(false);
    }
    let full = || bad(format!("the container {container} has blobs"));
    if has_blobs(objects, container).await? {
        return Err(full());
    }
    objects.delete(&mark).await?;
    if has_blobs(objects, container).await? {
        let back =
            objects.store.put_opts(&mark, Vec::new().into(), PutMode::Overwrite.into()).await;
        back.map_err(|error| failed("restore the container", &error))?;
        return Err(full());
    }
    remove_all(objects, &objects.layout.uploads(container)).await?;
    Ok(true)
}

async fn has_blobs(objects: &Objects, container: &str) -> Result<bool, Error> {
    let container = objects.layout.container(container);
    let mut listed = objects.store.list(Some(&container));
    while let Some(meta) = listed.try_next().await.map_err(|error| failed("list", &error))? {
        if blob(objects, &container, &meta).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the name of the blob that an object is.
fn blob(objects: &Objects, container: &Path, meta: &ObjectMeta) -> Option<String> {
    objects.layout.name(container, &meta.location)
}

/// Removes all objects below a path.
pub async fn remove_all(objects: &Objects, path: &Path) -> Result<(), Error> {
    let listed = objects.store.list(Some(path)).map_err(|error| failed("list", &error));
    let removed = listed
        .map_ok(|meta| async move { objects.delete(&meta.location).await })
        .try_buffer_unordered(limits::OBJECTS_AT_ONCE);
    removed.try_for_each(|_| std::future::ready(Ok(()))).await
}

/// Lists the containers in the order of their names.
pub async fn list(
    objects: &Objects,
    cursor: Option<&str>,
    entries: usize,
) -> Result<Containers, Error> {
    let marks = objects.layout.marks();
    let mut page = Page::new(cursor, entries);
    let mut listed = match cursor.and_then(|cursor| below(&marks, cursor)) {
        Some(after) => objects.store.list_with_offset(Some(&marks), &after),
        None => objects.store.list(Some(&marks)),
    };
    while let Some(meta) = listed.try_next().await.map_err(|error| failed("list", &error))? {
        if let Some(container) = meta.location.filename() {
            page.offer(container);
        }
        if objects.layout.is_ordered() && page.is_full() {
            break;
        }
    }
    let (containers, cursor) = page.end();
    Ok(Containers { containers, cursor })
}

/// Lists blobs in the order of their names.
pub async fn blobs(objects: &Objects, list: &List) -> Result<Blobs, Error> {
    let container = objects.layout.container(&list.container);
    let mut page = Page::new(list.cursor.as_deref(), list.entries() as usize);
    let mut found = BTreeMap::new();
    let mut listed = objects_from(objects, &container, list);
    while let Some(meta) = listed.next().await {
        let meta = meta.map_err(|error| failed("list", &error))?;
        let Some(name) = blob(objects, &container, &meta) else { continue };
        if objects.layout.is_ordered() && name > list.prefix && !name.starts_with(&list.prefix) {
            break;
        }
        if name.starts_with(&list.prefix)
            && list.cursor.as_ref().is_none_or(|cursor| name > *cursor)
            && let Some(info) = objects.listed(name.clone(), &meta)
        {
            page.offer(&name);
            found.insert(name, info);
            // As many as the page keeps: others can't be among them any more.
            while found.len() > list.entries() as usize + 1 {
                found.pop_last();
            }
        }
        if objects.layout.is_ordered() && page.is_full() {
            break;
        }
    }
    drop(listed);
    if found.is_empty() {
        must_exist(objects, &list.container).await?;
    }
    let (names, cursor) = page.end();
    let blobs = names.iter().filter_map(|name| found.remove(name)).collect();
    Ok(Blobs { blobs, cursor })
}

/// Lists the objects that may be on a page, and few others where the store lists in order.
fn objects_from(
    objects: &Objects,
    container: &Path,
    list: &List,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    if !objects.layout.is_ordered() {
        return objects.store.list(Some(container));
    }
    let folder = list.prefix.rsplit_once('/').and_then(|(folder, _)| below(container, folder));
    let folder = folder.unwrap_or_else(|| container.clone());
    match list.cursor.as_deref().and_then(|cursor| below(container, cursor)) {
        Some(after) => objects.store.list_with_offset(Some(&folder), &after),
        None => objects.store.list(Some(&folder)),
    }
}

fn below(path: &Path, name: &str) -> Option<Path> {
    Path::parse(format!("{path}/{name}")).ok()
}
