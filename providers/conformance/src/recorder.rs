//! An actor that writes down what it is called with, and answers as a suite tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lattice_protocol::contract::Message;
use lattice_protocol::names::LinkName;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{ActorCall, Actors, BoxFuture};
use tokio::sync::watch;

/// A call that the actor got.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Over which link.
    pub link: LinkName,
    /// What it was asked.
    pub operation: String,
    /// The message.
    pub payload: Bytes,
    /// Which of the providers in this process called, from 0; none over NATS.
    pub instance: Option<usize>,
    /// How many calls came over that link before.
    pub before: usize,
    /// When, as Unix milliseconds.
    pub at_ms: u64,
}

impl Heard {
    /// Reads the message.
    ///
    /// # Errors
    /// That it is none of the contract.
    pub fn read<M: Message>(&self) -> Result<M, String> {
        M::decode(&self.payload)
            .map_err(|error| format!("{} can't be read: {error}", self.operation))
    }
}

/// How a call is answered.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// Time that the actor takes.
    pub after: Duration,
    /// What it answers.
    pub outcome: Result<Bytes, Error>,
}

impl Reaction {
    /// Answers at once.
    pub fn now(outcome: Result<Bytes, Error>) -> Self {
        Self { after: Duration::ZERO, outcome }
    }

    /// Answers with a message.
    pub fn message(message: &impl Message) -> Self {
        Self::now(
            message
                .encode()
                .map(Bytes::from)
                .map_err(|error| Error::started(ErrorCode::Internal, error.to_string())),
        )
    }

    /// Takes so much time for the answer.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Rule = Arc<dyn Fn(&Heard) -> Reaction + Send + Sync>;

/// The actor. Cheap to clone.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Shared>);

#[derive(Default)]
struct Shared {
    rules: Mutex<HashMap<LinkName, Rule>>,
    heard: Mutex<HashMap<LinkName, Vec<Heard>>>,
    count: watch::Sender<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Makes an actor that answers each call with an empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers what comes over a link by `rule` from now on, and forgets what came.
    pub fn react(
        &self,
        link: &LinkName,
        rule: impl Fn(&Heard) -> Reaction + Send + Sync + 'static,
    ) {
        locked(&self.0.heard).remove(link);
        locked(&self.0.rules).insert(link.clone(), Arc::new(rule));
    }

    /// Returns what came over a link, in order.
    pub fn heard(&self, link: &LinkName) -> Vec<Heard> {
        locked(&self.0.heard).get(link).cloned().unwrap_or_default()
    }

    /// Waits until `enough` of what came over a link. Returns all that came.
    ///
    /// # Errors
    /// That it did not come within `bound`.
    pub async fn until(
        &self,
        link: &LinkName,
        bound: Duration,
        enough: impl Fn(&[Heard]) -> bool,
    ) -> Result<Vec<Heard>, String> {
        let mut count = self.0.count.subscribe();
        let wait = async {
            loop {
                count.borrow_and_update();
                let heard = self.heard(link);
                if enough(&heard) || count.changed().await.is_err() {
                    return heard;
                }
            }
        };
        tokio::time::timeout(bound, wait).await.map_err(|_| {
            let heard = self.heard(link).len();
            format!("after {} ms only {heard} calls came", bound.as_millis())
        })
    }

    /// Returns what calls the actor for number `instance` of the providers in this process.
    pub fn called_by(&self, instance: usize) -> Arc<dyn Actors> {
        Arc::new(Direct { recorder: self.clone(), instance })
    }

    pub(crate) async fn answer(
        &self,
        link: LinkName,
        operation: String,
        payload: Bytes,
        instance: Option<usize>,
    ) -> Result<Bytes, Error> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let rule = locked(&self.0.rules).get(&link).cloned();
        let heard = {
            let mut all = locked(&self.0.heard);
            let of_link = all.entry(link.clone()).or_default();
            let before = of_link.len();
            let heard = Heard { link, operation, payload, instance, before, at_ms };
            of_link.push(heard.clone());
            heard
        };
        self.0.count.send_modify(|count| *count += 1);
        let reaction = match rule {
            Some(rule) => rule(&heard),
            None => Reaction::now(Ok(Bytes::new())),
        };
        tokio::time::sleep(reaction.after).await;
        reaction.outcome
    }
}

/// Calls in process.
struct Direct {
    recorder: Recorder,
    instance: usize,
}

impl Actors for Direct {
    fn call(&self, call: ActorCall) -> BoxFuture<'_, Result<Bytes, Error>> {
        let ActorCall { link, operation, payload, timeout, .. } = call;
        let answer =
            self.recorder.answer(link.name, operation.to_owned(), payload, Some(self.instance));
        Box::pin(async move {
            tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| {
                let late = format!("no answer to {operation} within {} ms", timeout.as_millis());
                Err(Error::started(ErrorCode::DeadlineExceeded, late))
            })
        })
    }
}
