//! Asks other nodes whether they serve what is not for this node any more, and hands on what they
//! ask; what follows is decided in `follow/linger.rs`.

use std::future::pending;
use std::time::Duration;

use lattice_client::Lattice;
use lattice_client::control::ActorQuestions;
use lattice_protocol::Error;
use lattice_protocol::control::{ActorStates, AskActors};
use lattice_protocol::keys::ActorKey;
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::limits;

/// What another node wants to know.
pub(crate) struct Question {
    pub ask: AskActors,
    /// Where the answer goes, if there is one.
    pub answer: oneshot::Sender<Option<ActorStates>>,
}

/// What came of asking.
pub(crate) enum Heard {
    /// A node says what it does.
    States(ActorStates),
    /// It is time to ask again.
    Again,
}

/// Questions to other nodes, while there is something to ask.
pub(crate) struct Inquiry {
    lattice: Lattice,
    questions: Option<ActorQuestions>,
    again: Option<Interval>,
}

impl Inquiry {
    pub fn new(lattice: Lattice) -> Self {
        Self { lattice, questions: None, again: None }
    }

    /// Asks every node about `actors`. What can't be asked now is asked again.
    pub async fn ask(&mut self, actors: &[ActorKey]) {
        if actors.is_empty() {
            return;
        }
        if self.again.is_none() {
            let every = Duration::from_millis(limits::LINGER_ASK_INTERVAL_MS);
            let mut again = interval_at(Instant::now() + every, every);
            again.set_missed_tick_behavior(MissedTickBehavior::Delay);
            self.again = Some(again);
        }
        if let Err(error) = self.try_ask(actors).await {
            tracing::debug!(%error, "other nodes can't be asked what they serve");
        }
    }

    async fn try_ask(&mut self, actors: &[ActorKey]) -> Result<(), Error> {
        let questions = match &mut self.questions {
            Some(questions) => questions,
            None => self.questions.insert(self.lattice.actor_questions().await?),
        };
        questions.ask(actors).await
    }

    /// Asks no more.
    pub fn close(&mut self) {
        self.questions = None;
        self.again = None;
    }

    /// Waits for what comes next; forever where nothing was asked.
    pub async fn next(&mut self) -> Heard {
        let Some(again) = &mut self.again else { return pending().await };
        let heard = async {
            match &mut self.questions {
                // Where nobody is there who could hear, the next question may find somebody.
                Some(questions) => match questions.next().await {
                    Some(states) => states,
                    None => pending().await,
                },
                None => pending().await,
            }
        };
        tokio::select! {
            states = heard => Heard::States(states),
            _ = again.tick() => Heard::Again,
        }
    }
}
