//! Calls on a node: the revision that each is given, its place, its run. The decisions are those of
//! `mesh_node::decide::gate`; the places are modelled as the fair semaphore that the node uses.

use std::collections::VecDeque;
use std::time::Duration;

use lattice_protocol::keys::{IssuerKey, TargetKey};
use lattice_protocol::names::{Digest, LinkName};
use lattice_protocol::record::{ActorRecord, LinkRecord};
use lattice_protocol::{Error, ErrorCode, Invocation, InvocationId};
use mesh_node::decide::{Serving, gate};
use mesh_node::limits::WAITING_PER_PLACE;

use crate::cast::cast;
use crate::invariant::Invariant;
use crate::limits;
use crate::net::{Message, Up};
use crate::node::NodeEvent;
use crate::schedule::{MS, Time};
use crate::subscription::Phase;
use crate::world::{Break, World};

/// A revision that can serve.
#[derive(Clone, Debug)]
pub struct Rev {
    pub number: u64,
    pub digest: Digest,
    pub issuer: IssuerKey,
    pub places: usize,
}

impl Rev {
    /// Returns what decisions need to know of it.
    pub fn serving(&self) -> Serving {
        let Self { number, digest, issuer, .. } = self;
        Serving { revision: *number, issuer: issuer.clone(), digest: digest.clone() }
    }
}

/// What answers the calls of an actor.
#[derive(Clone, Debug)]
pub enum Slot {
    Serving(Rev),
    Refusing(Error),
}

/// The places of an actor on a node.
#[derive(Debug, Default)]
pub struct Places {
    pub size: u32,
    pub running: u32,
    /// Who waits, the first first.
    pub waiting: VecDeque<usize>,
}

/// A call on a node.
#[derive(Debug)]
pub struct Run {
    pub node: usize,
    pub sub: usize,
    pub message: Message,
    pub rev: Rev,
    pub deadline: Time,
    /// Whether it has ended, or has a place; neither while it waits.
    pub over: bool,
    pub holds: bool,
}

impl World {
    /// Returns the places of a revision: those of the one before, where their number stays.
    pub fn places(&mut self, before: Option<usize>, size: u32) -> usize {
        match before {
            Some(before) if self.places[before].size == size => before,
            _ => {
                self.places.push(Places { size, ..Places::default() });
                self.places.len() - 1
            }
        }
    }

    /// Takes a call in, as `answer.rs` and `actor_host` do.
    pub fn begin_run(&mut self, sub: usize, message: Message) {
        let node = self.subs[sub].node;
        let (id, target) =
            (InvocationId(Default::default()), cast().actors[message.actor].as_str());
        let invocation = Invocation {
            timeout_ms: Some(message.budget_ms),
            ..Invocation::new(id, target, "work", &[])
        };
        let deadline = self.now() + Time::from(invocation.budget_ms()) * MS;
        let rev = match &self.subs[sub].slot {
            Slot::Serving(rev) => rev.clone(),
            Slot::Refusing(error) => {
                let error = error.clone();
                return self.reply(node, &message, Err(error));
            }
        };
        if let Err(error) = gate::new_enough(rev.number, message.min_revision) {
            return self.reply(node, &message, Err(error));
        }
        self.nodes[node].running += 1;
        let (run, places) = (self.runs.len(), rev.places);
        self.runs.push(Run { node, sub, message, rev, deadline, over: false, holds: false });
        let Places { size, running, waiting } = &self.places[places];
        let (size, waits) = (*size, u32::try_from(waiting.len()).unwrap_or(u32::MAX));
        let free = *running < size && self.broken != Some(Break::RefuseFree);
        if free || self.broken == Some(Break::Crowd) {
            return self.enter(run);
        }
        let left = Duration::from_micros(deadline - self.now());
        match gate::patience(size, waits, left) {
            Some(wait) => {
                self.places[places].waiting.push_back(run);
                if waits + 1 > size.saturating_mul(WAITING_PER_PLACE) {
                    self.violated(Invariant::PlacesBounded, || {
                        format!("{} calls wait for {size} places on node {node}", waits + 1)
                    });
                }
                let wait = u64::try_from(wait.as_micros()).unwrap_or(Time::MAX);
                self.node_event(node, wait, NodeEvent::WaitOver { run });
            }
            None => self.busy(run),
        }
    }

    fn busy(&mut self, run: usize) {
        let Places { size, running, .. } = self.places[self.runs[run].rev.places];
        if running < size {
            self.violated(Invariant::PlacesBounded, || {
                format!("a call is answered busy while {running} of {size} places are taken")
            });
        }
        self.finish(run, Err(gate::busy(size)));
    }

    pub fn wait_over(&mut self, run: usize) {
        let Run { over, holds, rev, .. } = &self.runs[run];
        if *over || *holds {
            return;
        }
        let places = rev.places;
        self.places[places].waiting.retain(|one| *one != run);
        self.busy(run);
    }

