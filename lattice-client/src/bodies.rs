//! Payloads that exceed one message travel by object store, invisibly to both ends.

use std::time::Duration;

use async_nats::jetstream::object_store::{Config, ObjectStore};
use bytes::Bytes;
use lattice_protocol::names::Digest;
use lattice_protocol::{BodyRef, Error, ErrorCode, limits as wire, subjects};
use tokio::io::AsyncReadExt;

use crate::lattice::Lattice;
use crate::limits;

/// Returns whether a payload of `length` bytes fits into one message of this server.
pub fn fits(lattice: &Lattice, length: usize) -> bool {
    length + limits::MESSAGE_OVERHEAD_BYTES <= lattice.nats().max_payload()
}

/// Stores `payload` where it exceeds one message, and returns what refers to it.
///
/// # Errors
/// `too_large` above [`wire::PAYLOAD_BYTES_MAX`], or where the server has no JetStream to
/// carry it; `internal` when storing fails.
pub async fn store_if_large(lattice: &Lattice, payload: &Bytes) -> Result<Option<BodyRef>, Error> {
    if fits(lattice, payload.len()) {
        return Ok(None);
    }
    // Boxed here and below, lest every call that needs none of it carries its state around.
    within_time(Box::pin(store(lattice, payload))).await.map(Some)
}

/// JetStream has no bound of its own for a whole object.
async fn within_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let bound = Duration::from_millis(limits::BODY_TIMEOUT_MS);
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
        Err(Error::not_started(
            ErrorCode::Internal,
            format!("a large payload did not travel within {} ms", limits::BODY_TIMEOUT_MS),
        ))
    })
}

async fn store(lattice: &Lattice, payload: &Bytes) -> Result<BodyRef, Error> {
    within(payload.len() as u64)?;
    let store = bucket(lattice).await?;
    let object = uuid::Uuid::now_v7().simple().to_string();
    let mut reader = &payload[..];
    store.put(object.as_str(), &mut reader).await.map_err(|error| {
        Error::not_started(ErrorCode::Internal, format!("a large payload can't be stored: {error}"))
    })?;
    Ok(BodyRef { object, digest: Digest::of(payload), length: payload.len() as u64 })
}

/// Fetches what `reference` refers to, and checks its length and digest.
///
/// # Errors
/// `too_large` above [`wire::PAYLOAD_BYTES_MAX`]; `bad_request` when there is no such object or
/// it is not what the reference says; `internal` when reading fails.
pub async fn fetch(lattice: &Lattice, reference: &BodyRef) -> Result<Bytes, Error> {
    within_time(Box::pin(fetch_object(lattice, reference))).await
}

async fn fetch_object(lattice: &Lattice, reference: &BodyRef) -> Result<Bytes, Error> {
    within(reference.length)?;
    let refuse = |cause: String| {
        Error::not_started(ErrorCode::BadRequest, format!("the payload by reference: {cause}"))
    };
    if !reference.object.bytes().all(|b| b.is_ascii_alphanumeric()) || reference.object.is_empty() {
        return Err(refuse("its object's name is malformed".to_owned()));
    }
    let store = bucket(lattice).await?;
    let mut object =
        store.get(&reference.object).await.map_err(|error| refuse(error.to_string()))?;
    if object.info().size as u64 != reference.length {
        return Err(refuse(format!("{} bytes, not {}", object.info().size, reference.length)));
    }
    let bytes = read_all(&mut object, reference.length)
        .await
        .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
    if Digest::of(&bytes) != reference.digest {
        return Err(refuse("its digest is another".to_owned()));
    }
    Ok(bytes)
}

/// Reads an object of at most `length` bytes, growing with what arrives.
pub(crate) async fn read_all(
    object: &mut (impl tokio::io::AsyncRead + Unpin),
    length: u64,
) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    let mut limited = object.take(length.saturating_add(1));
    let mut chunk = vec![0; limits::OBJECT_READ_BYTES];
    loop {
        let read = limited.read(&mut chunk).await?;
        match chunk.get(..read) {
            Some([]) | None => break,
            Some(part) => bytes.extend_from_slice(part),
        }
    }
    if bytes.len() as u64 > length {
        return Err(std::io::Error::other("the object is longer than it says"));
    }
    Ok(bytes.into())
}

fn within(length: u64) -> Result<(), Error> {
    if length > wire::PAYLOAD_BYTES_MAX as u64 {
        return Err(Error::not_started(
            ErrorCode::TooLarge,
            format!("a payload of {length} bytes exceeds the limit of {}", wire::PAYLOAD_BYTES_MAX),
        ));
    }
    Ok(())
}

async fn bucket(lattice: &Lattice) -> Result<ObjectStore, Error> {
    let name = subjects::bodies_bucket(lattice.name());
    if let Ok(store) = lattice.jetstream().get_object_store(&name).await {
        return Ok(store);
    }
    let config = Config {
        bucket: name,
        description: Some("payloads that exceed one message".to_owned()),
        max_age: Duration::from_millis(limits::BODY_KEPT_MS),
        ..Config::default()
    };
    let error = match lattice.jetstream().create_object_store(config).await {
        Ok(store) => return Ok(store),
        Err(error) => error,
    };
    // One answer tells whether there is no JetStream at all, or one that has trouble.
    if lattice.jetstream().query_account().await.is_ok() {
        return Err(Error::not_started(
            ErrorCode::Internal,
            format!("the store of large payloads can't be made: {error}"),
        ));
    }
    Err(Error::not_started(
        ErrorCode::TooLarge,
        format!(
            "a payload above {} bytes needs JetStream, which can't be used: {error}",
            lattice.nats().max_payload()
        ),
    ))
}
