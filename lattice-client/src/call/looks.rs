//! Which calls are asked for, when, and what the answers mean: pure, times are since some beginning.
//!
//! All calls that are due together are asked for in one question: every process, as long as nobody is
//! known to have the call, and its holder alone from then on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use lattice_protocol::control::CallsHeld;
use lattice_protocol::keys::NodeKey;
use lattice_protocol::limits as wire;

use super::watch::{Seen, Verdict, Watch};
use crate::limits;

const ASKED_AGAIN: Duration = Duration::from_millis(limits::LOOK_INTERVAL_MS);
const ANSWER_WITHIN: Duration = Duration::from_millis(limits::LOOK_WAIT_MS);

/// A question to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Tells its answers from those of others.
    pub number: u64,
    /// Who is asked; every process where that is nobody.
    pub whom: Option<NodeKey>,
    /// Tokens of the calls.
    pub calls: Vec<u64>,
}

/// A question that was sent.
struct Asked {
    at: Duration,
    whom: Option<NodeKey>,
    calls: Vec<u64>,
    by: BTreeSet<NodeKey>,
    unread: bool,
    nobody_there: bool,
}

/// A call that is watched.
struct Entry<W> {
    watch: Watch,
    /// Who wants to know.
    who: W,
    due: Duration,
    /// The question that was sent last, until its answers count.
    asked: Option<u64>,
    /// The question in whose answers it was claimed last.
    claimed_in: Option<u64>,
}

/// What is to be done now.
pub(crate) struct Turn<W> {
    /// Questions to send.
    pub questions: Vec<Question>,
    /// What follows for calls; a call that is gone is told again until nobody wants to know.
    pub verdicts: Vec<(W, Verdict)>,
}

/// The calls of a client that wait for long.
pub(crate) struct Looks<W> {
    calls: HashMap<u64, Entry<W>>,
    due: BTreeSet<(Duration, u64)>,
    asked: BTreeMap<u64, Asked>,
    next_question: u64,
    /// Everybody is not asked before.
    everybody_from: Duration,
    turned: Duration,
    /// Who has answered and was there since, as far as is known. Where one of them is silent nothing follows:
    /// it stands still perhaps, and has the call. Nobody may be known at all: this client may not be
    /// allowed to ask.
    known: BTreeSet<NodeKey>,
}

impl<W: Clone> Looks<W> {
    pub fn new() -> Self {
        let [everybody_from, turned] = [Duration::ZERO; 2];
        let (calls, due, asked, known) = Default::default();
        Self { calls, due, asked, next_question: 0, everybody_from, turned, known }
    }

    /// Watches a call from `now` on.
    pub fn watch(&mut self, token: u64, watch: Watch, who: W, now: Duration) {
        let entry = Entry { watch, who, due: now, asked: None, claimed_in: None };
        self.calls.insert(token, entry);
        self.due.insert((now, token));
    }

    /// Returns when there is something to do.
    pub fn next_turn(&self) -> Option<Duration> {
        let (first, _) = self.due.first()?;
        Some((*first).max(self.turned + Duration::from_millis(limits::LOOK_TICK_MS)))
    }

    /// Takes in an answer to question `number`.
    pub fn answered(&mut self, number: u64, told: &CallsHeld) {
        let Some(asked) = self.asked.get_mut(&number) else { return };
        if asked.whom.as_ref().is_some_and(|whom| *whom != told.node) {
            return;
        }
        if asked.by.len() < limits::CONTROL_ANSWERS_MAX {
            asked.by.insert(told.node.clone());
            self.known.insert(told.node.clone());
        }
        asked.unread |= told.unread;
        for at in &told.held {
            let token = usize::try_from(*at).ok().and_then(|at| asked.calls.get(at));
            if let Some(entry) = token.and_then(|token| self.calls.get_mut(token)) {
                entry.watch.claimed(&told.node);
                // Answers may overtake each other.
                entry.claimed_in = entry.claimed_in.max(Some(number));
            }
        }
    }

    /// Takes in that nobody was there who could have heard question `number`.
    pub fn no_responders(&mut self, number: u64, now: Duration) {
        let Some(asked) = self.asked.get_mut(&number) else { return };
        asked.nobody_there = true;
        let gone = asked.whom.clone();
        // There is nothing to wait for.
        for token in &asked.calls {
            if let Some(entry) = self.calls.get_mut(token).filter(|it| it.asked == Some(number)) {
                self.due.remove(&(entry.due, *token));
                entry.due = now;
                self.due.insert((now, *token));
            }
        }
        if let Some(gone) = gone {
            self.known.remove(&gone);
            for asked in self.asked.values_mut() {
                asked.by.remove(&gone);
            }
        }
    }

    /// Forgets what was asked and is not answered: the connection was away.
    pub fn interrupted(&mut self, now: Duration) {
        self.asked.clear();
        self.turned = now;
        for entry in self.calls.values_mut() {
            entry.asked = None;
        }
    }

