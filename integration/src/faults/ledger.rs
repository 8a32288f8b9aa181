//! The ledger: what was sent, what was answered, what ran. It decides what was lost, what ran
//! twice, and what was answered by code that must not answer any more. Pure: no clock, no I/O.

use std::collections::BTreeMap;

use lattice_protocol::ErrorCode;

use super::limits;

/// What became of a call, as its caller saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered.
    Answered {
        /// Key of the node.
        node: String,
        /// Revision that the node says has answered.
        revision: u64,
        /// Revision that the code itself says it is.
        code: u64,
        /// Attempts that it took.
        attempts: u32,
    },
    /// It was answered with something that is no answer to it.
    Wrong(String),
    /// It failed.
    Failed {
        /// Why.
        code: ErrorCode,
        /// Whether it may have run.
        started: bool,
        /// Why, for people.
        message: String,
    },
}

/// One call. Times are microseconds since the start of its load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// Tells it from all others of its ledger.
    pub number: u64,
    /// When it should have left.
    pub due_us: u64,
    /// When it left.
    pub sent_us: u64,
    /// When its caller knew what became of it.
    pub done_us: u64,
    /// Whether it may run more than once.
    pub idempotent: bool,
    /// Whether it had so little time that nobody could answer it.
    pub impatient: bool,
    /// What became of it.
    pub outcome: Outcome,
}

impl CallRecord {
    /// Returns whether it was answered as it should be.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Answered { .. })
    }

    /// Returns the time from when it should have left to its answer.
    pub fn latency_us(&self) -> u64 {
        self.done_us.saturating_sub(self.due_us)
    }
}

/// One run of a call, as the actor wrote it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The call.
    pub number: u64,
    /// Revision of the code that ran.
    pub code: u64,
    /// Marks of the bench that had been written down before it.
    pub marks: u64,
}

/// What a scenario allows beyond what always holds.
pub struct Rule<'a> {
    /// Which calls may fail.
    pub may_fail: &'a dyn Fn(&CallRecord) -> bool,
    /// Which runs of a call must not have been.
    pub must_not_run: &'a dyn Fn(&CallRecord, &Execution) -> bool,
}

impl Rule<'_> {
    /// Nothing may fail, everything may run.
    pub const STRICT: Rule<'static> = Rule { may_fail: &|_| false, must_not_run: &|_, _| false };
}

/// What the ledger knows.
pub struct Ledger<'a> {
    /// Every call.
    pub calls: &'a [CallRecord],
    /// Everything that ran, or nothing where the actor wrote nothing down.
    pub executions: Option<&'a [Execution]>,
    /// Calls that were answered with success more than once.
    pub answered_twice: &'a [u64],
}

/// What it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Calls that were made.
    pub calls: u64,
    /// Those that were answered as they should be.
    pub answered: u64,
    /// Those that failed and were allowed to.
    pub excused: u64,
    /// Those that failed and were not, were answered with something else, or were answered
    /// though they never ran.
    pub lost: u64,
    /// Those that are not idempotent and ran, or were answered, more than once.
    pub duplicated: u64,
    /// Answers older than one of the same node before the call left, answers of other code than the
    /// node says, and runs that must not have been.
    pub wrong_revision: u64,
    /// Runs of calls beyond the first: of idempotent calls too.
    pub extra_runs: u64,
    /// Errors, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Some calls that went wrong, in words.
    pub samples: Vec<String>,
}

