//! The store of one link.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use lattice_client::Lattice;
use lattice_protocol::contract::blobstore::{
    BeginPut, Blob, Blobs, Container, Containers, FinishPut, Found, Get, Info, List,
    ListContainers, Part, Put, PutChunk, Received, Upload,
};
use lattice_protocol::contract::{Empty, Existed};
use lattice_protocol::{Error, ErrorCode, subjects};
use mesh_provider::CallInfo;
use mesh_provider::blobstore::{Page, no_container, no_upload, parse_token, token};
use mesh_provider::contract::BlobStore;

use crate::bucket::Bucket;
use crate::containers;
use crate::fault::{Doing, bad, contended, within};
use crate::meta::{self, Blocks};
use crate::sweep::Sweeper;
use crate::upload::{self, Record, State};
use crate::{chunk, limits, read};

/// The containers of one tenant.
pub struct Store {
    lattice: Lattice,
    /// What the names of its object stores begin with.
    prefix: String,
    /// The actor whose uploads these are.
    source: String,
    sweeper: Sweeper,
}

impl Store {
    /// Opens the containers of a tenant for an actor.
    pub fn new(lattice: Lattice, tenant: &str, source: String) -> Self {
        let prefix = subjects::blobs_bucket_prefix(lattice.name(), tenant);
        Self { lattice, prefix, source, sweeper: Sweeper::default() }
    }

    async fn bucket(&self, container: &str) -> Result<Bucket, Error> {
        Bucket::named(self.lattice.jetstream(), &self.prefix, container).await
    }

