//! What happens in a run: the lattice to begin with, and a list of timed actions, all from a seed.
//! A run without some of its actions is a run too, which is how a failure is made small.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

use crate::cast::ISSUERS;
use crate::limits;
use crate::schedule::{MS, Time};

/// What kind of misfortune a run knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Weather {
    /// None: revisions are replaced, actors move, nodes join and drain, modules are refused or slow.
    Calm,
    /// Everything else too.
    Rough,
}

/// A node that may run.
#[derive(Clone, Debug, Serialize)]
pub struct NodeSpec {
    /// Its label `zone`.
    pub zone: u8,
    /// Whether it trusts the last issuer too.
    pub trusts_all: bool,
    /// Whether it runs from the start.
    pub from_start: bool,
}

/// What becomes of a module when it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Quality {
    /// It is served after this time.
    Good(Time),
    /// It is refused for good.
    Bad,
    /// Its first loads on a node fail for a passing reason, so many of them.
    Flaky(u32),
}

/// What a revocation strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Struck {
    /// An actor.
    Actor(usize),
    /// An issuer.
    Issuer(usize),
    /// The module that an actor's record names then.
    Module(usize),
}

/// Something that happens.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "fields are what their names say; times are in microseconds")]
pub enum Action {
    /// Deploys a new module, of a higher revision or of any.
    Deploy {
        actor: usize,
        higher: bool,
        issuer: usize,
        quality: Quality,
        places: u32,
        zone: Option<u8>,
        /// How many nodes shall serve it; absent: every one.
        replicas: Option<u32>,
    },
    /// Deletes the actor's record.
    Undeploy { actor: usize },
    /// Goes back to an earlier revision, if one is kept: the one before, or the oldest.
    Rollback { actor: usize, oldest: bool },
    /// Revokes.
    Revoke { what: Struck },
    /// Takes back every revocation of this kind.
    Restore { what: Struck },
    /// Puts or deletes the actor's link.
    Link { actor: usize, to: Option<usize> },
    /// Starts a node, unless it runs.
    Start { node: usize },
    /// Has a node drain and end; in calm weather only where another can answer.
    Drain { node: usize },
    /// Ends a node without a word.
    Crash { node: usize },
    /// Stops a node's process for a while.
    Freeze { node: usize, time: Time },
    /// Cuts a node off from the server.
    CutNode { node: usize, time: Time },
    /// Cuts a caller off from the server.
    CutCaller { caller: usize, time: Time },
    /// A node's watch hears nothing more until it lists the registry anew.
    Deafen { node: usize },
    /// The next lists of a node are older by so many writes.
    Stale { node: usize, writes: u64 },
    /// The server delivers calls twice.
    Duplicate { time: Time },
    /// Calls an actor.
    Calls {
        caller: usize,
        actor: usize,
        count: u32,
        every: Time,
        timeout: Time,
        work: Time,
        idempotent: bool,
        /// Whether the calls want the revision that is deployed when they begin.
        fresh: bool,
        /// Whether the actor uses its link.
        linked: bool,
    },
}

/// A run to be.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// Where it comes from; also seeds what chance decides while it runs.
    pub seed: u64,
    /// Its misfortune.
    pub weather: Weather,
    /// Nodes that may run.
    pub nodes: Vec<NodeSpec>,
    /// Retries that each caller has left at the start.
    pub callers: Vec<u32>,
    /// Actors that there may be.
    pub actors: usize,
    /// What happens, by time.
    pub actions: Vec<(Time, Action)>,
}

impl Scenario {
    /// Makes the scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let weather = if seed.is_multiple_of(3) { Weather::Calm } else { Weather::Rough };
        let calm = weather == Weather::Calm;
        let actors = rng.random_range(1..=limits::ACTORS_MAX);
        let nodes: Vec<_> = (0..rng.random_range(2..=limits::NODES_MAX))
            .map(|number| NodeSpec {
                zone: rng.random_range(0..2),
                trusts_all: calm || rng.random_bool(0.7),
                from_start: number < 2 || rng.random_bool(0.5),
            })
            .collect();
        let callers: Vec<_> = (0..rng.random_range(1..=limits::CALLERS_MAX))
            .map(|_| if !calm && rng.random_bool(0.3) { rng.random_range(0..4) } else { 1_000 })
            .collect();
        let mut make = Make { rng, calm, actors, nodes: nodes.len(), callers: callers.len() };
        let mut actions: Vec<(Time, Action)> =
            (0..actors).map(|actor| (actor as Time * MS, make.first_deploy(actor))).collect();
        let count = make.rng.random_range(4..24);
        for _ in 0..count {
            let at = make.rng.random_range(500 * MS..limits::ACTIVE_MS * MS);
            let action = if make.rng.random_bool(0.45) { make.calls() } else { make.change() };
            actions.push((at, action));
        }
        if !calm && make.rng.random_bool(0.3) {
            actions.extend(make.misses_the_way());
        }
        actions.sort_by_key(|(at, _)| *at);
        Self { seed, weather, nodes, callers, actors, actions }
    }
}

/// Makes actions.
struct Make {
    rng: SmallRng,
    calm: bool,
    actors: usize,
    nodes: usize,
    callers: usize,
}

impl Make {
    fn first_deploy(&mut self, actor: usize) -> Action {
        let places = self.places();
        let quality = Quality::Good(5 * MS);
        let replicas = self.replicas();
        Action::Deploy { actor, higher: true, issuer: 0, quality, places, zone: None, replicas }
    }

    fn replicas(&mut self) -> Option<u32> {
        self.rng.random_bool(0.2).then(|| self.rng.random_range(1..3))
    }

