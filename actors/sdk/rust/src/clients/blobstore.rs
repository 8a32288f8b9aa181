//! `mesh:blobstore`: large objects by name, in containers.
//!
//! [`Store::put`] and [`Store::get`] move a blob whole, in as many messages as that takes. A blob
//! that does not fit into the actor's memory is written through an [`Uploading`] and read by
//! [`Store::part`].

use std::collections::BTreeMap;

use lattice_protocol::contract::Existed;
use lattice_protocol::contract::blobstore::{
    Blob, Blobs, Container, Containers, Found, List, ListContainers, operation as op,
};
use lattice_protocol::contract::limits::blobstore::CHUNK_BYTES_MAX;

pub use lattice_protocol::contract::blobstore::{BeginPut, Get, Info, Part, Put};

pub use super::uploads::Uploading;

use super::pages::Pages;
use crate::limits::BLOB_READS_MAX;
use crate::{Error, Result};

super::handle! {
    /// A store that a link leads to.
    Store of blobstore
}

impl<'a> Store<'a> {
    /// Makes a container; returns whether it was there already.
    ///
    /// # Errors
    /// [`Error::Host`], and [`Error::BadPayload`] beyond the bounds of the contract, as all of
    /// these; `not_found` where a container does not exist.
    pub fn create_container(&self, container: &str) -> Result<bool> {
        self.existed(op::CREATE_CONTAINER, container)
    }

    /// Takes away a container that has no blobs; returns whether there was one.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn delete_container(&self, container: &str) -> Result<bool> {
        self.existed(op::DELETE_CONTAINER, container)
    }

    /// Returns whether there is such a container.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn container_exists(&self, container: &str) -> Result<bool> {
        self.existed(op::CONTAINER_EXISTS, container)
    }

    /// Returns the names of the containers, fetched as they are asked for.
    pub fn containers(&self) -> Pages<'a, String> {
        let store = *self;
        Pages::new(move |cursor| {
            let page: Containers =
                store.ask(op::LIST_CONTAINERS, &ListContainers { cursor, limit: None })?;
            Ok((page.containers, page.cursor))
        })
    }

    /// Stores a blob of any size in the place of an earlier one.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn put(&self, container: &str, name: &str, body: impl Into<Vec<u8>>) -> Result<Info> {
        let (container, name) = (container.to_owned(), name.to_owned());
        let body = body.into();
        self.put_with(Put { container, name, body, content_type: None, metadata: BTreeMap::new() })
    }

    /// Stores like [`put`](Self::put) a blob with what is to be known of it.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn put_with(&self, put: Put) -> Result<Info> {
        if put.body.len() <= CHUNK_BYTES_MAX {
            return self.ask(op::PUT, &put);
        }
        let Put { container, name, body, content_type, metadata } = put;
        let size = Some(body.len() as u64);
        let mut upload = self.begin(&BeginPut { container, name, size, content_type, metadata })?;
        match upload.write(&body) {
            Ok(()) => upload.finish(None),
            Err(error) => {
                // What is not finished is forgotten anyway, later.
                let _ = upload.abort();
                Err(error)
            }
        }
    }

    /// Begins to store a blob in pieces.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn begin(&self, request: &BeginPut) -> Result<Uploading<'a>> {
        let upload = self.ask(op::BEGIN_PUT, request)?;
        Ok(Uploading::of(*self, upload))
    }

    /// Reads a blob whole. One that is stored anew meanwhile is read again from its beginning, up
    /// to [`BLOB_READS_MAX`] times.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container); [`Error::Actor`] where it never stays the
    /// same for long enough.
    pub fn get(&self, container: &str, name: &str) -> Result<Option<Vec<u8>>> {
        for _ in 0..BLOB_READS_MAX {
            match self.read(container, name)? {
                Read::Whole(body) => return Ok(Some(body)),
                Read::Nothing => return Ok(None),
                Read::Changed => {}
            }
        }
        Err(Error::actor(format!("the blob {name:?} of {container} changes while it is read")))
    }

    fn read(&self, container: &str, name: &str) -> Result<Read> {
        let mut body = Vec::new();
        let mut version: Option<String> = None;
        loop {
            let offset = body.len() as u64;
            let part = self.part(container, name, offset, None)?;
            let Some(info) = part.info else {
                return Ok(if version.is_none() { Read::Nothing } else { Read::Changed });
            };
            if version.get_or_insert_with(|| info.version.clone()) != &info.version {
                return Ok(Read::Changed);
            }
            body.extend_from_slice(&part.body);
            if body.len() as u64 >= info.size {
                return Ok(Read::Whole(body));
            }
            if part.body.is_empty() {
                return Ok(Read::Changed);
            }
        }
    }

    /// Reads up to `length` bytes from `offset` on, as many as a message has where there is no
    /// number. Parts of different versions do not belong together.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn part(
        &self,
        container: &str,
        name: &str,
        offset: u64,
        length: Option<u64>,
    ) -> Result<Part> {
        let (container, name) = (container.to_owned(), name.to_owned());
        self.ask(op::GET, &Get { container, name, offset, length })
    }

    /// Returns what is known about a blob.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn info(&self, container: &str, name: &str) -> Result<Option<Info>> {
        let found: Found = self.ask(op::INFO, &blob(container, name))?;
        Ok(found.info)
    }

    /// Returns what is known about the blobs whose names begin with `prefix`, in their order,
    /// fetched as they are asked for.
    pub fn list(&self, container: &str, prefix: &str) -> Pages<'a, Info> {
        let (store, container, prefix) = (*self, container.to_owned(), prefix.to_owned());
        Pages::new(move |cursor| {
            let (container, prefix) = (container.clone(), prefix.clone());
            let page: Blobs =
                store.ask(op::LIST, &List { container, prefix, cursor, limit: None })?;
            Ok((page.blobs, page.cursor))
        })
    }

    /// Takes away a blob; returns whether there was one.
    ///
    /// # Errors
    /// As [`create_container`](Self::create_container).
    pub fn delete(&self, container: &str, name: &str) -> Result<bool> {
        let Existed { existed } = self.ask(op::DELETE, &blob(container, name))?;
        Ok(existed)
    }

    fn existed(&self, operation: &str, container: &str) -> Result<bool> {
        let container = container.to_owned();
        let Existed { existed } = self.ask(operation, &Container { container })?;
        Ok(existed)
    }
}

/// What came of reading a blob.
enum Read {
    Whole(Vec<u8>),
    Nothing,
    Changed,
}

fn blob(container: &str, name: &str) -> Blob {
    Blob { container: container.to_owned(), name: name.to_owned() }
}
