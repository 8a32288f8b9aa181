//! Durable invocations: what the stream has confirmed is run at least once, whatever happens to nodes
//! and to the broker, or is put aside where somebody can look at it.

mod dead;
mod faults;

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Stream;
use integration::guests::{nap, teller};
use integration::harness::{MeshNode, Meshctl, actor_module_bytes, wait_for, wait_until};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::queue::{Durable, QueueError};
use lattice_protocol::keys::TargetKey;
use lattice_protocol::subjects::{self, Subject};
use lattice_protocol::{Invocation, InvocationId};

/// Most durable invocations of an actor that a node has at once.
const IN_FLIGHT_MAX: u32 = 16;
/// Longer than any attempt here takes.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Returns the payload that makes the teller sleep, and then tell of job `number`.
fn job(number: usize, sleep: Duration) -> Vec<u8> {
    [nap(sleep), mark(number).into_bytes()].concat()
}

/// Returns what the teller writes when it has done job `number`.
fn mark(number: usize) -> String {
    format!("job {number:05} done")
}

/// Returns how often a node has done a job.
fn done(node: &MeshNode, number: usize) -> usize {
    node.log().unwrap().matches(&mark(number)).count()
}

/// Signs and deploys a module as a new actor, whether there is a node or not.
async fn deploy(
    bed: &Testbed,
    wasm: &[u8],
    shape: fn(&mut lattice_protocol::record::ActorRecord),
) -> Publisher {
    let mut publisher = Publisher::new(bed.lattice(), "worker").await.unwrap();
    publisher.shape = shape;
    publisher.deploy(&publisher.sign(wasm, 1, &[]).unwrap(), 1).await.unwrap();
    publisher
}

fn durable(actor: &Publisher, payload: Vec<u8>) -> Durable {
    Durable::new(actor.key().clone(), "work", payload).timeout(ATTEMPT)
}

/// Waits until nothing of a lattice's durable invocations is left to do.
async fn wait_until_empty(bed: &Testbed, within: Duration) {
    wait_for("the queue to be empty", within, async || {
        let left: u64 = bed.lattice().queue_status().await?.iter().map(|one| one.stored).sum();
        anyhow::ensure!(left == 0, "{left} are left");
        Ok(())
    })
    .await
    .unwrap();
}