    /// Gives a call a place that had to wait for it.
    fn enter_late(&mut self, run: usize) {
        let Run { node, sub, rev, .. } = &self.runs[run];
        let view = self.nodes[*node].follower.view();
        let actor = &cast().actors[self.subs[*sub].actor];
        let permitted = gate::still_permitted(view.revocations(), actor, &rev.serving());
        match permitted {
            Err(error) if self.broken != Some(Break::StartRevoked) => {
                let places = &mut self.places[self.runs[run].rev.places];
                places.running += 1;
                self.runs[run].holds = true;
                self.finish(run, Err(error));
            }
            _ => self.enter(run),
        }
    }

    /// Gives a call a place, and runs it if there is time.
    fn enter(&mut self, run: usize) {
        let now = self.now();
        self.runs[run].holds = true;
        let Run { node, deadline, .. } = self.runs[run];
        let places = &mut self.places[self.runs[run].rev.places];
        places.running += 1;
        let (size, running) = (places.size, places.running);
        if running > size {
            self.violated(Invariant::PlacesBounded, || {
                format!("{running} calls run in {size} places on node {node}")
            });
        }
        let at = |time: Time| self.base + Duration::from_micros(time);
        if self.broken != Some(Break::LateStart)
            && let Err(error) = gate::in_time(at(deadline), at(now))
        {
            return self.finish(run, Err(error));
        }
        self.check_start(run);
        let work = self.calls[self.runs[run].message.call].work;
        let until = (now + work).min(deadline);
        self.node_event(node, until - now, NodeEvent::Done { run });
    }

    /// Ends a call that has run: with its answer, or because its time is over.
    pub fn done(&mut self, run: usize) {
        let Run { deadline, rev, .. } = &self.runs[run];
        let outcome = if self.now() < *deadline {
            Ok(rev.number)
        } else {
            Err(Error::started(ErrorCode::DeadlineExceeded, "the actor ran out of time"))
        };
        self.finish(run, outcome);
    }

    fn finish(&mut self, run: usize, outcome: Result<u64, Error>) {
        self.runs[run].over = true;
        let Run { node, message, rev, holds, .. } = &self.runs[run];
        let (node, message, places, held) = (*node, message.clone(), rev.places, *holds);
        self.nodes[node].running -= 1;
        self.reply(node, &message, outcome);
        if held {
            self.places[places].running -= 1;
            if let Some(next) = self.places[places].waiting.pop_front() {
                self.enter_late(next);
            }
        }
        self.gone_if_done(node);
    }

    fn reply(&mut self, node: usize, message: &Message, outcome: Result<u64, Error>) {
        let Message { from: to, call, attempt, .. } = *message;
        self.send(self.nodes[node].conn, Up::Reply { to, call, attempt, outcome });
    }

    /// Checks what must hold whenever a call starts to run.
    fn check_start(&mut self, run: usize) {
        let now = self.now();
        let Run { node, sub, ref message, ref rev, deadline, .. } = self.runs[run];
        let (number, rev) = (message.call, rev.clone());
        let call = &mut self.calls[number];
        call.runs += 1;
        let (runs, duplicates, linked) = (call.runs, call.duplicates, call.linked);
        let (idempotent, made) = (call.idempotent, call.attempts.made());
        let late = now.saturating_sub(call.begun + call.timeout);
        self.stats.runs += 1;
        self.trace(|| format!("node {node} runs call {number} on revision {}", rev.number));
        let most = if idempotent { made } else { 1 };
        if runs > most + duplicates {
            self.violated(Invariant::AtMostOnce, || {
                format!(
                    "call {number} runs for the {runs}. time, delivered twice {duplicates} times"
                )
            });
        }
        // In calm weather the caller's own clock bounds it too, but for the way of the message.
        if now >= deadline || (self.calm() && late > limits::DELAY_MAX_US) {
            self.violated(Invariant::NotAfterDeadline, || {
                format!("call {number} starts on node {node} after its deadline")
            });
        }
        let actor = self.subs[sub].actor;
        if self.calm() {
            let newest = self.newest.entry((node, self.nodes[node].life, actor)).or_default();
            *newest = (*newest).max(rev.number);
            let newest = *newest;
            if rev.number < newest {
                self.violated(Invariant::CalmFailsNone, || {
                    format!("node {node} runs revision {} after {newest}", rev.number)
                });
            }
        }
        if self.subs[sub].phase != Phase::Open || !self.knows_all(node) {
            return;
        }
        let (record, _) = self.bucket.read::<ActorRecord>(&cast().record(actor));
        if record.is_none() || self.is_struck(actor, &rev.issuer, &rev.digest) {
            self.violated(Invariant::NothingRevoked, || {
                format!(
                    "node {node}, which knows better, runs revision {} of actor {actor}, \
                         which is revoked or not deployed",
                    rev.number
                )
            });
        }
        if linked {
            let (link, _) = self.bucket.read::<LinkRecord>(&cast().link(actor));
            let (source, name) = (&cast().actors[actor], LinkName::default_link());
            let links = self.nodes[node].follower.view().links();
            let leads: Option<TargetKey> = links.target(source, &cast().contract, &name).ok();
            if leads != link.map(|link| link.target) {
                self.violated(Invariant::NothingRevoked, || {
                    format!("node {node}, which knows better, follows an old link of actor {actor}")
                });
            }
        }
    }
}
