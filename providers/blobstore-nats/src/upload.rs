//! An upload: what is known about it, and who may go on with it.
//!
//! Its record is a message beside the blocks, and its state decides: whoever finishes or forgets an
//! upload first says so there, so that no two processes do both.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use async_nats::datetime::DateTime;
use lattice_protocol::{Error, ErrorCode, subjects};
use mesh_provider::blobstore::no_upload;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, message};
use crate::fault::contended;
use crate::limits;
use crate::meta::{self, About};

/// What becomes of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It takes chunks.
    Open,
    /// It is about to be a blob.
    Finishing,
    /// Its blocks are about to be removed.
    Forgotten,
}

/// What is known about an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// What becomes of it.
    pub state: State,
    /// The actor that began it.
    pub source: String,
    /// The blob's name.
    pub name: String,
    /// What its bytes are.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Facts to keep with it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Record {
    /// Returns what the blob will be said to be.
    pub fn about(self) -> About {
        About { name: self.name, content_type: self.content_type, metadata: self.metadata }
    }
}

/// An upload that there is.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The version that the blob will have.
    pub version: String,
    /// What is known about it.
    pub record: Record,
    /// Sequence of the message that says it.
    sequence: u64,
    /// When it was said.
    at: DateTime,
}

/// Writes down an upload. Returns its version.
pub async fn begin(bucket: &Bucket, record: &Record) -> Result<Upload, Error> {
    let version = uuid::Uuid::now_v7().simple().to_string();
    let (record, at) = (record.clone(), async_nats::datetime::now());
    let mut upload = Upload { version, record, sequence: 0, at };
    if !change(bucket, &mut upload).await? {
        return Err(contended("the upload"));
    }
    Ok(upload)
}

/// Finds an upload.
pub async fn find(bucket: &Bucket, version: &str) -> Result<Option<Upload>, Error> {
    let subject = subjects::object_upload(&bucket.name, version);
    let Some(message) = bucket.last(&subject).await? else { return Ok(None) };
    let record = serde_json::from_slice(&message.payload).map_err(|error| {
        Error::not_started(ErrorCode::Internal, format!("the upload can't be read: {error}"))
    })?;
    let (sequence, at) = (message.sequence, message.time);
    Ok(Some(Upload { version: version.to_owned(), record, sequence, at }))
}

/// Finds an upload of an actor that takes chunks.
pub async fn open(bucket: &Bucket, version: &str, source: &str) -> Result<Upload, Error> {
    match find(bucket, version).await? {
        Some(upload)
            if upload.record.source == source && upload.record.state != State::Forgotten =>
        {
            Ok(upload)
        }
        _ => Err(no_upload()),
    }
}

/// Says what becomes of an upload; false where somebody else said something in the meantime.
pub async fn turn(bucket: &Bucket, upload: &mut Upload, state: State) -> Result<bool, Error> {
    upload.record.state = state;
    change(bucket, upload).await
}

async fn change(bucket: &Bucket, upload: &mut Upload) -> Result<bool, Error> {
    let bytes = serde_json::to_vec(&upload.record)
        .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
    let subject = subjects::object_upload(&bucket.name, &upload.version);
    let message = message(HeaderMap::new(), bytes);
    let Some(sequence) = bucket.publish(subject, message, Some(upload.sequence)).await? else {
        return Ok(false);
    };
    upload.sequence = sequence;
    Ok(true)
}

/// Removes the record of an upload that has become a blob.
pub async fn close(bucket: &Bucket, version: &str) -> Result<(), Error> {
    bucket.purge(&subjects::object_upload(&bucket.name, version), None).await
}

/// Removes the blocks of an upload, and then its record.
pub async fn forget(bucket: &Bucket, mut upload: Upload) -> Result<bool, Error> {
    if upload.record.state != State::Forgotten
        && !turn(bucket, &mut upload, State::Forgotten).await?
    {
        return Ok(false);
    }
    bucket.purge(&subjects::object_blocks(&bucket.name, &upload.version), None).await?;
    close(bucket, &upload.version).await?;
    Ok(true)
}

/// Forgets an upload that nobody has gone on with for a while. One that became a blob and whose
/// record stayed only loses that.
pub async fn forget_if_idle(bucket: &Bucket, version: &str) -> Result<bool, Error> {
    let Some(upload) = find(bucket, version).await? else { return Ok(false) };
    let now = now_ms();
    if !is_idle(upload.at, now) {
        return Ok(false);
    }
    let blocks = subjects::object_blocks(&bucket.name, version);
    let last = bucket.last(&blocks).await?;
    if last.is_some_and(|last| !is_idle(last.time, now)) {
        return Ok(false);
    }
    let blob = meta::find(bucket, &upload.record.name).await?;
    if blob.is_some_and(|blob| blob.object.nuid == version) {
        close(bucket, version).await?;
        return Ok(true);
    }
    forget(bucket, upload).await
}

fn is_idle(at: DateTime, now_ms: i128) -> bool {
    now_ms - at.unix_timestamp_nanos() / 1_000_000 > i128::from(limits::UPLOAD_IDLE_MS)
}

fn now_ms() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_idle_after_its_time() {
        let at = async_nats::datetime::now();
        let then = at.unix_timestamp_nanos() / 1_000_000;
        let idle = i128::from(limits::UPLOAD_IDLE_MS);
        assert!(!is_idle(at, then + idle) && is_idle(at, then + idle + 1));
    }
}
