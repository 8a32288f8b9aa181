//! Whoever deploys: what `meshctl` decides to write, with its compare-and-set, and the faults.

use bytes::Bytes;
use lattice_client::registry::Change;
use lattice_protocol::control::{ActorStates, AskActors};
use lattice_protocol::keys::IssuerKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::{Digest, LinkName};
use lattice_protocol::record::{ActorRecord, LinkRecord, Record, RevocationRecord};
use lattice_protocol::subjects::{RegistryKey, Revoked};
use mesh_node::decide::missing_label;
use meshctl::decide::{self, Decision, Module, Settings};
use rand::Rng;

use crate::caller::Wish;
use crate::cast::{cast, zone_label};
use crate::limits;
use crate::net::Up;
use crate::node::NodeEvent;
use crate::scenario::{Action, Quality, Struck};
use crate::schedule::{MS, Time};
use crate::subscription::Phase;
use crate::world::{Break, Event, World};

/// A compare-and-set on its way.
#[derive(Debug)]
pub struct Write {
    key: RegistryKey,
    value: Option<Bytes>,
    expected: u64,
    /// What wants it: decided anew where somebody else was first.
    action: usize,
    attempt: u32,
}

impl World {
    pub fn act(&mut self, number: usize) {
        let action = self.scenario.actions[number].1.clone();
        self.trace(|| format!("{action:?}"));
        match action {
            Action::Deploy { .. }
            | Action::Undeploy { .. }
            | Action::Rollback { .. }
            | Action::Revoke { .. }
            | Action::Restore { .. }
            | Action::Link { .. } => self.decide(number, 0),
            Action::Start { node } => self.start_node(node),
            Action::Drain { node } => {
                if self.nodes[node].serves() && (!self.calm() || self.others_can(node)) {
                    self.ask_to_leave(node);
                }
            }
            Action::Crash { node } => self.crash(node),
            Action::Freeze { node, time } => self.freeze(node, time),
            Action::CutNode { node, time } => {
                if self.nodes[node].alive {
                    self.cut(self.nodes[node].conn, time);
                }
            }
            Action::CutCaller { caller, time } => self.cut(self.callers[caller].conn, time),
            Action::Deafen { node } => self.nodes[node].deaf = true,
            Action::Stale { node, writes } => self.nodes[node].stale = writes,
            Action::Duplicate { time } => self.duplicate_until = self.now() + time,
            Action::Calls {
                caller,
                actor,
                count,
                every,
                timeout,
                work,
                idempotent,
                fresh,
                linked,
            } => {
                let wish = Wish { caller, actor, timeout, work, idempotent, linked, fresh };
                for call in 0..Time::from(count) {
                    self.schedule.at(self.now() + call * every, Event::Call(wish));
                }
            }
        }
    }

    /// Reads, and decides what to write.
    fn decide(&mut self, number: usize, attempt: u32) {
        let writer = decide::Write { now_ms: self.now() / MS, writer: number.to_string() };
        let writes = match self.scenario.actions[number].1.clone() {
            Action::Deploy { actor, higher, issuer, quality, places, zone, replicas } => {
                let key = cast().record(actor);
                let (old, at) = self.bucket.read::<ActorRecord>(&key);
                if self.calm() && !self.can_be_served(actor, quality, zone, replicas) {
                    return;
                }
                let module = self.module(number, actor, higher, issuer, quality);
                let settings = Settings {
                    labels: Some(zone.map(zone_label).unwrap_or_default()),
                    replicas: Some(replicas),
                    concurrency: Some(places),
                    ..Settings::default()
                };
                match decide::deploy(&module, &settings, old.as_ref(), at > 0, None, &writer) {
                    Ok(Decision::Write(record)) => {
                        let plain = self.broken == Some(Break::PlainRecords);
                        let rolled_back = record.rolled_back && !plain;
                        vec![(key, encoded(&ActorRecord { rolled_back, ..*record }), at)]
                    }
                    Ok(Decision::Unchanged) | Err(_) => Vec::new(),
                }
            }
            Action::Undeploy { actor } => self.removal(cast().record(actor)),
            Action::Rollback { actor, oldest } => {
                let key = cast().record(actor);
                let (Some(current), at) = self.bucket.read::<ActorRecord>(&key) else { return };
                let to = current.history.last().filter(|_| oldest).map(|past| past.revision);
                let Ok(past) = decide::rollback_target(&current, to) else { return };
                let record = decide::rollback(&current, past, 1, &writer);
                vec![(key, encoded(&record), at)]
            }
            Action::Revoke { what } => {
                let Some(what) = self.revoked(what) else { return };
                let record = RevocationRecord {
                    v: WIRE_VERSION,
                    what: what.to_string(),
                    at_ms: writer.now_ms,
                    why: "simulated".to_owned(),
                    writer: writer.writer,
                };
                let key = RegistryKey::Revoked(what);
                let (_, at) = self.bucket.read::<RevocationRecord>(&key);
                vec![(key, encoded(&record), at)]
            }
            Action::Restore { what } => {
                let Some(what) = self.revoked(what) else { return };
                self.removal(RegistryKey::Revoked(what))
            }
            Action::Link { actor, to: Some(to) } => {
                let key = cast().link(actor);
                let (before, at) = self.bucket.read::<LinkRecord>(&key);
                let record = LinkRecord {
                    v: WIRE_VERSION,
                    source: cast().actors[actor].clone(),
                    contract: cast().contract.clone(),
                    name: LinkName::default_link(),
                    target: cast().actors[to].clone().into(),
                    config: Default::default(),
                    generation: before.map_or(1, |before| before.generation + 1),
                    writer: writer.writer,
                };
                vec![(key, encoded(&record), at)]
            }
            Action::Link { actor, to: None } => self.removal(cast().link(actor)),
            _ => Vec::new(),
        };
        for (key, value, expected) in writes {
            let after = self.delay() + self.delay();
            let write = Write { key, value, expected, action: number, attempt };
            self.schedule.at(self.now() + after, Event::Write(write));
        }
    }

