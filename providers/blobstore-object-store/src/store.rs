//! The store of one link.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_protocol::contract::blobstore::{
    BeginPut, Blob, Blobs, Container, Containers, FinishPut, Found, Get, Info, List,
    ListContainers, Part, Put, PutChunk, Received, Upload,
};
use lattice_protocol::contract::{Empty, Existed, Message};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;
use mesh_provider::blobstore::{no_container, no_upload, parse_token};
use mesh_provider::contract::BlobStore;
use object_store::path::Path;

use crate::chunks::{self, Chunk};
use crate::compose::{Plan, compose, is_wrong_digest};
use crate::containers::{self, must_exist, remove_all};
use crate::fault::{Doing, bad, contended, no_room, within};
use crate::layout::UploadPaths;
use crate::limits;
use crate::objects::{Objects, described};
use crate::sweep::Sweeper;

/// The containers of one tenant.
pub struct Store {
    objects: Objects,
    sweeper: Sweeper,
}

impl Store {
    /// Opens the containers of a tenant.
    pub fn new(objects: Objects) -> Self {
        Self { objects, sweeper: Sweeper::default() }
    }

    /// Returns where an upload is.
    fn uploading(&self, token: &str) -> Result<UploadPaths, Error> {
        let (container, upload) = parse_token(token).ok_or_else(no_upload)?;
        Ok(self.objects.layout.upload(container, upload))
    }

    async fn put_whole(&self, put: Put) -> Result<Info, Error> {
        let Put { container, name, body, content_type, metadata } = put;
        let path = self.objects.layout.blob(&container, &name)?;
        must_exist(&self.objects, &container).await?;
        let info = described(name, body.len() as u64, content_type, metadata);
        let info = self.objects.write(&path, info, Bytes::from(body)).await?;
        self.still(&container, &path).await?;
        Ok(info)
    }

    /// Takes a blob back whose container was removed while it was stored.
    async fn still(&self, container: &str, path: &Path) -> Result<(), Error> {
        if self.objects.exists(&self.objects.layout.mark(container)).await? {
            return Ok(());
        }
        self.objects.delete(path).await?;
        Err(no_container(container))
    }

    async fn begin(&self, put: BeginPut) -> Result<Upload, Error> {
        // What can't be a blob in the end is refused at the beginning.
        self.objects.layout.blob(&put.container, &put.name)?;
        must_exist(&self.objects, &put.container).await?;
        self.sweeper.sweep(&self.objects, &put.container).await;
        let record = put.encode().map_err(|error| bad(error.to_string()))?;
        let (paths, upload) = self.objects.layout.new_upload(&put.container);
        if !self.objects.create(&paths.record, record.into()).await? {
            return Err(contended("the upload"));
        }
        Ok(upload)
    }

    async fn take_chunk(&self, chunk: PutChunk) -> Result<Received, Error> {
        let PutChunk { upload, offset, body } = chunk;
        let paths = self.uploading(&upload)?;
        if !self.objects.exists(&paths.record).await? {
            return Err(no_upload());
        }
        let last = chunks::last(&self.objects, &paths.chunks).await?;
        let received = last.as_ref().map_or(0, Chunk::end);
        if offset.saturating_add(body.len() as u64) <= received {
            return Ok(Received { received });
        }
        if offset != received {
            return Err(bad(format!("the chunk begins at {offset}, but {received} were received")));
        }
        let added = chunks::add(&self.objects, &paths.chunks, last.as_ref(), body.into()).await?;
        Ok(Received { received: added.end() })
    }

    async fn finish(&self, finish: FinishPut, deadline: Instant) -> Result<Info, Error> {
        let paths = self.uploading(&finish.upload)?;
        let record = self.objects.read_all(&paths.record).await?.ok_or_else(no_upload)?;
        let BeginPut { container, name, content_type, metadata, .. } = BeginPut::decode(&record)
            .map_err(|error| {
                Error::not_started(
                    ErrorCode::Internal,
                    format!("the upload can't be read: {error}"),
                )
            })?;
        let chunks = chunks::all(&self.objects, &paths.chunks).await?;
        let received = chunks.iter().map(|chunk| chunk.size).sum::<u64>();
        if received != finish.size {
            let size = finish.size;
            return Err(bad(format!("{received} bytes were received, and the blob has {size}")));
        }
        let path = self.objects.layout.blob(&container, &name)?;
        must_exist(&self.objects, &container).await.map_err(|error| match error.code {
            ErrorCode::NotFound => no_upload(),
            _ => error,
        })?;
        let info = described(name, received, content_type, metadata);
        let chunks = (&paths.chunks, chunks);
        let plan = Plan { path: &path, info, chunks, wanted: finish.digest };
        let made = Box::pin(compose(&self.objects, plan, deadline)).await;
        let info = match made {
            Err(error) if is_wrong_digest(&error) => {
                self.forget(&paths).await?;
                return Err(error);
            }
            made => made?,
        };
        self.still(&container, &path).await?;
        // The blob is there: chunks that stay are removed with the abandoned ones.
        if let Err(error) = self.forget(&paths).await {
            tracing::debug!(%error, "the chunks of a finished upload stay");
        }
        Ok(info)
    }

