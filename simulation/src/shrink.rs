//! Makes a run that fails small: leaves out whatever it fails without.

use crate::invariant::Violation;
use crate::scenario::{Action, Scenario};
use crate::schedule::MS;
use crate::{Break, limits, run};

/// Returns the smallest scenario found that breaks the same rule, and how.
pub fn shrink(
    scenario: &Scenario,
    violation: &Violation,
    broken: Option<Break>,
) -> (Scenario, Violation) {
    let (mut best, mut how) = (scenario.clone(), violation.clone());
    let (mut runs, invariant) = (0, violation.invariant);
    let mut fails = |candidate: &Scenario| {
        runs += 1;
        let violation = (runs <= limits::SHRINK_RUNS_MAX)
            .then(|| run(candidate, broken, false).violation)
            .flatten();
        violation.filter(|found| found.invariant == invariant)
    };
    // What is after the end can't be the reason.
    let mut candidate = best.clone();
    candidate.actions.retain(|(at, _)| *at <= how.at);
    let mut found = fails(&candidate).map(|violation| (candidate, violation));
    loop {
        if let Some((smaller, violation)) = found.take() {
            best = smaller;
            how = violation;
        }
        // Halves first, then ever smaller parts, then fewer calls.
        let mut size = best.actions.len().div_ceil(2).max(1);
        loop {
            for start in (0..best.actions.len()).step_by(size) {
                let mut candidate = best.clone();
                let end = (start + size).min(candidate.actions.len());
                candidate.actions.drain(start..end);
                found = fails(&candidate).map(|violation| (candidate, violation));
                if found.is_some() {
                    break;
                }
            }
            if found.is_some() || size == 1 {
                break;
            }
            size = size.div_ceil(2);
        }
        if found.is_none() {
            found = fewer(&best)
                .into_iter()
                .find_map(|candidate| fails(&candidate).map(|violation| (candidate, violation)));
        }
        if found.is_none() {
            return (best, how);
        }
    }
}

/// Returns the scenario with less of one action each.
fn fewer(scenario: &Scenario) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    for number in 0..scenario.actions.len() {
        let mut candidate = scenario.clone();
        let changed = match &mut candidate.actions[number].1 {
            Action::Calls { count, .. } if *count > 1 => {
                *count /= 2;
                true
            }
            Action::Freeze { time, .. } | Action::CutNode { time, .. } if *time > MS => {
                *time /= 2;
                true
            }
            _ => false,
        };
        if changed {
            candidates.push(candidate);
        }
    }
    candidates
}
