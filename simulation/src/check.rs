//! What must be true when faults have ceased and time has passed.

use lattice_protocol::ErrorCode;
use lattice_protocol::names::LinkName;
use lattice_protocol::placement::is_chosen;
use lattice_protocol::record::{ActorRecord, LinkRecord};

use crate::caller::Wish;
use crate::cast::{ISSUERS, cast};
use crate::host::Slot;
use crate::invariant::Invariant;
use crate::scenario::Quality;
use crate::schedule::MS;
use crate::subscription::Phase;
use crate::world::World;

/// What a node ought to do about an actor.
#[derive(Debug, PartialEq)]
enum Ought {
    /// Nothing.
    Absent,
    /// Serve what the record says.
    Serve,
    /// Anything but serving what is revoked: the record can't be followed.
    NotRevoked,
}

impl World {
    /// Returns whether a node has taken in the newest state of every key.
    pub fn knows_all(&self, node: usize) -> bool {
        let state = &self.nodes[node];
        let live = |key: &String| self.bucket.entry(key).is_some_and(|e| e.value.is_some());
        let entries = self.bucket.list(self.bucket.revision());
        state.idle()
            && entries.iter().all(|entry| match &entry.value {
                Some(_) => state.seen.get(&entry.key) == Some(&entry.at),
                None => !state.seen.contains_key(&entry.key),
            })
            && state.seen.keys().all(live)
    }

    fn ought(&self, node: usize, actor: usize) -> Ought {
        let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
        let Some(record) = record else { return Ought::Absent };
        let spec = &self.scenario.nodes[node];
        if record.labels.get("zone").is_some_and(|zone| *zone != spec.zone.to_string()) {
            return Ought::Absent;
        }
        if let Some(replicas) = record.replicas() {
            let others: Vec<_> = (0..self.nodes.len())
                .filter(|other| *other != node && self.nodes[*other].stays())
                .filter(|other| {
                    let zone = self.scenario.nodes[*other].zone.to_string();
                    record.labels.get("zone").is_none_or(|wanted| *wanted == zone)
                })
                .map(|other| &self.nodes[other].key)
                .collect();
            if !is_chosen(&record.key, &self.nodes[node].key, others, replicas) {
                return Ought::Absent;
            }
        }
        let trusted = if spec.trusts_all { ISSUERS } else { ISSUERS - 1 };
        let trusts = cast().issuers[..trusted].contains(&record.issuer);
        let bad = self.modules.get(&record.digest) == Some(&Quality::Bad);
        if bad || !trusts || self.is_struck(actor, &record.issuer, &record.digest) {
            return Ought::NotRevoked;
        }
        Ought::Serve
    }

    /// Checks that every node serves what the registry says.
    pub fn check_converged(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for node in 0..self.nodes.len() {
            if !self.nodes[node].serves() || self.nodes[node].asked {
                continue;
            }
            if !self.knows_all(node) {
                self.violated(Invariant::Converges, || format!("node {node} missed a write"));
            }
            for actor in 0..self.scenario.actors {
                if let Some(wrong) = self.wrong(node, actor) {
                    self.violated(Invariant::Converges, || {
                        format!("node {node}, actor {actor}: {wrong}")
                    });
                }
            }
        }
    }

    fn wrong(&self, node: usize, actor: usize) -> Option<String> {
        let key = &cast().actors[actor];
        let name = LinkName::default_link();
        let (link, _) = self.bucket.read::<LinkRecord>(&cast().link(actor));
        let leads = self.nodes[node].follower.view().links().get(key, &cast().contract, &name);
        if leads.map(|link| &**link) != link.as_ref() {
            return Some("its link is not that of the registry".to_owned());
        }
        let sub = self.nodes[node].hosts.get(key).copied();
        let at_server = self.interests.iter().filter(|interest| {
            let of = &self.subs[interest.sub];
            of.node == node && of.life == self.nodes[node].life && interest.actor == actor
        });
        let at_server: Vec<_> = at_server.map(|interest| interest.sub).collect();
        if at_server != sub.into_iter().collect::<Vec<_>>() {
            return Some(format!("it serves behind {sub:?}, the server knows {at_server:?}"));
        }
        let slot = sub.map(|sub| &self.subs[sub].slot);
        match (self.ought(node, actor), slot) {
            (Ought::Absent, None) | (Ought::NotRevoked, None | Some(Slot::Refusing(_))) => None,
            (Ought::NotRevoked, Some(Slot::Serving(rev))) => self
                .is_struck(actor, &rev.issuer, &rev.digest)
                .then(|| format!("it serves revision {}, which is revoked", rev.number)),
            (Ought::Serve, Some(Slot::Serving(rev))) => {
                let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
                let digest = record.map(|record| record.digest);
                (digest.as_ref() != Some(&rev.digest)).then(|| {
                    format!("it serves revision {}, which is not the deployed one", rev.number)
                })
            }
            (ought, slot) => {
                let slot = match slot {
                    None => "does nothing".to_owned(),
                    Some(Slot::Serving(rev)) => format!("serves revision {}", rev.number),
                    Some(Slot::Refusing(error)) => format!("answers {}", error.code),
                };
                Some(format!("it {slot}, and ought to: {ought:?}"))
            }
        }
    }

    /// Calls every actor a last time; returns the number of the first of these calls.
    pub fn last_calls(&mut self) -> usize {
        let first = self.calls.len();
        for actor in 0..self.scenario.actors {
            for linked in [false, true] {
                let timeout = 2_000 * MS;
                let wish = Wish {
                    caller: 0,
                    actor,
                    timeout,
                    work: MS,
                    idempotent: false,
                    linked,
                    fresh: false,
                };
                self.begin_call(wish);
            }
        }
        first
    }

    /// Checks the answers of the last calls: what every node ought to serve answers, and what is
    /// not deployed has nobody.
    pub fn check_last_calls(&mut self, first: usize) {
        if self.violation.is_some() {
            return;
        }
        for call in first..self.calls.len() {
            let actor = self.calls[call].actor;
            let nodes: Vec<_> = (0..self.nodes.len())
                .filter(|node| self.nodes[*node].serves() && !self.nodes[*node].asked)
                .map(|node| self.ought(node, actor))
                .collect();
            let all = |ought| nodes.iter().all(|one| *one == ought);
            let ended = self.calls[call].ended.clone();
            let well = match &ended {
                Some(Ok(_)) => !all(Ought::Absent),
                // Without a retry left, nobody listening is the end at once.
                Some(Err(error)) if all(Ought::Absent) => error.code == ErrorCode::NotFound,
                Some(Err(_)) => nodes.contains(&Ought::NotRevoked),
                None => false,
            };
            if !well {
                self.violated(Invariant::Converges, || {
                    format!("the last call of actor {actor} came to {ended:?}, nodes: {nodes:?}")
                });
            }
        }
        let waiting = self.subs.iter().any(|sub| {
            sub.phase == Phase::Opening
                && self.nodes[sub.node].life == sub.life
                && self.nodes[sub.node].alive
        });
        if waiting {
            self.violated(Invariant::Converges, || "a node still waits for a fence".to_owned());
        }
    }
}