    /// Does what is due: draws conclusions, and asks again. `wanted` says whether somebody still wants
    /// to know of a call.
    pub fn turn(&mut self, now: Duration, wanted: impl Fn(&W) -> bool) -> Turn<W> {
        self.turned = now;
        let mut asks = Asks::default();
        let mut verdicts = Vec::new();
        let mut probes = BTreeSet::new();
        let everybody = now >= self.everybody_from;
        let mut handled = 0;
        while let Some((at, token)) = self.due.first().copied()
            && at <= now
            && handled < limits::LOOK_TURN_CALLS_MAX
        {
            handled += 1;
            self.due.remove(&(at, token));
            let Some(entry) = self.calls.get_mut(&token) else { continue };
            if !wanted(&entry.who) {
                self.calls.remove(&token);
                continue;
            }
            entry.due = match entry.asked.take().and_then(|number| {
                self.asked.get(&number).map(|asked| (asked, entry.claimed_in == Some(number)))
            }) {
                Some((asked, claimed)) => {
                    let seen = seen(asked, claimed, self.known.len());
                    if seen == Seen::Silence && asked.whom.is_none() {
                        let silent = self.known.difference(&asked.by).cloned();
                        probes.extend(silent.take(limits::LOOK_PROBES_MAX));
                    }
                    let verdict = entry.watch.looked(seen);
                    if verdict != Verdict::Wait {
                        verdicts.push((entry.who.clone(), verdict));
                    }
                    // In this turn where its time has come already.
                    (asked.at + ASKED_AGAIN).max(now)
                }
                None => {
                    let whom = entry.watch.holder().cloned();
                    if (whom.is_some() || everybody) && asks.add(whom, token) {
                        now + ANSWER_WITHIN
                    } else {
                        self.everybody_from.max(now + Duration::from_millis(1))
                    }
                }
            };
            self.due.insert((entry.due, token));
        }
        for silent in probes {
            asks.0.entry(Some(silent)).or_default();
        }
        let questions = self.ask(asks, now);
        Turn { questions, verdicts }
    }

    fn ask(&mut self, asks: Asks, now: Duration) -> Vec<Question> {
        let mut questions = Vec::new();
        for (whom, calls) in asks.0 {
            let number = self.next_question;
            self.next_question += 1;
            for token in &calls {
                if let Some(entry) = self.calls.get_mut(token) {
                    entry.asked = Some(number);
                }
            }
            if whom.is_none() {
                self.everybody_from = now + self.pace();
            }
            let (nobody_there, unread) = (false, false);
            let asked = Asked {
                at: now,
                whom: whom.clone(),
                calls: calls.clone(),
                by: BTreeSet::new(),
                unread,
                nobody_there,
            };
            self.asked.insert(number, asked);
            questions.push(Question { number, whom, calls });
        }
        // Late answers count for a while.
        let kept = Duration::from_millis(limits::LOOK_ANSWERS_KEPT_MS);
        while self.asked.first_entry().is_some_and(|first| first.get().at + kept < now) {
            self.asked.pop_first();
        }
        questions
    }

    /// Returns how long everybody is left alone after a question: the more answer the longer.
    fn pace(&self) -> Duration {
        let every = self.asked.values().rev().filter(|asked| asked.whom.is_none());
        // The last ones may not have all their answers yet.
        let answers = every.map(|asked| asked.by.len() as u64).max().unwrap_or(0);
        let least = Duration::from_millis(limits::LOOK_EVERYBODY_INTERVAL_MS);
        least.max(Duration::from_millis(
            answers.saturating_mul(1_000) / limits::LOOK_ANSWERS_PER_S_MAX,
        ))
    }
}

/// Calls to ask for, by whom to ask.
#[derive(Default)]
struct Asks(BTreeMap<Option<NodeKey>, Vec<u64>>);

impl Asks {
    /// Adds a call; returns whether there was room for it.
    fn add(&mut self, whom: Option<NodeKey>, token: u64) -> bool {
        let calls = self.0.entry(whom).or_default();
        let room = calls.len() < wire::CALLS_ASKED_MAX;
        if room {
            calls.push(token);
        }
        room
    }
}

/// Returns what a question told of a call that was claimed in its answers, or not.
/// `known` processes are there.
fn seen(asked: &Asked, claimed: bool, known: usize) -> Seen {
    match asked {
        _ if claimed => Seen::Held,
        Asked { nobody_there: true, .. } => Seen::NoResponders,
        Asked { by, .. } if by.is_empty() && known > 0 => Seen::Silence,
        Asked { by, unread, .. } if by.is_empty() || *unread => Seen::Unread,
        Asked { by, whom: None, .. } if by.len() < known => Seen::Silence,
        _ => Seen::Nobody,
    }
}

#[cfg(test)]
mod tests;
