//! The task of one link: it waits, agrees with the others on who ticks, and ticks.

use std::time::Duration;

use lattice_protocol::Error;
use tokio_util::sync::CancellationToken;

use crate::actor::Actor;
use crate::claim::{Claim, Known};
use crate::limits;
use crate::pause::{Pause, now_ms};
use crate::store::{Store, Written};
use crate::turn::{Me, Step, Turn};

/// The task of a link.
pub(crate) struct Ticking {
    pub actor: Actor,
    /// The schedule as text, by which the others know it.
    pub schedule: String,
    /// Tells this provider apart from the others that serve the link.
    pub id: String,
    pub store: Store,
    pub stop: CancellationToken,
}

impl Ticking {
    /// Ticks until told to stop. A tick that is under way then is finished.
    pub(crate) async fn run(mut self) {
        let mut known = None;
        let mut pause = store_pause();
        while !self.stop.is_cancelled() {
            match self.step(known.take()).await {
                Ok(next) => {
                    known = next;
                    pause = store_pause();
                }
                Err(error) => {
                    tracing::warn!(link = %self.actor.link, %error, "a timer waits");
                    self.sleep(pause.next()).await;
                }
            }
        }
    }

    fn me(&self) -> Me<'_> {
        Me { id: &self.id, schedule: &self.actor.schedule, schedule_text: &self.schedule }
    }

    /// Does what comes next by what is known, and returns what is known then: nothing where it must
    /// be read.
    async fn step(&mut self, known: Option<Known>) -> Result<Option<Known>, Error> {
        let Some(known) = known else { return Ok(Some(Known::now(self.store.read().await?))) };
        let now = now_ms();
        match (
            self.me().next(known.seen.turn.as_ref(), now, known.since.elapsed()),
            &known.seen.turn,
        ) {
            (Step::Claim { due_ms, missed }, Some(turn)) => {
                let claimed = self.me().claimed(turn, due_ms);
                match self.store.write(known.seen.revision, &claimed).await? {
                    Written::At(revision) => self.tick(claimed, revision, due_ms, missed).await,
                    Written::Conflict => Ok(None),
                }
            }
            (Step::Begin | Step::Claim { .. }, _) => {
                let begun = self.me().begun(now);
                match self.store.write(known.seen.revision, &begun).await? {
                    Written::At(revision) => Ok(Some(Known::written(begun, revision))),
                    Written::Conflict => Ok(None),
                }
            }
            (Step::Wait(wait), _) => self.wait(known, wait).await,
            (Step::Never, _) => {
                self.stop.cancelled().await;
                Ok(None)
            }
        }
    }

    /// Waits. Who ticked last goes first then; the others look a little later what came of it.
    async fn wait(&mut self, known: Known, wait: Duration) -> Result<Option<Known>, Error> {
        let longest = Duration::from_millis(limits::SLEEP_MAX_MS);
        self.sleep(wait.min(longest)).await;
        let mine = known.seen.turn.as_ref().is_some_and(|turn| turn.by == self.id);
        if mine || wait > longest || self.stop.is_cancelled() {
            return Ok(Some(known));
        }
        self.sleep(Duration::from_millis(limits::OTHERS_PAUSE_MS)).await;
        let seen = self.store.read().await?;
        // The silence of whoever ticks counts from when it was first seen.
        let unchanged = seen.revision == known.seen.revision;
        Ok(Some(if unchanged { Known { seen, ..known } } else { Known::now(seen) }))
    }

    /// Calls the actor for a tick that is claimed, and tells the others when that is over.
    async fn tick(
        &mut self,
        turn: Turn,
        revision: u64,
        due_ms: u64,
        missed: u64,
    ) -> Result<Option<Known>, Error> {
        let renewal = Duration::from_millis(limits::LEASE_RENEWAL_MS);
        let mut claim = Claim { store: &mut self.store, turn: turn.clone(), revision };
        let mut call = std::pin::pin!(self.actor.tick(due_ms, missed));
        let reached = loop {
            match tokio::time::timeout(renewal, &mut call).await {
                Ok(reached) => break reached,
                Err(_) => claim.renew().await,
            }
        };
        let over = turn.over(due_ms, reached);
        let mut pause = store_pause();
        // Until they are told, the others take it for a tick whose provider may be gone.
        loop {
            match claim.finish(&over).await {
                Ok(known) => return Ok(known),
                Err(error) if self.stop.is_cancelled() => return Err(error),
                Err(error) => {
                    tracing::warn!(link = %self.actor.link, %error, "a tick is over, but can't be told");
                }
            }
            let stopped = self.stop.cancelled();
            // A timeout that is reached is the pause.
            let _ = tokio::time::timeout(pause.next(), stopped).await;
        }
    }

    async fn sleep(&self, time: Duration) {
        // Either the time is over, or there is nothing more to wait for.
        let _ = tokio::time::timeout(time, self.stop.cancelled()).await;
    }
}

fn store_pause() -> Pause {
    Pause::new(limits::STORE_RETRY_PAUSE_FIRST_MS, limits::STORE_RETRY_PAUSE_MAX_MS)
}
