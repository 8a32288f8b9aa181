//! Makes a blob of the chunks of an upload, in parts, with no more in memory than a few of them.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use futures_util::{StreamExt, TryStreamExt};
use lattice_protocol::contract::blobstore::Info;
use lattice_protocol::names::{Digest, NameError};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::blobstore::no_upload;
use object_store::path::Path;
use object_store::{MultipartUpload, PutMultipartOptions};
use sha2::{Digest as _, Sha256};

use crate::chunks::Chunk;
use crate::fault::{bad, failed, late};
use crate::layout::Form;
use crate::objects::Objects;
use crate::{folder, limits, s3_form};

/// What a blob is made of.
pub struct Plan<'a> {
    /// Where the blob will be.
    pub path: &'a Path,
    /// What will be said about it.
    pub info: Info,
    /// Where its chunks are, and which there are, in order.
    pub chunks: (&'a Path, Vec<Chunk>),
    /// The digest that it must have.
    pub wanted: Option<Digest>,
}

/// Makes the blob by `deadline`. What fits into one part is written at once.
///
/// # Errors
/// `bad_request` for another digest, `not_found` where the upload was forgotten in the meantime.
pub async fn compose(objects: &Objects, plan: Plan<'_>, deadline: Instant) -> Result<Info, Error> {
    if plan.info.size <= limits::PART_BYTES as u64 {
        let mut body = BytesMut::new();
        let mut read = std::pin::pin!(read(objects, &plan));
        while let Some(chunk) = read.try_next().await? {
            body.extend_from_slice(&chunk);
        }
        check(&plan.wanted, &Digest::of(&body))?;
        return objects.write(plan.path, plan.info.clone(), body.freeze()).await;
    }
    let mut info = plan.info.clone();
    // The digest of the bytes is known at their end only, the metadata are said at the beginning.
    info.digest.clone_from(&plan.wanted);
    let options = match objects.layout.form {
        Form::Folder => PutMultipartOptions::default(),
        Form::S3 => PutMultipartOptions {
            attributes: s3_form::attributes(&info)?,
            ..PutMultipartOptions::default()
        },
    };
    let begun = objects.store.put_multipart_opts(plan.path, options).await;
    let mut upload = begun.map_err(|error| failed("write", &error))?;
    // Parts that nobody puts together stay in the store, and cost money there: leave time to abort.
    let left = deadline.saturating_duration_since(Instant::now());
    let tidy = Duration::from_millis(limits::TIDY_MS).min(left / 4);
    let written = tokio::time::timeout(left - tidy, write(objects, &plan, info, upload.as_mut()));
    let error = match written.await {
        Ok(Ok(info)) => return Ok(info),
        Ok(Err(error)) => error,
        Err(_) => late(),
    };
    match tokio::time::timeout(tidy, upload.abort()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, path = %plan.path, "parts of a blob stay"),
        Err(_) => tracing::warn!(path = %plan.path, "parts of a blob may stay"),
    }
    Err(error)
}

async fn write(
    objects: &Objects,
    plan: &Plan<'_>,
    mut info: Info,
    upload: &mut dyn MultipartUpload,
) -> Result<Info, Error> {
    // S3 can't be told a digest any more; the hash is for nothing where nobody asks.
    let wanted = plan.wanted.is_some() || objects.layout.form == Form::Folder;
    let mut hash = wanted.then(Sha256::new);
    let mut part = BytesMut::with_capacity(limits::PART_BYTES);
    let mut read = std::pin::pin!(read(objects, plan));
    while let Some(chunk) = read.try_next().await? {
        if let Some(hash) = &mut hash {
            hash.update(&chunk);
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            // Some stores want all parts but the last one to be of one size.
            let some = rest.split_to(rest.len().min(limits::PART_BYTES - part.len()));
            part.extend_from_slice(&some);
            if part.len() == limits::PART_BYTES {
                let full =
                    std::mem::replace(&mut part, BytesMut::with_capacity(limits::PART_BYTES));
                put_part(upload, full.freeze()).await?;
            }
        }
    }
    if let Some(hash) = hash {
        let digest: Digest =
            HEXLOWER.encode(&hash.finalize()).parse().map_err(|error: NameError| {
                Error::not_started(ErrorCode::Internal, error.to_string())
            })?;
        check(&plan.wanted, &digest)?;
        info.digest = Some(digest);
    }
    if objects.layout.form == Form::Folder {
        part.extend_from_slice(&folder::footer(&info)?);
    }
    if !part.is_empty() {
        put_part(upload, part.freeze()).await?;
    }
    let done = upload.complete().await.map_err(|error| failed("write", &error))?;
    Ok(objects.written(info, done.e_tag.as_deref()))
}

async fn put_part(upload: &mut dyn MultipartUpload, part: Bytes) -> Result<(), Error> {
    upload.put_part(part.into()).await.map_err(|error| failed("write", &error))
}

/// Reads the chunks one after the other, the next ones ahead.
fn read<'a>(
    objects: &'a Objects,
    plan: &'a Plan<'_>,
) -> impl futures_util::Stream<Item = Result<Bytes, Error>> + Send + 'a {
    let (folder, chunks) = &plan.chunks;
    futures_util::stream::iter(chunks)
        .map(|chunk| async {
            let bytes = objects.read_all(&chunk.path(folder)).await?.ok_or_else(no_upload)?;
            if bytes.len() as u64 == chunk.size { Ok(bytes) } else { Err(no_upload()) }
        })
        .buffered(limits::CHUNKS_AHEAD)
}

fn check(wanted: &Option<Digest>, found: &Digest) -> Result<(), Error> {
    match wanted {
        Some(wanted) if wanted != found => Err(wrong_digest(wanted, found)),
        _ => Ok(()),
    }
}

fn wrong_digest(wanted: &Digest, found: &Digest) -> Error {
    bad(format!("the bytes have the digest {found}, not {wanted}")).with_detail("what", "digest")
}

/// Returns whether the bytes turned out to be others than was said.
pub fn is_wrong_digest(error: &Error) -> bool {
    error.detail.get("what").is_some_and(|what| what == "digest")
}
