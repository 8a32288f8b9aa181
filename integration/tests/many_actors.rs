//! Nodes with more actors than they keep modules of: they serve all by their records, and load what is called.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use integration::guests::guest;
use integration::harness::{MeshNode, NodeOptions, Signal, actor_module_bytes, wait_until};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_client::queue::Durable;
use lattice_protocol::{ErrorCode, subjects};
use tokio::task::JoinSet;

/// More actors than a node loads before it serves them.
const ACTORS: usize = 70;
/// Longer than the node's own bound for its drain.
const STOP_WITHIN: Duration = Duration::from_secs(45);

/// Writes the records of so many actors, each with a module of its own.
async fn deploy(bed: &Testbed, count: usize) -> Vec<Publisher> {
    deploy_of(bed, count, &small_echo()).await
}

/// Answers with its payload, and is compiled in no time.
fn small_echo() -> Vec<u8> {
    let body = "(call $guest_request (i32.const 1024) (i32.const 4096))
      (call $guest_response (i32.const 4096) (local.get $length))
      (i32.const 1)";
    guest(body).unwrap()
}

async fn deploy_of(bed: &Testbed, count: usize, echo: &[u8]) -> Vec<Publisher> {
    let mut all = Vec::new();
    for number in 0..count {
        let publisher = Publisher::new(bed.lattice(), &format!("echo-{number}")).await.unwrap();
        let signed = publisher.sign(echo, 1, &[]).unwrap();
        publisher.deploy(&signed, 1).await.unwrap();
        all.push(publisher);
    }
    all
}

fn call_of(publisher: &Publisher) -> Call {
    Call::new(publisher.key().clone(), "echo", b"hello".to_vec()).timeout(SOON)
}

/// Calls all of them, many at once; each call must be answered.
async fn call_all(bed: &Testbed, publishers: &[Publisher]) {
    let mut calls = JoinSet::new();
    for call in publishers.iter().map(call_of) {
        let lattice = bed.lattice().clone();
        calls.spawn(async move { lattice.call(call).await.map(|answer| answer.payload) });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), b"hello".as_slice());
    }
}

async fn start(bed: &Testbed, options: NodeOptions) -> MeshNode {
    options.start(bed.lattice().nats()).await.unwrap()
}

