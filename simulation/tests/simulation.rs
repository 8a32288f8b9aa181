//! The rules hold, and each of them can be seen to be broken where it is.

use mesh_simulation::invariant::Invariant;
use mesh_simulation::scenario::{Scenario, Weather};
use mesh_simulation::shrink::shrink;
use mesh_simulation::{Break, run};

#[test]
fn every_rule_holds_for_two_thousand_seeds() {
    for seed in 0..2_000 {
        let outcome = run(&Scenario::of(seed), None, false);
        assert_eq!(outcome.violation, None, "seed {seed}: cargo xtask simulate --seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let once = run(&Scenario::of(seed), None, true);
        let again = run(&Scenario::of(seed), None, true);
        assert_eq!((once.trace, once.stats), (again.trace, again.stats), "{seed}");
    }
}

#[test]
fn both_weathers_happen_and_calls_are_made_in_each() {
    for weather in [Weather::Calm, Weather::Rough] {
        let scenarios = (0..60).map(Scenario::of).filter(|one| one.weather == weather);
        let ran: u64 = scenarios.map(|one| run(&one, None, false).stats.runs).sum();
        assert!(ran > 100, "{weather:?}: {ran}");
    }
}

/// Looks for a seed that shows that `broken` breaks `invariant`, and returns its smallest run.
fn shows(broken: Break, invariant: Invariant) -> Option<Scenario> {
    for seed in 0..6_000 {
        let scenario = Scenario::of(seed);
        let Some(violation) = run(&scenario, Some(broken), false).violation else { continue };
        if violation.invariant != invariant {
            continue;
        }
        let (small, found) = shrink(&scenario, &violation, Some(broken));
        assert_eq!(found.invariant, invariant);
        assert!(small.actions.len() <= scenario.actions.len());
        assert_eq!(run(&small, Some(broken), false).violation, Some(found), "it replays");
        return Some(small);
    }
    None
}

#[test]
fn a_caller_that_forgets_its_time_is_noticed() {
    assert!(shows(Break::ForgetTimeout, Invariant::NoCallLost).is_some());
}

#[test]
fn a_retry_of_what_may_have_run_is_noticed() {
    assert!(shows(Break::RetryUnknown, Invariant::AtMostOnce).is_some());
}

#[test]
fn a_drain_without_a_fence_is_noticed_in_calm_weather() {
    let small = shows(Break::NoFence, Invariant::CalmFailsNone).unwrap();
    assert_eq!(small.weather, Weather::Calm);
}

#[test]
fn a_node_that_leaves_an_actor_before_another_serves_it_is_noticed_in_calm_weather() {
    let small = shows(Break::LeaveAtOnce, Invariant::CalmFailsNone).unwrap();
    assert_eq!(small.weather, Weather::Calm);
}

#[test]
fn a_node_that_counts_on_one_that_goes_itself_is_noticed_in_calm_weather() {
    assert!(shows(Break::ClaimLingering, Invariant::CalmFailsNone).is_some());
}

#[test]
fn nodes_that_do_not_hear_of_each_other_are_noticed() {
    assert!(shows(Break::HearNobody, Invariant::Converges).is_some());
}

#[test]
fn a_node_that_goes_down_by_itself_is_noticed() {
    assert!(shows(Break::BelieveRolledBack, Invariant::RevisionsRise).is_some());
}

#[test]
fn a_revocation_that_is_passed_over_is_noticed() {
    assert!(shows(Break::IgnoreRevocations, Invariant::NothingRevoked).is_some());
}

#[test]
fn a_call_that_waited_and_starts_on_what_was_revoked_meanwhile_is_noticed() {
    assert!(shows(Break::StartRevoked, Invariant::NothingRevoked).is_some());
}

#[test]
fn a_link_that_is_kept_is_noticed() {
    assert!(shows(Break::KeepLinks, Invariant::NothingRevoked).is_some());
}

#[test]
fn a_start_after_the_deadline_is_noticed() {
    assert!(shows(Break::LateStart, Invariant::NotAfterDeadline).is_some());
}

#[test]
fn more_calls_than_places_are_noticed() {
    assert!(shows(Break::Crowd, Invariant::PlacesBounded).is_some());
}

#[test]
fn a_refusal_while_a_place_is_free_is_noticed() {
    assert!(shows(Break::RefuseFree, Invariant::PlacesBounded).is_some());
}

#[test]
fn a_node_that_does_not_own_up_to_its_calls_is_noticed() {
    assert!(shows(Break::DenyCalls, Invariant::CalmFailsNone).is_some());
}

#[test]
fn retries_without_a_budget_are_noticed() {
    assert!(shows(Break::NoBudget, Invariant::RetryBudget).is_some());
}

#[test]
fn a_write_that_gets_lost_is_noticed() {
    assert!(shows(Break::LoseWrites, Invariant::Converges).is_some());
}

#[test]
fn a_deployment_below_what_a_node_serves_that_does_not_say_so_is_noticed() {
    assert!(shows(Break::PlainRecords, Invariant::Converges).is_some());
}
