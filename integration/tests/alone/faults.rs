//! Scenarios of the fault bench whose goals are about what happens within a time.

use crate::faults::run;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_revisions_are_swapped() {
    let rows = run("swaps", 3, 0.0).await;
    assert_eq!(rows.len(), 4, "one for each delay");
    assert!(rows.iter().all(|row| row.rounds == (3, 3) && row.excused == 0));
}

/// On a machine with nothing else to do hardly a call is in flight at three kills; the bench kills more often.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_what_is_in_flight_and_nothing_else() {
    let rows = run("kill", 3, 0.0).await;
    assert_eq!(rows[0].rounds, (3, 3));
}

/// It can fail: a frozen node does swallow calls until the server gives it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_loses_calls_for_a_short_time_only() {
    let rows = run("freeze", 1, 0.1).await;
    assert!(rows[0].excused > 0, "the frozen node had no calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_cut_off_runs_nothing_that_it_must_not() {
    run("partition", 3, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_answered() {
    let rows = run("overload", 1, 0.03).await;
    assert!(rows.iter().all(|row| row.figures["goodput (calls/s)"] > 0.0));
}