async fn queue_stream(bed: &Testbed) -> Stream {
    let name = subjects::queue_stream(bed.name());
    bed.lattice().jetstream().get_stream(name).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_while_no_node_runs_is_run_by_the_next_one() {
    let bed = Testbed::start("stored").await.unwrap();
    let actor = deploy(&bed, &teller().unwrap(), |_| {}).await;
    let meshctl = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let file = meshctl.home().join("job");
    std::fs::write(&file, job(1, Duration::ZERO)).unwrap();
    let call = ["call", "--durable", "worker", "work", "--raw", file.to_str().unwrap()];
    let told = meshctl.ok(&call).await.unwrap();
    assert!(told.contains("is stored as message 1 of mesh_stored_queue"), "{told}");
    // By its key an actor need not be deployed, nor has it to be known by name.
    let key = actor.key().as_str();
    std::fs::write(&file, job(2, Duration::ZERO)).unwrap();
    let call = ["call", "--durable", key, "work", "--raw", file.to_str().unwrap(), "--id", "two"];
    let stored = meshctl.json(&call).await.unwrap();
    assert_eq!((&stored["sequence"], &stored["id"]), (&2.into(), &"two".into()), "{stored}");

    let listed = meshctl.json(&["queue", "ls"]).await.unwrap();
    let queue = &listed["queues"][0];
    assert_eq!((&queue["name"], &queue["stored"]), (&"worker".into(), &2.into()), "{listed}");
    assert_eq!((&queue["waiting"], &queue["served"]), (&2.into(), &false.into()), "{listed}");

    let node = bed.start_node().await.unwrap();
    wait_until_empty(&bed, SOON).await;
    assert_eq!((done(&node, 1), done(&node, 2)), (1, 1));
    let listed = meshctl.ok(&["queue", "ls"]).await.unwrap();
    assert!(listed.starts_with("ACTOR") && listed.contains("worker  0"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_id_is_run_once_however_often_and_by_whomever_it_is_sent() {
    let bed = Testbed::start("once").await.unwrap();
    let node = bed.start_node().await.unwrap();
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    let mut stored = Vec::new();
    for _ in 0..3 {
        let one = durable(&actor, job(1, Duration::ZERO)).message_id("order 17");
        stored.push(bed.lattice().enqueue(one).await.unwrap());
    }
    assert_eq!(stored.iter().map(|one| one.duplicate).collect::<Vec<_>>(), [false, true, true]);
    assert!(stored.iter().all(|one| one.sequence == stored[0].sequence && one.id == "order 17"));

    // What anybody can do who has a NATS client: publish the bytes of an invocation.
    let target = TargetKey::Actor(actor.key().clone());
    let subject = Subject::Queue(bed.name().clone(), target).to_string();
    let payload = job(2, Duration::ZERO);
    let call = Invocation::new(InvocationId::generate(), actor.key().as_str(), "work", &payload);
    let plain = async_nats::jetstream::new(async_nats::connect(bed.url()).await.unwrap());
    for duplicate in [false, true] {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", "by hand");
        let bytes = call.encode().unwrap().into();
        let sent = plain.publish_with_headers(subject.clone(), headers, bytes).await.unwrap();
        assert_eq!(sent.await.unwrap().duplicate, duplicate);
    }
    wait_until_empty(&bed, SOON).await;
    assert_eq!((done(&node, 1), done(&node, 2)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_has_no_more_at_once_than_its_bound_and_the_places_of_the_actor() {
    for (shape, most) in [
        ((|_| {}) as fn(&mut lattice_protocol::record::ActorRecord), IN_FLIGHT_MAX),
        (|record| record.concurrency = Some(3), 3),
    ] {
        let bed = Testbed::start("bounded").await.unwrap();
        let node = bed.start_node().await.unwrap();
        let actor = deploy(&bed, &teller().unwrap(), shape).await;
        for number in 0..40 {
            let one = durable(&actor, job(number, Duration::from_millis(300)));
            bed.lattice().enqueue(one).await.unwrap();
        }
        let mut seen = 0;
        wait_until("all to be done", SOON, async || {
            let inventory = bed.inventory(node.key()).await.unwrap();
            seen = inventory.heartbeat.in_flight.max(seen);
            (0..40).all(|number| done(&node, number) == 1)
        })
        .await
        .unwrap();
        assert_eq!(seen, most);
        assert!(!node.log().unwrap().contains("busy"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_a_message_is_refused_and_says_so() {
    let bed = Testbed::start("large").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let echo = bed.deploy("worker", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let most = 1_024 * 1_024 - 16_384;
    let of = |length| Durable::new(echo.key().clone(), "echo", vec![0; length]);
    let refused = bed.lattice().enqueue(of(most + 1)).await.unwrap_err();
    assert_eq!(refused, QueueError::TooLarge { found: most + 1, limit: most });
    // Up to there it fits.
    bed.lattice().enqueue(of(most)).await.unwrap();
    wait_until_empty(&bed, SOON).await;

    let meshctl = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let file = meshctl.home().join("large");
    std::fs::write(&file, vec![0; 2 << 20]).unwrap();
    let call = ["call", "--durable", "worker", "work", "--raw", file.to_str().unwrap()];
    let outcome = meshctl.run(&call).await.unwrap();
    assert_eq!(outcome.code, 1);
    assert!(
        outcome.stderr.contains("too_large") && outcome.stderr.contains("next:"),
        "{}",
        outcome.stderr
    );
}

/// The stream refuses what nobody could ever put aside, whoever sends it.
#[tokio::test(flavor = "multi_thread")]
async fn the_streams_are_bounded_and_keep_their_shape() {
    let bed = Testbed::start("shape").await.unwrap();
    bed.lattice().open_queue().await.unwrap();
    let config = queue_stream(&bed).await.cached_info().config.clone();
    assert_eq!(config.max_bytes, lattice_protocol::limits::QUEUE_BYTES_MAX);
    assert_eq!(config.max_message_size, 1_024 * 1_024 - 8_192);
    // Somebody else's bounds stay.
    let mut other = config.clone();
    other.max_bytes = 4_096;
    bed.lattice().jetstream().update_stream(other).await.unwrap();
    bed.lattice().open_queue().await.unwrap();
    let actor = Publisher::new(bed.lattice(), "worker").await.unwrap();
    let full = async {
        for number in 0..100 {
            bed.lattice().enqueue(durable(&actor, job(number, Duration::ZERO))).await?;
        }
        Ok(())
    };
    let refused: Result<(), QueueError> = full.await;
    assert!(matches!(refused, Err(QueueError::Full(_))), "{refused:?}");
    let stored = bed.lattice().queue_status().await.unwrap()[0].stored;
    assert!((1..100).contains(&stored), "{stored}");
}
