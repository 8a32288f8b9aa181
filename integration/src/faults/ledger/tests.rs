//! The ledger's decisions, each by the smallest case that tells it from its neighbour.

use lattice_protocol::ErrorCode;

use super::*;

fn answered(number: u64, sent_us: u64, node: &str, revision: u64) -> CallRecord {
    CallRecord {
        number,
        due_us: sent_us,
        sent_us,
        done_us: sent_us + 10,
        idempotent: false,
        impatient: false,
        outcome: Outcome::Answered { node: node.into(), revision, code: revision, attempts: 1 },
    }
}

fn failed(number: u64, sent_us: u64) -> CallRecord {
    let (code, message) = (ErrorCode::DeadlineExceeded, "no answer within 2000 ms".to_owned());
    let outcome = Outcome::Failed { code, started: true, message };
    CallRecord { outcome, ..answered(number, sent_us, "", 1) }
}

fn ran(numbers: &[u64]) -> Vec<Execution> {
    numbers.iter().map(|number| Execution { number: *number, code: 1, marks: 0 }).collect()
}

fn strict(calls: &[CallRecord], runs: &[u64]) -> Verdict {
    judged(calls, runs, &[], &Rule::STRICT)
}

fn judged(calls: &[CallRecord], runs: &[u64], twice: &[u64], rule: &Rule<'_>) -> Verdict {
    let executions = ran(runs);
    judge(&Ledger { calls, executions: Some(&executions), answered_twice: twice }, rule)
}

#[test]
fn what_was_answered_and_ran_once_is_clean() {
    let calls = [answered(1, 0, "a", 1), answered(2, 100, "b", 1)];
    let verdict = strict(&calls, &[2, 1]);
    assert_eq!((verdict.calls, verdict.answered), (2, 2));
    assert_eq!((verdict.lost, verdict.duplicated, verdict.wrong_revision), (0, 0, 0));
    assert!(verdict.errors.is_empty() && verdict.samples.is_empty());
}

#[test]
fn a_failure_is_lost_unless_the_rule_excuses_it() {
    let calls = [failed(1, 0), failed(2, 500)];
    let verdict = strict(&calls, &[]);
    assert_eq!((verdict.lost, verdict.excused, verdict.samples.len()), (2, 0, 2));
    assert_eq!(verdict.errors["deadline_exceeded: no answer within _ ms"], 2);
    let rule = Rule { may_fail: &|call| call.sent_us < 500, ..Rule::STRICT };
    let verdict = judged(&calls, &[], &[], &rule);
    assert_eq!((verdict.lost, verdict.excused), (1, 1));
    let impatient = CallRecord { impatient: true, ..failed(3, 0) };
    assert_eq!(strict(&[impatient], &[]).lost, 0);
}

#[test]
fn an_answer_to_something_else_is_never_excused() {
    let outcome = Outcome::Wrong("the answer to call 7".to_owned());
    let call = CallRecord { outcome, ..answered(1, 0, "a", 1) };
    let rule = Rule { may_fail: &|_| true, ..Rule::STRICT };
    assert_eq!(judged(&[call], &[1], &[], &rule).lost, 1);
}

#[test]
fn an_answer_without_a_run_is_lost_where_runs_are_written_down() {
    let calls = [answered(1, 0, "a", 1)];
    assert_eq!(strict(&calls, &[]).lost, 1);
    let ledger = Ledger { calls: &calls, executions: None, answered_twice: &[] };
    assert_eq!(judge(&ledger, &Rule::STRICT).lost, 0);
}

#[test]
fn only_what_is_not_idempotent_is_duplicated() {
    let plain = answered(1, 0, "a", 1);
    let idempotent = CallRecord { idempotent: true, ..answered(2, 0, "a", 1) };
    let verdict = strict(&[plain.clone(), idempotent.clone()], &[1, 2, 1, 2, 2]);
    assert_eq!((verdict.duplicated, verdict.extra_runs), (1, 3));
    let verdict = judged(&[plain, idempotent], &[1, 2], &[1, 2], &Rule::STRICT);
    assert_eq!((verdict.duplicated, verdict.extra_runs), (1, 0));
}

#[test]
fn a_call_that_failed_and_ran_twice_is_duplicated_too() {
    let rule = Rule { may_fail: &|_| true, ..Rule::STRICT };
    assert_eq!(judged(&[failed(1, 0)], &[1, 1], &[], &rule).duplicated, 1);
}

#[test]
fn an_answer_goes_back_only_if_it_left_after_a_newer_one_of_the_same_node() {
    // Answered with 2 at 10.
    let newer = answered(1, 0, "a", 2);
    for (sent_us, node, revision, wrong) in [
        (11, "a", 1, 1), // left after it: it goes back
        (10, "a", 1, 0), // left at that very moment: it may have been under way
        (11, "b", 1, 0), // another node may lag
        (11, "a", 2, 0),
    ] {
        let calls = [newer.clone(), answered(2, sent_us, node, revision)];
        let verdict = strict(&calls, &[1, 2]);
        assert_eq!(verdict.wrong_revision, wrong, "{sent_us} {node} {revision}");
    }
}

#[test]
fn code_that_is_not_of_the_revision_is_wrong() {
    let outcome = Outcome::Answered { node: "a".into(), revision: 2, code: 1, attempts: 1 };
    let call = CallRecord { outcome, ..answered(1, 0, "a", 2) };
    assert_eq!(strict(&[call], &[1]).wrong_revision, 1);
}

#[test]
fn a_run_that_must_not_be_is_wrong_whether_or_not_it_was_answered() {
    let rule = Rule { may_fail: &|_| true, must_not_run: &|call, _| call.sent_us >= 100 };
    let calls = [answered(1, 99, "a", 1), answered(2, 100, "a", 1), failed(3, 200), failed(4, 300)];
    let verdict = judged(&calls, &[1, 2, 3], &[], &rule);
    assert_eq!((verdict.wrong_revision, verdict.lost), (2, 0));
}

#[test]
fn a_run_is_judged_by_its_place() {
    let calls = [answered(1, 0, "a", 1), answered(2, 0, "a", 1)];
    let run = |number, marks| Execution { number, code: 1, marks };
    let executions = [run(1, 0), run(2, 0), run(2, 1)];
    let ledger = Ledger { calls: &calls, executions: Some(&executions), answered_twice: &[] };
    let rule = Rule { must_not_run: &|_, run| run.marks == 1, ..Rule::STRICT };
    assert_eq!(judge(&ledger, &rule).wrong_revision, 1);
}
