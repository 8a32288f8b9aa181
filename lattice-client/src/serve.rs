//! Serving: a subscription whose messages become bounded, owned tasks, and its fenced drain.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::fence;
use crate::lattice::Lattice;

/// What becomes of the messages of a subscription.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message; runs as a task of its own.
    fn handle(&self, message: Message) -> impl Future<Output = ()> + Send;

    /// Answers a message for which no place is free. Must not wait.
    fn refuse(&self, message: Message) -> impl Future<Output = ()> + Send;
}

/// What to listen to.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The subject; may have wildcards.
    pub subject: String,
    /// The queue group whose members share the messages; none means every message.
    pub queue_group: Option<String>,
    /// Messages that may be handled at once, waiting ones included; more are refused.
    pub in_flight_max: usize,
}

/// A subscription that is being served. Dropping it stops it without a drain.
pub struct Serving {
    drain: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<bool>,
    handlers: TaskTracker,
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Whether the fence came back: everything that the server had sent was handled.
    pub fenced: bool,
    /// Handlers that still ran when the bound was reached; they go on without anybody waiting.
    pub unfinished: usize,
}

/// Why a subscription can't be served.
#[derive(Debug, thiserror::Error)]
#[error("can't subscribe to {subject}: {cause}")]
pub struct ServeError {
    subject: String,
    cause: String,
}

impl ServeError {
    pub(crate) fn new(subject: &str, cause: &impl ToString) -> Self {
        Self { subject: subject.to_owned(), cause: cause.to_string() }
    }
}

impl Lattice {
    /// Subscribes and serves until [`Serving::drain`].
    ///
    /// Returns when the server knows of the subscription.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn serve<H: Handler>(
        &self,
        options: ServeOptions,
        handler: Arc<H>,
    ) -> Result<Serving, ServeError> {
        let ServeOptions { subject, queue_group, in_flight_max } = options;
        let subscriber = match queue_group {
            Some(group) => self.nats().queue_subscribe(subject.clone(), group).await,
            None => self.nats().subscribe(subject.clone()).await,
        }
        .map_err(|error| ServeError::new(&subject, &error))?;
        if !self.fence().await {
            return Err(ServeError::new(&subject, &"the server does not confirm it"));
        }
        let handlers = TaskTracker::new();
        let (drain, drain_asked) = oneshot::channel();
        let task = tokio::spawn(listen(
            self.clone(),
            subscriber,
            handler,
            handlers.clone(),
            in_flight_max,
            drain_asked,
        ));
        Ok(Serving { drain: Some(drain), task, handlers })
    }
}

impl Serving {
    /// Returns how many messages are being handled.
    pub fn in_flight(&self) -> usize {
        self.handlers.len()
    }

    /// Leaves the subscription without losing a message: the server stops sending, what it had
    /// sent is read and handled, and only then is the subscription forgotten.
    ///
    /// Waits at most `bound` for the handlers.
    pub async fn drain(mut self, bound: Duration) -> Drained {
        if let Some(drain) = self.drain.take() {
            let _ = drain.send(());
        }
        let fenced = (&mut self.task).await.unwrap_or(false);
        self.handlers.close();
        let finished = tokio::time::timeout(bound, self.handlers.wait()).await.is_ok();
        let unfinished = if finished { 0 } else { self.handlers.len() };
        Drained { fenced, unfinished }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen<H: Handler>(
    lattice: Lattice,
    mut subscriber: Subscriber,
    handler: Arc<H>,
    handlers: TaskTracker,
    in_flight_max: usize,
    mut drain_asked: oneshot::Receiver<()>,
) -> bool {
    loop {
        tokio::select! {
            // First, lest a subscription that is never empty never ends.
            biased;
            _ = &mut drain_asked => break,
            message = subscriber.next() => match message {
                Some(message) => dispatch(&handler, &handlers, in_flight_max, message).await,
                // The connection is closed for good.
                None => return false,
            },
        }
    }
    // What arrives meanwhile waits in the subscription: one round trip at most.
    let fenced = fence::stop_sending(&lattice, &mut subscriber).await;
    while let Some(Some(message)) = subscriber.next().now_or_never() {
        dispatch(&handler, &handlers, in_flight_max, message).await;
    }
    // Nothing can arrive any more: now the client may forget.
    let _ = subscriber.unsubscribe().await;
    fenced
}

async fn dispatch<H: Handler>(
    handler: &Arc<H>,
    handlers: &TaskTracker,
    in_flight_max: usize,
    message: Message,
) {
    if handlers.len() >= in_flight_max {
        handler.refuse(message).await;
        return;
    }
    let handler = handler.clone();
    handlers.spawn(async move { handler.handle(message).await });
}
