//! Serving: a subscription whose messages become bounded, owned tasks, and its fenced drain.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Message, Subject, Subscriber};
use futures_util::{FutureExt, StreamExt};
use tokio::task::coop::has_budget_remaining;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::backlog::Backlog;
use crate::lattice::Lattice;
use crate::outbox::let_others_run;
use crate::pulse::Pulse;
use crate::under_way::{Reader, UnderWay};
use crate::{fence, limits};

/// The messages of a subscription that wait.
struct Queue {
    subscriber: Subscriber,
    /// When none waited last.
    emptied: Instant,
    /// What is told of it to callers who ask whether this client has their calls.
    reader: Option<Reader>,
}

impl Queue {
    /// Waits for the next message, and notes when none waited.
    async fn next(&mut self) -> Option<Message> {
        let Self { subscriber, emptied, reader } = self;
        let mut waited = false;
        poll_fn(|context| {
            let polled = subscriber.poll_next_unpin(context);
            if polled.is_pending() {
                // A task that has used up its turn is told that nothing is there.
                if has_budget_remaining() {
                    waited = true;
                    reader.iter().for_each(Reader::waits);
                }
            } else if waited {
                *emptied = Instant::now();
                reader.iter().for_each(Reader::takes);
            }
            polled
        })
        .await
    }
}

/// What becomes of the messages of a subscription.
pub trait Handler: Send + Sync + 'static {
    /// Handles one message. It runs beside others: what must wait must await.
    fn handle(&self, delivery: Delivery) -> impl Future<Output = ()> + Send;

    /// Answers a message for which no place is free. Must not wait.
    fn refuse(&self, message: Message) -> impl Future<Output = ()> + Send;
}

/// A message as it was taken from its subscription.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The server sent it after this moment: it is no older, though this process may have been frozen
    /// or its link to NATS have stood still.
    pub sent_after: Instant,
    /// When it was taken.
    pub taken: Instant,
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
    /// Whether those that have waited long are refused where the wait stands: whoever sent them tries again.
    pub sheds: bool,
}

/// A subscription that is being served. Dropping it stops it without a drain.
pub struct Serving {
    lattice: Lattice,
    reader: AbortOnDropHandle<Queue>,
    stop: CancellationToken,
    handlers: TaskTracker,
    dispatch: Dispatch,
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
        let subject = options.subject.clone();
        let serving = self.begin_to_serve(options, handler).await?;
        match self.fence().await {
            true => Ok(serving),
            false => Err(ServeError::new(&subject, &"the server does not confirm it")),
        }
    }

    /// Subscribes and serves until [`Serving::drain`]; the server may not know of the subscription yet, which
    /// a [`fence`](Lattice::fence) tells.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn begin_to_serve<H: Handler>(
        &self,
        options: ServeOptions,
        handler: Arc<H>,
    ) -> Result<Serving, ServeError> {
        let ServeOptions { subject, queue_group, in_flight_max, sheds } = options;
        // Calls are shared by a queue group; what everybody hears is no call.
        let reader = queue_group.is_some().then(|| self.under_way().reader());
        let subscriber = match queue_group {
            Some(group) => self.nats().queue_subscribe(subject.clone(), group).await,
            None => self.nats().subscribe(subject.clone()).await,
        }
        .map_err(|error| ServeError::new(&subject, &error))?;
        let handlers = TaskTracker::new();
        let pulse = self.pulse();
        let stop = CancellationToken::new();
        let under_way = self.under_way().clone();
        let handlers_here = handlers.clone();
        let run = Run { handler, handlers: handlers_here, in_flight_max, sheds, pulse, under_way };
        let queue = Queue { subscriber, emptied: Instant::now(), reader };
        let reader = tokio::spawn(read(run.clone(), queue, stop.clone()));
        Ok(Serving {
            lattice: self.clone(),
            reader: AbortOnDropHandle::new(reader),
            stop,
            handlers,
            // Each as a task: however many there are, the bound of the drain holds.
            dispatch: Box::new(move |message, emptied| {
                run.spawn(run.take(message, emptied));
            }),
        })
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
    pub async fn drain(self, bound: Duration) -> Drained {
        let Self { lattice, reader, stop, handlers, dispatch } = self;
        stop.cancel();
        let fenced = match reader.await {
            Ok(queue) => leave(&lattice, queue, &dispatch).await,
            Err(error) => {
                tracing::error!(%error, "what read a subscription ended before its time");
                false
            }
        };
        handlers.close();
        let finished = tokio::time::timeout(bound, handlers.wait()).await.is_ok();
        let unfinished = if finished { 0 } else { handlers.len() };
        Drained { fenced, unfinished }
    }
}

/// Leaves the subscription; returns whether all that the server had sent was read.
async fn leave(lattice: &Lattice, queue: Queue, dispatch: &Dispatch) -> bool {
    let Queue { mut subscriber, emptied, reader } = queue;
    // Nobody is told that all is read until it is.
    reader.iter().for_each(Reader::takes);
    // What arrives meanwhile waits in the subscription: one round trip at most.
    let fenced = fence::stop_sending(lattice, &mut subscriber).await;
    loop {
        // Unconstrained: a task that has used up its turn is told that nothing is there.
        let next = tokio::task::coop::unconstrained(subscriber.next());
        let Some(Some(message)) = next.now_or_never() else { break };
        dispatch(message, emptied);
        tokio::task::consume_budget().await;
    }
    // Nothing can arrive any more: now the client may forget. A connection that is away has
    // forgotten already.
    let bound = Duration::from_millis(limits::FENCE_TIMEOUT_MS);
    let _ = tokio::time::timeout(bound, subscriber.unsubscribe()).await;
    fenced
}