    fn removal(&self, key: RegistryKey) -> Vec<(RegistryKey, Option<Bytes>, u64)> {
        let entry = self.bucket.entry(&key.to_string());
        let there = entry.filter(|entry| entry.value.is_some()).map(|entry| entry.at);
        there.map(|at| (key, None, at)).into_iter().collect()
    }

    /// Makes a module that nobody has deployed before.
    fn module(
        &mut self,
        number: usize,
        actor: usize,
        higher: bool,
        issuer: usize,
        quality: Quality,
    ) -> Module {
        let made = &mut self.made[actor];
        let revision = if higher { *made + 1 } else { self.rng.random_range(1..=*made + 1) };
        *made = (*made).max(revision);
        let digest = Digest::of(format!("{actor} {revision} {number}").as_bytes());
        self.modules.insert(digest.clone(), quality);
        Module {
            key: cast().actors[actor].clone(),
            name: cast().names[actor].clone(),
            revision,
            digest,
            size: 1,
            issuer: cast().issuers[issuer].clone(),
            capabilities: Vec::new(),
        }
    }

    fn revoked(&self, what: Struck) -> Option<Revoked> {
        Some(match what {
            Struck::Actor(actor) => Revoked::Actor(cast().actors[actor].clone()),
            Struck::Issuer(issuer) => Revoked::Issuer(cast().issuers[issuer].clone()),
            Struck::Module(actor) => {
                let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
                Revoked::Module(record?.digest)
            }
        })
    }

    pub fn write(&mut self, write: Write) {
        let Write { key, value, expected, action, attempt } = write;
        match self.bucket.write(&key, value, expected) {
            Some(entry) => {
                let record = entry.value.as_ref().and_then(|bytes| ActorRecord::decode(bytes).ok());
                if record.is_some_and(|record| record.rolled_back) {
                    self.rolled_back.insert(entry.at, entry.key.clone());
                }
                self.trace(|| format!("written at {}: {}", entry.at, entry.key));
                self.publish(&entry);
            }
            // Somebody else was first: read and decide again.
            None if attempt < limits::WRITE_ATTEMPTS_MAX => self.decide(action, attempt + 1),
            None => {}
        }
    }

    fn freeze(&mut self, node: usize, time: Time) {
        let now = self.now();
        if !self.nodes[node].alive || self.nodes[node].frozen_until > now {
            return;
        }
        self.nodes[node].frozen_until = now + time;
        if time >= limits::SERVER_PING_MS * MS {
            let conn = self.nodes[node].conn;
            let epoch = self.conns[conn].epoch;
            self.schedule.at(now + limits::SERVER_PING_MS * MS, Event::Sever { conn, epoch });
            self.schedule.at(now + time + MS, Event::Lost { conn, epoch });
            self.schedule.at(now + time + 2 * MS, Event::Reconnect { conn, epoch });
        }
    }

    /// Returns whether a node without a fault serves the newest record of an actor.
    fn is_served(&self, actor: usize, except: Option<usize>) -> bool {
        let key = &cast().actors[actor];
        let (record, at) = self.bucket.read::<ActorRecord>(&cast().record(actor));
        let ask = AskActors { actors: vec![key.clone()] };
        record.is_some()
            && self.nodes.iter().enumerate().any(|(number, node)| {
                let states = node.follower.states(node.key.clone(), &ask, false);
                let serves = |states: ActorStates| states.serving.iter().any(|one| one.at == at);
                node.stays() && Some(number) != except && states.is_some_and(serves)
            })
    }

