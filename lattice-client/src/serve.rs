//! Serving: a subscription whose messages become bounded, owned tasks, and its fenced drain.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lattice::Lattice;
use crate::{fence, limits};

/// What becomes of the messages of a subscription.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message. It runs beside others: what must wait must await.
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
    lattice: Lattice,
    lanes: JoinSet<()>,
    subscription: Arc<Mutex<Subscriber>>,
    stop: CancellationToken,
    handlers: TaskTracker,
    dispatch: Dispatcher,
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
        let stop = CancellationToken::new();
        let subscription = Arc::new(Mutex::new(subscriber));
        let run = Run { handler, handlers: handlers.clone(), in_flight_max };
        let mut lanes = JoinSet::new();
        for _ in 0..lane_count() {
            lanes.spawn(lane(run.clone(), subscription.clone(), stop.clone()));
        }
        let dispatch: Dispatcher = Box::new(move |message| run.dispatch(message));
        Ok(Serving { lattice: self.clone(), lanes, subscription, stop, handlers, dispatch })
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
        self.stop.cancel();
        while self.lanes.join_next().await.is_some() {}
        let fenced = self.leave().await;
        self.handlers.close();
        let finished = tokio::time::timeout(bound, self.handlers.wait()).await.is_ok();
        let unfinished = if finished { 0 } else { self.handlers.len() };
        Drained { fenced, unfinished }
    }

    async fn leave(&mut self) -> bool {
        let mut subscriber = self.subscription.lock().await;
        // What arrives meanwhile waits in the subscription: one round trip at most.
        let fenced = fence::stop_sending(&self.lattice, &mut subscriber).await;
        while let Some(Some(message)) = subscriber.next().now_or_never() {
            (self.dispatch)(message);
        }
        // Nothing can arrive any more: now the client may forget.
        let _ = subscriber.unsubscribe().await;
        fenced
    }
}

/// How many lanes serve one subscription: as many as can run at once.
fn lane_count() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(limits::LANES_MAX)
}

/// Handles one message, whatever the type of its handler.
type Dispatcher = Box<dyn Fn(Message) + Send + Sync>;

/// What a lane needs to run handlers.
struct Run<H> {
    handler: Arc<H>,
    handlers: TaskTracker,
    in_flight_max: usize,
}

impl<H> Clone for Run<H> {
    fn clone(&self) -> Self {
        let Self { handler, handlers, in_flight_max } = self;
        Self { handler: handler.clone(), handlers: handlers.clone(), in_flight_max: *in_flight_max }
    }
}

impl<H: Handler> Run<H> {
    /// Runs the handler of a message as far as it goes without waiting; what then waits goes on
    /// as a task of its own. Most calls end at once and never become one.
    fn dispatch(&self, message: Message) {
        let handler = self.handler.clone();
        let refused = self.handlers.len() >= self.in_flight_max;
        let work = async move {
            if refused {
                handler.refuse(message).await;
            } else {
                handler.handle(message).await;
            }
        };
        // A panic is a bug of a handler, and must not take the lane with it.
        let work = AssertUnwindSafe(work).catch_unwind().map(|outcome| {
            if outcome.is_err() {
                tracing::error!("a handler panicked; its message stays unanswered");
            }
        });
        let mut work = Box::pin(self.handlers.track_future(work));
        if (&mut work).now_or_never().is_none() {
            tokio::spawn(work);
        }
    }
}

/// Takes messages in batches and runs them, until told to stop or the connection is closed.
///
/// Lanes take turns at the subscription. Messages that wait together are handled together, so
/// that their replies leave in one write; whoever took the last ones keeps the subscription for
/// as long as that is quick, so that a single caller wakes a single lane.
async fn lane<H: Handler>(
    run: Run<H>,
    subscription: Arc<Mutex<Subscriber>>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(limits::BATCH_MESSAGES_MAX);
    let hold_max = Duration::from_micros(limits::SUBSCRIPTION_HOLD_MAX_US);
    let mut stopped = std::pin::pin!(stop.cancelled());
    let mut held = None;
    loop {
        // First to stop, lest a subscription that is never empty never ends.
        let mut subscriber: MutexGuard<'_, Subscriber> = match held.take() {
            Some(subscriber) => subscriber,
            None => tokio::select! {
                biased;
                () = &mut stopped => return,
                subscriber = subscription.lock() => subscriber,
            },
        };
        let first = tokio::select! {
            biased;
            () = &mut stopped => return,
            message = subscriber.next() => message,
        };
        let Some(first) = first else { return };
        batch.push(first);
        while batch.len() < limits::BATCH_MESSAGES_MAX
            && let Some(Some(message)) = subscriber.next().now_or_never()
        {
            batch.push(message);
        }
        let several = batch.len() > 1;
        let begun = Instant::now();
        held = (batch.len() < limits::BATCH_MESSAGES_MAX).then_some(subscriber);
        for message in batch.drain(..) {
            run.dispatch(message);
            if held.is_some() && begun.elapsed() > hold_max {
                held = None;
            }
        }
        if several {
            // The connection's own task may wait behind this one to write the replies.
            tokio::task::yield_now().await;
        }
    }
}
