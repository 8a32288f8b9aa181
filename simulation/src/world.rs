//! All that there is in a run, and what happens to it, one event after another.

use std::collections::BTreeMap;
use std::time::Instant;

use lattice_client::call::RetryBudget;
use lattice_client::registry::told::Entry;
use lattice_protocol::names::Digest;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde::Serialize;

use crate::caller::{Call, Caller, Wish};
use crate::host::{Places, Run};
use crate::invariant::{Invariant, Violation};
use crate::limits;
use crate::net::{Conn, Down, Interest, Up};
use crate::node::{Node, NodeEvent};
use crate::operator::Write;
use crate::registry::Bucket;
use crate::scenario::{Quality, Scenario, Weather};
use crate::schedule::{MS, Schedule, Time};
use crate::subscription::Sub;

/// A rule of the mesh that is broken on purpose, to show that its breach is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// A caller does not notice that time is up.
    ForgetTimeout,
    /// Every call is retried as if it were idempotent.
    RetryUnknown,
    /// Subscriptions are forgotten at once.
    NoFence,
    /// Nodes believe that every record says `rolled_back`.
    BelieveRolledBack,
    /// Nodes pass over revocations.
    IgnoreRevocations,
    /// Nodes pass over links that are deleted.
    KeepLinks,
    /// Nodes do not look at the clock when a call gets its place.
    LateStart,
    /// Nodes do not look at revocations when a call gets its place after a wait.
    StartRevoked,
    /// A call runs whether a place is free or not.
    Crowd,
    /// A call waits or is refused though a place is free.
    RefuseFree,
    /// Nodes do not say which calls they have.
    DenyCalls,
    /// Retries cost nothing.
    NoBudget,
    /// Nodes pass over every seventh write.
    LoseWrites,
    /// Nodes leave what is not for them any more at once.
    LeaveAtOnce,
    /// Nodes say to serve what they serve only until others do.
    ClaimLingering,
    /// Nodes hear no heartbeat.
    HearNobody,
    /// Deployments never say that they may be below what a node serves.
    PlainRecords,
}

/// Who is behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Caller,
    Node { node: usize, life: u64 },
}

/// Something that is due.
#[derive(Debug)]
pub enum Event {
    Action(usize),
    Call(Wish),
    CallDue { call: usize },
    Look { call: usize, attempt: u32 },
    Looked { call: usize, attempt: u32 },
    MustHaveEnded { call: usize },
    Write(Write),
    Up { conn: usize, epoch: u64, up: Up },
    Down { conn: usize, epoch: u64, down: Down },
    Sever { conn: usize, epoch: u64 },
    Lost { conn: usize, epoch: u64 },
    Reconnect { conn: usize, epoch: u64 },
    Heard { node: usize, life: u64, watch: u64, entry: Entry },
    Node { node: usize, life: u64, event: NodeEvent },
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls that ended.
    pub calls: u64,
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls that ran, each time counted.
    pub runs: u64,
    /// Events in all.
    pub events: u64,
}

impl Stats {
    /// Adds what another run came to.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.runs += other.runs;
        self.events += other.events;
    }
}

/// A run.
pub struct World {
    pub scenario: Scenario,
    pub broken: Option<Break>,
    pub tracing: bool,
    pub lines: Vec<String>,
    pub violation: Option<Violation>,
    pub stats: Stats,
    pub rng: SmallRng,
    pub schedule: Schedule<Event>,
    /// What time 0 is for decisions that want an instant.
    pub base: Instant,
    pub bucket: Bucket,
    /// What becomes of each module when it is loaded.
    pub modules: BTreeMap<Digest, Quality>,
    /// The highest revision of each actor that was ever made.
    pub made: Vec<u64>,
    /// Which writes said `rolled_back`.
    pub rolled_back: BTreeMap<u64, String>,
    pub conns: Vec<Conn>,
    pub interests: Vec<Interest>,
    pub duplicate_until: Time,
    pub nodes: Vec<Node>,
    pub subs: Vec<Sub>,
    pub places: Vec<Places>,
    pub runs: Vec<Run>,
    pub callers: Vec<Caller>,
    pub calls: Vec<Call>,
    /// The newest revision that a life of a node has run a call on, by actor.
    pub newest: BTreeMap<(usize, u64, usize), u64>,
}

