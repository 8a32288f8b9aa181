//! The object store of one container, by the messages of its stream.
//!
//! Whatever decides (what is known about a blob or an upload) is read from the stream's leader;
//! the blocks of a blob never change and are read from any replica.

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::object_store::Config;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self};
use bytes::Bytes;
use futures_util::TryStreamExt;
use lattice_client::jetstream::{is_conflict, no_stream};
use lattice_protocol::{Error, subjects};
use mesh_provider::blobstore::no_container;
use mesh_provider::jetstream::failed;

/// A container.
#[derive(Clone)]
pub struct Bucket {
    jetstream: jetstream::Context,
    stream: Stream<()>,
    container: String,
    /// Name of the object store.
    pub name: String,
}

impl Bucket {
    /// Names a container, which need not exist.
    pub async fn named(
        jetstream: &jetstream::Context,
        prefix: &str,
        container: &str,
    ) -> Result<Self, Error> {
        let name = format!("{prefix}{container}");
        let stream = jetstream
            .get_stream_no_info(subjects::object_stream(&name))
            .await
            .map_err(|error| failed("name the container", &error))?;
        let jetstream = jetstream.clone();
        Ok(Self { jetstream, stream, container: container.to_owned(), name })
    }

    /// Tells whether the container exists.
    pub async fn exists(&self) -> Result<bool, Error> {
        match self.jetstream.get_stream(subjects::object_stream(&self.name)).await {
            Ok(_) => Ok(true),
            Err(error) if no_stream(&error) => Ok(false),
            Err(error) => Err(failed("tell of the container", &error)),
        }
    }

    /// Makes the container.
    pub async fn create(&self, replicas: usize) -> Result<(), Error> {
        let config = Config {
            bucket: self.name.clone(),
            description: Some("blobs of a mesh actor".to_owned()),
            num_replicas: replicas,
            ..Config::default()
        };
        let created = self.jetstream.create_object_store(config).await;
        created.map(drop).map_err(|error| failed("make the container", &error))
    }

    /// Removes the container with all that is in it. Returns whether it was there.
    pub async fn remove(&self) -> Result<bool, Error> {
        match self.jetstream.delete_stream(subjects::object_stream(&self.name)).await {
            Ok(_) => Ok(true),
            Err(error) if no_stream(&error) => Ok(false),
            Err(error) => Err(failed("remove the container", &error)),
        }
    }

    /// Returns the last message of a subject.
    pub async fn last(&self, subject: &str) -> Result<Option<StreamMessage>, Error> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) if no_stream(&error) => Err(no_container(&self.container)),
            Err(error) => Err(failed("read", &error)),
        }
    }

    /// Returns the message of a subject that has a sequence.
    pub async fn at(&self, subject: &str, sequence: u64) -> Result<Option<StreamMessage>, Error> {
        match self.stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message).filter(|found| found.subject.as_str() == subject)),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) if no_stream(&error) => Err(no_container(&self.container)),
            Err(error) => Err(failed("read", &error)),
        }
    }

    /// Returns the first message of a subject from `sequence` on, as any replica knows it.
    pub async fn next(&self, subject: &str, sequence: u64) -> Result<Option<StreamMessage>, Error> {
        match self.stream.direct_get_next_for_subject(subject, Some(sequence)).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.or_no_container(failed("read", &error)).await),
        }
    }

    /// A stream that does not exist does not answer: find out which it is.
    async fn or_no_container(&self, error: Error) -> Error {
        match self.exists().await {
            Ok(false) => no_container(&self.container),
            _ => error,
        }
    }

    /// Stores a message where the last one of its subject has the sequence `expected`. Returns its
    /// sequence, or nothing where somebody else was faster.
    pub async fn publish(
        &self,
        subject: String,
        message: PublishMessage,
        expected: Option<u64>,
    ) -> Result<Option<u64>, Error> {
        let message = match expected {
            Some(sequence) => message.expected_last_subject_sequence(sequence),
            None => message,
        };
        let stored = match self.jetstream.send_publish(subject, message).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => Ok(Some(stored.sequence)),
            Err(error) if is_conflict(&error) => Ok(None),
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                Err(self.or_no_container(failed("store", &error)).await)
            }
            Err(error) => Err(Error { started: true, ..failed("store", &error) }),
        }
    }

    /// Removes the messages of a subject, or those up to a sequence.
    pub async fn purge(&self, subject: &str, up_to: Option<u64>) -> Result<(), Error> {
        let purge = self.stream.purge().filter(subject);
        let purged = match up_to {
            Some(sequence) => purge.sequence(sequence.saturating_add(1)).await,
            None => purge.await,
        };
        match purged {
            Ok(_) => Ok(()),
            Err(error) if no_stream(&error) => Err(no_container(&self.container)),
            Err(error) => Err(failed("remove", &error)),
        }
    }

    /// Removes one message of a subject; that it is gone already is no fault.
    pub async fn delete_message(&self, subject: &str, sequence: u64) -> Result<(), Error> {
        let Err(error) = self.stream.delete_message(sequence).await else { return Ok(()) };
        match self.at(subject, sequence).await? {
            None => Ok(()),
            Some(_) => Err(failed("remove", &error)),
        }
    }

    /// Calls `each` with what stands for the wildcard in each subject that has messages.
    pub async fn subjects(
        &self,
        filter: &str,
        mut each: impl FnMut(&str) + Send,
    ) -> Result<(), Error> {
        let (head, tail) = filter.split_once('*').unwrap_or((filter, ""));
        let listed = self.stream.info_with_subjects(filter).await;
        let mut subjects = match listed {
            Ok(subjects) => subjects,
            Err(error) => return Err(self.or_no_container(failed("list", &error)).await),
        };
        while let Some((subject, _)) =
            subjects.try_next().await.map_err(|error| failed("list", &error))?
        {
            if let Some(part) = subject.strip_prefix(head).and_then(|text| text.strip_suffix(tail))
            {
                each(part);
            }
        }
        Ok(())
    }
}

/// Makes a message of bytes.
pub fn message(headers: HeaderMap, payload: impl Into<Bytes>) -> PublishMessage {
    PublishMessage::build().headers(headers).payload(payload.into())
}
