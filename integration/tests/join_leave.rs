//! Nodes come and go under load: nothing is configured, no call is lost.

use std::time::{Duration, Instant};

use integration::guests::{nap, sleeper};
use integration::harness::{MeshNode, Signal, actor_module_bytes, wait_until};
use integration::load::{Load, LoadOptions, Tally};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::ErrorCode;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A node that joined has its share within this time of its first heartbeat.
const SHARE_WITHIN: Duration = Duration::from_secs(2);
const SHARE_MIN: f64 = 0.2;
const ROUNDS: usize = 3;
/// Longer than the node's own bound for its drain.
const STOP_WITHIN: Duration = Duration::from_secs(45);

async fn echo(bed: &Testbed) -> Publisher {
    bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap()
}

fn load(bed: &Testbed, echo: &Publisher) -> Load {
    Load::start(bed.lattice(), &LoadOptions::new(echo.key().clone(), 8))
}

/// Ends a load of which no call may have failed.
async fn clean(load: Load) -> Tally {
    let tally = load.stop().await.unwrap();
    assert_eq!((tally.failed, tally.went_back), (0, 0), "{:?}", tally.errors);
    assert!(tally.calls > 0);
    tally
}

/// Returns the share of the next calls that `node` answers.
async fn share(bed: &Testbed, echo: &Publisher, node: &MeshNode) -> f64 {
    let some = LoadOptions { calls_max: 200, ..LoadOptions::new(echo.key().clone(), 8) };
    let tally = Load::start(bed.lattice(), &some).finish().await.unwrap();
    assert_eq!(tally.failed, 0, "{:?}", tally.errors);
    let answered = tally.nodes.get(node.key().as_str()).copied().unwrap_or_default();
    answered as f64 / tally.calls as f64
}

async fn wait_for_share(bed: &Testbed, echo: &Publisher, node: &MeshNode) {
    let joined = Instant::now();
    wait_until("the new node's share", SHARE_WITHIN, async || {
        share(bed, echo, node).await >= SHARE_MIN
    })
    .await
    .unwrap();
    let took = joined.elapsed();
    assert!(took <= SHARE_WITHIN, "it had its share only after {took:?}");
}

