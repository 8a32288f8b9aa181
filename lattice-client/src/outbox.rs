//! Requests on their way to the connection: what is ready together leaves in one write.
//!
//! The connection's own task writes as soon as it has something, and a scheduler runs it right
//! after the first of many callers that all became ready with the same read: each request would
//! be a system call here, and another one in the server. So requests of callers that are not alone
//! pass through a task that lets everybody who is ready go first.

use async_nats::{Client, HeaderMap, Subject};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::limits;

/// A request that shall be published.
pub(crate) struct Outgoing {
    pub token: u64,
    pub subject: Subject,
    pub inbox: String,
    pub headers: Option<HeaderMap>,
    pub payload: Bytes,
}

impl Outgoing {
    /// Hands the request to the connection; returns whether it took it.
    pub(crate) async fn publish(self, nats: &Client) -> bool {
        let Self { subject, inbox, headers, payload, .. } = self;
        let published = match headers {
            Some(headers) => {
                nats.publish_with_reply_and_headers(subject, inbox, headers, payload).await
            }
            None => nats.publish_with_reply(subject, inbox, payload).await,
        };
        published.is_ok()
    }
}

/// Where requests are put.
pub(crate) type Outbox = mpsc::Sender<Outgoing>;

/// Makes a bounded outbox and what [`run`] takes from.
pub(crate) fn outbox() -> (Outbox, mpsc::Receiver<Outgoing>) {
    mpsc::channel(limits::OUTBOX_CAPACITY)
}

/// Publishes what is put into the outbox until `stop`; tells `refused` the token of what the
/// connection did not take.
pub(crate) async fn run(
    mut outgoing: mpsc::Receiver<Outgoing>,
    nats: Client,
    refused: impl Fn(u64),
    stop: CancellationToken,
) {
    let mut ready = Vec::with_capacity(limits::OUTBOX_BATCH_MAX);
    loop {
        let first = tokio::select! {
            biased;
            first = outgoing.recv() => first,
            () = stop.cancelled() => return,
        };
        let Some(first) = first else { return };
        ready.push(first);
        // Behind all who are ready now.
        tokio::task::yield_now().await;
        while ready.len() < limits::OUTBOX_BATCH_MAX
            && let Ok(next) = outgoing.try_recv()
        {
            ready.push(next);
        }
        for request in ready.drain(..) {
            let token = request.token;
            if !request.publish(&nats).await {
                refused(token);
            }
        }
    }
}
