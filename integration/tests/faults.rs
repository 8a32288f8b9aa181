//! Every scenario of the fault bench, cut short: it runs, its ledger adds up, and it meets the
//! goals that do not depend on how busy this machine is. `cargo xtask faults` runs them whole.

use std::time::Duration;

use integration::faults::Context;
use integration::faults::report::Row;
use integration::faults::scenarios::named;
use tokio_util::sync::CancellationToken;

/// Goals about times, which depend on how busy this machine is: held by the bench alone.
const OF_TIMES: [&str; 6] =
    ["p99", "goodput", "rejections", "the last failure", "the last call", "open files"];

/// Returns whether a goal must be met here.
fn binds(goal: &str) -> bool {
    !OF_TIMES.iter().any(|part| goal.contains(part))
}

/// Runs a scenario; every goal that binds here must be met.
async fn run(name: &str, rounds: u64, minutes: f64) -> Vec<Row> {
    let context = Context {
        seed: 1,
        rounds: Some(rounds),
        minutes: Some(minutes),
        quiet: Duration::from_secs(1),
        stop: CancellationToken::new(),
        say: |text| println!("{text}"),
    };
    let rows = named(name).unwrap().run(&context).await;
    assert!(!rows.is_empty());
    for row in &rows {
        assert_eq!(row.broken, None, "{name}");
        assert!(row.calls > 0);
        for check in &row.checks {
            let fine = check.met || !binds(&check.goal);
            assert!(fine, "{}: {check:?}\n{:#?}", row.scenario, row.samples);
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_revisions_are_swapped() {
    let rows = run("swaps", 3, 0.0).await;
    assert_eq!(rows.len(), 4, "one for each delay");
    assert!(rows.iter().all(|row| row.rounds == (3, 3) && row.excused == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_an_actor_moves() {
    let rows = run("moves", 3, 0.0).await;
    assert_eq!(rows[0].rounds, (3, 3), "each way once");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_in_a_rolling_restart() {
    run("rolling", 1, 0.0).await;
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
async fn acknowledged_writes_outlive_the_brokers() {
    let rows = run("brokers", 1, 0.0).await;
    assert_eq!(rows.len(), 4, "the leader of each stream, all three, the routes");
    for figure in ["registry writes acknowledged", "durable: confirmed"] {
        assert!(rows.iter().all(|row| row.figures[figure] > 0.0), "{figure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_answered() {
    let rows = run("overload", 1, 0.03).await;
    assert!(rows.iter().all(|row| row.figures["goodput (calls/s)"] > 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn churn_loses_nothing() {
    run("soak", 1, 0.15).await;
}
