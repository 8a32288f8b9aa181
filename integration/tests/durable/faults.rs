//! Nodes and the broker die; what was confirmed is run all the same.

use std::time::Duration;

use integration::guests::teller;
use integration::harness::{MeshNode, Signal, wait_for, wait_until};
use integration::testbed::{SOON, Testbed};

use super::{done, durable, job, wait_until_empty};

/// Time in which what a dead node had is given to another one, and done.
const AFTER_A_DEATH: Duration = Duration::from_secs(60);

fn times(nodes: &[&MeshNode], number: usize) -> usize {
    nodes.iter().map(|node| done(node, number)).sum()
}

async fn in_flight(bed: &Testbed, node: &MeshNode) -> u32 {
    bed.inventory(node.key()).await.map_or(0, |inventory| inventory.heartbeat.in_flight)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_had_is_run_by_another() {
    const JOBS: usize = 40;
    let bed = Testbed::start("killed").await.unwrap();
    let (mut doomed, other) = (bed.start_node().await.unwrap(), bed.start_node().await.unwrap());
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    bed.wait_until_all_serve(&[&doomed, &other], &actor, 1).await.unwrap();
    for number in 0..JOBS {
        let one = durable(&actor, job(number, Duration::from_millis(1_500)));
        bed.lattice().enqueue(one).await.unwrap();
    }
    wait_until("the doomed node to have some", SOON, async || in_flight(&bed, &doomed).await >= 4)
        .await
        .unwrap();
    doomed.process().kill().unwrap();
    let held = (0..JOBS).filter(|number| done(&doomed, *number) == 0).count();
    assert!(held > 0, "it had done everything already");
    wait_until_empty(&bed, AFTER_A_DEATH).await;
    for number in 0..JOBS {
        assert!(times(&[&doomed, &other], number) >= 1, "job {number} was lost");
        if done(&doomed, number) == 0 {
            assert_eq!(done(&other, number), 1, "job {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_finishes_what_it_has_and_takes_no_more() {
    const JOBS: usize = 60;
    let bed = Testbed::start("leaves").await.unwrap();
    let mut leaving = bed.start_node().await.unwrap();
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    for number in 0..JOBS {
        let one = durable(&actor, job(number, Duration::from_millis(1_000)));
        bed.lattice().enqueue(one).await.unwrap();
    }
    wait_until("it to have some", SOON, async || in_flight(&bed, &leaving).await >= 4)
        .await
        .unwrap();
    assert!(leaving.terminate().await.unwrap().success());
    let before = (0..JOBS).filter(|number| done(&leaving, *number) == 1).count();
    assert!(before < JOBS, "it did everything");
    let heir = bed.start_node().await.unwrap();
    wait_until_empty(&bed, AFTER_A_DEATH).await;
    for number in 0..JOBS {
        assert_eq!(times(&[&leaving, &heir], number), 1, "job {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_a_drain_is_given_back_at_once() {
    let bed = Testbed::start("outlives").await.unwrap();
    let options = bed.node().unwrap().arg("--drain-timeout").arg("1");
    let mut leaving = options.start(bed.lattice().nats()).await.unwrap();
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    let one = durable(&actor, job(1, Duration::from_secs(8)));
    bed.lattice().enqueue(one).await.unwrap();
    wait_until("it to run", SOON, async || in_flight(&bed, &leaving).await == 1).await.unwrap();
    let heir = bed.start_node().await.unwrap();
    bed.wait_until_all_serve(&[&heir], &actor, 1).await.unwrap();
    leaving.process().signal(Signal::SIGTERM).unwrap();
    leaving.process().wait(SOON).await.unwrap();
    assert!(leaving.log().unwrap().contains("is given back"), "{}", leaving.process().log_tail());
    // Long before the server would take it back by itself.
    wait_until("the heir to have it", Duration::from_secs(5), async || {
        in_flight(&bed, &heir).await == 1
    })
    .await
    .unwrap();
    wait_until_empty(&bed, SOON).await;
    assert_eq!(times(&[&leaving, &heir], 1), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_nothing_that_it_confirmed() {
    const JOBS: usize = 400;
    let mut bed = Testbed::start("broker").await.unwrap();
    let node = bed.start_node().await.unwrap();
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    let lattice = bed.lattice().clone();
    let one = durable(&actor, Vec::new());
    let storing = tokio::spawn(async move {
        let mut confirmed = Vec::new();
        for number in 0..JOBS {
            let payload = job(number, Duration::from_millis(5)).into();
            let job = lattice_client::queue::Durable { payload, ..one.clone() };
            if lattice.enqueue(job).await.is_ok() {
                confirmed.push(number);
            }
        }
        confirmed
    });
    for round in 1..=2 {
        wait_until("some to be done", SOON, async || {
            (0..JOBS).filter(|number| done(&node, *number) > 0).count() >= round * JOBS / 5
        })
        .await
        .unwrap();
        bed.server().kill().unwrap();
        bed.server().start_again().await.unwrap();
    }
    let confirmed = storing.await.unwrap();
    // Those that wait for the broker to come back are confirmed then.
    assert!(confirmed.len() >= JOBS - 4, "{} of {JOBS} were confirmed", confirmed.len());
    wait_until_empty(&bed, AFTER_A_DEATH).await;
    let lost: Vec<_> = confirmed.iter().filter(|number| done(&node, **number) == 0).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_node_and_with_a_broker_that_was_killed_nothing_is_lost() {
    let mut bed = Testbed::start("alone").await.unwrap();
    let actor = super::deploy(&bed, &teller().unwrap(), |_| {}).await;
    for number in 0..50 {
        bed.lattice().enqueue(durable(&actor, job(number, Duration::ZERO))).await.unwrap();
    }
    bed.server().kill().unwrap();
    bed.server().start_again().await.unwrap();
    let node = bed.start_node().await.unwrap();
    wait_for("all to be done", SOON, async || {
        let done = (0..50).filter(|number| done(&node, *number) >= 1).count();
        anyhow::ensure!(done == 50, "{done} of 50 are done");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_frozen_node_had_is_run_by_another_and_it_goes_on_when_it_thaws() {
    const JOBS: usize = 40;
    let bed = Testbed::start("frozen").await.unwrap();
    let (mut frozen, other) = (bed.start_node().await.unwrap(), bed.start_node().await.unwrap());
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    bed.wait_until_all_serve(&[&frozen, &other], &actor, 1).await.unwrap();
    for number in 0..JOBS {
        let one = durable(&actor, job(number, Duration::from_millis(1_500)));
        bed.lattice().enqueue(one).await.unwrap();
    }
    wait_until("it to have some", SOON, async || in_flight(&bed, &frozen).await >= 4)
        .await
        .unwrap();
    frozen.process().freeze().await.unwrap();
    wait_until_empty(&bed, AFTER_A_DEATH).await;
    for number in 0..JOBS {
        assert!(times(&[&frozen, &other], number) >= 1, "job {number} was lost");
    }
    frozen.process().thaw().unwrap();
    bed.wait_until_all_serve(&[&frozen, &other], &actor, 1).await.unwrap();
    for number in JOBS..2 * JOBS {
        let one = durable(&actor, job(number, Duration::from_millis(300)));
        bed.lattice().enqueue(one).await.unwrap();
    }
    wait_until_empty(&bed, AFTER_A_DEATH).await;
    assert!((JOBS..2 * JOBS).all(|number| times(&[&frozen, &other], number) >= 1));
    frozen.process().check_alive().unwrap();
}