fn joined_by_records(node: &MeshNode) -> bool {
    node.log().unwrap().contains("serving all by their records")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_serves_more_actors_than_it_loads() {
    let bed = Testbed::start("many").await.unwrap();
    let publishers = deploy(&bed, ACTORS).await;
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("code");
    let options = || bed.node().unwrap().arg("--code-cache").arg(&folder);
    let mut node = start(&bed, options()).await;
    assert!(joined_by_records(&node));
    let served = bed.inventory(node.key()).await.unwrap().heartbeat;
    let told: BTreeSet<_> = served.actors.iter().map(|actor| actor.key.clone()).collect();
    let deployed: BTreeSet<_> = publishers.iter().map(|one| one.key().clone()).collect();
    assert_eq!((told, served.actor_count), (deployed, ACTORS as u32));
    call_all(&bed, &publishers).await;
    call_all(&bed, &publishers).await;
    node.process().signal(Signal::SIGTERM).unwrap();
    node.process().wait(STOP_WITHIN).await.unwrap();
    // What was compiled before is there, and nothing of it is fetched: the objects are gone.
    let name = subjects::modules_bucket(bed.name());
    let bucket = bed.lattice().jetstream().get_object_store(name).await.unwrap();
    let modules: Vec<_> = bucket.list().await.unwrap().collect().await;
    assert_eq!(modules.len(), ACTORS);
    for module in modules {
        bucket.delete(module.unwrap().name).await.unwrap();
    }
    let node = start(&bed, options()).await;
    assert!(joined_by_records(&node));
    call_all(&bed, &publishers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_was_never_called_is_replaced() {
    let bed = Testbed::start("absent").await.unwrap();
    let publishers = deploy(&bed, ACTORS).await;
    let node = start(&bed, bed.node().unwrap()).await;
    assert!(joined_by_records(&node));
    let echo = small_echo();
    let [one, ..] = publishers.as_slice() else { panic!("there are none") };
    one.deploy(&one.sign(&echo, 2, &[]).unwrap(), 2).await.unwrap();
    one.wait_until_served(2, SOON).await.unwrap();
    let answer = bed.lattice().call(call_of(one)).await.unwrap();
    assert_eq!(answer.revision, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_invocations_are_run_of_all_though_few_are_read_all_the_time() {
    let bed = Testbed::start("stored").await.unwrap();
    let publishers = deploy(&bed, ACTORS).await;
    let _node = start(&bed, bed.node().unwrap()).await;
    // Twice, with a pause: those that sleep are woken, and go on while there is more.
    for _ in 0..2 {
        for publisher in &publishers {
            let one = Durable::new(publisher.key().clone(), "echo", b"hello".to_vec());
            bed.lattice().enqueue(one).await.unwrap();
        }
        wait_until("all to be run", SOON, async || {
            let status = bed.lattice().queue_status().await.unwrap();
            status.iter().all(|one| one.stored == 0)
        })
        .await
        .unwrap();
    }
    assert_eq!(bed.lattice().dead_letters(None, 0, 1).await.unwrap().letters.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_go_and_come_back_under_load_and_no_call_is_lost() {
    let bed = Testbed::start("evict").await.unwrap();
    let publishers = deploy_of(&bed, 24, &actor_module_bytes("echo").unwrap()).await;
    // Room for a few of them.
    let options = || bed.node().unwrap().arg("--module-memory").arg("1");
    for options in [options(), options().arg("--no-code-cache")] {
        let node = start(&bed, options).await;
        wait_until("the node to serve them all", SOON, async || {
            let told = bed.inventory(node.key()).await.unwrap();
            told.heartbeat.actor_count == publishers.len() as u32
        })
        .await
        .unwrap();
        for _ in 0..5 {
            call_all(&bed, &publishers).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_refused_late_is_left_to_those_that_have_it() {
    const VALID: Duration = Duration::from_secs(10);
    let bed = Testbed::start("late").await.unwrap();
    let first = start(&bed, bed.node().unwrap()).await;
    let mut expires = Publisher::new(bed.lattice(), "expires").await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    expires.expires_s = Some((now + VALID).as_secs());
    let signed = expires.sign(&small_echo(), 1, &[]).unwrap();
    expires.deploy(&signed, 1).await.unwrap();
    expires.wait_until_served(1, SOON).await.unwrap();
    let publishers = deploy(&bed, ACTORS).await;
    bed.wait_until_all_serve(&[&first], &publishers[ACTORS - 1], 1).await.unwrap();
    wait_until("the signature to expire", 2 * VALID, async || {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap() > now + VALID
    })
    .await
    .unwrap();
    let second = start(&bed, bed.node().unwrap()).await;
    assert!(joined_by_records(&second));
    let refused = async || {
        let told = bed.inventory(second.key()).await.unwrap();
        told.refused.iter().any(|refusal| {
            refusal.key == *expires.key() && refusal.error.code == ErrorCode::Unauthorized
        })
    };
    assert!(!refused().await, "nobody has called it there");
    let mut errors = BTreeSet::new();
    wait_until("the second node to refuse it", SOON, async || {
        if let Err(error) = bed.lattice().call(call_of(&expires)).await {
            errors.insert((error.code, error.started));
        }
        refused().await
    })
    .await
    .unwrap();
    assert_eq!(errors, BTreeSet::from([(ErrorCode::Unauthorized, false)]));
    wait_until("the second node to leave it", SOON, async || {
        let told = bed.inventory(second.key()).await.unwrap();
        told.heartbeat.actor_count == ACTORS as u32
    })
    .await
    .unwrap();
    for _ in 0..50 {
        bed.lattice().call(call_of(&expires)).await.unwrap();
    }
    assert!(refused().await, "it says so as long as the record stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_while_it_loads_answers_what_it_has() {
    let bed = Testbed::start("leaves").await.unwrap();
    let publishers = deploy(&bed, ACTORS).await;
    let mut node = start(&bed, bed.node().unwrap()).await;
    assert!(joined_by_records(&node));
    let mut calls = JoinSet::new();
    for call in publishers.iter().map(call_of) {
        let lattice = bed.lattice().clone();
        calls.spawn(async move { lattice.call(call).await });
    }
    wait_until("calls to wait for their modules", SOON, async || {
        bed.inventory(node.key()).await.unwrap().heartbeat.in_flight > 0
    })
    .await
    .unwrap();
    node.process().signal(Signal::SIGTERM).unwrap();
    let status = node.process().wait(STOP_WITHIN).await.unwrap();
    assert!(status.success(), "{status}\n{}", node.process().log_tail());
    let mut answered = 0;
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(_) => answered += 1,
            Err(error) => assert!(!error.started, "{error}"),
        }
    }
    assert!(answered > 0);
}
