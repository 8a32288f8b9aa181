//! The registry: records in a JetStream key-value bucket, modules in an object store.
//!
//! Every write is compare-and-set on the revision of its key. A write that timed out is read
//! again before it is reported: records carry their writer's mark, so equal bytes are our own.

mod find;
mod modules;
pub mod told;
mod watch;

use std::time::Duration;

use async_nats::jetstream::kv;
use bytes::Bytes;
use lattice_protocol::DecodeError;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::{ActorName, Digest};
use lattice_protocol::record::{ActorRecord, Record};
use lattice_protocol::subjects::{self, RegistryKey};

pub use watch::{Change, RegistryWatch};

use crate::jetstream;
use crate::lattice::Lattice;
use crate::limits;

/// The registry of a lattice. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    lattice: Lattice,
    bucket: kv::Store,
}

/// A record and the revision of its key, which the next write must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<R> {
    /// The record.
    pub record: R,
    /// Revision of the key in the bucket (not that of an actor).
    pub at: u64,
}

/// Why the registry can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The server runs without JetStream.
    #[error("JetStream is not enabled on this NATS server (or this account may not use it): {0}")]
    NoJetStream(String),
    /// Somebody else wrote the key meanwhile.
    #[error("{key} was changed by somebody else meanwhile")]
    Conflict {
        /// The key.
        key: RegistryKey,
    },
    /// A record can't be read.
    #[error("the record at {key} can't be read: {cause}")]
    Record {
        /// The key.
        key: String,
        /// Why.
        cause: DecodeError,
    },
    /// A module is not in the object store.
    #[error("module {0} is not in the lattice's store")]
    NoModule(Digest),
    /// A module in the object store is not what its name says.
    #[error("module {0} is damaged: its bytes have another digest")]
    Damaged(Digest),
    /// Two actors bear the name.
    #[error("{name} is the name of {} actors: {}; use a key", keys.len(), list(keys))]
    Ambiguous {
        /// The name.
        name: ActorName,
        /// Their keys.
        keys: Vec<ActorKey>,
    },
    /// A value exceeds its limit or can't be encoded.
    #[error("{0}")]
    Unwritable(String),
    /// NATS did not answer, or failed.
    #[error("the registry can't be reached: {0}")]
    Unreachable(String),
}

fn list(keys: &[ActorKey]) -> String {
    keys.iter().map(ActorKey::as_str).collect::<Vec<_>>().join(", ")
}

impl Lattice {
    /// Opens the registry, making its bucket where there is none yet.
    ///
    /// # Errors
    /// [`RegistryError::NoJetStream`] or [`RegistryError::Unreachable`].
    pub async fn registry(&self) -> Result<Registry, RegistryError> {
        let name = subjects::registry_bucket(self.name());
        let open = async {
            match self.jetstream().get_key_value(&name).await {
                Ok(bucket) => Ok(bucket),
                Err(_) => {
                    let config = kv::Config {
                        bucket: name.clone(),
                        description: format!("registry of the lattice {}", self.name()),
                        history: 1,
                        num_replicas: self.replicas(),
                        ..kv::Config::default()
                    };
                    let created = self.jetstream().create_key_value(config).await;
                    match created {
                        Ok(bucket) => Ok(bucket),
                        // Another program made it at the same time.
                        Err(error) => match self.jetstream().get_key_value(&name).await {
                            Ok(bucket) => Ok(bucket),
                            Err(_) => Err(no_jetstream(&error)),
                        },
                    }
                }
            }
        };
        let bucket = within(open).await?;
        Ok(Registry { lattice: self.clone(), bucket })
    }

    /// Returns how many copies of what is shared the lattice keeps: three on a cluster.
    pub fn replicas(&self) -> usize {
        let info = self.nats().server_info();
        // A server of a cluster tells the addresses of the others to connect to.
        if info.connect_urls.len() >= 3 { 3 } else { 1 }
    }
}

