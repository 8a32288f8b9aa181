//! Callers that ask who has their calls, with the conclusions of `lattice-client`. Each attempt is asked
//! for by itself here; when, and in how many questions, is not what is tried.

use lattice_client::call::retry::Attempt;
use lattice_client::call::watch::{Seen, Verdict, Watch};
use lattice_client::limits::{LOOK_AFTER_MS, LOOK_INTERVAL_MS, LOOK_WAIT_MS};
use lattice_protocol::keys::TargetKey;

use crate::cast::cast;
use crate::net::{Down, Up};
use crate::schedule::{MS, Time};
use crate::subscription::Phase;
use crate::world::{Break, Event, Owner, World};

/// A node, and which of those that have run in its place.
pub type Process = (usize, u64);

/// What is known of an attempt.
#[derive(Clone, Debug)]
pub struct Look {
    watch: Watch<Process>,
    /// What the last question has brought so far.
    claimed: bool,
    answered: bool,
    unread: bool,
    nobody: bool,
}

/// A question about one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub from: usize,
    pub call: usize,
    pub attempt: u32,
    /// Who is asked; every node where that is nobody.
    pub whom: Option<Process>,
}

/// An answer to it.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub node: Process,
    pub held: bool,
    pub unread: bool,
}

impl World {
    /// Has an attempt that begins now looked for.
    pub fn will_look(&mut self, call: usize, attempt: u32) {
        let target = TargetKey::Actor(cast().actors[self.calls[call].actor].clone());
        let watch = Watch::new(&target);
        let [claimed, answered, unread, nobody] = [false; 4];
        let look = Look { watch, claimed, answered, unread, nobody };
        self.calls[call].looks.insert(attempt, look);
        let at = self.now() + LOOK_AFTER_MS * MS;
        self.schedule.at(at, Event::Look { call, attempt });
    }

    /// Asks who has an attempt.
    pub fn look(&mut self, call: usize, attempt: u32) {
        if !self.awaits(call, attempt) {
            return;
        }
        let conn = self.callers[self.calls[call].caller].conn;
        if self.conns[conn].client.is_none() {
            // Nobody can be asked.
            let later = self.now() + LOOK_INTERVAL_MS * MS;
            return self.schedule.at(later, Event::Look { call, attempt });
        }
        let Some(look) = self.calls[call].looks.get_mut(&attempt) else { return };
        (look.claimed, look.answered, look.unread, look.nobody) = (false, false, false, false);
        let whom = look.watch.holder().copied();
        self.send(conn, Up::Ask(Question { from: conn, call, attempt, whom }));
        let at = self.now() + LOOK_WAIT_MS * MS;
        self.schedule.at(at, Event::Looked { call, attempt });
    }

    /// Hands a question to whom the server believes to be there.
    pub fn ask(&mut self, question: Question) {
        let asked: Vec<_> = (0..self.conns.len())
            .filter(|conn| {
                let conn = &self.conns[*conn];
                let Owner::Node { node, life } = conn.owner else { return false };
                let there = conn.client == Some(conn.epoch) && self.nodes[node].life == life;
                there && self.nodes[node].alive && question.whom.is_none_or(|it| it == (node, life))
            })
            .collect();
        if asked.is_empty() {
            let Question { from, call, attempt, .. } = question;
            self.push(from, Down::NobodyToAsk { call, attempt });
        }
        for conn in asked {
            self.push(conn, Down::Ask(question));
        }
    }

    /// Answers on a node.
    pub fn asked(&mut self, conn: usize, question: Question) {
        let Owner::Node { node, life } = self.conns[conn].owner else { return };
        let Question { from: to, call, attempt, .. } = question;
        let held = self.broken != Some(Break::DenyCalls)
            && self.runs.iter().any(|run| {
                let of = &run.message;
                run.node == node
                    && self.subs[run.sub].life == life
                    && !run.over
                    && (of.call, of.attempt) == (call, attempt)
            });
        let unread = self
            .subs
            .iter()
            .filter(|sub| sub.node == node && sub.life == life)
            .any(|sub| sub.phase != Phase::Open && !sub.unread.is_empty());
        let told = Told { node: (node, life), held, unread };
        self.send(conn, Up::Told { to, call, attempt, told });
    }

    /// Takes in an answer.
    pub fn told(&mut self, call: usize, attempt: u32, told: Told) {
        let Some(look) = self.calls[call].looks.get_mut(&attempt) else { return };
        look.answered = true;
        look.unread |= told.unread;
        if told.held {
            look.claimed = true;
            look.watch.claimed(&told.node);
        }
    }

    /// Takes in that there was nobody to ask.
    pub fn nobody_to_ask(&mut self, call: usize, attempt: u32) {
        if let Some(look) = self.calls[call].looks.get_mut(&attempt) {
            look.nobody = true;
        }
    }

    /// Draws conclusions from what was answered.
    pub fn looked(&mut self, call: usize, attempt: u32) {
        if !self.awaits(call, attempt) {
            return;
        }
        let Some(look) = self.calls[call].looks.get_mut(&attempt) else { return };
        let seen = match look {
            Look { claimed: true, .. } => Seen::Held,
            Look { nobody: true, .. } => Seen::NoResponders,
            Look { answered: false, .. } => Seen::Silence,
            Look { unread: true, .. } => Seen::Unread,
            _ => Seen::Nobody,
        };
        let verdict = look.watch.looked(seen);
        self.trace(|| format!("call {call} attempt {attempt}: {seen:?}, {verdict:?}"));
        match verdict {
            Verdict::Wait => {}
            Verdict::Another => self.maybe_another(call, attempt),
            Verdict::Gone => {
                let target = TargetKey::Actor(cast().actors[self.calls[call].actor].clone());
                return self.failed(call, attempt, &Attempt::Gone(target));
            }
        }
        let at: Time = self.now() + (LOOK_INTERVAL_MS - LOOK_WAIT_MS) * MS;
        self.schedule.at(at, Event::Look { call, attempt });
    }
}