impl World {
    pub fn new(scenario: Scenario, broken: Option<Break>, tracing: bool) -> Self {
        let mut world = Self {
            rng: SmallRng::seed_from_u64(scenario.seed ^ 0x5eed),
            broken,
            tracing,
            lines: Vec::new(),
            violation: None,
            stats: Stats::default(),
            schedule: Schedule::default(),
            base: Instant::now(),
            bucket: Bucket::default(),
            modules: BTreeMap::new(),
            made: vec![0; scenario.actors],
            rolled_back: BTreeMap::new(),
            conns: Vec::new(),
            interests: Vec::new(),
            duplicate_until: 0,
            nodes: Vec::new(),
            subs: Vec::new(),
            places: Vec::new(),
            runs: Vec::new(),
            callers: Vec::new(),
            calls: Vec::new(),
            newest: BTreeMap::new(),
            scenario,
        };
        for saved in world.scenario.callers.clone() {
            let budget = RetryBudget::default();
            let full = lattice_client::limits::RETRY_BUDGET_MAX.unsigned_abs();
            let saved = u64::from(saved).min(full);
            for _ in saved..full {
                budget.spend();
            }
            let conn = world.connect(Owner::Caller);
            world.callers.push(Caller { conn, budget, saved, calls: 0, retries: 0 });
        }
        for node in 0..world.scenario.nodes.len() {
            world.nodes.push(Node::new(node, 0));
            if world.scenario.nodes[node].from_start {
                world.start_node(node);
            }
        }
        for (number, (at, _)) in world.scenario.actions.iter().enumerate() {
            world.schedule.at(*at, Event::Action(number));
        }
        world
    }

    pub fn connect(&mut self, owner: Owner) -> usize {
        self.conns.push(Conn::new(owner));
        self.conns.len() - 1
    }

    pub fn now(&self) -> Time {
        self.schedule.now()
    }

    pub fn calm(&self) -> bool {
        self.scenario.weather == Weather::Calm
    }

    pub fn trace(&mut self, line: impl FnOnce() -> String) {
        if self.tracing && self.lines.len() < limits::TRACE_LINES_MAX {
            let (ms, us) = (self.now() / MS, self.now() % MS);
            self.lines.push(format!("{ms:>6}.{us:03} ms  {}", line()));
        }
    }

    pub fn violated(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.trace(|| format!("VIOLATED {invariant:?}: {what}"));
            self.violation = Some(Violation { invariant, what, at: self.now() });
        }
    }

    /// Runs to the end, or to the first rule that is broken.
    pub fn run(&mut self) {
        self.run_until(limits::ACTIVE_MS * MS);
        self.duplicate_until = 0;
        // What is cut or frozen by then goes on before that time is over.
        self.run_until((limits::ACTIVE_MS + limits::CONVERGE_MS) * MS);
        self.check_converged();
        if self.violation.is_some() {
            return;
        }
        let first = self.last_calls();
        self.run_until((limits::ACTIVE_MS + limits::CONVERGE_MS + limits::LAST_CALLS_MS) * MS);
        self.check_last_calls(first);
    }

    fn run_until(&mut self, end: Time) {
        while self.violation.is_none() {
            let Some(event) = self.schedule.next(end) else { return };
            self.stats.events += 1;
            if self.stats.events > limits::EVENTS_MAX as u64 {
                self.violated(Invariant::Ends, || "there is no end of events".to_owned());
                return;
            }
            self.happen(event);
        }
    }

    /// Returns from when on whoever is behind a connection runs.
    fn awake_at(&self, conn: usize) -> Time {
        match self.conns[conn].owner {
            Owner::Node { node, life } if self.nodes[node].life == life => {
                self.nodes[node].frozen_until
            }
            _ => 0,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Action(number) => self.act(number),
            Event::Call(wish) => self.begin_call(wish),
            Event::CallDue { call } => self.call_due(call),
            Event::Look { call, attempt } => self.look(call, attempt),
            Event::Looked { call, attempt } => self.looked(call, attempt),
            Event::MustHaveEnded { call } => self.must_have_ended(call),
            Event::Write(write) => self.write(write),
            Event::Up { conn, epoch, up } => self.at_server(conn, epoch, up),
            Event::Down { conn, epoch, down } => self.at_client(conn, epoch, down),
            Event::Sever { conn, epoch } => {
                if self.conns[conn].epoch == epoch {
                    self.sever(conn);
                }
            }
            Event::Lost { conn, epoch } => {
                let awake = self.awake_at(conn);
                if awake > self.now() {
                    self.schedule.at(awake, Event::Lost { conn, epoch });
                } else if self.conns[conn].client == Some(epoch) {
                    self.lost(conn);
                }
            }
            Event::Reconnect { conn, epoch } => {
                let back = self.awake_at(conn).max(self.conns[conn].cut_until);
                if back > self.now() {
                    self.schedule.at(back + MS, Event::Reconnect { conn, epoch });
                } else if self.conns[conn].client.is_none_or(|known| known == epoch) {
                    self.reconnect(conn);
                }
            }
            Event::Heard { node, life, watch, entry } => self.heard(node, life, watch, entry),
            Event::Node { node, life, event } => self.at_node(node, life, event),
        }
    }
}
