use lattice_protocol::ErrorCode;
use lattice_protocol::keys::{ActorKey, TargetKey};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn begun(idempotent: bool) -> Attempts {
    let mut attempts =
        Attempts::new(Policy { idempotent, timeout: 5 * SECOND, unserved: SECOND / 2 });
    attempts.begin(Duration::ZERO);
    attempts
}

fn target() -> TargetKey {
    ActorKey::generate().unwrap().0.into()
}

fn answered(code: ErrorCode) -> Attempt {
    Attempt::Answered(Error::not_started(code, "x"))
}

#[test]
fn a_plain_call_has_one_attempt_until_its_deadline() {
    let (mut attempts, budget) = (begun(false), RetryBudget::default());
    assert_eq!(attempts.next_at(), 5 * SECOND);
    assert!(!attempts.another(1, SECOND, &budget));
    assert_eq!(attempts.due(4 * SECOND, "op", &budget), Due::Wait);
    let Due::GiveUp(error) = attempts.due(5 * SECOND, "op", &budget) else { panic!("it goes on") };
    assert_eq!((error.code, error.started), (ErrorCode::DeadlineExceeded, true));
}

#[test]
fn an_idempotent_call_begins_another_a_third_of_its_time_after_the_one_before() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    let third = 5 * SECOND / limits::IDEMPOTENT_ATTEMPT_FRACTION;
    assert_eq!(attempts.due(third - MS, "op", &budget), Due::Wait);
    assert_eq!(attempts.due(third, "op", &budget), Due::Begin);
    assert_eq!(attempts.begin(third).wait, third);
    assert_eq!(attempts.due(2 * third, "op", &budget), Due::Begin);
    let last = attempts.begin(2 * third);
    assert_eq!(last.left, 5 * SECOND - 2 * third);
    // Whatever its fraction leaves over.
    assert!(last.wait + 2 * third <= 5 * SECOND);
}

#[test]
fn looks_hedge_an_idempotent_call_at_their_pace_and_within_bounds() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    let pace = Duration::from_millis(limits::HEDGE_INTERVAL_MS);
    assert!(!attempts.another(1, pace - MS, &budget), "too early");
    assert!(attempts.another(1, pace, &budget));
    attempts.begin(pace);
    assert!(!attempts.another(1, 2 * pace, &budget), "a newer one is waited for");
    let mut at = pace;
    for number in 2..=limits::HEDGES_MAX {
        at += pace;
        assert!(attempts.another(number, at, &budget), "{number}");
        attempts.begin(at);
    }
    assert!(!attempts.another(limits::HEDGES_MAX + 1, at + pace, &budget), "there is a bound");
}

#[test]
fn without_a_retry_to_spend_nothing_overlaps() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    while budget.spend() {}
    assert!(!attempts.another(1, SECOND, &budget));
    assert_eq!(attempts.due(2 * SECOND, "op", &budget), Due::Wait);
    assert!(attempts.next_at() > 2 * SECOND, "it is not asked again at once");
}

#[test]
fn an_attempt_that_fails_is_followed_by_one_and_no_more() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    attempts.begin(SECOND);
    // The newest waits: nothing follows from the end of an earlier one.
    let gone = || Attempt::Gone(target());
    assert_eq!(attempts.failed(1, &gone(), SECOND, 0.0, &budget), Next::Wait);
    let next = attempts.failed(2, &gone(), SECOND, 0.0, &budget);
    let Next::RetryAfter(pause) = next else { panic!("{next:?}") };
    assert_eq!(attempts.next_at(), SECOND + pause);
    assert!(!attempts.another(2, SECOND + pause, &budget));
    assert_eq!(attempts.due(SECOND + pause, "op", &budget), Due::Begin);
}

#[test]
fn all_attempts_that_fail_together_are_followed_by_one() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    attempts.begin(SECOND);
    let mut fail = |number| attempts.failed(number, &Attempt::ConnectionLost, SECOND, 0.0, &budget);
    assert!(matches!(fail(2), Next::RetryAfter(_)));
    assert_eq!(fail(1), Next::Wait);
}

#[test]
fn whoever_still_waits_is_not_given_up_for_another_attempt() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    attempts.begin(SECOND);
    let nobody = Attempt::NoResponders(target());
    assert_eq!(attempts.failed(2, &nobody, SECOND, 0.0, &budget), Next::Wait);
    let Next::GiveUp(error) = attempts.failed(1, &nobody, SECOND, 0.0, &budget) else {
        panic!("nobody is waited for")
    };
    assert!(!error.started);
}

#[test]
fn an_answer_that_every_attempt_would_get_is_final() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    attempts.begin(SECOND);
    let denied = answered(ErrorCode::Unauthorized);
    let Next::GiveUp(error) = attempts.failed(2, &denied, SECOND, 0.0, &budget) else {
        panic!("it is final")
    };
    assert!(error.started, "the other attempt may have run");
}

#[test]
fn what_may_have_run_in_an_earlier_attempt_may_have_run() {
    let (mut attempts, budget) = (begun(true), RetryBudget::default());
    let next = attempts.failed(1, &Attempt::Gone(target()), SECOND, 0.0, &budget);
    assert!(matches!(next, Next::RetryAfter(_)));
    attempts.begin(SECOND);
    let nobody = Attempt::NoResponders(target());
    let Next::GiveUp(error) = attempts.failed(2, &nobody, SECOND, 0.0, &budget) else {
        panic!("nobody has been there for too long")
    };
    assert_eq!((error.code, error.started), (ErrorCode::NotFound, true));
}

#[test]
fn where_nobody_is_left_all_attempts_have_failed() {
    let (mut attempts, budget) = (begun(false), RetryBudget::default());
    let next = attempts.all_gone(&Attempt::Gone(target()), SECOND, 0.0, &budget);
    assert!(matches!(next, Next::GiveUp(error) if error.started));
    let mut attempts = begun(true);
    attempts.begin(SECOND);
    let mut gone = || attempts.all_gone(&Attempt::Gone(target()), SECOND, 0.0, &budget);
    assert!(matches!(gone(), Next::RetryAfter(_)));
    assert_eq!(gone(), Next::Wait, "one follows already");
}