    fn places(&mut self) -> u32 {
        if self.calm { self.rng.random_range(8..10) } else { self.rng.random_range(1..4) }
    }

    fn actor(&mut self) -> usize {
        self.rng.random_range(0..self.actors)
    }

    fn node(&mut self) -> usize {
        self.rng.random_range(0..self.nodes)
    }

    fn quality(&mut self) -> Quality {
        match self.rng.random_range(0..10) {
            0 => Quality::Bad,
            1 => Quality::Flaky(self.rng.random_range(1..3)),
            2 => Quality::Good(self.rng.random_range(200 * MS..3_000 * MS)),
            _ => Quality::Good(self.rng.random_range(MS..80 * MS)),
        }
    }

    fn deploy(&mut self) -> Action {
        Action::Deploy {
            actor: self.actor(),
            higher: self.calm || self.rng.random_bool(0.6),
            issuer: if self.calm { 0 } else { self.rng.random_range(0..ISSUERS) },
            quality: self.quality(),
            places: self.places(),
            zone: self
                .rng
                .random_bool(if self.calm { 0.5 } else { 0.2 })
                .then(|| self.rng.random_range(0..2)),
            replicas: self.replicas(),
        }
    }

    fn struck(&mut self) -> Struck {
        match self.rng.random_range(0..4) {
            0 => Struck::Actor(self.actor()),
            1 => Struck::Issuer(self.rng.random_range(0..ISSUERS)),
            _ => Struck::Module(self.actor()),
        }
    }

    /// Times around those at which the other side takes notice, too.
    fn outage(&mut self) -> Time {
        match self.rng.random_range(0..3) {
            0 => self.rng.random_range(MS..300 * MS),
            1 => self.rng.random_range(2_000 * MS..4_000 * MS),
            _ => self.rng.random_range(4_000 * MS..9_000 * MS),
        }
    }

    fn change(&mut self) -> Action {
        if self.calm {
            return match self.rng.random_range(0..10) {
                0..5 => self.deploy(),
                5..8 => Action::Drain { node: self.node() },
                _ => Action::Start { node: self.node() },
            };
        }
        match self.rng.random_range(0..26) {
            0..7 => self.deploy(),
            7..9 => Action::Undeploy { actor: self.actor() },
            9..11 => Action::Rollback { actor: self.actor(), oldest: self.rng.random_bool(0.5) },
            11..13 => Action::Revoke { what: self.struck() },
            13 => Action::Restore { what: self.struck() },
            14..16 => {
                let to = self.rng.random_bool(0.6).then(|| self.actor());
                Action::Link { actor: self.actor(), to }
            }
            16 => Action::Start { node: self.node() },
            17 => Action::Drain { node: self.node() },
            18 => Action::Crash { node: self.node() },
            19..21 => Action::Freeze { node: self.node(), time: self.outage() },
            21..23 => Action::CutNode { node: self.node(), time: self.outage() },
            23 => {
                let caller = self.rng.random_range(0..self.callers);
                Action::CutCaller { caller, time: self.outage() }
            }
            24 => match self.rng.random_bool(0.5) {
                true => Action::Deafen { node: self.node() },
                false => Action::Stale { node: self.node(), writes: self.rng.random_range(1..6) },
            },
            _ => Action::Duplicate { time: self.outage() },
        }
    }

    /// A node hears nothing while an actor goes a way that it then sees only the end of. Chance
    /// alone rarely brings these together.
    fn misses_the_way(&mut self) -> Vec<(Time, Action)> {
        let (node, actor) = (self.node(), self.actor());
        let mut at = self.rng.random_range(500 * MS..4_000 * MS);
        let deploy = |make: &mut Self, higher| {
            let (quality, places) = (Quality::Good(5 * MS), make.places());
            Action::Deploy { actor, higher, issuer: 0, quality, places, zone: None, replicas: None }
        };
        let mut way = vec![deploy(self, true), deploy(self, true)];
        way.push(match self.rng.random_range(0..3) {
            0 => Action::Deafen { node },
            1 => Action::Freeze { node, time: 7_000 * MS },
            _ => Action::CutNode { node, time: 7_000 * MS },
        });
        let oldest = self.rng.random_bool(0.5);
        way.push(match self.rng.random_bool(0.5) {
            true => Action::Undeploy { actor },
            false => Action::Rollback { actor, oldest },
        });
        for _ in 0..self.rng.random_range(1..3) {
            way.push(match self.rng.random_range(0..4) {
                0 => Action::Rollback { actor, oldest },
                1 => deploy(self, true),
                _ => deploy(self, false),
            });
        }
        way.into_iter()
            .map(|action| {
                at += self.rng.random_range(100 * MS..900 * MS);
                (at, action)
            })
            .collect()
    }

    fn calls(&mut self) -> Action {
        let calm = self.calm;
        // Longer than it takes to take a call for lost that nobody owns up to.
        let long = calm && self.rng.random_bool(0.1);
        Action::Calls {
            caller: self.rng.random_range(0..self.callers),
            actor: self.actor(),
            count: if long { 1 } else { self.rng.random_range(1..30) },
            every: if calm {
                self.rng.random_range(2 * MS..40 * MS)
            } else {
                self.rng.random_range(0..40 * MS)
            },
            timeout: self.rng.random_range(if calm { 2_000 } else { 20 }..3_000) * MS,
            work: match self.rng.random_range(0..4) {
                _ if long => self.rng.random_range(800 * MS..900 * MS),
                0 if !calm => self.rng.random_range(0..1_500 * MS),
                _ => self.rng.random_range(20..20 * MS),
            },
            idempotent: self.rng.random_bool(0.4),
            fresh: !calm && self.rng.random_bool(0.2),
            linked: self.rng.random_bool(0.3),
        }
    }
}