    /// Returns whether a node has the labels for a record, and goes on running.
    fn is_for(&self, node: usize, record: &ActorRecord) -> bool {
        let labels = zone_label(self.scenario.nodes[node].zone);
        self.nodes[node].stays() && missing_label(&labels, record).is_none()
    }

    /// Returns whether others can answer for every actor when a node leaves: those that are for it
    /// alone would be lost in any mesh.
    fn others_can(&self, node: usize) -> bool {
        (0..self.scenario.actors).all(|actor| {
            let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
            let Some(record) = record else { return true };
            let mut others = (0..self.nodes.len()).filter(|other| *other != node);
            let loads = self.modules.get(&record.digest) != Some(&Quality::Bad);
            // Only a node that had it before has what a record that is refused would replace.
            let there = loads || record.replicas.is_none() && self.answers(actor, node);
            there && others.any(|other| self.is_for(other, &record))
        })
    }

    /// Returns whether another node answers for an actor, as the server sees.
    fn answers(&self, actor: usize, except: usize) -> bool {
        self.interests.iter().any(|interest| {
            let sub = &self.subs[interest.sub];
            let node = &self.nodes[sub.node];
            let open = sub.phase == Phase::Open && node.life == sub.life;
            interest.actor == actor && sub.node != except && open && node.stays()
        })
    }

    /// Returns whether a deployment leaves an actor with somebody who serves it. Whoever deploys
    /// asks the nodes first: what is refused, or for none of them, is not written. Here what is
    /// refused is, where nothing else changes.
    fn can_be_served(
        &self,
        actor: usize,
        quality: Quality,
        zone: Option<u8>,
        replicas: Option<u32>,
    ) -> bool {
        let has_zone = |node: usize| zone.is_none_or(|zone| self.scenario.nodes[node].zone == zone);
        let mut nodes = (0..self.nodes.len()).filter(|node| self.nodes[*node].stays());
        let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
        match (quality, record) {
            (Quality::Bad, Some(record)) => {
                let same = record.labels == zone.map(zone_label).unwrap_or_default();
                let counted = record.replicas.is_some() || replicas.is_some();
                same && !counted && self.is_served(actor, None)
            }
            _ => nodes.any(has_zone),
        }
    }

    // What is true, whatever anybody was told.

    pub fn deployed_revision(&self, actor: usize) -> Option<u64> {
        self.bucket.read::<ActorRecord>(&cast().record(actor)).0.map(|record| record.revision)
    }

    pub fn truly_rolled_back(&self, key: &str, at: u64) -> bool {
        self.rolled_back.get(&at).is_some_and(|written| written == key)
    }

    pub fn is_struck(&self, actor: usize, issuer: &IssuerKey, digest: &Digest) -> bool {
        [
            Revoked::Actor(cast().actors[actor].clone()),
            Revoked::Issuer(issuer.clone()),
            Revoked::Module(digest.clone()),
        ]
        .into_iter()
        .any(|what| {
            let entry = self.bucket.entry(&RegistryKey::Revoked(what).to_string());
            entry.is_some_and(|entry| entry.value.is_some())
        })
    }

    // What is done to nodes that break a rule on purpose.

    pub fn ignores(&self, change: &Change) -> bool {
        match (self.broken, change) {
            (Some(Break::IgnoreRevocations), Change::Put { key: RegistryKey::Revoked(_), .. }) => {
                true
            }
            (Some(Break::KeepLinks), Change::Removed { key: RegistryKey::Link(..), .. }) => true,
            (Some(Break::LoseWrites), Change::Put { at, .. }) => at % 7 == 0,
            _ => false,
        }
    }

    pub fn doctored(&self, change: Change) -> Change {
        match change {
            Change::Put { key, value, at } if self.broken == Some(Break::BelieveRolledBack) => {
                let record = ActorRecord::decode(&value).ok();
                let record = record.map(|record| ActorRecord { rolled_back: true, ..record });
                let value = record.and_then(|record| encoded(&record)).unwrap_or(value);
                Change::Put { key, value, at }
            }
            change => change,
        }
    }

    pub fn ask_to_leave(&mut self, node: usize) {
        self.nodes[node].asked = true;
        self.run_loop(node);
    }

    pub fn lost(&mut self, conn: usize) {
        self.conns[conn].client = None;
        match self.conns[conn].owner {
            crate::world::Owner::Caller => self.caller_lost(conn),
            crate::world::Owner::Node { node, life } => {
                self.at_node(node, life, NodeEvent::Lost);
            }
        }
    }

    /// Closes a connection in its turn.
    pub fn goodbye(&mut self, conn: usize) {
        self.send(conn, Up::Close);
    }
}

fn encoded<R: Record>(record: &R) -> Option<Bytes> {
    record.encode().ok().map(Bytes::from)
}