    /// Returns the bucket of an upload, and its version.
    async fn uploading<'a>(&self, token: &'a str) -> Result<(Bucket, &'a str), Error> {
        let (container, version) = parse_token(token).ok_or_else(no_upload)?;
        Ok((self.bucket(container).await?, version))
    }

    fn record(&self, state: State, put: BeginPut) -> Record {
        let BeginPut { name, content_type, metadata, .. } = put;
        Record { state, source: self.source.clone(), name, content_type, metadata }
    }

    async fn put_whole(&self, put: Put) -> Result<Info, Error> {
        let Put { container, name, body, content_type, metadata } = put;
        let bucket = self.bucket(&container).await?;
        // Until it is a blob it is an upload: what is left of one that is broken off is removed.
        let begin = BeginPut { container, name, size: None, content_type, metadata };
        let upload = upload::begin(&bucket, &self.record(State::Finishing, begin)).await?;
        let blocks = chunk::add_whole(&bucket, &upload.version, Bytes::from(body)).await?;
        let version = upload.version;
        let info = meta::commit(&bucket, &version, upload.record.about(), blocks).await?;
        ended(&bucket, &version).await;
        Ok(info)
    }

    async fn take_chunk(&self, chunk: PutChunk) -> Result<Received, Error> {
        let PutChunk { upload: token, offset, body } = chunk;
        let (bucket, version) = self.uploading(&token).await?;
        let upload = upload::open(&bucket, version, &self.source).await.map_err(as_upload)?;
        if upload.record.state != State::Open {
            return Err(no_upload());
        }
        let at = chunk::look(&bucket, version).await?;
        let (end, received) = (offset.saturating_add(body.len() as u64), at.received());
        if end <= received {
            return Ok(Received { received });
        }
        if offset != received {
            return Err(bad(format!("the chunk begins at {offset}, but {received} were received")));
        }
        room(end)?;
        let at = chunk::tidy(&bucket, version, at).await?;
        let at = chunk::add(&bucket, version, at, Bytes::from(body)).await?;
        Ok(Received { received: at.received() })
    }

    async fn finish(&self, finish: FinishPut) -> Result<Info, Error> {
        let (bucket, version) = self.uploading(&finish.upload).await?;
        let mut upload = upload::open(&bucket, version, &self.source).await.map_err(as_upload)?;
        let at = chunk::look(&bucket, version).await?;
        let received = at.received();
        if received != finish.size {
            let size = finish.size;
            return Err(bad(format!("{received} bytes were received, and the blob has {size}")));
        }
        let at = chunk::settle(&bucket, version, at).await?;
        let digest = at.hash.finish();
        let found = data_encoding::HEXLOWER.encode(&digest);
        if let Some(wanted) = finish.digest.filter(|wanted| wanted.as_str() != found) {
            upload::forget(&bucket, upload).await?;
            return Err(bad(format!("the bytes have the digest {found}, not {wanted}")));
        }
        if !upload::turn(&bucket, &mut upload, State::Finishing).await? {
            return Err(contended("the upload"));
        }
        let first = bucket.next(&subjects::object_blocks(&bucket.name, version), 1).await?;
        let first = first.map_or(1, |first| first.sequence);
        let blocks = Blocks { size: received, first, last: at.last, digest };
        let info = meta::commit(&bucket, version, upload.record.about(), blocks).await?;
        ended(&bucket, version).await;
        Ok(info)
    }

    async fn abort(&self, token: &str) -> Result<Empty, Error> {
        let Some((container, version)) = parse_token(token) else { return Ok(Empty {}) };
        let bucket = self.bucket(container).await?;
        for _ in 0..limits::COMMIT_TRIES {
            let upload = match upload::open(&bucket, version, &self.source).await {
                Err(error) if error.code == ErrorCode::NotFound => return Ok(Empty {}),
                upload => upload?,
            };
            // Whoever finishes it decides what becomes of its bytes.
            if upload.record.state == State::Finishing || upload::forget(&bucket, upload).await? {
                return Ok(Empty {});
            }
        }
        Err(contended("the upload"))
    }

    async fn read(&self, get: &Get) -> Result<Part, Error> {
        let bucket = self.bucket(&get.container).await?;
        for _ in 0..limits::READ_TRIES {
            let Some(meta) = meta::find(&bucket, &get.name).await? else {
                return Ok(Part::default());
            };
            if let Some(body) = read::part(&bucket, &meta, get.offset, get.bytes()).await? {
                return Ok(Part { info: Some(meta::info(&meta)?), body });
            }
            tokio::time::sleep(Duration::from_millis(limits::READ_PAUSE_MS)).await;
        }
        Err(contended("the blob"))
    }

    async fn page(&self, list: List) -> Result<Blobs, Error> {
        let bucket = self.bucket(&list.container).await?;
        let mut page = Page::new(list.cursor.as_deref(), list.entries() as usize);
        let filter = subjects::object_meta(&bucket.name, "*");
        bucket
            .subjects(&filter, |token| {
                if let Some(name) =
                    meta::name_of(token).filter(|name| name.starts_with(&list.prefix))
                {
                    page.offer(&name);
                }
            })
            .await?;
        let (names, cursor) = page.end();
        let found = futures_util::stream::iter(names)
            .map(|name| {
                let bucket = bucket.clone();
                async move { meta::find(&bucket, &name).await }
            })
            .buffered(limits::INFOS_AT_ONCE);
        let found: Vec<_> = found.try_collect().await?;
        // What another program stored under a name that the contract refuses is left out.
        let blobs = found.into_iter().flatten().filter_map(|meta| meta::info(&meta).ok()).collect();
        Ok(Blobs { blobs, cursor })
    }
}

/// The blob is there: a record that stays is removed with the abandoned ones.
async fn ended(bucket: &Bucket, version: &str) {
    if let Err(error) = upload::close(bucket, version).await {
        tracing::debug!(%error, "the record of a finished upload stays");
    }
}

/// An upload went with its container.
fn as_upload(error: Error) -> Error {
    if error.code == ErrorCode::NotFound { no_upload() } else { error }
}

