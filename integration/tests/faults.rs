//! Every scenario of the fault bench, cut short: it runs, its ledger adds up, and it meets the
//! goals that do not depend on how busy this machine is. `cargo xtask faults` runs them whole. Those whose goals
//! are about what happens within a time are in `alone/faults.rs`.

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
pub async fn run(name: &str, rounds: u64, minutes: f64) -> Vec<Row> {
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
async fn nothing_is_lost_while_an_actor_moves() {
    let rows = run("moves", 3, 0.0).await;
    assert_eq!(rows[0].rounds, (3, 3), "each way once");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_in_a_rolling_restart() {
    run("rolling", 1, 0.0).await;
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
async fn churn_loses_nothing() {
    run("soak", 1, 0.15).await;
}
