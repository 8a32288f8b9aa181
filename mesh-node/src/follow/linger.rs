//! How a node goes on serving what is not for it any more until somebody else serves it: whom it
//! asks, what it makes of the answers, and when it waits no longer.

use std::collections::BTreeSet;

use lattice_protocol::control::{ActorStates, AskActors, ServingBy};
use lattice_protocol::keys::{ActorKey, NodeKey};

use super::{Follower, Hosted, Step};
use crate::limits;
use crate::plan::Plan;

/// What is known of an actor that lingers.
#[derive(Debug, Default)]
pub(super) struct Linger {
    /// How often others were asked again.
    asked: u32,
    /// Of these questions, the last ones to which nobody said that it serves the actor or will.
    in_vain: u32,
    /// Its newest record, as revision in the registry.
    record: u64,
    /// The record by which others must serve it, likewise.
    at: u64,
    /// Who does so.
    by: BTreeSet<NodeKey>,
}

/// What follows when it is time to ask others again.
#[derive(Debug, Default, PartialEq)]
pub struct AskAgain {
    /// The actors to ask about.
    pub ask: Vec<ActorKey>,
    /// The actors that are served no longer: [`Step::Stop`].
    pub over: Vec<ActorKey>,
}

impl Follower {
    /// Takes in that the node leaves: nothing is for it any more. Returns the actors of which
    /// something is to be done.
    ///
    /// What others are about to serve is served for at most `asks_max` questions.
    pub fn leave(&mut self, asks_max: u32) -> Vec<ActorKey> {
        self.leaving = Some(asks_max);
        self.actors.keys().cloned().collect()
    }

    /// Returns whether something is served only until somebody else does.
    pub fn lingers(&self) -> bool {
        !self.lingering.is_empty()
    }

    /// Decides whom to wait for no longer, and about whom to ask again; called every
    /// [`limits::LINGER_ASK_INTERVAL_MS`] while something lingers.
    pub fn ask_again(&mut self) -> AskAgain {
        let mut again = AskAgain::default();
        let asks_max = self.leaving.unwrap_or(u32::MAX).min(limits::LINGER_ASKS_MAX);
        for (key, linger) in &mut self.lingering {
            linger.asked += 1;
            linger.in_vain += 1;
            // Whoever leaves a lattice where nobody else is need not wait.
            let alone = self.leaving.is_some() && linger.in_vain >= limits::LEAVE_ASKS_IN_VAIN_MAX;
            let which = match alone || linger.asked >= asks_max {
                true => &mut again.over,
                false => &mut again.ask,
            };
            which.push(key.clone());
        }
        for key in &again.over {
            self.forget(key);
        }
        again
    }

    /// Takes in what another node says; returns the actors that are served no longer:
    /// [`Step::Stop`].
    pub fn heard(&mut self, states: &ActorStates) -> Vec<ActorKey> {
        let mut over = Vec::new();
        for ServingBy { key, at } in &states.serving {
            if self.is_enough(key, *at, &states.node) {
                self.forget(key);
                over.push(key.clone());
            } else {
                self.hope(key);
            }
        }
        for key in &states.coming {
            self.hope(key);
        }
        if states.unread {
            self.lingering.values_mut().for_each(|linger| linger.in_vain = 0);
        }
        over
    }

    /// Answers another node that would like to serve certain actors no more. Nothing that lingers
    /// here is said to be served, so that no two nodes leave an actor to each other.
    pub fn states(&self, node: NodeKey, ask: &AskActors, unread: bool) -> Option<ActorStates> {
        if self.leaving.is_some() {
            return None;
        }
        let mut states = ActorStates { node, serving: Vec::new(), coming: Vec::new(), unread };
        for key in &ask.actors {
            let Some(state) = self.actors.get(key) else { continue };
            match (&state.hosted, state.served) {
                (Some(Hosted::Serving(_)), Some(at)) if !self.lingering.contains_key(key) => {
                    states.serving.push(ServingBy { key: key.clone(), at });
                }
                (None, _) if state.loading.is_some() && self.plan(key) == Plan::Serve => {
                    states.coming.push(key.clone());
                }
                _ => {}
            }
        }
        Some(states)
    }

    /// Decides about an actor that is not for this node, or not any more.
    pub(super) fn elsewhere(&mut self, key: &ActorKey) -> Option<Step> {
        if self.serving(key).is_none() {
            self.forget(key);
            return Some(Step::Stop);
        }
        let wanted = self.view.actor(key)?.at;
        let leaving = self.leaving.is_some();
        let begun = !self.lingering.contains_key(key);
        let linger = self.lingering.entry(key.clone()).or_default();
        // Others need their time for each record; whoever leaves has only so much itself.
        if linger.record != wanted && !leaving {
            linger.asked = 0;
        }
        linger.record = wanted;
        begun.then_some(Step::Linger)
    }

    /// Takes in that `node` serves an actor by the record at `at`; returns whether this node need
    /// not serve it any more.
    fn is_enough(&mut self, key: &ActorKey, at: u64, node: &NodeKey) -> bool {
        let Some(state) = self.actors.get(key) else { return false };
        let (Some(linger), Some(wanted)) = (self.lingering.get_mut(key), self.view.actor(key))
        else {
            return false;
        };
        // Whoever leaves need not wait for what it does not serve itself.
        let served = state.served.filter(|_| self.leaving.is_some());
        let needed = served.map_or(wanted.at, |served| served.min(wanted.at));
        if linger.at != needed {
            linger.at = needed;
            linger.by.clear();
        }
        if at >= needed {
            linger.by.insert(node.clone());
        }
        linger.by.len() >= self.peers.needed(&wanted.record)
    }

    fn hope(&mut self, key: &ActorKey) {
        if let Some(linger) = self.lingering.get_mut(key) {
            linger.in_vain = 0;
        }
    }
}
