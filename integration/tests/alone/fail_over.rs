//! Who calls an actor on a node that dies or stands still: told soon, or answered by another node.

use std::time::{Duration, Instant};

use integration::guests::{nap, teller};
use integration::harness::{MeshNode, wait_for};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::{Answer, Call};
use lattice_protocol::{Error, ErrorCode};
use tokio::task::JoinHandle;

/// Who had a call in flight is told within this time of the end of its node.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// Time of the calls: what is told by their deadline is told too late.
const TIMEOUT: Duration = Duration::from_secs(10);

struct Case {
    bed: Testbed,
    nodes: Vec<MeshNode>,
    teller: Publisher,
}

impl Case {
    /// Starts two nodes with an actor that sleeps and then writes into its node's log.
    async fn start(name: &str) -> Self {
        let bed = Testbed::start(name).await.unwrap();
        let nodes = vec![bed.start_node().await.unwrap(), bed.start_node().await.unwrap()];
        let teller = bed.deploy("teller", &teller().unwrap(), &[]).await.unwrap();
        bed.wait_until_all_serve(&[&nodes[0], &nodes[1]], &teller, 1).await.unwrap();
        Self { bed, nodes, teller }
    }

    /// Begins a call that sleeps and then tells `text`.
    fn call(
        &self,
        sleep: Duration,
        text: &str,
        idempotent: bool,
    ) -> JoinHandle<Result<Answer, Error>> {
        let payload = [nap(sleep), text.as_bytes().to_vec()].concat();
        let mut call = Call::new(self.teller.key().clone(), "tell", payload).timeout(TIMEOUT);
        call.idempotent = idempotent;
        let lattice = self.bed.lattice().clone();
        tokio::spawn(async move { lattice.call(call).await })
    }

    /// Waits until a call runs; returns the number of its node.
    async fn holder(&self) -> usize {
        wait_for("the call to run", SOON, async || {
            for (number, node) in self.nodes.iter().enumerate() {
                if self.bed.inventory(node.key()).await?.heartbeat.in_flight > 0 {
                    return Ok(number);
                }
            }
            anyhow::bail!("it does not run")
        })
        .await
        .unwrap()
    }

    /// Returns how often `text` was told on both nodes.
    fn told(&self, text: &str) -> usize {
        self.nodes.iter().map(|node| node.log().unwrap().matches(text).count()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_node_is_told_within_a_second_to_whom_it_owed_an_answer() {
    let mut case = Case::start("killed").await;
    // Killed before anybody was asked who has the call, and after.
    for age in [Duration::ZERO, Duration::from_millis(1_500)] {
        let call = case.call(TIMEOUT, "killed", false);
        let holder = case.holder().await;
        tokio::time::sleep(age).await;
        case.nodes[holder].process().kill().unwrap();
        let killed = Instant::now();
        let error = call.await.unwrap().unwrap_err();
        let took = killed.elapsed();
        println!("told {took:?} after the kill: {error}");
        assert_eq!((error.code, error.started), (ErrorCode::NotFound, true), "{error}");
        assert!(took <= TOLD_WITHIN, "told only after {took:?}");
        case.nodes[holder] = case.bed.start_node().await.unwrap();
        let nodes = [&case.nodes[0], &case.nodes[1]];
        case.bed.wait_until_all_serve(&nodes, &case.teller, 1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_answers_an_idempotent_call_whose_node_was_killed() {
    let mut case = Case::start("again").await;
    let sleep = Duration::from_millis(700);
    let call = case.call(sleep, "again", true);
    let holder = case.holder().await;
    case.nodes[holder].process().kill().unwrap();
    let killed = Instant::now();
    let answer = call.await.unwrap().unwrap();
    let took = killed.elapsed();
    println!("answered {took:?} after the kill by attempt {}", answer.attempts);
    assert_eq!(answer.node, case.nodes[1 - holder].key().as_str());
    assert!(took <= TOLD_WITHIN + sleep, "answered only after {took:?}");
    assert!(answer.attempts > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_delays_idempotent_calls_and_fails_none() {
    let mut case = Case::start("frozen").await;
    case.nodes[0].process().freeze().await.unwrap();
    let begun = Instant::now();
    let calls: Vec<_> = (0..20).map(|_| case.call(Duration::ZERO, "quick", true)).collect();
    for call in calls {
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.node, case.nodes[1].key().as_str());
    }
    println!("all answered after {:?}", begun.elapsed());
    case.nodes[0].process().thaw().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_that_its_node_works_on_is_neither_given_up_nor_run_twice() {
    let case = Case::start("slow").await;
    let plain = case.call(Duration::from_secs(3), "plainly told", false);
    // It is answered before a third of its time has passed.
    let idempotent = case.call(Duration::from_secs(3), "told at most once", true);
    for (call, text) in [(plain, "plainly told"), (idempotent, "told at most once")] {
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.attempts, 1);
        assert_eq!(case.told(text), 1, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_for_a_place_are_not_given_up() {
    let mut case = Case::start("crowded").await;
    case.teller.shape = |record| record.concurrency = Some(1);
    let signed = case.teller.sign(&teller().unwrap(), 2, &[]).unwrap();
    case.teller.deploy(&signed, 2).await.unwrap();
    let nodes = [&case.nodes[0], &case.nodes[1]];
    case.bed.wait_until_all_serve(&nodes, &case.teller, 2).await.unwrap();
    // Two run, the others wait for one of two places, or come again when they are told that there is none.
    let sleep = Duration::from_millis(1_200);
    let calls: Vec<_> = (0..4).map(|_| case.call(sleep, "waited", false)).collect();
    for call in calls {
        let answer = call.await.unwrap();
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert_eq!(case.told("waited"), 4);
}
