//! What every check of messaging needs.

use std::time::Duration;

use async_nats::jetstream::stream;
use async_nats::{HeaderMap, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::contract::messaging::{Acknowledgement, Delivery, Message, operation};
use lattice_protocol::names::LinkName;
use mesh_provider::Config;

use crate::checks::{same, unique};
use crate::{Heard, Lab, Link, Reaction, Recorder};

/// How long what must come may take.
pub const BOUND: Duration = Duration::from_secs(20);
/// How long it is watched that nothing more comes.
pub const QUIET: Duration = Duration::from_millis(800);

/// Where the suite stands.
pub struct Desk<'a> {
    pub lab: &'a dyn Lab,
    pub actor: &'a Recorder,
    pub lattice: &'a Lattice,
}

/// Returns a name that is fit for links, streams and tokens of subjects.
pub fn token(of: &str) -> Result<LinkName, String> {
    unique(of).parse().map_err(|error| format!("{error}"))
}

/// Returns a message without anything but subject and body.
pub fn message(subject: &str, body: impl Into<Vec<u8>>) -> Message {
    Message { subject: subject.to_owned(), body: body.into(), ..Message::default() }
}

/// Acknowledges.
pub fn ack(_: &Heard) -> Reaction {
    Reaction::message(&Acknowledgement::default())
}

/// Reads what the actor was called with.
pub fn deliveries(heard: &[Heard]) -> Result<Vec<Delivery>, String> {
    let read = |one: &Heard| {
        same("the operation", one.operation.as_str(), operation::DELIVER)?;
        one.read()
    };
    heard.iter().map(read).collect()
}

/// Returns the bodies of what the actor was called with, in the order of their bytes.
pub fn bodies(heard: &[Heard]) -> Result<Vec<String>, String> {
    let text = |one: Delivery| String::from_utf8_lossy(&one.message.body).into_owned();
    let mut bodies: Vec<String> = deliveries(heard)?.into_iter().map(text).collect();
    bodies.sort();
    Ok(bodies)
}

/// Returns the bodies that [`Desk::publish_many`] publishes, in the order of their bytes.
pub fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:06}")).collect()
}

impl Desk<'_> {
    pub async fn open(&self, name: &LinkName, config: &[(&str, &str)]) -> Result<Link, String> {
        let opened = self.lab.open(name, Config::of(config.iter().copied())).await;
        opened.map_err(|error| format!("a link with {config:?} does not open: {error}"))
    }

    pub async fn close(&self, name: &LinkName) {
        self.lab.close(name).await;
    }

    pub async fn subscribe(&self, subject: &str) -> Result<Subscriber, String> {
        let subscriber = self.lattice.nats().subscribe(subject.to_owned()).await;
        let subscriber = subscriber.map_err(|error| error.to_string())?;
        self.sent().await?;
        Ok(subscriber)
    }

    pub async fn publish(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        body: impl Into<Bytes>,
    ) -> Result<(), String> {
        let (nats, body) = (self.lattice.nats(), body.into());
        let published = match headers {
            Some(headers) => nats.publish_with_headers(subject.to_owned(), headers, body).await,
            None => nats.publish(subject.to_owned(), body).await,
        };
        published.map_err(|error| error.to_string())
    }

    /// Publishes [`numbered`] messages; returns when the server has them.
    pub async fn publish_many(&self, subject: &str, count: usize) -> Result<(), String> {
        for body in numbered(count) {
            self.publish(subject, None, body).await?;
        }
        self.sent().await
    }

    /// Returns when the server has everything that was published.
    pub async fn sent(&self) -> Result<(), String> {
        same("whether NATS is there", self.lattice.fence().await, true)
    }

    /// Makes a stream over subjects.
    pub async fn stream(&self, name: &str, subject: &str) -> Result<stream::Stream, String> {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..stream::Config::default()
        };
        let stream = self.lattice.jetstream().create_stream(config).await;
        stream.map_err(|error| format!("no stream: {error}"))
    }

    /// Deletes the stream that takes a subject, if there is one.
    pub async fn forget(&self, subject: &str) {
        let jetstream = self.lattice.jetstream();
        if let Ok(name) = jetstream.stream_by_subject(subject).await {
            // What is left goes with the server.
            let _ = jetstream.delete_stream(name).await;
        }
    }
}

/// Returns the next message of a subscription.
pub async fn next(subscriber: &mut Subscriber) -> Result<async_nats::Message, String> {
    match tokio::time::timeout(BOUND, subscriber.next()).await {
        Ok(Some(message)) => Ok(message),
        _ => Err("no message came".to_owned()),
    }
}

/// Says that nothing more comes.
pub async fn nothing(subscriber: &mut Subscriber) -> Result<(), String> {
    match tokio::time::timeout(QUIET, subscriber.next()).await {
        Err(_) | Ok(None) => Ok(()),
        Ok(Some(message)) => Err(format!("a message came on {}", message.subject)),
    }
}
