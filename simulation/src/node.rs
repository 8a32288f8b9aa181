//! A node: its watch of the registry, its loop, its loads and its subscriptions, around the
//! decisions of `mesh_node::decide`. What the loop does here is what `mesh-node/src/reconcile.rs`
//! does, in the same order and with the same waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use lattice_client::registry::Change;
use lattice_client::registry::told::{Entry, Told};
use lattice_protocol::control::ActorStates;
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::Labels;
use mesh_node::Trust;
use mesh_node::decide::{Follower, Hosted, Step, Wanted};

use crate::cast::{ISSUERS, cast, node_key, zone_label};
use crate::host::{Rev, Slot};
use crate::invariant::Invariant;
use crate::net::{Down, Up};
use crate::schedule::Time;
use crate::subscription::{Phase, Sub};
use crate::world::{Break, Event, Owner, World};

/// What happens to a node.
#[derive(Debug)]
pub enum NodeEvent {
    /// Something came over its connection.
    Arrived(Down),
    /// It lists the registry.
    List { watch: u64 },
    /// The list is there.
    Listed { watch: u64, entries: Vec<Entry>, upto: u64 },
    /// It has looked up what a list lacked.
    Missing { watch: u64, keys: Vec<(String, u64, bool)> },
    /// A change was told.
    Heard { watch: u64, entry: Entry },
    /// A load has ended.
    Loaded { key: ActorKey, wanted: Arc<Wanted>, before: Option<usize> },
    /// A fence took too long.
    FenceOver { sub: usize },
    /// A call has waited long enough for a place.
    WaitOver { run: usize },
    /// A call has had its time, or is done.
    Done { run: usize },
    /// It asks others again whether they serve what lingers.
    AskAgain,
    /// It says that it is there.
    Beat,
    /// It looks who of the others was not heard.
    Look,
    /// The connection was lost.
    Lost,
}

/// What the loop has to do.
pub enum Item {
    Change(Change),
    Follow(ActorKey),
    Loaded { key: ActorKey, wanted: Arc<Wanted>, before: Option<usize> },
    Asked { from: usize, actors: Vec<ActorKey> },
    Heard(ActorStates),
    AskAgain,
    Beat(Box<Heartbeat>),
    Look,
}

/// A node. What starts again after an end is another one in the same place.
pub struct Node {
    /// Its key: another one in each life.
    pub key: NodeKey,
    pub conn: usize,
    pub alive: bool,
    pub leaving: bool,
    /// Whether it was told to leave.
    pub asked: bool,
    /// Whether it does so: it serves only what others are about to serve.
    pub departs: bool,
    /// Whether it will ask others again what they serve.
    pub asks: bool,
    /// Whether its loop has read a whole list.
    pub synced: bool,
    /// Whether the list that the watch begins with was read.
    pub listed: bool,
    /// Counts what has run in this place.
    pub life: u64,
    pub frozen_until: Time,
    pub follower: Follower,
    pub told: Told,
    /// Counts the lists; what belongs to an earlier one is ignored.
    pub watch: u64,
    pub deaf: bool,
    /// Whether heartbeats could not be heard since it looked last.
    pub hears_none: bool,
    /// The next lists are older by so many writes.
    pub stale: u64,
    pub mailbox: VecDeque<Item>,
    /// The subscription that the loop waits for, and what will answer behind it.
    pub opening: Option<(usize, ActorKey, Hosted)>,
    /// The subscription behind which each actor is served.
    pub hosts: BTreeMap<ActorKey, usize>,
    /// Revision of each key that the loop has taken in.
    pub seen: BTreeMap<String, u64>,
    /// When a key was heard of last, so that each tells its changes in their order.
    pub heard: BTreeMap<String, Time>,
    /// Loads of a module that have failed for a passing reason.
    pub tries: BTreeMap<String, u32>,
    pub running: u32,
}

impl Node {
    pub fn new(number: usize, life: u64) -> Self {
        Self {
            key: node_key(number, life),
            conn: usize::MAX,
            alive: false,
            leaving: false,
            asked: false,
            departs: false,
            asks: false,
            synced: false,
            listed: false,
            life,
            frozen_until: 0,
            follower: Follower::new(node_key(number, life), Labels::new(), Trust::Anybody),
            told: Told::default(),
            watch: 0,
            deaf: false,
            hears_none: false,
            stale: 0,
            mailbox: VecDeque::new(),
            opening: None,
            hosts: BTreeMap::new(),
            seen: BTreeMap::new(),
            heard: BTreeMap::new(),
            tries: BTreeMap::new(),
            running: 0,
        }
    }

    /// Returns whether it runs and is to serve.
    pub fn serves(&self) -> bool {
        self.alive && !self.leaving
    }

