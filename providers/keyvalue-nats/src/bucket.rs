//! A bucket: what a key holds, read from the stream's leader, and changed by compare-and-set.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::kv;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use lattice_client::{Lattice, jetstream};
use lattice_protocol::subjects::{self, header};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;
use mesh_provider::jetstream::{failed, within};
use tokio::sync::Mutex;

use crate::content::{Content, Held, now_ms};
use crate::limits;

/// A bucket. Its handles are shared by the calls of a link.
pub struct Bucket {
    pub(crate) lattice: Lattice,
    name: String,
    pub(crate) store: kv::Store,
    /// Changes of the same key wait here, rather than for the server to refuse them.
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// What a change makes of what a key holds.
pub enum Change<T> {
    /// It stays as it is.
    Keep(T),
    /// It holds this from now on.
    Put(Held, T),
    /// It holds nothing from now on.
    Delete(T),
}

impl Bucket {
    /// Opens a bucket, making it where there is none.
    ///
    /// # Errors
    /// `bad_request` when it can't be used so; `provider_unavailable`.
    pub async fn open(lattice: &Lattice, name: &str) -> Result<Self, Error> {
        let jetstream = lattice.jetstream();
        let store = match jetstream.get_key_value(name).await {
            Ok(store) => store,
            Err(_) => {
                let config = kv::Config {
                    bucket: name.to_owned(),
                    description: "values of actors".to_owned(),
                    history: 1,
                    num_replicas: lattice.replicas(),
                    limit_markers: Some(Duration::from_secs(limits::MARKER_KEPT_S)),
                    ..kv::Config::default()
                };
                match jetstream.create_key_value(config).await {
                    Ok(store) => store,
                    // Another process made it at the same time.
                    Err(error) => jetstream
                        .get_key_value(name)
                        .await
                        .map_err(|_| failed("open the bucket", &error))?,
                }
            }
        };
        let config = &store.stream.cached_info().config;
        if config.max_messages_per_subject != 1 || !config.allow_message_ttl {
            return Err(Error::not_started(
                ErrorCode::BadRequest,
                format!("the bucket {name} must have a history of 1 and allow lives of messages"),
            ));
        }
        let locks = (0..limits::KEY_LOCKS).map(|_| Mutex::default()).collect();
        let (lattice, name) = (lattice.clone(), name.to_owned());
        Ok(Self { lattice, name, store, locks, hasher: RandomState::new() })
    }

    /// Returns what a key of the bucket holds; `shown` is its name for people.
    ///
    /// # Errors
    /// `provider_unavailable`, `deadline_exceeded`.
    pub async fn read(
        &self,
        key: &str,
        shown: &str,
        info: &CallInfo,
    ) -> Result<Option<Held>, Error> {
        Ok(self.look(key, shown, info).await?.0)
    }

    /// Returns what a key holds, and the revision that a change of it must name.
    ///
    /// # Errors
    /// `provider_unavailable`, `deadline_exceeded`.
    pub async fn look(
        &self,
        key: &str,
        shown: &str,
        info: &CallInfo,
    ) -> Result<(Option<Held>, u64), Error> {
        let subject = subjects::bucket_subject(&self.name, key);
        let ask = self.store.stream.get_last_raw_message_by_subject(&subject);
        let message = match within(&self.lattice, info, ask).await? {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                return Ok((None, 0));
            }
            Err(error) => return Err(failed("read the key", &error)),
        };
        let at = message.sequence;
        if !is_live(&message.headers) {
            return Ok((None, at));
        }
        let sort = message.headers.get(header::KEYVALUE_SORT).map(|sort| sort.as_str());
        let content = Content::decode(shown, sort, &message.payload)?;
        Ok((Some(Held { content, expires_ms: expires_ms(&message.headers) }), at))
    }

