//! Durable invocations that were put aside: list, read, replay, remove.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::subjects::{self, Subject, header};

use super::enqueue::Enqueued;
use super::{QueueError, within};
use crate::lattice::Lattice;
use crate::limits;

/// What is known of a dead letter without its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFacts {
    /// Its number among the dead letters.
    pub sequence: u64,
    /// Key of the actor that it was for; as the subject says it.
    pub target: String,
    /// What was to be done, where that could be read.
    pub operation: Option<String>,
    /// Why it was put aside.
    pub reason: String,
    /// Code of the last error.
    pub code: String,
    /// How often it was delivered.
    pub attempts: Option<u32>,
    /// Message id that it was stored with.
    pub id: Option<String>,
    /// Its number in the stream of what waits.
    pub queue_sequence: Option<u64>,
    /// Key of the node that put it aside.
    pub node: Option<String>,
    /// When it was put aside, in Unix milliseconds.
    pub at_ms: u64,
    /// Bytes of the invocation.
    pub bytes: usize,
}

/// A durable invocation that was put aside.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// What is known of it.
    pub facts: LetterFacts,
    /// The invocation, as it was stored.
    pub invocation: Bytes,
    headers: HeaderMap,
}

/// Some dead letters, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadPage {
    /// The letters.
    pub letters: Vec<LetterFacts>,
    /// How many there are from the first number of the page on.
    pub total: u64,
    /// Where the next page begins, where there is one.
    pub next: Option<u64>,
}

impl Lattice {
    /// Lists dead letters, those of one actor or all, from number `from` on: at most `count`, and at
    /// most [`limits::DEAD_PAGE_MAX`].
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub async fn dead_letters(
        &self,
        actor: Option<&ActorKey>,
        from: u64,
        count: usize,
    ) -> Result<DeadPage, QueueError> {
        let Some(stream) = self.dead_stream().await? else { return Ok(DeadPage::default()) };
        let filter = self.dead_filter(actor);
        let config = pull::Config {
            filter_subject: filter,
            ack_policy: AckPolicy::None,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
            headers_only: true,
            inactive_threshold: Duration::from_millis(2 * limits::DEAD_PAGE_TIMEOUT_MS),
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = within(Box::pin(async {
            stream.create_consumer(config).await.map_err(|error| QueueError::of(&error))
        }))
        .await?;
        let total = consumer.cached_info().num_pending;
        let count = count.clamp(1, limits::DEAD_PAGE_MAX);
        let mut page = DeadPage { total, ..DeadPage::default() };
        // The server would wait for the first one to come.
        if total == 0 {
            return Ok(page);
        }
        let expires = Duration::from_millis(limits::DEAD_PAGE_TIMEOUT_MS);
        let fetch = consumer.fetch().max_messages(count).expires(expires);
        let mut messages =
            Box::pin(fetch.messages()).await.map_err(|error| QueueError::of(&error))?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| QueueError::Unreachable(error.to_string()))?;
            let (sequence, at) = match message.info() {
                Ok(info) => (info.stream_sequence, info.published.unix_timestamp_nanos()),
                Err(error) => return Err(QueueError::Unreachable(error.to_string())),
            };
            let headers = message.headers.clone().unwrap_or_default();
            let bytes = text(&headers, header::MESSAGE_SIZE);
            let bytes = bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
            page.letters.push(facts(&message.subject, sequence, at, &headers, bytes));
        }
        let read = page.letters.len() as u64;
        page.next = page.letters.last().filter(|_| read < total).map(|last| last.sequence + 1);
        Ok(page)
    }

    /// Returns the number of the newest dead letter of an actor, where there is one.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub async fn last_dead_letter(&self, actor: &ActorKey) -> Result<Option<u64>, QueueError> {
        let Some(stream) = self.dead_stream().await? else { return Ok(None) };
        let filter = self.dead_filter(Some(actor));
        let look = async {
            match stream.get_last_raw_message_by_subject(&filter).await {
                Ok(message) => Ok(Some(message.sequence)),
                Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => {
                    Ok(None)
                }
                Err(error) => Err(QueueError::of(&error)),
            }
        };
        within(Box::pin(look)).await
    }

    /// Reads one dead letter.
    ///
    /// # Errors
    /// [`QueueError::NoLetter`], [`QueueError::Unreachable`].
    pub async fn dead_letter(&self, sequence: u64) -> Result<DeadLetter, QueueError> {
        let stream = self.dead_stream().await?.ok_or(QueueError::NoLetter(sequence))?;
        read(&stream, sequence).await
    }

    /// Stores the invocation of a dead letter as if it were new, and removes the letter once that is
    /// confirmed. To do so again right after a failure does not store it twice.
    ///
    /// # Errors
    /// [`QueueError::NoLetter`]; [`QueueError::Unreadable`] for what is of no actor; what
    /// [`Lattice::enqueue`] gives. The letter is still there then.
    pub async fn replay_dead_letter(&self, sequence: u64) -> Result<Enqueued, QueueError> {
        let stream = self.dead_stream().await?.ok_or(QueueError::NoLetter(sequence))?;
        let letter = read(&stream, sequence).await?;
        let actor: ActorKey = letter.facts.target.parse().map_err(|_| QueueError::Unreadable {
            sequence,
            cause: "its subject names no actor".to_owned(),
        })?;
        // Its number alone would be that of another one where somebody has made the stream anew.
        let stream_name = subjects::dead_stream(self.name());
        let id = format!("{stream_name}:{sequence}:{}:replay", letter.facts.at_ms);
        let headers = as_it_was(&letter.headers);
        let stored = self.store(&actor, id, headers, letter.invocation).await?;
        match remove(&stream, sequence).await {
            Ok(()) | Err(QueueError::NoLetter(_)) => Ok(stored),
            Err(error) => Err(error),
        }
    }

    /// Removes a dead letter.
    ///
    /// # Errors
    /// [`QueueError::NoLetter`], [`QueueError::Unreachable`].
    pub async fn remove_dead_letter(&self, sequence: u64) -> Result<(), QueueError> {
        let stream = self.dead_stream().await?.ok_or(QueueError::NoLetter(sequence))?;
        remove(&stream, sequence).await
    }

    /// Removes every dead letter of an actor; returns how many.
    ///
    /// # Errors
    /// [`QueueError::Unreachable`].
    pub async fn remove_dead_letters_of(&self, actor: &ActorKey) -> Result<u64, QueueError> {
        let Some(stream) = self.dead_stream().await? else { return Ok(0) };
        let purge = stream.purge().filter(self.dead_filter(Some(actor)));
        let purged = async { purge.await.map_err(|error| QueueError::of(&error)) };
        Ok(within(Box::pin(purged)).await?.purged)
    }

    fn dead_filter(&self, actor: Option<&ActorKey>) -> String {
        match actor {
            None => subjects::all_dead(self.name()),
            Some(key) => {
                Subject::Dead(self.name().clone(), TargetKey::Actor(key.clone())).to_string()
            }
        }
    }
}

