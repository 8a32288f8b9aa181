//! Programs that call actors, with the retries of `lattice-client`.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_client::call::RetryBudget;
use lattice_client::call::attempts::{Attempts, Due};
use lattice_client::call::retry::{Attempt, Next, Policy};
use lattice_client::limits::NO_RESPONDERS_WAIT_MS;
use lattice_protocol::Error;
use lattice_protocol::keys::TargetKey;
use rand::Rng;

use crate::cast::cast;
use crate::invariant::Invariant;
use crate::look::Look;
use crate::net::{Message, Up};
use crate::schedule::Time;
use crate::subscription::Phase;
use crate::world::{Break, Event, World};

/// A program that calls.
pub struct Caller {
    pub conn: usize,
    pub budget: RetryBudget,
    /// Retries that its budget had at the start.
    pub saved: u64,
    pub calls: u64,
    pub retries: u64,
}

/// A call, from its beginning to its end and beyond.
#[derive(Debug)]
pub struct Call {
    pub caller: usize,
    pub actor: usize,
    pub begun: Time,
    pub timeout: Time,
    pub work: Time,
    pub idempotent: bool,
    pub linked: bool,
    pub min_revision: Option<u64>,
    pub attempts: Attempts,
    /// When there is something to decide.
    pub wake: Time,
    /// The attempts that an answer is awaited for.
    pub awaited: Vec<u32>,
    pub ended: Option<Result<u64, Error>>,
    /// What looks tell of them.
    pub looks: BTreeMap<u32, Look>,
    /// How often it was run.
    pub runs: u32,
    /// How often the server delivered it once more than it was sent.
    pub duplicates: u32,
}

/// A call to be.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub caller: usize,
    pub actor: usize,
    pub timeout: Time,
    pub work: Time,
    pub idempotent: bool,
    pub linked: bool,
    pub fresh: bool,
}

fn micros(time: Time) -> Duration {
    Duration::from_micros(time)
}

impl World {
    pub fn begin_call(&mut self, wish: Wish) {
        let number = self.calls.len();
        let caller = &mut self.callers[wish.caller];
        caller.budget.earn();
        caller.calls += 1;
        let again = wish.idempotent || self.broken == Some(Break::RetryUnknown);
        let unserved = Duration::from_millis(NO_RESPONDERS_WAIT_MS);
        let policy = Policy { idempotent: again, timeout: micros(wish.timeout), unserved };
        let min_revision = if wish.fresh { self.deployed_revision(wish.actor) } else { None };
        self.calls.push(Call {
            caller: wish.caller,
            actor: wish.actor,
            begun: self.now(),
            timeout: wish.timeout,
            work: wish.work,
            idempotent: wish.idempotent,
            linked: wish.linked,
            min_revision,
            attempts: Attempts::new(policy),
            wake: 0,
            awaited: Vec::new(),
            ended: None,
            looks: BTreeMap::new(),
            runs: 0,
            duplicates: 0,
        });
        self.schedule.at(self.now() + wish.timeout + 1, Event::MustHaveEnded { call: number });
        self.attempt(number);
    }

    pub fn attempt(&mut self, number: usize) {
        let now = self.now();
        let call = &mut self.calls[number];
        let slice = call.attempts.begin(micros(now - call.begun));
        let attempt = call.attempts.made();
        call.awaited.push(attempt);
        let conn = self.callers[call.caller].conn;
        let message = Message {
            from: conn,
            actor: call.actor,
            call: number,
            attempt,
            budget_ms: slice.budget_ms(),
            min_revision: call.min_revision,
        };
        self.trace(|| format!("call {number} attempt {attempt} of actor {}", message.actor));
        self.send(conn, Up::Call(message));
        self.wake_call(number);
        self.will_look(number, attempt);
    }

    /// Begins another attempt beside those under way, if it is worth it.
    pub fn maybe_another(&mut self, number: usize, attempt: u32) {
        let now = self.now();
        let generous = RetryBudget::default();
        let call = &mut self.calls[number];
        let caller = &self.callers[call.caller];
        let budget = if self.broken == Some(Break::NoBudget) { &generous } else { &caller.budget };
        if call.attempts.another(attempt, micros(now - call.begun), budget) {
            self.count_retry(number);
            self.attempt(number);
        }
    }

    /// Has a call woken when there is something to decide.
    fn wake_call(&mut self, number: usize) {
        let call = &mut self.calls[number];
        let next =
            u64::try_from(call.attempts.next_at().as_nanos().div_ceil(1_000)).unwrap_or(Time::MAX);
        let at = (call.begun + next).max(self.schedule.now());
        call.wake = at;
        self.schedule.at(at, Event::CallDue { call: number });
    }

    pub fn replied(&mut self, conn: usize, call: usize, attempt: u32, outcome: Result<u64, Error>) {
        if self.callers[self.calls[call].caller].conn != conn || !self.awaits(call, attempt) {
            return;
        }
        match outcome {
            Ok(revision) => self.end_call(call, Ok(revision)),
            Err(error) => self.failed(call, attempt, &Attempt::Answered(error)),
        }
    }

