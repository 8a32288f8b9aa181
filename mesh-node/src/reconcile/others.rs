//! What the loop does about other nodes: what they ask, what they say, that they come and go; and how
//! it leaves to them what it served.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_protocol::event::EventKind;
use lattice_protocol::keys::ActorKey;

use super::Reconciler;
use crate::follow::Step;
use crate::inquiry::{Heard, Question};
use crate::limits;
use crate::neighbours::Noticed;

impl Reconciler {
    /// Tells another node what is served here.
    pub(super) fn asked(&self, question: Question) {
        let unread = !*self.synced.borrow();
        let states = self.follower.states(self.shared.key.clone(), &question.ask, unread);
        // Whoever asked may have gone.
        let _ = question.answer.send(states);
    }

    pub(super) async fn heard(&mut self, heard: Heard) {
        let over = match heard {
            Heard::States(states) => self.follower.heard(&states),
            // Nobody can be asked, and nobody can take over: the node goes on with what it has.
            Heard::Again if !self.leaving && !self.shared.lattice.connection().borrow().up => {
                Vec::new()
            }
            Heard::Again => {
                let again = self.follower.ask_again();
                for actor in &again.over {
                    tracing::warn!(%actor, "served no longer, though no other node is known to serve it");
                }
                self.to_ask = again.ask;
                again.over
            }
        };
        for key in over {
            self.take(&key, vec![Step::Stop], None).await;
        }
    }

    pub(super) async fn noticed(&mut self, noticed: Noticed) {
        let keys = match noticed {
            Noticed::Beat(beat) => self.follower.beat(&beat),
            Noticed::Look => self.follower.look(),
            Noticed::Deaf => {
                self.follower.deaf();
                Vec::new()
            }
        };
        self.follow_all(keys).await;
    }

    /// Serves no more what others serve; what they are about to serve is waited for.
    pub(super) async fn begin_to_leave(&mut self) {
        let every = Duration::from_millis(limits::LINGER_ASK_INTERVAL_MS);
        let asks_max = self.drain_bound.as_millis() / every.as_millis();
        let asks_max = u32::try_from(asks_max).unwrap_or(u32::MAX).max(1);
        self.leaving = true;
        let keys = self.follower.leave(asks_max);
        self.follow_all(keys).await;
    }

    /// Serves an actor no more: leaves its subscription without losing a call.
    pub(super) async fn stop(&mut self, key: &ActorKey) {
        let reason = match self.follower.view().actor(key) {
            None => "undeployed",
            Some(_) if self.leaving => "the node leaves",
            Some(_) if self.follower.refuses(key) => "its module is refused",
            Some(_) => "not for this node",
        };
        self.shared.forget_refusal(key);
        let deployment = self.deployments.remove(key);
        // What still runs on a node that leaves may call it in this process until the end.
        let stays = self.leaving && self.follower.view().actor(key).is_some();
        if !stays && self.shared.host(key).is_some() {
            self.shared.hosts.remove(key);
        }
        let Some(deployment) = deployment else { return };
        deployment.queue.stop();
        let bound = self.drain_bound;
        let actor = key.clone();
        self.drains.spawn(async move {
            let queue = deployment.queue.close(bound);
            let (drained, ()) = tokio::join!(deployment.serving.drain(bound), queue);
            tracing::info!(%actor, fenced = drained.fenced, "left");
            drained.unfinished
        });
        tracing::info!(actor = %key, reason, "stopped");
        let data = BTreeMap::from([("reason".to_owned(), reason.to_owned())]);
        self.tell(EventKind::ActorStopped, key.as_str(), data).await;
    }

    /// Leaves every subscription; returns how many calls were abandoned at the bound.
    pub(super) async fn leave(mut self) -> usize {
        self.loads.shutdown().await;
        let bound = self.drain_bound;
        for (_, deployment) in self.deployments {
            self.drains.spawn(async move {
                let queue = deployment.queue.close(bound);
                tokio::join!(deployment.serving.drain(bound), queue).0.unfinished
            });
        }
        let mut abandoned = 0;
        while let Some(unfinished) = self.drains.join_next().await {
            abandoned += unfinished.unwrap_or_default();
        }
        abandoned
    }
}
