//! What a run of scenarios found: one row a scenario, met or not.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::ledger::Verdict;
use super::phases::{Latency, Strikes};
use super::{Context, Recorded};

/// A goal that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What must hold.
    pub goal: String,
    /// What was found.
    pub found: String,
    /// Whether it holds.
    pub met: bool,
}

/// What one scenario, or one variant of it, found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// The scenario, and which variant.
    pub scenario: String,
    /// Rounds that were run, of those that should be.
    pub rounds: (u64, u64),
    /// Calls that were made.
    pub calls: u64,
    /// Calls that were held back, since too many were under way.
    pub held_back: u64,
    /// Calls that failed and were allowed to.
    pub excused: u64,
    /// See [`Verdict::lost`].
    pub lost: u64,
    /// See [`Verdict::duplicated`].
    pub duplicated: u64,
    /// See [`Verdict::wrong_revision`].
    pub wrong_revision: u64,
    /// See [`Verdict::extra_runs`].
    pub extra_runs: u64,
    /// Before the first fault.
    pub quiet: Latency,
    /// From the first fault on.
    pub fault: Latency,
    /// Milliseconds from a fault until the last call that failed had left.
    pub loss_window_ms: Option<f64>,
    /// Milliseconds from a fault until the last failure was told to its caller.
    pub told_window_ms: Option<f64>,
    /// What else was measured.
    pub figures: BTreeMap<String, f64>,
    /// The goals.
    pub checks: Vec<Check>,
    /// Errors of calls, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Some calls that went wrong.
    pub samples: Vec<String>,
    /// Whether it ended before its time: by Ctrl-C.
    pub interrupted: bool,
    /// Why it could not go on, if it could not.
    pub broken: Option<String>,
}

impl Row {
    /// Begins a row with what a ledger decided, and the three goals that every scenario has.
    pub fn new(scenario: impl Into<String>, verdict: Verdict) -> Self {
        let mut row = Self {
            scenario: scenario.into(),
            calls: verdict.calls,
            excused: verdict.excused,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            wrong_revision: verdict.wrong_revision,
            extra_runs: verdict.extra_runs,
            errors: verdict.errors,
            samples: verdict.samples,
            ..Self::default()
        };
        row.check("calls were made", row.calls.to_string(), row.calls > 0);
        row.check("0 lost", row.lost.to_string(), row.lost == 0);
        row.check("0 duplicated", row.duplicated.to_string(), row.duplicated == 0);
        row.check("0 of a wrong revision", row.wrong_revision.to_string(), row.wrong_revision == 0);
        row
    }

    /// Returns the row of a scenario that could not be run, or not to its end.
    pub fn broken(scenario: &str, error: &anyhow::Error) -> Self {
        let broken = Some(format!("{error:#}"));
        Self { scenario: scenario.to_owned(), broken, ..Self::default() }
    }

    /// Tells what the load of a scenario was: `rounds` are `(done, of)`, `faulty` when faults struck, in
    /// microseconds since its start.
    pub fn load(
        &mut self,
        context: &Context,
        recorded: &Recorded,
        rounds: (u64, u64),
        faulty: Range<u64>,
    ) {
        self.rounds = rounds;
        self.held_back = recorded.held_back;
        self.interrupted = context.stopped();
        self.quiet = Latency::of(&recorded.calls, 0, faulty.start);
        self.fault = Latency::of(&recorded.calls, faulty.start, faulty.end);
    }

    /// Tells the same of faults that struck one after the other, and for how long calls failed after one; returns
    /// that in milliseconds: from the fault until the last call that failed had left, and until it was told.
    pub fn struck(
        &mut self,
        context: &Context,
        recorded: &Recorded,
        strikes: &Strikes,
        of: u64,
    ) -> (f64, f64) {
        let first = strikes.0.first().copied().unwrap_or(u64::MAX);
        self.load(context, recorded, (strikes.0.len() as u64, of), first..u64::MAX);
        let failed = recorded.calls.iter().filter(|call| !call.succeeded());
        let windows = strikes.windows_ms(failed);
        self.loss_window_ms = windows.map(|(sent, _)| sent);
        self.told_window_ms = windows.map(|(_, told)| told);
        windows.unwrap_or_default()
    }