/// Checks that a blob may be as long.
fn room(bytes: u64) -> Result<(), Error> {
    if bytes > limits::BLOB_BYTES_MAX {
        let most = limits::BLOB_BYTES_MAX;
        return Err(Error::not_started(
            ErrorCode::LimitExceeded,
            format!("a blob has at most {most} bytes, not {bytes}"),
        ));
    }
    Ok(())
}

impl BlobStore for Store {
    async fn create_container(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        within(&self.lattice, info, Doing::Writes, async {
            let bucket = self.bucket(&ask.container).await?;
            Ok(Existed { existed: containers::create(&bucket, self.lattice.replicas()).await? })
        })
        .await
    }

    async fn delete_container(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        within(&self.lattice, info, Doing::Writes, async {
            let bucket = self.bucket(&ask.container).await?;
            Ok(Existed { existed: containers::delete(&bucket, &ask.container).await? })
        })
        .await
    }

    async fn container_exists(&self, ask: Container, info: &CallInfo) -> Result<Existed, Error> {
        within(&self.lattice, info, Doing::Reads, async {
            Ok(Existed { existed: self.bucket(&ask.container).await?.exists().await? })
        })
        .await
    }

    async fn list_containers(
        &self,
        ask: ListContainers,
        info: &CallInfo,
    ) -> Result<Containers, Error> {
        let (cursor, entries) = (ask.cursor.as_deref(), ask.entries() as usize);
        let list = containers::list(&self.lattice, &self.prefix, cursor, entries);
        within(&self.lattice, info, Doing::Reads, list).await
    }

    async fn put(&self, put: Put, info: &CallInfo) -> Result<Info, Error> {
        within(&self.lattice, info, Doing::Writes, self.put_whole(put)).await
    }

    async fn begin_put(&self, put: BeginPut, info: &CallInfo) -> Result<Upload, Error> {
        room(put.size.unwrap_or(0))?;
        within(&self.lattice, info, Doing::Writes, async {
            let container = put.container.clone();
            let bucket = self.bucket(&container).await?;
            if !bucket.exists().await? {
                return Err(no_container(&container));
            }
            self.sweeper.sweep(&bucket).await;
            let upload = upload::begin(&bucket, &self.record(State::Open, put)).await?;
            Ok(Upload { upload: token(&container, &upload.version) })
        })
        .await
    }

    async fn put_chunk(&self, chunk: PutChunk, info: &CallInfo) -> Result<Received, Error> {
        within(&self.lattice, info, Doing::Writes, self.take_chunk(chunk)).await
    }

    async fn finish_put(&self, finish: FinishPut, info: &CallInfo) -> Result<Info, Error> {
        within(&self.lattice, info, Doing::Writes, self.finish(finish)).await
    }

    async fn abort_put(&self, upload: Upload, info: &CallInfo) -> Result<Empty, Error> {
        within(&self.lattice, info, Doing::Writes, self.abort(&upload.upload)).await
    }

    async fn get(&self, get: Get, info: &CallInfo) -> Result<Part, Error> {
        within(&self.lattice, info, Doing::Reads, self.read(&get)).await
    }

    async fn info(&self, blob: Blob, info: &CallInfo) -> Result<Found, Error> {
        within(&self.lattice, info, Doing::Reads, async {
            let bucket = self.bucket(&blob.container).await?;
            let found = meta::find(&bucket, &blob.name).await?;
            Ok(Found { info: found.as_ref().map(meta::info).transpose()? })
        })
        .await
    }

    async fn list(&self, list: List, info: &CallInfo) -> Result<Blobs, Error> {
        within(&self.lattice, info, Doing::Reads, self.page(list)).await
    }

    async fn delete(&self, blob: Blob, info: &CallInfo) -> Result<Existed, Error> {
        within(&self.lattice, info, Doing::Writes, async {
            let bucket = self.bucket(&blob.container).await?;
            Ok(Existed { existed: meta::remove(&bucket, &blob.name).await? })
        })
        .await
    }
}
