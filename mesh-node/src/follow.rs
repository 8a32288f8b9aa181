//! What a node does about each actor as the registry changes and as loads end: a state machine
//! without I/O. `reconcile.rs` tells it what happens and does what it says.

mod linger;
mod peers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lattice_client::registry::Change;
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::record::Labels;
use lattice_protocol::{DecodeError, Error};

use crate::lattice_view::{Affected, LatticeView, Wanted};
use crate::limits;
use crate::peers::Peers;
use crate::plan::{self, Plan, Serving};
use crate::refusal::Refused;
use crate::trust::Trust;
pub use linger::AskAgain;
use linger::Linger;

/// What to do next about an actor, in the order given.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Wait for `pause`, load what the record wants, and tell [`Follower::loaded`].
    Load {
        /// The record.
        wanted: Arc<Wanted>,
        /// How long to wait before; zero but after a failure that may pass.
        pause: Duration,
    },
    /// Put the revision that was loaded where calls find it. Where `subscribe` is set nothing
    /// answers for the actor yet: subscribe, and tell [`Follower::subscribed`] if that goes well.
    Serve {
        /// Whether a subscription must be made.
        subscribe: bool,
    },
    /// Answer every call with `error`, and forget what was compiled.
    Answer {
        /// What to answer.
        error: Error,
        /// As for [`Step::Serve`].
        subscribe: bool,
    },
    /// Leave what is served as it is and tell why the record is not followed.
    Refuse {
        /// The record.
        wanted: Arc<Wanted>,
        /// Why.
        refused: Refused,
    },
    /// Say that the record can't be followed yet; it is tried again.
    Await {
        /// The record.
        wanted: Arc<Wanted>,
        /// Why not.
        refused: Refused,
    },
    /// Go on serving what is served, and ask others whether they serve it:
    /// [`Follower::ask_again`], [`Follower::heard`].
    Linger,
    /// What lingered is for this node again.
    Stay,
    /// Serve the actor no more, and leave its subscription behind a fence.
    Stop,
}

/// What answers the calls of an actor on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosted {
    /// A revision.
    Serving(Serving),
    /// An error: what was to be served is revoked.
    Refusing,
}

/// What is known of an actor here. All numbers are registry revisions of its record.
#[derive(Debug, Default)]
struct State {
    hosted: Option<Hosted>,
    /// What is being loaded.
    loading: Option<u64>,
    /// What was refused for good.
    refused: Option<u64>,
    /// What was told to be refused last.
    told: Option<u64>,
    /// What is served.
    served: Option<u64>,
}

/// Decides what a node with certain labels and trust serves.
#[derive(Debug)]
pub struct Follower {
    node: NodeKey,
    labels: Labels,
    trust: Trust,
    view: LatticeView,
    peers: Peers,
    actors: BTreeMap<ActorKey, State>,
    /// Those of them that are served only until somebody else does.
    lingering: BTreeMap<ActorKey, Linger>,
    /// Set when the node leaves: how often others are asked at most.
    leaving: Option<u32>,
}

impl Follower {
    /// Makes one that knows of nothing yet.
    pub fn new(node: NodeKey, labels: Labels, trust: Trust) -> Self {
        let (view, peers) = (LatticeView::default(), Peers::default());
        let (actors, lingering) = (BTreeMap::new(), BTreeMap::new());
        Self { node, labels, trust, view, peers, actors, lingering, leaving: None }
    }

    /// Returns the records that were taken in.
    pub fn view(&self) -> &LatticeView {
        &self.view
    }

    /// Takes in a change of the registry; [`Follower::affected`] names the actors to
    /// [`follow`](Follower::follow) then.
    ///
    /// # Errors
    /// [`DecodeError`] when the record can't be read; what was known before stays.
    pub fn take_in(&mut self, change: Change) -> Result<Affected, DecodeError> {
        match change {
            Change::Put { key, value, at } => self.view.put(key, &value, at),
            Change::Removed { key, .. } => Ok(self.view.remove(&key)),
            // What could not be done when it was told, such as a subscription while NATS was
            // away, is done now.
            Change::Synced { .. } => Ok(Affected::Everything),
            Change::CaughtUp { .. } => Ok(Affected::Nothing),
        }
    }

    /// Returns the actors of which something may have to be done after a change.
    pub fn affected(&self, affected: &Affected) -> Vec<ActorKey> {
        match affected {
            Affected::Actor(key) => vec![key.clone()],
            Affected::Everything => {
                let mut keys: Vec<_> = self.view.actors().cloned().collect();
                keys.extend(
                    self.actors.keys().filter(|key| self.view.actor(key).is_none()).cloned(),
                );
                keys
            }
            Affected::Link(..) | Affected::Providers | Affected::Nothing => Vec::new(),
        }
    }