    pub fn nobody(&mut self, call: usize, attempt: u32) {
        let actor = self.calls[call].actor;
        if self.calm()
            && self.subs.iter().any(|sub| sub.actor == actor && sub.phase != Phase::Opening)
        {
            self.violated(Invariant::CalmFailsNone, || {
                format!("call {call} finds nobody, though actor {actor} was served")
            });
        }
        if self.awaits(call, attempt) {
            let target = TargetKey::Actor(cast().actors[self.calls[call].actor].clone());
            self.failed(call, attempt, &Attempt::NoResponders(target));
        }
    }

    /// Does what is due.
    pub fn call_due(&mut self, number: usize) {
        let now = self.now();
        let call = &mut self.calls[number];
        if call.ended.is_some() || call.wake != now {
            return;
        }
        let caller = &self.callers[call.caller];
        let generous = RetryBudget::default();
        let budget = if self.broken == Some(Break::NoBudget) { &generous } else { &caller.budget };
        let (elapsed, retrying) = (micros(now - call.begun), call.attempts.retries());
        match call.attempts.due(elapsed, "work", budget) {
            Due::GiveUp(_) if self.broken == Some(Break::ForgetTimeout) => {}
            Due::GiveUp(error) => {
                self.trace(|| format!("call {number} has had its time"));
                self.end_call(number, Err(error));
            }
            Due::Begin => {
                // A retry was counted when it was decided on.
                if !retrying {
                    self.count_retry(number);
                }
                self.attempt(number);
            }
            Due::Wait if call.attempts.next_at() > elapsed => self.wake_call(number),
            Due::Wait => {}
        }
    }

    /// Fails what a caller waits for: its connection was lost.
    pub fn caller_lost(&mut self, conn: usize) {
        let waiting: Vec<_> = (0..self.calls.len())
            .filter(|number| {
                let call = &self.calls[*number];
                !call.awaited.is_empty() && self.callers[call.caller].conn == conn
            })
            .collect();
        for call in waiting {
            for attempt in self.calls[call].awaited.clone() {
                if self.awaits(call, attempt) {
                    self.failed(call, attempt, &Attempt::ConnectionLost);
                }
            }
        }
    }

    pub fn awaits(&self, call: usize, attempt: u32) -> bool {
        self.calls[call].awaited.contains(&attempt)
    }

    pub fn failed(&mut self, number: usize, which: u32, attempt: &Attempt) {
        let jitter = self.rng.random::<f64>();
        let now = self.now();
        let call = &mut self.calls[number];
        call.awaited.retain(|one| *one != which);
        let caller = &self.callers[call.caller];
        let generous = RetryBudget::default();
        let budget = if self.broken == Some(Break::NoBudget) { &generous } else { &caller.budget };
        let shown = self.tracing.then(|| format!("{attempt:?}"));
        // Nobody has work with a message that nobody gets.
        let free = matches!(attempt, Attempt::NoResponders(_));
        match call.attempts.failed(which, attempt, micros(now - call.begun), jitter, budget) {
            Next::GiveUp(error) => {
                if let Some(shown) = shown {
                    self.trace(|| format!("call {number} fails after {shown}"));
                }
                self.end_call(number, Err(error));
            }
            Next::RetryAfter(_) => {
                if let Some(shown) = shown {
                    self.trace(|| format!("call {number} tries again after {shown}"));
                }
                if !free {
                    self.count_retry(number);
                }
                self.wake_call(number);
            }
            Next::Wait => {
                if let Some(shown) = shown {
                    self.trace(|| format!("call {number} waits for others after {shown}"));
                }
                self.wake_call(number);
            }
        }
    }

    fn count_retry(&mut self, number: usize) {
        let caller = &mut self.callers[self.calls[number].caller];
        caller.retries += 1;
        // Five calls earn one retry; nobody has more than was saved up and earned.
        let per = lattice_client::limits::CALLS_PER_RETRY.unsigned_abs();
        if caller.retries * per > caller.saved * per + caller.calls {
            self.violated(Invariant::RetryBudget, || {
                format!("call {number} is tried again with an empty budget")
            });
        }
    }

    fn end_call(&mut self, number: usize, outcome: Result<u64, Error>) {
        self.calls[number].awaited.clear();
        self.calls[number].looks.clear();
        self.stats.calls += 1;
        if let Err(error) = &outcome {
            self.stats.failed += 1;
            if self.calm() {
                let error = error.clone();
                self.violated(Invariant::CalmFailsNone, || {
                    format!("call {number} failed: {error}")
                });
            }
        }
        self.calls[number].ended = Some(outcome);
    }

    pub fn must_have_ended(&mut self, number: usize) {
        if self.calls[number].ended.is_none() {
            self.violated(Invariant::NoCallLost, || {
                format!("call {number} has neither an answer nor an error at its deadline")
            });
        }
    }
}