    /// Removes an upload: its record first, so that it takes no more.
    async fn forget(&self, paths: &UploadPaths) -> Result<(), Error> {
        self.objects.delete(&paths.record).await?;
        remove_all(&self.objects, &paths.all).await
    }

    async fn read(&self, get: &Get) -> Result<Part, Error> {
        let path = self.objects.layout.blob(&get.container, &get.name)?;
        for _ in 0..limits::READ_TRIES {
            let Some(found) = self.objects.find(&path, &get.name).await? else {
                must_exist(&self.objects, &get.container).await?;
                return Ok(Part::default());
            };
            let body = self.objects.part(&path, &found, get.offset, get.bytes()).await?;
            if let Some(body) = body {
                return Ok(Part { info: Some(found.info), body });
            }
        }
        Err(contended("the blob"))
    }

    async fn find(&self, blob: &Blob) -> Result<Option<Info>, Error> {
        let path = self.objects.layout.blob(&blob.container, &blob.name)?;
        match self.objects.find(&path, &blob.name).await? {
            Some(found) => Ok(Some(found.info)),
            None => must_exist(&self.objects, &blob.container).await.map(|()| None),
        }
    }

    async fn remove(&self, blob: &Blob) -> Result<bool, Error> {
        let there = self.find(blob).await?.is_some();
        let path = self.objects.layout.blob(&blob.container, &blob.name)?;
        Ok(there && self.objects.delete(&path).await?)
    }
}

/// When the store is given up, so that an answer is in time.
fn deadline(info: &CallInfo) -> Instant {
    let end = info.deadline.checked_sub(Duration::from_millis(limits::ANSWER_MS));
    end.unwrap_or(info.deadline)
}

impl BlobStore for Store {
    async fn create_container(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        let create = containers::create(&self.objects, &ask.container);
        Ok(Existed { existed: within(info, Doing::Writes, create).await? })
    }

    async fn delete_container(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        let delete = containers::delete(&self.objects, &ask.container);
        Ok(Existed { existed: within(info, Doing::Writes, delete).await? })
    }

    async fn container_exists(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        let mark = self.objects.layout.mark(&ask.container);
        Ok(Existed { existed: within(info, Doing::Reads, self.objects.exists(&mark)).await? })
    }

    async fn list_containers(
        &self,
        ask: ListContainers,
        info: &CallInfo,
    ) -> Result<Containers, Error> {
        let (cursor, entries) = (ask.cursor.as_deref(), ask.entries() as usize);
        within(info, Doing::Reads, containers::list(&self.objects, cursor, entries)).await
    }

    async fn put(&self, put: Put, info: &CallInfo) -> Result<Info, Error> {
        within(info, Doing::Writes, self.put_whole(put)).await
    }

    async fn begin_put(&self, put: BeginPut, info: &CallInfo) -> Result<Upload, Error> {
        if let Some(size) = put.size.filter(|size| *size > limits::BLOB_BYTES_MAX) {
            let most = limits::BLOB_BYTES_MAX;
            return Err(no_room(format!("a blob has at most {most} bytes, not {size}")));
        }
        within(info, Doing::Writes, self.begin(put)).await
    }

    async fn put_chunk(&self, chunk: PutChunk, info: &CallInfo) -> Result<Received, Error> {
        within(info, Doing::Writes, self.take_chunk(chunk)).await
    }

    async fn finish_put(&self, finish: FinishPut, info: &CallInfo) -> Result<Info, Error> {
        within(info, Doing::Writes, self.finish(finish, deadline(info))).await
    }

    async fn abort_put(&self, upload: Upload, info: &CallInfo) -> Result<Empty, Error> {
        let Ok(paths) = self.uploading(&upload.upload) else { return Ok(Empty {}) };
        within(info, Doing::Writes, self.forget(&paths)).await.map(|()| Empty {})
    }

    async fn get(&self, get: Get, info: &CallInfo) -> Result<Part, Error> {
        within(info, Doing::Reads, self.read(&get)).await
    }

    async fn info(&self, blob: Blob, info: &CallInfo) -> Result<Found, Error> {
        Ok(Found { info: within(info, Doing::Reads, self.find(&blob)).await? })
    }

    async fn list(&self, list: List, info: &CallInfo) -> Result<Blobs, Error> {
        within(info, Doing::Reads, containers::blobs(&self.objects, &list)).await
    }

    async fn delete(&self, blob: Blob, info: &CallInfo) -> Result<Existed, Error> {
        Ok(Existed { existed: within(info, Doing::Writes, self.remove(&blob)).await? })
    }
}