    /// Adds the goal that no idempotent call fails.
    pub fn no_idempotent_call_fails(&mut self, recorded: &Recorded) {
        let failed = recorded.calls.iter().filter(|call| !call.succeeded() && call.idempotent);
        let failed = failed.count();
        self.check("0 idempotent calls failed", failed.to_string(), failed == 0);
    }

    /// Adds a goal.
    pub fn check(&mut self, goal: impl Into<String>, found: String, met: bool) {
        self.checks.push(Check { goal: goal.into(), found, met });
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }

    /// Returns whether it ran and every goal was met.
    pub fn met(&self) -> bool {
        self.broken.is_none() && !self.checks.is_empty() && self.checks.iter().all(|it| it.met)
    }
}

/// What a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What fixes the schedule of calls and faults.
    pub seed: u64,
    /// The scenarios.
    pub rows: Vec<Row>,
}

impl Report {
    /// Returns whether every goal of every scenario was met.
    pub fn met(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::met)
    }

    /// Lays the rows out for people, then what else was measured, then what was missed.
    pub fn table(&self) -> String {
        let head = [
            "scenario",
            "rounds",
            "calls",
            "lost",
            "dup",
            "wrong",
            "quiet p50/p99",
            "fault p50/p99",
            "window",
            "goal",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(cells));
        let mut text = crate::report::table(&rows);
        for row in &self.rows {
            text.push_str(&details(row));
        }
        text.push_str(&format!("\n  seed {}\n", self.seed));
        text
    }
}

fn cells(row: &Row) -> Vec<String> {
    let latency = |it: Latency| {
        format!("{:.1}/{:.1} ms", f64::from(it.p50_us) / 1e3, f64::from(it.p99_us) / 1e3)
    };
    let (done, of) = row.rounds;
    vec![
        row.scenario.clone(),
        if done == of { done.to_string() } else { format!("{done} of {of}") },
        row.calls.to_string(),
        row.lost.to_string(),
        row.duplicated.to_string(),
        row.wrong_revision.to_string(),
        latency(row.quiet),
        latency(row.fault),
        row.loss_window_ms.map_or("-".to_owned(), |ms| format!("{ms:.0} ms")),
        if row.met() { "met" } else { "NOT MET" }.to_owned(),
    ]
}

/// Returns what is below the table about one row.
fn details(row: &Row) -> String {
    let mut text = format!("\n  {}\n", row.scenario);
    if let Some(broken) = &row.broken {
        text.push_str(&format!("    could not go on: {broken}\n"));
    }
    if row.interrupted {
        text.push_str("    interrupted\n");
    }
    for check in &row.checks {
        let mark = if check.met { "met    " } else { "NOT MET" };
        text.push_str(&format!("    {mark}  {} (found {})\n", check.goal, check.found));
    }
    for (name, value) in &row.figures {
        text.push_str(&format!("    {name}: {value:.1}\n"));
    }
    for (name, count) in [
        ("failed as they may", row.excused),
        ("runs beyond the first", row.extra_runs),
        ("held back", row.held_back),
    ] {
        if count > 0 {
            text.push_str(&format!("    {name}: {count}\n"));
        }
    }
    for (error, count) in &row.errors {
        text.push_str(&format!("    {count} × {error}\n"));
    }
    if !row.met() {
        for sample in &row.samples {
            text.push_str(&format!("      {sample}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(lost: u64) -> Verdict {
        Verdict { calls: 10, answered: 10 - lost, lost, ..Verdict::default() }
    }

    #[test]
    fn one_goal_missed_is_all_missed() {
        let report = |rows| Report { seed: 1, rows };
        assert!(report(vec![Row::new("a", verdict(0))]).met());
        assert!(!report(vec![Row::new("a", verdict(0)), Row::new("b", verdict(1))]).met());
        let mut slow = Row::new("a", verdict(0));
        slow.check("fast", "slow".to_owned(), false);
        assert!(!report(vec![slow]).met());
        assert!(!report(vec![Row::broken("a", &anyhow::anyhow!("no server"))]).met());
        assert!(!report(vec![Row::new("a", Verdict::default())]).met(), "nothing was called");
        assert!(!report(Vec::new()).met());
    }

    #[test]
    fn the_table_names_what_was_missed() {
        let text = Report { seed: 7, rows: vec![Row::new("kill", verdict(2))] }.table();
        for part in ["kill", "NOT MET  0 lost (found 2)", "met      0 duplicated", "seed 7"] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