fn no_jetstream(error: &dyn std::error::Error) -> RegistryError {
    let mut cause = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    RegistryError::NoJetStream(cause)
}

async fn within<T>(
    work: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
    tokio::time::timeout(bound, work).await.unwrap_or_else(|_| {
        Err(RegistryError::Unreachable(format!("no answer within {} ms", bound.as_millis())))
    })
}

impl Registry {
    /// Returns the lattice that the registry is of.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// Reads the record at `key` from the bucket's leader, so that it is never a stale one.
    ///
    /// # Errors
    /// [`RegistryError::Record`] when it can't be decoded, [`RegistryError::Unreachable`].
    pub async fn get<R: Record>(
        &self,
        key: &RegistryKey,
    ) -> Result<Option<Entry<R>>, RegistryError> {
        let Some((bytes, at)) = self.read(key).await? else { return Ok(None) };
        Ok(bytes.map(|bytes| decode(key, &bytes)).transpose()?.map(|record| Entry { record, at }))
    }

    /// Returns whether `key` has a record, or had one that was deleted.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`].
    pub async fn was_there(&self, key: &RegistryKey) -> Result<bool, RegistryError> {
        Ok(self.read(key).await?.is_some())
    }

    /// Writes `record` at `key` if its revision is still `expected` (`None`: if there is none).
    /// Returns the new revision.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when somebody else was faster, [`RegistryError::Unwritable`],
    /// [`RegistryError::Unreachable`].
    pub async fn put<R: Record>(
        &self,
        key: &RegistryKey,
        record: &R,
        expected: Option<u64>,
    ) -> Result<u64, RegistryError> {
        let bytes: Bytes =
            record.encode().map_err(|error| RegistryError::Unwritable(error.to_string()))?.into();
        if bytes.len() > lattice_protocol::limits::RECORD_BYTES_MAX {
            return Err(RegistryError::Unwritable(format!("the record at {key} is too large")));
        }
        // A deleted key has a revision too, that of its tombstone.
        let expected = match expected {
            Some(at) => at,
            None => match self.read(key).await? {
                Some((Some(_), _)) => return Err(RegistryError::Conflict { key: key.clone() }),
                Some((None, at)) => at,
                None => 0,
            },
        };
        let write = async {
            let outcome = self.bucket.update(key.to_string(), bytes.clone(), expected).await;
            outcome.map_err(|error| match jetstream::is_conflict(&error) {
                true => RegistryError::Conflict { key: key.clone() },
                false => RegistryError::Unreachable(error.to_string()),
            })
        };
        match within(write).await {
            // The write may have happened all the same: a lost acknowledgement, or a retry
            // beneath that met our own first write.
            Err(error) => match self.read(key).await {
                Ok(Some((Some(found), at))) if found == bytes && at > expected => Ok(at),
                _ => Err(error),
            },
            done => done,
        }
    }

    /// Deletes `key` if its revision is still `expected`. Returns the revision of the deletion.
    ///
    /// # Errors
    /// [`RegistryError::Conflict`] when somebody else was faster, [`RegistryError::Unreachable`].
    pub async fn delete(&self, key: &RegistryKey, expected: u64) -> Result<u64, RegistryError> {
        let delete = async {
            self.bucket
                .delete_expect_revision(key.to_string(), Some(expected))
                .await
                .map_err(|error| RegistryError::Unreachable(error.to_string()))
        };
        let deleted = within(delete).await;
        match (self.read(key).await?, deleted) {
            (None, _) => Ok(expected),
            (Some((None, at)), _) => Ok(at),
            // Somebody else was faster, before the deletion or right after it.
            (Some((Some(_), at)), Ok(())) => Ok(at),
            (Some((Some(_), at)), Err(_)) if at != expected => {
                Err(RegistryError::Conflict { key: key.clone() })
            }
            (Some(_), Err(error)) => Err(error),
        }
    }

