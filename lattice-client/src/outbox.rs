//! Requests on their way to the connection: what is ready together leaves in one write.
//!
//! The connection's own task writes as soon as it has something, and a scheduler runs it right
//! after the first of many callers that all became ready with the same read: each request would
//! be a system call here, and another one in the server. So requests of callers that are not alone
//! pass through a task that lets everybody who is ready go first.

use std::future::poll_fn;
use std::task::Poll;

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

/// Publishes what is put into the outbox until `stop`. Asks `wanted` whether somebody still waits
/// for the token, and tells `refused` that of what the connection did not take.
pub(crate) async fn run(
    mut outgoing: mpsc::Receiver<Outgoing>,
    nats: Client,
    wanted: impl Fn(u64) -> bool,
    refused: impl Fn(u64),
    stop: CancellationToken,
) {
    let publish_all = async {
        let mut ready = Vec::with_capacity(limits::OUTBOX_BATCH_MAX);
        while let Some(first) = outgoing.recv().await {
            ready.push(first);
            let_others_run().await;
            while ready.len() < limits::OUTBOX_BATCH_MAX
                && let Ok(next) = outgoing.try_recv()
            {
                ready.push(next);
            }
            // While the connection is away requests wait here, and their callers give up.
            for request in ready.drain(..).filter(|request| wanted(request.token)) {
                let token = request.token;
                if !request.publish(&nats).await {
                    refused(token);
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = publish_all => {}
    }
}

/// Goes behind everything that is ready on this thread now, and stays where another thread can
/// take it. `tokio::task::yield_now` would wait until the thread has nothing else to do.
pub(crate) async fn let_others_run() {
    let mut went = false;
    poll_fn(|context| {
        if went {
            return Poll::Ready(());
        }
        went = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
