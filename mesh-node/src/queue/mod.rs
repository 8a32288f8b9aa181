//! Durable invocations of the actors that this node serves: pulled from the lattice's stream, run by
//! the same host as calls, and settled by what came of them.
//!
//! ```text
//! stream ─► waiting.rs  for whom something is there, where there are many actors
//!        ─► reader.rs   pull, no more at once than may run
//!             └► work.rs     decode, run, keep the message while it runs
//!                  └► outcome.rs  done, again after a pause, or dead
//!                       └► dead.rs     stored among the dead letters first, ended then
//! ```

mod dead;
mod outcome;
mod reader;
mod waiting;
mod work;

use std::sync::Arc;
use std::time::Duration;

use lattice_client::answer::{AnswerOptions, Answered, Answering, CallHandler, Incoming};
use lattice_protocol::Error;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::actor_host::ActorHost;
use crate::compute::Patience;
use crate::limits;
use crate::shared::Shared;
use reader::Reader;
use waiting::Waiting;
use work::Work;

/// Begins to read the durable invocations of actors.
#[derive(Clone)]
pub(crate) struct Queues {
    shared: Arc<Shared>,
    /// Says that nothing more is pulled for any actor: the node leaves.
    stop: CancellationToken,
    /// Consumers that are made at once.
    setups: Arc<Semaphore>,
    waiting: Waiting,
    /// Looks for whom something waits.
    _look: Arc<AbortOnDropHandle<()>>,
}

/// Answers durable invocations: few at once, and none is refused for want of a processor, since each that is
/// comes again later.
struct Durable(Arc<ActorHost>);

impl Answering for Durable {
    async fn answer(&self, call: Incoming<'_>) -> Answered {
        self.0.take(call, Patience::Long).await
    }

    fn overloaded(&self) -> Error {
        self.0.overloaded()
    }
}

/// The durable invocations of one actor, being read.
pub(crate) struct Reading {
    reader: AbortOnDropHandle<()>,
    stop: CancellationToken,
    give_up: CancellationToken,
}

impl Queues {
    pub fn new(shared: Arc<Shared>, stop: CancellationToken) -> Self {
        let setups = Arc::new(Semaphore::new(limits::QUEUE_SETUPS_MAX));
        let waiting = Waiting::new();
        let look = tokio::spawn(waiting.clone().look(shared.lattice.clone()));
        Self { shared, stop, setups, waiting, _look: Arc::new(AbortOnDropHandle::new(look)) }
    }

    /// Begins to read what is queued for the actor of `host`, or goes on where others left off.
    pub fn read(&self, host: &Arc<ActorHost>, options: AnswerOptions) -> Reading {
        let stop = self.stop.child_token();
        let give_up = CancellationToken::new();
        let follow = self.clone().follow(host.clone(), options, stop.clone(), give_up.clone());
        Reading { reader: AbortOnDropHandle::new(tokio::spawn(follow)), stop, give_up }
    }

    /// Reads while anything is there; where there are many readers it sleeps until then, and takes little memory.
    async fn follow(
        self,
        host: Arc<ActorHost>,
        options: AnswerOptions,
        stop: CancellationToken,
        give_up: CancellationToken,
    ) {
        let awake = self.waiting.stay_awake();
        while !stop.is_cancelled() {
            if awake.is_none() {
                tokio::select! {
                    () = self.waiting.for_actor(host.key()) => {}
                    () = stop.cancelled() => return,
                }
            }
            let durable = Arc::new(Durable(host.clone()));
            let handler = CallHandler::new(self.shared.lattice.clone(), options.clone(), durable);
            let work = Work {
                lattice: self.shared.lattice.clone(),
                node: self.shared.key.clone(),
                actor: host.key().clone(),
                handler,
                give_up: give_up.clone(),
            };
            let setups = self.setups.clone();
            let reader = Reader::new(host.clone(), Arc::new(work), setups, stop.clone());
            Box::pin(reader.run(awake.is_some())).await;
        }
    }
}

impl Reading {
    /// Pulls no more from now on.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Pulls no more, and waits for what runs, at most `bound`. What still runs then is given back
    /// to the stream at once, for another node.
    pub async fn close(mut self, bound: Duration) {
        self.stop();
        if tokio::time::timeout(bound, &mut self.reader).await.is_ok() {
            return;
        }
        self.give_up.cancel();
        let last = Duration::from_millis(limits::QUEUE_SETTLE_TIMEOUT_MS);
        if tokio::time::timeout(last, &mut self.reader).await.is_err() {
            tracing::warn!(
                "durable invocations could not be given back: they come again by themselves"
            );
        }
    }
}