impl Verdict {
    /// Adds another ledger's.
    pub fn add(&mut self, other: Verdict) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.excused += other.excused;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.wrong_revision += other.wrong_revision;
        self.extra_runs += other.extra_runs;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.samples.extend(other.samples);
        self.samples.truncate(limits::SAMPLES_MAX);
    }

    fn note(&mut self, what: &str, call: &CallRecord) {
        if self.samples.len() < limits::SAMPLES_MAX {
            let kind = if call.idempotent { "idempotent" } else { "plain" };
            let (sent, took) = (call.sent_us as f64 / 1e6, (call.done_us - call.sent_us) / 1_000);
            self.samples.push(format!(
                "{what}: {kind} call {} sent at {sent:.3} s, told after {took} ms: {:?}",
                call.number, call.outcome
            ));
        }
    }

    fn error(&mut self, call: &CallRecord) {
        let text = match &call.outcome {
            Outcome::Answered { .. } => return,
            Outcome::Wrong(what) => what.clone(),
            Outcome::Failed { code, message, .. } => format!("{code}: {}", kind(message)),
        };
        let others = || "others".to_owned();
        let known = self.errors.contains_key(&text) || self.errors.len() < limits::REASONS_MAX;
        *self.errors.entry(if known { text } else { others() }).or_default() += 1;
    }
}

/// Returns a message without what differs from call to call: keys and numbers.
fn kind(message: &str) -> String {
    let plain = |word: &&str| word.len() < 40 && !word.chars().any(|c| c.is_ascii_digit());
    let words: Vec<&str> =
        message.split(' ').map(|word| if plain(&word) { word } else { "_" }).collect();
    words.join(" ")
}

/// Decides.
pub fn judge(ledger: &Ledger<'_>, rule: &Rule<'_>) -> Verdict {
    let mut runs = BTreeMap::<u64, Vec<&Execution>>::new();
    for run in ledger.executions.unwrap_or_default() {
        runs.entry(run.number).or_default().push(run);
    }
    let mut verdict = Verdict::default();
    let floors = floors(ledger.calls);
    for (call, floor) in ledger.calls.iter().zip(floors) {
        verdict.calls += 1;
        let runs = runs.get(&call.number).map(Vec::as_slice).unwrap_or_default();
        let ran = runs.len() as u64;
        verdict.extra_runs += ran.saturating_sub(1);
        verdict.error(call);
        match &call.outcome {
            Outcome::Answered { revision, code, .. } => {
                verdict.answered += 1;
                if ran == 0 && ledger.executions.is_some() {
                    verdict.lost += 1;
                    verdict.note("answered and never ran", call);
                }
                if *revision < floor || code != revision {
                    verdict.wrong_revision += 1;
                    verdict.note(&format!("answered below {floor} or by other code"), call);
                }
            }
            Outcome::Failed { .. } if call.impatient || (rule.may_fail)(call) => {
                verdict.excused += 1;
            }
            Outcome::Failed { .. } | Outcome::Wrong(_) => {
                verdict.lost += 1;
                verdict.note("lost", call);
            }
        }
        let twice = ran > 1 || ledger.answered_twice.contains(&call.number);
        if twice && !call.idempotent {
            verdict.duplicated += 1;
            verdict.note(&format!("ran {ran} times"), call);
        }
        if runs.iter().any(|run| (rule.must_not_run)(call, run)) {
            verdict.wrong_revision += 1;
            verdict.note("ran and must not", call);
        }
    }
    verdict
}

/// Returns for each call the newest revision that the node which answered it had answered with
/// before the call left; 0 where there was none.
fn floors(calls: &[CallRecord]) -> Vec<u64> {
    // What happened, in order of time; at the same time what is sent comes before what is learnt.
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(calls.len() * 2);
    for (index, call) in calls.iter().enumerate() {
        if call.succeeded() {
            events.push((call.sent_us, false, index));
            events.push((call.done_us, true, index));
        }
    }
    events.sort_unstable();
    let mut newest = BTreeMap::<&str, u64>::new();
    let mut floors = vec![0; calls.len()];
    for (_, learnt, index) in events {
        let Some(Outcome::Answered { node, revision, .. }) =
            calls.get(index).map(|call| &call.outcome)
        else {
            continue;
        };
        let known = newest.entry(node).or_default();
        if learnt {
            *known = (*known).max(*revision);
        } else if let Some(floor) = floors.get_mut(index) {
            *floor = *known;
        }
    }
    floors
}

#[cfg(test)]
mod tests;
