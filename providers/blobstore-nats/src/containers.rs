//! The containers of a tenant.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use lattice_client::Lattice;
use lattice_protocol::contract::blobstore::Containers;
use lattice_protocol::{Error, subjects};

use crate::bucket::Bucket;
use crate::fault::{bad, failed};
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

/// The least names after a cursor, of names in any order: never holds more than a page.
pub struct Page {
    cursor: String,
    entries: usize,
    names: BTreeSet<String>,
}

impl Page {
    /// Begins a page of at most `entries` names that are greater than the cursor.
    pub fn new(cursor: Option<&str>, entries: usize) -> Self {
        Self { cursor: cursor.unwrap_or_default().to_owned(), entries, names: BTreeSet::new() }
    }

    /// Takes a name that may belong to the page.
    pub fn offer(&mut self, name: &str) {
        let full = self.names.len() > self.entries;
        let beyond = full && self.names.last().is_some_and(|last| name >= last.as_str());
        if name <= self.cursor.as_str() || beyond {
            return;
        }
        self.names.insert(name.to_owned());
        if self.names.len() > self.entries + 1 {
            self.names.pop_last();
        }
    }

    /// Returns the names, and the cursor where others follow.
    pub fn end(mut self) -> (Vec<String>, Option<String>) {
        let more = self.names.len() > self.entries;
        if more {
            self.names.pop_last();
        }
        let cursor = self.names.last().cloned().filter(|_| more);
        (self.names.into_iter().collect(), cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_every_name_once_and_in_order() {
        let all: Vec<String> = (0..25).map(|n| format!("n{:02}", n * 7 % 25)).collect();
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut page = Page::new(cursor.as_deref(), 10);
            all.iter().for_each(|name| page.offer(name));
            let (names, next) = page.end();
            assert!(names.len() <= 10);
            seen.extend(names);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let mut sorted = all;
        sorted.sort();
        assert_eq!(seen, sorted);
    }
}