    /// Returns whether it runs and was not told to leave.
    pub fn stays(&self) -> bool {
        self.serves() && !self.asked
    }

    /// Returns whether it has nothing left to do.
    pub fn idle(&self) -> bool {
        self.mailbox.is_empty() && self.opening.is_none()
    }
}

impl World {
    pub fn start_node(&mut self, node: usize) {
        if self.nodes[node].alive {
            return;
        }
        let spec = &self.scenario.nodes[node];
        let labels = zone_label(spec.zone);
        let trusted = if spec.trusts_all { ISSUERS } else { ISSUERS - 1 };
        let trust = Trust::from_issuers(cast().issuers[..trusted].iter().cloned());
        let life = self.nodes[node].life + 1;
        let conn = self.connect(Owner::Node { node, life });
        let follower = Follower::new(node_key(node, life), labels, trust);
        let fresh = Node::new(node, life);
        self.nodes[node] = Node { conn, alive: true, follower, ..fresh };
        self.trace(|| format!("node {node} starts"));
        self.list(node);
        self.begin_to_beat(node);
    }

    pub fn crash(&mut self, node: usize) {
        if !self.nodes[node].alive {
            return;
        }
        self.nodes[node].alive = false;
        self.sever(self.nodes[node].conn);
    }

    /// Lets something happen to a node, unless it has ended; later, where it is frozen.
    pub fn at_node(&mut self, node: usize, life: u64, event: NodeEvent) {
        let state = &self.nodes[node];
        if !state.alive || state.life != life {
            return;
        }
        if self.now() < state.frozen_until {
            let at = state.frozen_until;
            self.schedule.at(at, Event::Node { node, life, event });
            return;
        }
        match event {
            NodeEvent::Arrived(down) => self.arrived(self.nodes[node].conn, down),
            NodeEvent::List { watch } if watch == self.nodes[node].watch => self.list(node),
            NodeEvent::Listed { watch, entries, upto } if watch == self.nodes[node].watch => {
                self.listed(node, entries, upto);
            }
            NodeEvent::Missing { watch, keys } if watch == self.nodes[node].watch => {
                for (key, at, is_there) in keys {
                    let change = self.nodes[node].told.missing(key, at, is_there);
                    self.nodes[node].mailbox.extend(change.map(Item::Change));
                }
                self.synced(node);
            }
            NodeEvent::Heard { watch, entry }
                if watch == self.nodes[node].watch && self.nodes[node].listed =>
            {
                let change = self.nodes[node].told.came(entry);
                self.nodes[node].mailbox.extend(change.map(Item::Change));
                self.run_loop(node);
            }
            NodeEvent::List { .. }
            | NodeEvent::Listed { .. }
            | NodeEvent::Missing { .. }
            | NodeEvent::Heard { .. } => {}
            NodeEvent::Loaded { key, wanted, before } => {
                self.nodes[node].mailbox.push_back(Item::Loaded { key, wanted, before });
                self.run_loop(node);
            }
            NodeEvent::FenceOver { sub } => self.fence_failed(sub),
            NodeEvent::WaitOver { run } => self.wait_over(run),
            NodeEvent::Done { run } => self.done(run),
            NodeEvent::AskAgain => {
                self.nodes[node].mailbox.push_back(Item::AskAgain);
                self.run_loop(node);
            }
            NodeEvent::Beat => self.beat(node),
            NodeEvent::Look => self.look_for_peers(node),
            NodeEvent::Lost => self.node_lost(node),
        }
    }

    pub fn node_event(&mut self, node: usize, after: Time, event: NodeEvent) {
        let life = self.nodes[node].life;
        self.schedule.at(self.now() + after, Event::Node { node, life, event });
    }

    // The loop: what `mesh-node/src/reconcile.rs` does around `Follower`.

    pub fn run_loop(&mut self, node: usize) {
        let state = &self.nodes[node];
        if state.asked && !state.departs && state.opening.is_none() {
            self.begin_to_leave(node);
        }
        while self.nodes[node].opening.is_none() && !self.nodes[node].leaving {
            let Some(item) = self.nodes[node].mailbox.pop_front() else {
                let state = &self.nodes[node];
                if state.departs && !state.follower.lingers() {
                    self.leave(node);
                }
                return;
            };
            match item {
                Item::Change(change) => self.take_in(node, change),
                Item::Follow(key) => {
                    let steps = self.nodes[node].follower.follow(&key);
                    self.take(node, &key, steps, None);
                }
                Item::Loaded { key, wanted, before } => self.loaded(node, &key, &wanted, before),
                Item::Asked { from, actors } => self.inquired(node, from, actors),
                Item::Heard(states) => self.heard_states(node, &states),
                Item::AskAgain => self.ask_again(node),
                Item::Beat(beat) => self.heard_beat(node, &beat),
                Item::Look => self.look_around(node),
            }
        }
    }