    /// Changes the record at `key` by compare-and-set: `change` gets what is there and returns
    /// what shall be there. Tried again when somebody else was faster. Returns what was written
    /// and its revision.
    ///
    /// # Errors
    /// What `change` returns, or a [`RegistryError`].
    pub async fn update<R: Record, E: From<RegistryError>>(
        &self,
        key: &RegistryKey,
        mut change: impl FnMut(Option<R>) -> Result<R, E>,
    ) -> Result<Entry<R>, E> {
        let mut attempts = 0;
        loop {
            let current = self.get::<R>(key).await?;
            let expected = current.as_ref().map(|entry| entry.at);
            let record = change(current.map(|entry| entry.record))?;
            attempts += 1;
            match self.put(key, &record, expected).await {
                Ok(at) => return Ok(Entry { record, at }),
                Err(RegistryError::Conflict { .. })
                    if attempts < limits::COMPARE_AND_SET_ATTEMPTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads every record whose key `wanted` keeps. Records that can't be read are errors in
    /// their place.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`].
    pub async fn list<R: Record>(
        &self,
        wanted: impl Fn(&RegistryKey) -> bool,
    ) -> Result<Vec<Result<(RegistryKey, Entry<R>), RegistryError>>, RegistryError> {
        let mut watch = self.watch_once();
        let mut found = Vec::new();
        for (key, value, at) in watch.list().await? {
            let Ok(parsed) = key.parse::<RegistryKey>() else { continue };
            if wanted(&parsed) {
                found.push(decode(&parsed, &value).map(|record| (parsed, Entry { record, at })));
            }
        }
        Ok(found)
    }

    /// Reads every deployed actor; records that can't be read are passed over with a log line.
    ///
    /// # Errors
    /// [`RegistryError::Unreachable`].
    pub async fn actors(&self) -> Result<Vec<Entry<ActorRecord>>, RegistryError> {
        let found = self.list(|key| matches!(key, RegistryKey::Actor(_))).await?;
        Ok(found
            .into_iter()
            .filter_map(|item| match item {
                Ok((_, entry)) => Some(entry),
                Err(error) => {
                    tracing::warn!(%error, "a record is passed over");
                    None
                }
            })
            .collect())
    }

    /// Returns the deployed actor that bears `name`.
    ///
    /// # Errors
    /// [`RegistryError::Ambiguous`] when several do, [`RegistryError::Unreachable`].
    pub async fn actor_named(
        &self,
        name: &ActorName,
    ) -> Result<Option<Entry<ActorRecord>>, RegistryError> {
        let mut named: Vec<_> =
            self.actors().await?.into_iter().filter(|entry| entry.record.name == *name).collect();
        if named.len() > 1 {
            return Err(RegistryError::Ambiguous {
                name: name.clone(),
                keys: named.into_iter().map(|entry| entry.record.key).collect(),
            });
        }
        Ok(named.pop())
    }

    /// Reads a key from the bucket's leader: `Some((None, at))` is a tombstone.
    async fn read(&self, key: &RegistryKey) -> Result<Option<(Option<Bytes>, u64)>, RegistryError> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind as Kind;
        let subject = subjects::registry_subject(self.lattice.name(), key);
        let read = async {
            match self.bucket.stream.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => {
                    let deleted = message.headers.get(subjects::header::KV_OPERATION).is_some();
                    Ok(Some(((!deleted).then_some(message.payload), message.sequence)))
                }
                Err(error) if matches!(error.kind(), Kind::NoMessageFound) => Ok(None),
                Err(error) => Err(RegistryError::Unreachable(error.to_string())),
            }
        };
        within(read).await
    }
}

fn decode<R: Record>(key: &RegistryKey, bytes: &[u8]) -> Result<R, RegistryError> {
    R::decode(bytes).map_err(|cause| RegistryError::Record { key: key.to_string(), cause })
}