/// Begins the handling of one message, whatever the type of its handler.
type Dispatch = Box<dyn Fn(Message, Instant) + Send + Sync>;

/// What is needed to run handlers.
struct Run<H> {
    handler: Arc<H>,
    handlers: TaskTracker,
    in_flight_max: usize,
    sheds: bool,
    pulse: Arc<Pulse>,
    under_way: Arc<UnderWay>,
}

impl<H> Clone for Run<H> {
    fn clone(&self) -> Self {
        let Self { handler, handlers, in_flight_max, sheds, pulse, under_way } = self;
        let (handler, handlers, pulse) = (handler.clone(), handlers.clone(), pulse.clone());
        let (in_flight_max, sheds, under_way) = (*in_flight_max, *sheds, under_way.clone());
        Self { handler, handlers, in_flight_max, sheds, pulse, under_way }
    }
}

/// A message that counts as being handled from the moment it is taken from its subscription, so
/// that a drain waits for it and the bound of what is in flight holds.
struct Taken {
    delivery: Delivery,
    /// Whether there was no place left for it.
    refused: bool,
    token: TaskTrackerToken,
}

impl<H: Handler> Run<H> {
    /// Takes a message from a queue that was empty at `emptied`.
    fn take(&self, message: Message, emptied: Instant) -> Taken {
        let refused = self.handlers.len() >= self.in_flight_max;
        let (sent_after, taken) = (self.pulse.sent_after(emptied), Instant::now());
        let delivery = Delivery { message, sent_after, taken };
        Taken { delivery, refused, token: self.handlers.token() }
    }

    /// Handles a message as far as that goes without waiting; what then waits goes on as a task of
    /// its own. Most calls end at once and never become one.
    fn begin(&self, taken: Taken) {
        let reply = taken.delivery.message.reply.clone();
        let mut work = Box::pin(self.work(taken));
        if (&mut work).now_or_never().is_none() {
            self.go_on(reply, work);
        }
    }

    /// Handles a message as a task of its own.
    fn spawn(&self, taken: Taken) {
        self.go_on(taken.delivery.message.reply.clone(), self.work(taken));
    }

    fn go_on(&self, reply: Option<Subject>, work: impl Future<Output = ()> + Send + 'static) {
        let held = self.under_way.hold(reply);
        tokio::spawn(async move {
            work.await;
            drop(held);
        });
    }

    /// Begins messages that wait together, one after the other: neither a task nor another thread
    /// is woken for each call of microseconds, and the replies leave in one write.
    ///
    /// What exceeds [`limits::CHUNK_MESSAGES_MAX`] becomes tasks of as many, which idle threads
    /// may take.
    fn begin_all(&self, mut batch: Vec<Taken>) {
        while batch.len() > limits::CHUNK_MESSAGES_MAX {
            let rest = batch.split_off(batch.len() - limits::CHUNK_MESSAGES_MAX);
            let (run, unbegun) = (self.clone(), self.under_way.batch());
            tokio::spawn(async move {
                run.begin_chunk(rest);
                drop(unbegun);
            });
        }
        self.begin_chunk(batch);
    }

    /// Begins a few messages. Once they have taken [`limits::CHUNK_MAX_US`] each of the rest is a
    /// task, so that nobody waits long behind calls that compute.
    fn begin_chunk(&self, chunk: Vec<Taken>) {
        let begun = Instant::now();
        for taken in chunk {
            if begun.elapsed() < Duration::from_micros(limits::CHUNK_MAX_US) {
                self.begin(taken);
            } else {
                self.spawn(taken);
            }
        }
    }

    fn work(&self, taken: Taken) -> impl Future<Output = ()> + Send + 'static {
        let handler = self.handler.clone();
        let Taken { delivery, refused, token } = taken;
        async move {
            let work = async {
                if refused {
                    handler.refuse(delivery.message).await;
                } else {
                    handler.handle(delivery).await;
                }
            };
            // A panic is a bug of a handler, and must not take the reader with it.
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!("a handler panicked; its message stays unanswered");
            }
            drop(token);
        }
    }
}

/// Takes messages and has them handled, until told to stop or the connection is closed.
async fn read<H: Handler>(run: Run<H>, mut queue: Queue, stop: CancellationToken) -> Queue {
    let mut stopped = std::pin::pin!(stop.cancelled());
    let mut backlog = Backlog::default();
    loop {
        if backlog.is_empty() {
            // First to stop, lest a subscription that is never empty never ends.
            let first = tokio::select! {
                biased;
                () = &mut stopped => return queue,
                message = queue.next() => message,
            };
            let Some(first) = first else { return queue };
            let taken = run.take(first, queue.emptied);
            backlog.push(taken.delivery.taken, taken);
        }
        // All that is there is read before any is handled: only so is it known how long each waits.
        while backlog.has_room()
            && let Some(Some(message)) = queue.subscriber.next().now_or_never()
        {
            let taken = run.take(message, queue.emptied);
            backlog.push(taken.delivery.taken, taken);
        }
        let now = Instant::now();
        let mut batch = Vec::new();
        while batch.len() < limits::BATCH_MESSAGES_MAX
            && let Some((mut taken, late)) = backlog.pop(now)
        {
            taken.refused |= late && run.sheds;
            batch.push(taken);
        }
        let several = batch.len() > 1;
        run.begin_all(batch);
        if several {
            // The connection's own task may wait behind this one to write the replies.
            let_others_run().await;
        }
        if stop.is_cancelled() {
            while let Some((taken, _)) = backlog.pop(Instant::now()) {
                run.spawn(taken);
            }
            return queue;
        }
    }
}
