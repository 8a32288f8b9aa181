//! A store's objects as blobs: what is said about them, and their bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lattice_protocol::contract::blobstore::Info;
use lattice_protocol::{Error, names::Digest};
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload,
};

use crate::fault::failed;
use crate::layout::{Form, Layout};
use crate::{folder, limits, s3_form};

/// The objects of one tenant.
#[derive(Clone)]
pub struct Objects {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Where everything is in it.
    pub layout: Layout,
}

/// A blob that there is.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is said about it.
    pub info: Info,
    /// What tells whether it is still the same.
    etag: Option<String>,
}

impl Objects {
    /// Returns whether there is an object.
    pub async fn exists(&self, path: &Path) -> Result<bool, Error> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed("tell of an object", &error)),
        }
    }

    /// Removes an object. Returns whether it was there, as far as the store says it.
    pub async fn delete(&self, path: &Path) -> Result<bool, Error> {
        match self.store.delete(path).await {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed("remove an object", &error)),
        }
    }

    /// Writes an object where there is none; false where there is one.
    pub async fn create(&self, path: &Path, body: Bytes) -> Result<bool, Error> {
        match self.store.put_opts(path, body.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(failed("write", &error)),
        }
    }

    /// Reads a whole small object.
    pub async fn read_all(&self, path: &Path) -> Result<Option<Bytes>, Error> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", &error)),
        }
    }

    /// Describes a blob.
    pub async fn find(&self, path: &Path, name: &str) -> Result<Option<Found>, Error> {
        let options = match self.layout.form {
            Form::S3 => GetOptions { head: true, ..GetOptions::default() },
            Form::Folder => {
                let range = Some(GetRange::Suffix(limits::FOOTER_BYTES as u64));
                GetOptions { range, ..GetOptions::default() }
            }
        };
        let got = match self.store.get_opts(path, options).await {
            Ok(got) => got,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed("tell of a blob", &error)),
        };
        let Some(mut info) = self.listed(name.to_owned(), &got.meta) else { return Ok(None) };
        let etag = got.meta.e_tag.clone();
        if self.layout.form == Form::S3 {
            s3_form::read_attributes(&mut info, &got.attributes);
            return Ok(Some(Found { info, etag }));
        }
        let footer = got.bytes().await.map_err(|error| failed("read", &error))?;
        // A file of another program is no blob.
        Ok(folder::read_footer(&footer).map(|said| {
            let Info { digest, content_type, metadata, .. } = said;
            Found { info: Info { digest, content_type, metadata, ..info }, etag }
        }))
    }

    /// Describes a blob as a list knows it.
    pub fn listed(&self, name: String, meta: &ObjectMeta) -> Option<Info> {
        let size = match self.layout.form {
            Form::S3 => meta.size,
            Form::Folder => meta.size.checked_sub(limits::FOOTER_BYTES as u64)?,
        };
        let modified = meta.last_modified.timestamp_millis();
        Some(Info {
            name,
            size,
            version: version(meta.e_tag.as_deref(), modified, meta.size),
            modified_at_ms: u64::try_from(modified).unwrap_or(0),
            digest: None,
            content_type: None,
            metadata: BTreeMap::new(),
        })
    }

    /// Reads bytes of a blob; nothing where it was replaced or removed in the meantime.
    pub async fn part(
        &self,
        path: &Path,
        found: &Found,
        offset: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let end = offset.saturating_add(length).min(found.info.size);
        if offset >= end {
            return Ok(Some(Vec::new()));
        }
        let range = Some(GetRange::Bounded(offset..end));
        let options = GetOptions { range, if_match: found.etag.clone(), ..GetOptions::default() };
        let read = async { self.store.get_opts(path, options).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(StoreError::NotFound { .. } | StoreError::Precondition { .. }) => Ok(None),
            Err(error) => Err(failed("read", &error)),
        }
    }

    /// Writes a blob in the place of an earlier one.
    pub async fn write(&self, path: &Path, mut info: Info, body: Bytes) -> Result<Info, Error> {
        info.digest = Some(Digest::of(&body));
        let (payload, options) = match self.layout.form {
            Form::S3 => {
                let attributes = s3_form::attributes(&info)?;
                (body.into(), PutOptions { attributes, ..PutOptions::default() })
            }
            Form::Folder => {
                let footer = folder::footer(&info)?;
                (PutPayload::from_iter([body, footer]), PutOptions::default())
            }
        };
        let done = self.store.put_opts(path, payload, options).await;
        let done = done.map_err(|error| failed("write", &error))?;
        Ok(self.written(info, done.e_tag.as_deref()))
    }

    /// Says which version was written.
    pub fn written(&self, info: Info, etag: Option<&str>) -> Info {
        let modified = i64::try_from(info.modified_at_ms).unwrap_or(0);
        Info { version: version(etag, modified, info.size), ..info }
    }
}

/// Returns what is another whenever the bytes are.
fn version(etag: Option<&str>, modified_ms: i64, size: u64) -> String {
    match etag {
        Some(etag) if !etag.is_empty() => etag.to_owned(),
        _ => format!("{modified_ms:x}-{size:x}"),
    }
}

/// Begins to describe a blob that is written now.
pub fn described(
    name: String,
    size: u64,
    content_type: Option<String>,
    metadata: BTreeMap<String, String>,
) -> Info {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified_at_ms = u64::try_from(since.as_millis()).unwrap_or(0);
    // The version is the store's; until it is known there is a text that the contract allows.
    Info { name, size, version: "0".into(), modified_at_ms, digest: None, content_type, metadata }
}
