//! One inbox for all requests of a client.
//!
//! async-nats has one of its own, which keeps an entry for ever for each request that is never
//! answered and leaves requests waiting when the connection is lost. Here an entry lives exactly
//! as long as somebody waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::{Client, HeaderMap, Message, Subject};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::outbox::{self, Outbox, Outgoing};

/// Why a request has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// Nobody listens on the subject: the request reached nobody.
    NoResponders,
    /// The connection was lost while the request was under way.
    ConnectionLost,
    /// Too many requests wait already; this one was not sent.
    TooMany,
    /// The request can't be sent at all: the client is closed, or the message too large.
    NotSent,
}

type Waiting = oneshot::Sender<Result<Message, RequestError>>;

/// The inbox and those who wait on it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mux {
    shared: Arc<Shared>,
    outbox: Outbox,
}

struct Shared {
    /// Ends with a dot: a token follows.
    prefix: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        // Nothing panics while it is held; and if it did, the map would still be whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the entry away when nobody waits any more, however the wait ended.
struct Entry<'a> {
    shared: &'a Shared,
    token: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.token);
    }
}

impl Mux {
    /// Makes an inbox under `inbox`, which must be this client's alone, and the queue of requests
    /// that [`Mux::send_all`] publishes.
    pub(crate) fn new(inbox: &str) -> (Self, mpsc::Receiver<Outgoing>) {
        let prefix = format!("{inbox}.");
        let shared = Shared { prefix, next: AtomicU64::new(0), waiting: Mutex::default() };
        let (outbox, outgoing) = outbox::outbox();
        (Self { shared: Arc::new(shared), outbox }, outgoing)
    }

    /// Returns the subject that all replies arrive on.
    pub(crate) fn subject(&self) -> String {
        format!("{}*", self.shared.prefix)
    }

    /// Hands replies to those who wait, until the subscription or `stop` ends.
    pub(crate) async fn run(self, mut replies: async_nats::Subscriber, stop: CancellationToken) {
        loop {
            let message = tokio::select! {
                biased;
                message = replies.next() => message,
                () = stop.cancelled() => return,
            };
            let Some(message) = message else { return };
            let token = message.subject.strip_prefix(self.shared.prefix.as_str());
            let Some(token) = token.and_then(|text| text.parse().ok()) else { continue };
            let Some(waiting) = self.shared.waiting().remove(&token) else { continue };
            let reply = if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                Err(RequestError::NoResponders)
            } else {
                Ok(message)
            };
            // Whoever waited may have gone in this very moment.
            let _ = waiting.send(reply);
        }
    }

    /// Publishes requests until `stop`.
    pub(crate) async fn send_all(
        self,
        outgoing: mpsc::Receiver<Outgoing>,
        nats: Client,
        stop: CancellationToken,
    ) {
        let Self { shared, outbox } = self;
        // Whoever still holds the other end is a caller.
        drop(outbox);
        let wanted = |token| shared.waiting().contains_key(&token);
        let refused = |token| {
            if let Some(waiting) = shared.waiting().remove(&token) {
                let _ = waiting.send(Err(RequestError::NotSent));
            }
        };
        outbox::run(outgoing, nats, wanted, refused, stop).await;
    }

    /// Fails everything that waits: the replies went with the connection.
    pub(crate) fn connection_lost(&self) {
        for (_, waiting) in std::mem::take(&mut *self.shared.waiting()) {
            let _ = waiting.send(Err(RequestError::ConnectionLost));
        }
    }

    /// Returns what the reply subjects of all requests begin with; their tokens follow.
    pub(crate) fn prefix(&self) -> &str {
        &self.shared.prefix
    }

    /// Returns a token for a request.
    pub(crate) fn token(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Publishes `payload` and waits for its reply, without a bound of its own: callers bring one.
    pub(crate) async fn request(
        &self,
        nats: &Client,
        subject: Subject,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        self.request_as(self.token(), nats, subject, headers, payload).await
    }

    /// The same with a token that was taken before.
    pub(crate) async fn request_as(
        &self,
        token: u64,
        nats: &Client,
        subject: Subject,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let others = {
            let mut waiting = self.shared.waiting();
            let others = waiting.len();
            if others >= limits::PENDING_CALLS_MAX {
                return Err(RequestError::TooMany);
            }
            waiting.insert(token, sender);
            others
        };
        let _entry = Entry { shared: &self.shared, token };
        let inbox = format!("{}{token}", self.shared.prefix);
        let request = Outgoing { token, subject, inbox, headers, payload };
        let sent = if others == 0 {
            // Nobody is there to share a write with.
            request.publish(nats).await
        } else {
            self.outbox.send(request).await.is_ok()
        };
        if !sent {
            return Err(RequestError::NotSent);
        }
        receiver.await.unwrap_or(Err(RequestError::ConnectionLost))
    }

    /// Publishes to this very inbox and waits for it to come back: everything that the server
    /// sent to this connection before has then been read.
    pub(crate) async fn fence(&self, nats: &Client) -> Result<(), RequestError> {
        let token = self.token();
        let (sender, receiver) = oneshot::channel();
        self.shared.waiting().insert(token, sender);
        let _entry = Entry { shared: &self.shared, token };
        let inbox = format!("{}{token}", self.shared.prefix);
        nats.publish(inbox, Bytes::new()).await.map_err(|_| RequestError::NotSent)?;
        receiver.await.unwrap_or(Err(RequestError::ConnectionLost)).map(drop)
    }

    /// Returns whether the request of this token still waits for its reply.
    pub(crate) fn awaits(&self, token: u64) -> bool {
        self.shared.waiting().contains_key(&token)
    }

    /// Returns how many requests wait.
    pub(crate) fn pending(&self) -> usize {
        self.shared.waiting().len()
    }
}