    fn take_in(&mut self, node: usize, change: Change) {
        match &change {
            Change::Put { key, at, .. } => {
                self.nodes[node].seen.insert(key.to_string(), *at);
            }
            Change::Removed { key, .. } => {
                self.nodes[node].seen.remove(&key.to_string());
            }
            Change::Synced { .. } => self.nodes[node].synced = true,
            Change::CaughtUp { .. } => {}
        }
        if self.ignores(&change) {
            return;
        }
        let change = self.doctored(change);
        let Ok(affected) = self.nodes[node].follower.take_in(change) else { return };
        let keys = self.nodes[node].follower.affected(&affected);
        for key in keys.into_iter().rev() {
            self.nodes[node].mailbox.push_front(Item::Follow(key));
        }
    }

    pub fn take(&mut self, node: usize, key: &ActorKey, steps: Vec<Step>, rev: Option<&Rev>) {
        let actor = cast().number(key);
        for step in steps {
            self.trace(|| format!("node {node} actor {actor}: {}", shown(&step)));
            match step {
                Step::Load { wanted, pause } => self.load(node, key, wanted, pause),
                Step::Serve { subscribe } => {
                    let Some(rev) = rev else { continue };
                    let slot = Slot::Serving(rev.clone());
                    let serving = rev.serving();
                    self.check_order(node, key, rev.number);
                    self.host(node, key, slot, subscribe, Hosted::Serving(serving));
                }
                Step::Answer { error, subscribe } => {
                    self.host(node, key, Slot::Refusing(error), subscribe, Hosted::Refusing);
                }
                Step::Refuse { .. } | Step::Await { .. } => {}
                Step::Linger => self.linger(node, key),
                Step::Stay => {}
                Step::Stop => {
                    if let Some(sub) = self.nodes[node].hosts.remove(key) {
                        self.close(sub);
                    }
                }
            }
        }
    }

    fn linger(&mut self, node: usize, key: &ActorKey) {
        match self.broken {
            Some(Break::LeaveAtOnce) => {
                if let Some(sub) = self.nodes[node].hosts.remove(key) {
                    self.close(sub);
                }
            }
            _ => self.inquire(node, vec![key.clone()]),
        }
    }

    /// A node's active revision never goes down, except by a record that says so.
    fn check_order(&mut self, node: usize, key: &ActorKey, next: u64) {
        let sub = self.nodes[node].hosts.get(key).map(|sub| &self.subs[*sub].slot);
        let Some(Slot::Serving(before)) = sub else { return };
        let may = self.nodes[node].follower.view().actor(key).is_some_and(|wanted| {
            let key = cast().record(cast().number(key)).to_string();
            // The bytes that were written count, whatever became of them since.
            self.truly_rolled_back(&key, wanted.at)
        });
        let before = before.number;
        if next < before && !may {
            self.violated(Invariant::RevisionsRise, || {
                format!("node {node} goes from revision {before} down to {next}")
            });
        }
    }

    fn host(&mut self, node: usize, key: &ActorKey, slot: Slot, subscribe: bool, hosted: Hosted) {
        if !subscribe {
            if let Some(sub) = self.nodes[node].hosts.get(key) {
                self.subs[*sub].slot = slot;
            }
            return;
        }
        let (sub, actor) = (self.subs.len(), cast().number(key));
        let life = self.nodes[node].life;
        let unread = Vec::new();
        self.subs.push(Sub { node, life, actor, phase: Phase::Opening, slot, unread });
        self.nodes[node].opening = Some((sub, key.clone(), hosted));
        self.send(self.nodes[node].conn, Up::Subscribe { sub, actor });
        self.fence(node, sub);
    }
}

fn shown(step: &Step) -> String {
    match step {
        Step::Load { wanted, .. } => format!("loads revision {}", wanted.record.revision),
        Step::Serve { subscribe: true } => "subscribes and serves".to_owned(),
        Step::Serve { subscribe: false } => "swaps".to_owned(),
        Step::Answer { error, .. } => format!("answers {}", error.code),
        Step::Refuse { wanted, refused } => {
            format!("refuses revision {}: {}", wanted.record.revision, refused.error.message)
        }
        Step::Await { wanted, .. } => format!("awaits revision {}", wanted.record.revision),
        Step::Linger => "lingers".to_owned(),
        Step::Stay => "stays".to_owned(),
        Step::Stop => "stops".to_owned(),
    }
}
