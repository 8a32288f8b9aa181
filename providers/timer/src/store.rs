//! Where the providers of a lattice agree: a key-value bucket, written by compare-and-set.

use std::time::Duration;

use async_nats::jetstream::kv;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use lattice_client::{Lattice, jetstream};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::LinkName;
use lattice_protocol::subjects::{self, header};
use lattice_protocol::{Error, ErrorCode};

use crate::limits;
use crate::turn::Turn;

/// The place of one link in the bucket.
pub(crate) struct Store {
    lattice: Lattice,
    key: String,
    /// Opened anew after a failure: it may have gone with the server.
    bucket: Option<kv::Store>,
}

/// What was read, and the revision that the next write must name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub turn: Option<Turn>,
    pub revision: u64,
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is written, at this revision.
    At(u64),
    /// Somebody else was faster.
    Conflict,
}

impl Store {
    pub(crate) fn new(lattice: Lattice, source: &ActorKey, link: &LinkName) -> Self {
        Self { lattice, key: subjects::timer_key(source, link), bucket: None }
    }

    /// Reads from the leader of the bucket, so that it is never stale.
    ///
    /// # Errors
    /// `provider_unavailable` when JetStream does not answer.
    pub(crate) async fn read(&mut self) -> Result<Seen, Error> {
        let bucket = self.bucket().await?;
        let subject = format!("{}{}", bucket.prefix, self.key);
        let read = async {
            match bucket.stream.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => {
                    let deleted = message.headers.get(header::KV_OPERATION).is_some();
                    // What can't be read is of somebody else: it begins anew.
                    let turn = serde_json::from_slice(&message.payload).ok();
                    Ok(Seen { turn: turn.filter(|_| !deleted), revision: message.sequence })
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    Ok(Seen::default())
                }
                Err(error) => Err(unavailable(&error)),
            }
        };
        let read = within(read).await;
        self.keep(read)
    }

    /// Writes unless somebody else has written since `revision`.
    ///
    /// # Errors
    /// `provider_unavailable` when JetStream does not answer; the write may have happened.
    pub(crate) async fn write(&mut self, revision: u64, turn: &Turn) -> Result<Written, Error> {
        let bucket = self.bucket().await?;
        let bytes = serde_json::to_vec(turn)
            .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
        let write = async {
            match bucket.update(&self.key, bytes.into(), revision).await {
                Ok(revision) => Ok(Written::At(revision)),
                Err(error) if jetstream::is_conflict(&error) => Ok(Written::Conflict),
                Err(error) => Err(unavailable(&error)),
            }
        };
        let written = within(write).await;
        self.keep(written)
    }

    /// Keeps the bucket unless it failed.
    fn keep<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if outcome.is_err() {
            self.bucket = None;
        }
        outcome
    }

    async fn bucket(&mut self) -> Result<kv::Store, Error> {
        if let Some(bucket) = &self.bucket {
            return Ok(bucket.clone());
        }
        let bucket = within(open(&self.lattice)).await?;
        self.bucket = Some(bucket.clone());
        Ok(bucket)
    }
}

/// Opens the bucket, making it where there is none.
async fn open(lattice: &Lattice) -> Result<kv::Store, Error> {
    let name = subjects::timers_bucket(lattice.name());
    let jetstream = lattice.jetstream();
    if let Ok(bucket) = jetstream.get_key_value(&name).await {
        return Ok(bucket);
    }
    let config = kv::Config {
        bucket: name.clone(),
        description: format!("whose turn it is to tick in the lattice {}", lattice.name()),
        history: 1,
        max_age: Duration::from_millis(limits::RECORD_AGE_MAX_MS),
        num_replicas: lattice.replicas(),
        ..kv::Config::default()
    };
    match jetstream.create_key_value(config).await {
        Ok(bucket) => Ok(bucket),
        // Another provider made it at the same time.
        Err(error) => jetstream.get_key_value(&name).await.map_err(|_| unavailable(&error)),
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let bound = Duration::from_millis(limits::STORE_TIMEOUT_MS);
    // Boxed, lest the task of each link carries the state of every request.
    let work = Box::pin(work);
    let late = |_| unavailable(&format!("no answer within {} ms", bound.as_millis()));
    tokio::time::timeout(bound, work).await.map_err(late)?
}

fn unavailable(cause: &dyn std::fmt::Display) -> Error {
    Error::started(
        ErrorCode::ProviderUnavailable,
        format!("JetStream, by which timers agree on who ticks, can't be used: {cause}"),
    )
}
