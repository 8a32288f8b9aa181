//! Stores a durable invocation that is put aside, with what is known of its end.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use async_nats::jetstream;
use lattice_client::Lattice;
use lattice_client::queue::is_for_nats;
use lattice_protocol::keys::{ActorKey, NodeKey, TargetKey};
use lattice_protocol::subjects::{self, Subject, header};
use lattice_protocol::{Error, Invocation};

use crate::limits;

/// A durable invocation that is put aside.
pub(super) struct Letter<'a> {
    pub message: &'a jetstream::Message,
    pub sequence: u64,
    pub attempt: u32,
    pub error: &'a Error,
    pub node: &'a NodeKey,
}

impl Letter<'_> {
    /// Stores it; returns when the stream has confirmed that.
    ///
    /// # Errors
    /// Why it was not confirmed.
    pub async fn store(&self, lattice: &Lattice, actor: &ActorKey) -> Result<(), String> {
        let target = TargetKey::Actor(actor.clone());
        let subject = Subject::Dead(lattice.name().clone(), target).to_string();
        let headers = self.headers(lattice);
        let publish = async {
            let payload = self.message.payload.clone();
            let sent = lattice.jetstream().publish_with_headers(subject, headers, payload);
            sent.await?.await
        };
        let bound = Duration::from_millis(limits::QUEUE_SETTLE_TIMEOUT_MS);
        let stored = match tokio::time::timeout(bound, Box::pin(publish)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not confirmed within {} ms", bound.as_millis()),
        };
        // Somebody may have removed the stream: the next attempt finds it.
        let _ = lattice.open_queue().await;
        Err(stored)
    }

    fn headers(&self, lattice: &Lattice) -> HeaderMap {
        let stream = subjects::queue_stream(lattice.name());
        let mut headers = HeaderMap::new();
        let before = self.message.headers.as_ref();
        for (name, values) in before.iter().flat_map(|headers| headers.iter()) {
            let text: &str = name.as_ref();
            if !is_for_nats(text) {
                values.iter().for_each(|value| headers.append(name.clone(), value.clone()));
            }
        }
        let known_as = before.and_then(|headers| headers.get(NATS_MESSAGE_ID));
        let operation = Invocation::decode(&self.message.payload).map(|call| call.operation);
        let facts = [
            (header::DEAD_REASON, Some(self.error.message.clone())),
            (header::DEAD_CODE, Some(self.error.code.to_string())),
            (header::DEAD_SUBJECT, Some(self.message.subject.to_string())),
            (header::DEAD_STREAM, Some(stream.clone())),
            (header::DEAD_SEQUENCE, Some(self.sequence.to_string())),
            (header::DEAD_ATTEMPTS, Some(self.attempt.to_string())),
            (header::DEAD_NODE, Some(self.node.to_string())),
            (header::DEAD_ID, known_as.map(ToString::to_string)),
            (header::DEAD_OPERATION, operation.ok().map(str::to_owned)),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                headers.insert(name, plain(&value).as_str());
            }
        }
        // The same letter twice, where the decision about the original was lost, is one letter. Its
        // number alone would be that of another one where somebody has made the stream anew.
        let stored = self.message.info().map(|info| info.published.unix_timestamp_nanos());
        let id = format!("{stream}:{}:{}:dead", self.sequence, stored.unwrap_or_default());
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        headers.insert(NATS_EXPECTED_STREAM, subjects::dead_stream(lattice.name()).as_str());
        headers
    }
}

/// Returns a text as a header can carry it: on one line, and not for ever.
fn plain(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut one_line: String = one_line.collect();
    one_line.truncate(one_line.floor_char_boundary(limits::DEAD_TEXT_BYTES_MAX));
    one_line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_can_not_add_a_header() {
        assert_eq!(plain("a\r\nNats-Rollup: all"), "a  Nats-Rollup: all");
        assert_eq!(
            plain(&"é".repeat(limits::DEAD_TEXT_BYTES_MAX)).len(),
            limits::DEAD_TEXT_BYTES_MAX
        );
    }
}
