//! Who delivers which tick: processes agree by compare-and-set on one key a link.

use std::time::Duration;

use async_nats::jetstream::kv;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use lattice_client::Lattice;
use lattice_protocol::{Error, ErrorCode, subjects};
use mesh_provider::Link;

use crate::limits;

/// What processes know of the ticks of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The tick that was taken last.
    pub due_at_ms: u64,
    /// Until when whoever took it is believed to work on it; 0 once it is done.
    pub taken_until_ms: u64,
}

impl Known {
    fn encode(self) -> String {
        format!("{} {}", self.due_at_ms, self.taken_until_ms)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (due, until) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        Some(Self { due_at_ms: due.parse().ok()?, taken_until_ms: until.parse().ok()? })
    }
}

/// What a process may do about a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nobody has it: it may be taken.
    Free,
    /// Somebody works on it until then.
    Taken(u64),
    /// It is done, or a later one is.
    Done,
}

/// Decides whose turn a tick is.
pub fn turn(known: Known, due_at_ms: u64, now_ms: u64) -> Turn {
    if known.due_at_ms > due_at_ms {
        return Turn::Done;
    }
    if known.due_at_ms < due_at_ms {
        return Turn::Free;
    }
    match known.taken_until_ms {
        0 => Turn::Done,
        until if until > now_ms => Turn::Taken(until),
        // Whoever took it has not said that it is done: it may have died.
        _ => Turn::Free,
    }
}

/// The key of one link.
pub struct Agreement {
    bucket: kv::Store,
    subject: String,
    key: String,
}

impl Agreement {
    /// Opens the bucket, making it where there is none.
    ///
    /// # Errors
    /// `provider_unavailable`.
    pub async fn open(lattice: &Lattice, link: &Link) -> Result<Self, Error> {
        let name = subjects::timers_bucket(lattice.name());
        let jetstream = lattice.jetstream();
        let open = async {
            if let Ok(bucket) = jetstream.get_key_value(&name).await {
                return Ok(bucket);
            }
            let config = kv::Config {
                bucket: name.clone(),
                description: "which ticks of timers were delivered".to_owned(),
                history: 1,
                num_replicas: lattice.replicas(),
                ..kv::Config::default()
            };
            match jetstream.create_key_value(config).await {
                Ok(bucket) => Ok(bucket),
                // Another process made it at the same time.
                Err(error) => jetstream.get_key_value(&name).await.map_err(|_| unavailable(&error)),
            }
        };
        let bucket = within(open).await??;
        let key = subjects::timer_key(&link.id.source, &link.id.name);
        Ok(Self { bucket, subject: subjects::bucket_subject(&name, &key), key })
    }

    /// Returns what is known, and the revision that the next word about it must name.
    ///
    /// # Errors
    /// `provider_unavailable`.
    pub async fn known(&self) -> Result<(Known, u64), Error> {
        let ask = self.bucket.stream.get_last_raw_message_by_subject(&self.subject);
        match within(ask).await? {
            Ok(message) => {
                let known = Known::decode(&message.payload).unwrap_or_default();
                Ok((known, message.sequence))
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                Ok((Known::default(), 0))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Says what is known now, if nobody else did since revision `expected`; returns the new
    /// revision, or nothing where somebody was faster.
    ///
    /// # Errors
    /// `provider_unavailable`.
    pub async fn say(&self, known: Known, expected: u64) -> Result<Option<u64>, Error> {
        let update = self.bucket.update(&self.key, known.encode().into(), expected);
        match within(update).await? {
            Ok(at) => Ok(Some(at)),
            Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
    tokio::time::timeout(bound, work).await.map_err(|_| unavailable(&"no answer in time"))
}

fn unavailable(error: &dyn std::fmt::Display) -> Error {
    let message = format!("the bucket of the timers can't be reached: {error}");
    Error::not_started(ErrorCode::ProviderUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_one_processs_until_it_is_done_or_overdue() {
        let known = Known { due_at_ms: 1_000, taken_until_ms: 5_000 };
        assert_eq!(Known::decode(known.encode().as_bytes()), Some(known));
        assert_eq!(Known::decode(b"x"), None);
        for (due, now, expected) in [
            (2_000, 2_000, Turn::Free),
            (1_000, 4_999, Turn::Taken(5_000)),
            (1_000, 5_000, Turn::Free),
            (500, 5_000, Turn::Done),
        ] {
            assert_eq!(turn(known, due, now), expected);
        }
        assert_eq!(turn(Known { taken_until_ms: 0, ..known }, 1_000, 9_000), Turn::Done);
        assert_eq!(turn(Known::default(), 1, 1), Turn::Free);
    }
}