async fn end(node: &mut MeshNode, signal: Signal) {
    node.process().signal(signal).unwrap();
    let status = node.process().wait(STOP_WITHIN).await.unwrap();
    assert!(status.success(), "{status} after {signal}\n{}", node.process().log_tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_join_and_leave_under_load() {
    let bed = Testbed::start("join").await.unwrap();
    let mut old = bed.start_node().await.unwrap();
    let echo = echo(&bed).await;
    let load = load(&bed, &echo);
    // In turn the older and the newer of two nodes leaves, by either signal.
    for round in 0..ROUNDS {
        let mut new = bed.start_node().await.unwrap();
        wait_for_share(&bed, &echo, &new).await;
        if round % 2 == 0 {
            std::mem::swap(&mut old, &mut new);
        }
        let signal = if round == 1 { Signal::SIGINT } else { Signal::SIGTERM };
        end(&mut new, signal).await;
        assert_eq!(share(&bed, &echo, &old).await, 1.0);
    }
    clean(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_flight_are_finished_and_answered_before_a_node_leaves() {
    const CALLS: usize = 20;
    let bed = Testbed::start("finish").await.unwrap();
    let mut node = bed.start_node().await.unwrap();
    let sleeper = bed.deploy("sleeper", &sleeper().unwrap(), &[]).await.unwrap();
    let payload = nap(Duration::from_millis(2_500));
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let lattice = bed.lattice().clone();
        let call = Call::new(sleeper.key().clone(), "sleep", payload.clone()).timeout(SOON);
        calls.spawn(async move { lattice.call(call).await });
    }
    wait_until("every call to run", SOON, async || {
        let inventory = bed.inventory(node.key()).await;
        inventory.is_ok_and(|inventory| inventory.heartbeat.in_flight == CALLS as u32)
    })
    .await
    .unwrap();
    end(&mut node, Signal::SIGTERM).await;
    // They were answered before the process ended: the answers are there already.
    let answers = timeout(Duration::from_secs(1), calls.join_all()).await.unwrap();
    for answer in answers {
        assert_eq!(answer.unwrap().payload, payload);
    }
    let call = Call::new(sleeper.key().clone(), "sleep", payload);
    assert_eq!(bed.lattice().call(call).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_a_drain_short() {
    let bed = Testbed::start("impatient").await.unwrap();
    let mut node = bed.start_node().await.unwrap();
    let sleeper = bed.deploy("sleeper", &sleeper().unwrap(), &[]).await.unwrap();
    let call = Call::new(sleeper.key().clone(), "sleep", nap(SOON)).timeout(SOON);
    let lattice = bed.lattice().clone();
    let mut calls = JoinSet::new();
    calls.spawn(async move { lattice.call(call).await });
    wait_until("the call to run", SOON, async || {
        let inventory = bed.inventory(node.key()).await;
        inventory.is_ok_and(|inventory| inventory.heartbeat.in_flight == 1)
    })
    .await
    .unwrap();
    node.process().signal(Signal::SIGTERM).unwrap();
    wait_until("the drain", SOON, async || node.log().is_ok_and(|log| log.contains("draining")))
        .await
        .unwrap();
    // Supervisors and terminals send more than one signal for one wish.
    for echo in [Signal::SIGTERM, Signal::SIGHUP] {
        node.process().signal(echo).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(node.process().exit_status().unwrap().is_none(), "it waits for the call");
    node.process().signal(Signal::SIGTERM).unwrap();
    let status = node.process().wait(Duration::from_secs(5)).await.unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(node.log().unwrap().contains("second signal"), "{}", node.process().log_tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_moves_away_and_goes_without_a_call_that_hangs() {
    let bed = Testbed::start("undeploy").await.unwrap();
    let here = bed.node().unwrap().label("site", "here").start(bed.lattice().nats()).await.unwrap();
    let there = bed.start_node().await.unwrap();
    let mut echo = echo(&bed).await;
    bed.wait_until_all_serve(&[&here, &there], &echo, 1).await.unwrap();

    // One of two nodes may serve it no more: no call is lost.
    let running = load(&bed, &echo);
    echo.shape = |record| {
        record.labels.insert("site".to_owned(), "here".to_owned());
    };
    let signed = echo.sign(&actor_module_bytes("echo").unwrap(), 2, &[]).unwrap();
    echo.deploy(&signed, 2).await.unwrap();
    wait_until("the other node to leave", SOON, async || {
        bed.inventory(there.key()).await.is_ok_and(|now| now.heartbeat.actors.is_empty())
    })
    .await
    .unwrap();
    bed.wait_until_all_serve(&[&here], &echo, 2).await.unwrap();
    assert_eq!(share(&bed, &echo, &here).await, 1.0);
    clean(running).await;

    // Nobody may: calls under way are answered, later ones say that there is nobody.
    let running = load(&bed, &echo);
    wait_until("the load to be answered", SOON, async || !running.seen().is_empty()).await.unwrap();
    echo.undeploy().await.unwrap();
    wait_until("the last node to leave", SOON, async || {
        bed.inventory(here.key()).await.is_ok_and(|now| now.heartbeat.actors.is_empty())
    })
    .await
    .unwrap();
    let call = Call::new(echo.key().clone(), "echo", b"".as_slice());
    assert_eq!(bed.lattice().call(call).await.unwrap_err().code, ErrorCode::NotFound);
    let tally = timeout(Duration::from_secs(5), running.stop()).await.unwrap().unwrap();
    assert!(tally.calls > tally.failed);
    for error in tally.errors.keys() {
        assert!(error.starts_with("not_found"), "{error}");
    }
}