async fn read(stream: &Stream, sequence: u64) -> Result<DeadLetter, QueueError> {
    let get = async {
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(message),
            Err(error) if matches!(error.kind(), RawMessageErrorKind::NoMessageFound) => {
                Err(QueueError::NoLetter(sequence))
            }
            Err(error) => Err(QueueError::of(&error)),
        }
    };
    let StreamMessage { subject, headers, payload, time, .. } = within(Box::pin(get)).await?;
    let at = time.unix_timestamp_nanos();
    let facts = facts(&subject, sequence, at, &headers, payload.len());
    Ok(DeadLetter { facts, invocation: payload, headers })
}

async fn remove(stream: &Stream, sequence: u64) -> Result<(), QueueError> {
    let delete = async {
        stream.delete_message(sequence).await.map(drop).map_err(|error| QueueError::of(&error))
    };
    match within(Box::pin(delete)).await {
        // What is gone can't be deleted, and the server has several words for that.
        Err(error) => Err(read(stream, sequence).await.map_or_else(|gone| gone, |_| error)),
        done => done,
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.as_str().to_owned())
}

fn facts(
    subject: &str,
    sequence: u64,
    at_ns: i128,
    headers: &HeaderMap,
    bytes: usize,
) -> LetterFacts {
    let target = subject.rsplit('.').next().unwrap_or_default().to_owned();
    LetterFacts {
        sequence,
        target,
        operation: text(headers, header::DEAD_OPERATION),
        reason: text(headers, header::DEAD_REASON).unwrap_or_default(),
        code: text(headers, header::DEAD_CODE).unwrap_or_default(),
        attempts: text(headers, header::DEAD_ATTEMPTS).and_then(|text| text.parse().ok()),
        id: text(headers, header::DEAD_ID),
        queue_sequence: text(headers, header::DEAD_SEQUENCE).and_then(|text| text.parse().ok()),
        node: text(headers, header::DEAD_NODE),
        at_ms: u64::try_from(at_ns / 1_000_000).unwrap_or_default(),
        bytes,
    }
}

/// Returns the headers that a message had before it was put aside, without those by which NATS was
/// told how to store it.
fn as_it_was(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in headers.iter() {
        let text: &str = name.as_ref();
        if !text.starts_with(header::DEAD_PREFIX) && !is_for_nats(text) {
            values.iter().for_each(|value| kept.append(name.clone(), value.clone()));
        }
    }
    kept
}

/// Returns whether a header tells NATS how to store a message.
pub fn is_for_nats(name: &str) -> bool {
    name.get(..header::NATS_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(header::NATS_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_replayed_with_the_headers_that_it_had() {
        let mut headers = HeaderMap::new();
        for name in ["Nats-Msg-Id", "nats-expected-stream", header::DEAD_REASON, "traceparent"] {
            headers.insert(name, "x");
        }
        headers.append("Mine", "1");
        headers.append("Mine", "2");
        let kept = as_it_was(&headers);
        assert_eq!(kept.get_all("Mine").map(AsRef::as_ref).collect::<Vec<&str>>(), ["1", "2"]);
        assert!(kept.get("traceparent").is_some() && kept.len() == 2, "{kept:?}");
    }

    #[test]
    fn what_a_letter_does_not_say_is_not_made_up() {
        let found = facts("mesh.l.dead.MABC", 7, 1_500_000, &HeaderMap::new(), 3);
        let expected = LetterFacts {
            sequence: 7,
            target: "MABC".into(),
            at_ms: 1,
            bytes: 3,
            ..LetterFacts::default()
        };
        assert_eq!(found, expected);
    }
}