    /// Returns the steps that bring one actor nearer to what is wanted of it.
    pub fn follow(&mut self, key: &ActorKey) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(serving) = self.serving(key)
            && let Some(error) = plan::struck(&self.view, key, serving)
        {
            steps.push(self.answer(key, error));
        }
        let plan = self.plan(key);
        if plan != Plan::Elsewhere && plan != Plan::Absent {
            let lingered = self.lingering.remove(key).is_some();
            steps.extend(lingered.then_some(Step::Stay));
        }
        match plan {
            Plan::Absent => {
                self.forget(key);
                steps.push(Step::Stop);
            }
            Plan::Elsewhere => steps.extend(self.elsewhere(key)),
            Plan::Answer(error) => steps.push(self.answer(key, error)),
            Plan::Refuse(refused) => steps.extend(self.refuse(key, refused)),
            Plan::Serve => steps.extend(self.load(key)),
        }
        steps
    }

    /// Returns the steps that follow when the load of `wanted` has ended. [`Step::Serve`] is
    /// about what `outcome` brought, and is returned for nothing else.
    pub fn loaded(
        &mut self,
        key: &ActorKey,
        wanted: &Arc<Wanted>,
        outcome: Result<Serving, Refused>,
    ) -> Vec<Step> {
        // An undeployment in between has made this the end of another load.
        if let Some(state) = self.actors.get_mut(key)
            && state.loading == Some(wanted.at)
        {
            state.loading = None;
        }
        let newest = self.view.actor(key).is_some_and(|now| now.at == wanted.at);
        // What was decided when the load began may be otherwise now.
        let serve = newest && self.plan(key) == Plan::Serve;
        match outcome {
            Ok(revision) if serve => vec![self.serve(key, wanted.at, revision)],
            Err(refused) if serve && refused.passing => {
                self.state(key).loading = Some(wanted.at);
                let pause = Duration::from_millis(limits::LOAD_RETRY_PAUSE_MS);
                let wanted = wanted.clone();
                vec![Step::Await { wanted: wanted.clone(), refused }, Step::Load { wanted, pause }]
            }
            Err(refused) if newest && !refused.passing => {
                if let Some(state) = self.actors.get_mut(key) {
                    state.refused = Some(wanted.at);
                }
                self.refuse(key, refused).into_iter().collect()
            }
            _ => self.follow(key),
        }
    }

    /// Returns the steps that follow when a module that is served by its record alone turns out to be refused for
    /// good: it is left to others.
    pub fn unusable(
        &mut self,
        key: &ActorKey,
        wanted: &Arc<Wanted>,
        refused: Refused,
    ) -> Vec<Step> {
        let newest = self.view.actor(key).is_some_and(|now| now.at == wanted.at);
        let Some(state) = self.actors.get_mut(key).filter(|_| newest) else { return Vec::new() };
        if state.served != Some(wanted.at) {
            return Vec::new();
        }
        self.lingering.remove(key);
        // What was told of it before was of another record.
        *state = State { refused: Some(wanted.at), told: state.told, ..State::default() };
        let mut steps = vec![Step::Stop];
        steps.extend(self.refuse(key, refused));
        steps
    }

    /// Takes in that a subscription was made, behind which `hosted` answers.
    pub fn subscribed(&mut self, key: &ActorKey, hosted: Hosted) {
        self.state(key).hosted = Some(hosted);
    }

    /// Returns what is served of an actor.
    pub fn serving(&self, key: &ActorKey) -> Option<&Serving> {
        match &self.actors.get(key)?.hosted {
            Some(Hosted::Serving(serving)) => Some(serving),
            Some(Hosted::Refusing) | None => None,
        }
    }

    fn plan(&self, key: &ActorKey) -> Plan {
        if self.leaving.is_some() && self.view.actor(key).is_some() {
            return Plan::Elsewhere;
        }
        let plan = plan::plan(&self.view, key, &self.labels, &self.trust, self.serving(key));
        match self.view.actor(key) {
            Some(wanted) if self.peers.serve_instead(&self.node, &wanted.record) => Plan::Elsewhere,
            _ => plan,
        }
    }

    fn state(&mut self, key: &ActorKey) -> &mut State {
        self.actors.entry(key.clone()).or_default()
    }

    /// Returns whether the newest record of an actor was refused for good.
    pub fn refuses(&self, key: &ActorKey) -> bool {
        let newest = self.view.actor(key).map(|wanted| wanted.at);
        self.actors.get(key).is_some_and(|state| state.refused.is_some() && state.refused == newest)
    }

    /// Forgets an actor that nothing is done about any more.
    fn forget(&mut self, key: &ActorKey) {
        self.actors.remove(key);
        self.lingering.remove(key);
    }

    /// Loads what the newest record wants, unless that is under way or was refused for good.
    fn load(&mut self, key: &ActorKey) -> Option<Step> {
        let wanted = self.view.actor(key)?.clone();
        let serves = self.serving(key).is_some();
        let state = self.state(key);
        let served = serves && state.served == Some(wanted.at);
        // One load at a time: its end looks at what is wanted by then.
        if served || state.loading.is_some() || state.refused == Some(wanted.at) {
            return None;
        }
        state.loading = Some(wanted.at);
        Some(Step::Load { wanted, pause: Duration::ZERO })
    }

    fn serve(&mut self, key: &ActorKey, at: u64, revision: Serving) -> Step {
        let state = self.state(key);
        state.served = Some(at);
        Step::Serve { subscribe: !put(state, Hosted::Serving(revision)) }
    }

    fn answer(&mut self, key: &ActorKey, error: Error) -> Step {
        Step::Answer { error, subscribe: !put(self.state(key), Hosted::Refusing) }
    }

    fn refuse(&mut self, key: &ActorKey, refused: Refused) -> Option<Step> {
        let wanted = self.view.actor(key)?.clone();
        let told = self.state(key).told.replace(wanted.at);
        (told != Some(wanted.at)).then_some(Step::Refuse { wanted, refused })
    }
}

/// Changes what answers, behind the subscription that is there; returns whether one is.
fn put(state: &mut State, hosted: Hosted) -> bool {
    match &mut state.hosted {
        Some(now) => {
            *now = hosted;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests;