    /// Changes what a key holds by what `change` makes of it, tried again where somebody else was
    /// faster.
    ///
    /// # Errors
    /// What `change` returns; `busy` after too many attempts; `provider_unavailable`.
    pub async fn change<T>(
        &self,
        key: &str,
        shown: &str,
        info: &CallInfo,
        change: impl Fn(Option<Held>) -> Result<Change<T>, Error>,
    ) -> Result<T, Error> {
        let at = usize::try_from(self.hasher.hash_one(key)).unwrap_or_default();
        let _turn = match self.locks.get(at % limits::KEY_LOCKS) {
            Some(lock) => Some(within(&self.lattice, info, lock.lock()).await?),
            None => None,
        };
        let mut pause = change_pause();
        for _ in 0..limits::CHANGE_ATTEMPTS_MAX {
            let (held, at) = self.look(key, shown, info).await?;
            let (write, answer) = match change(held)? {
                Change::Keep(answer) => return Ok(answer),
                Change::Put(held, answer) => (Some(held), answer),
                Change::Delete(answer) => (None, answer),
            };
            if self.write(key, shown, write, Some(at), info).await? {
                return Ok(answer);
            }
            pause.wait().await;
        }
        Err(Error::not_started(
            ErrorCode::Busy,
            format!("others change {shown:?} too often: every attempt came too late"),
        ))
    }

    /// Writes what a key shall hold, whatever it holds now.
    ///
    /// # Errors
    /// `provider_unavailable`, `limit_exceeded`.
    pub async fn put(
        &self,
        key: &str,
        shown: &str,
        held: Held,
        info: &CallInfo,
    ) -> Result<(), Error> {
        self.write(key, shown, Some(held), None, info).await.map(drop)
    }

    /// Writes if the revision is still `expected`; returns whether it was.
    async fn write(
        &self,
        key: &str,
        shown: &str,
        held: Option<Held>,
        expected: Option<u64>,
        info: &CallInfo,
    ) -> Result<bool, Error> {
        let mut headers = HeaderMap::new();
        if let Some(expected) = expected {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string().as_str());
        }
        let body = match &held {
            None => {
                headers.insert(header::KV_OPERATION, "DEL");
                headers.insert(NATS_MESSAGE_TTL, limits::MARKER_KEPT_S.to_string().as_str());
                Vec::new()
            }
            Some(held) => {
                headers.insert(header::KEYVALUE_SORT, held.content.sort());
                if let Some(expires_ms) = held.expires_ms {
                    headers.insert(header::KEYVALUE_EXPIRES, expires_ms.to_string().as_str());
                    let left_s = expires_ms.saturating_sub(now_ms()).div_ceil(1_000);
                    let kept_s = left_s + limits::EXPIRED_KEPT_S;
                    headers.insert(NATS_MESSAGE_TTL, kept_s.to_string().as_str());
                }
                held.content.encode()?
            }
        };
        let most = self.lattice.nats().server_info().max_payload;
        if body.len() + limits::MESSAGE_OVERHEAD_BYTES > most {
            return Err(Error::not_started(
                ErrorCode::LimitExceeded,
                format!("what {shown:?} would hold exceeds the {most} bytes of the server"),
            ));
        }
        let subject = subjects::bucket_subject(&self.name, key);
        let jetstream = self.lattice.jetstream();
        let publish = async {
            let sent = jetstream.publish_with_headers(subject, headers, Bytes::from(body)).await?;
            sent.await
        };
        match within(&self.lattice, info, publish)
            .await
            .map_err(|error| Error { started: true, ..error })?
        {
            Ok(_) => Ok(true),
            Err(error) if jetstream::is_conflict(&error) => Ok(false),
            Err(error) => Err(Error { started: true, ..failed("write the key", &error) }),
        }
    }
}

/// The pauses between attempts of which others were faster: each longer, none the same for two.
pub struct Pause(Duration);

/// Returns the pauses for one request.
pub fn change_pause() -> Pause {
    Pause(Duration::from_micros(limits::CHANGE_PAUSE_FIRST_US))
}

impl Pause {
    /// Makes the next one.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
        self.0 = (self.0 * 2).min(Duration::from_micros(limits::CHANGE_PAUSE_MAX_US));
    }
}

/// Returns whether a message holds something that is still there.
pub fn is_live(headers: &HeaderMap) -> bool {
    headers.get(header::KV_OPERATION).is_none()
        && headers.get(header::MARKER_REASON).is_none()
        && expires_ms(headers).is_none_or(|expires_ms| expires_ms > now_ms())
}

fn expires_ms(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::KEYVALUE_EXPIRES)?.as_str().parse().ok()
}
