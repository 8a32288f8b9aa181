//! What the checks of blobs have in common.

use std::collections::BTreeMap;

use lattice_protocol::Error;
use lattice_protocol::contract::Existed;
use lattice_protocol::contract::blobstore::{
    BeginPut, Blob, Blobs, Container, FinishPut, Found, Get, Info, List, Part, Put, PutChunk,
    Received, Upload, operation,
};
use lattice_protocol::names::Digest;

use crate::Link;
use crate::checks::{ask, same};

/// A container that checks may use, each with names of its own.
#[derive(Clone)]
pub struct Store {
    /// The way to it.
    pub link: Link,
    /// Its name.
    pub container: String,
}

impl Store {
    /// Makes the container.
    pub async fn create(&self) -> Result<(), String> {
        let container = Container { container: self.container.clone() };
        let made: Existed = ask(&self.link, operation::CREATE_CONTAINER, &container).await?;
        same("whether it was there", made.existed, false)
    }

    /// Returns what stores some bytes.
    pub fn a_put(&self, name: &str, body: &[u8]) -> Put {
        let (container, name) = (self.container.clone(), name.to_owned());
        Put { container, name, body: body.into(), content_type: None, metadata: BTreeMap::new() }
    }

    /// Stores some bytes.
    pub async fn put(&self, name: &str, body: &[u8]) -> Result<Info, String> {
        ask(&self.link, operation::PUT, &self.a_put(name, body)).await
    }

    /// Reads a part.
    pub async fn part(&self, name: &str, offset: u64, length: Option<u64>) -> Result<Part, String> {
        let (container, name) = (self.container.clone(), name.to_owned());
        ask(&self.link, operation::GET, &Get { container, name, offset, length }).await
    }

    /// Reads the beginning.
    pub async fn get(&self, name: &str) -> Result<Part, String> {
        self.part(name, 0, None).await
    }

    /// Names a blob.
    pub fn blob(&self, name: &str) -> Blob {
        Blob { container: self.container.clone(), name: name.to_owned() }
    }

    /// Describes a blob.
    pub async fn info(&self, name: &str) -> Result<Option<Info>, String> {
        let found: Found = ask(&self.link, operation::INFO, &self.blob(name)).await?;
        Ok(found.info)
    }

    /// Removes a blob.
    pub async fn delete(&self, name: &str) -> Result<bool, String> {
        let gone: Existed = ask(&self.link, operation::DELETE, &self.blob(name)).await?;
        Ok(gone.existed)
    }

    /// Lists a page.
    pub async fn list(
        &self,
        prefix: &str,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Blobs, String> {
        let (container, prefix) = (self.container.clone(), prefix.to_owned());
        ask(&self.link, operation::LIST, &List { container, prefix, cursor, limit }).await
    }

    /// Begins an upload.
    pub async fn begin(&self, name: &str) -> Result<String, String> {
        let put = BeginPut {
            container: self.container.clone(),
            name: name.to_owned(),
            size: None,
            content_type: Some("text/x-large".into()),
            metadata: BTreeMap::from([("owner".into(), "ada".into())]),
        };
        let upload: Upload = ask(&self.link, operation::BEGIN_PUT, &put).await?;
        Ok(upload.upload)
    }

    /// Adds a chunk; returns how many bytes were received.
    pub async fn chunk(&self, upload: &str, offset: u64, body: &[u8]) -> Result<u64, Error> {
        let chunk = PutChunk { upload: upload.to_owned(), offset, body: body.into() };
        let received: Received = self.link.ask(operation::PUT_CHUNK, &chunk).await?;
        Ok(received.received)
    }

    /// Ends an upload.
    pub async fn finish(
        &self,
        upload: &str,
        size: u64,
        digest: Option<Digest>,
    ) -> Result<Info, Error> {
        let finish = FinishPut { upload: upload.to_owned(), size, digest };
        self.link.ask(operation::FINISH_PUT, &finish).await
    }
}
