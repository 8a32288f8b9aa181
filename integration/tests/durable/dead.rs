//! What can't be done is put aside, where it can be looked at and done again.

use std::time::{Duration, Instant};

use integration::guests::{failer, guest, teller};
use integration::harness::{MeshNode, Meshctl, wait_until};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::queue::LetterFacts;
use lattice_protocol::keys::TargetKey;
use lattice_protocol::limits;
use lattice_protocol::record::RevocationRecord;
use lattice_protocol::subjects::{RegistryKey, Revoked, Subject};

use super::{deploy, done, durable, job, wait_until_empty};

async fn letters(bed: &Testbed) -> Vec<LetterFacts> {
    bed.lattice().dead_letters(None, 1, 100).await.unwrap().letters
}

async fn wait_for_letters(bed: &Testbed, count: usize) -> Vec<LetterFacts> {
    wait_until("the dead letters", SOON, async || letters(bed).await.len() == count).await.unwrap();
    letters(bed).await
}

fn attempts(node: &MeshNode, payload: &str) -> usize {
    // The line of the actor itself: what the node says of the error quotes it too.
    let log = node.log().unwrap();
    log.lines()
        .filter(|line| line.contains("actor=") && line.contains(payload))
        .filter(|line| !line.contains("durable"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_with_pauses_then_put_aside_and_can_be_replayed() {
    let bed = Testbed::start("dead").await.unwrap();
    let node = bed.start_node().await.unwrap();
    let actor = bed.deploy("worker", &failer().unwrap(), &[]).await.unwrap();
    let begun = Instant::now();
    let one = durable(&actor, b"no such order".to_vec()).attempts_max(3).message_id("order 17");
    bed.lattice().enqueue(one).await.unwrap();
    let found = wait_for_letters(&bed, 1).await;
    // Half a second to a second, then one to two.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!(attempts(&node, "no such order"), 3);
    let letter = &found[0];
    assert_eq!((letter.code.as_str(), letter.attempts), ("actor_error", Some(3)), "{letter:?}");
    assert_eq!(letter.id.as_deref(), Some("order 17"));
    assert_eq!(letter.node.as_deref(), Some(node.key().as_str()));
    wait_until_empty(&bed, SOON).await;

    let meshctl = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let listed = meshctl.json(&["dead", "ls", "--actor", "worker"]).await.unwrap();
    let shown = &listed["letters"][0];
    assert_eq!((&listed["total"], &shown["operation"]), (&1.into(), &"work".into()), "{listed}");
    assert!(shown["reason"].as_str().unwrap().contains("no such order"), "{listed}");
    let shown = meshctl.json(&["dead", "show", "1"]).await.unwrap();
    assert_eq!((&shown["payload"], &shown["encoding"]), (&"no such order".into(), &"text".into()));
    let text = meshctl.ok(&["dead", "show", "1"]).await.unwrap();
    assert!(text.contains("message id   order 17") && text.ends_with("no such order\n"), "{text}");

    // Again, with the attempts that it had: it fails as often, and is another letter.
    let told = meshctl.ok(&["dead", "replay", "1"]).await.unwrap();
    assert_eq!(told, "1 call is stored again\n");
    wait_until("the letter of the replay", SOON, async || {
        letters(&bed).await.iter().any(|letter| letter.sequence == 2)
    })
    .await
    .unwrap();
    assert_eq!(attempts(&node, "no such order"), 6);
    let found = letters(&bed).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].attempts, Some(3));
    let id = found[0].id.as_deref().unwrap();
    assert!(id.starts_with("mesh_dead_dead:1:") && id.ends_with(":replay"), "{id}");

    // Once the actor can do it, it is done.
    let able = guest("(call $guest_response (i32.const 0) (i32.const 0)) (i32.const 1)").unwrap();
    actor.deploy(&actor.sign(&able, 2, &[]).unwrap(), 2).await.unwrap();
    bed.wait_until_all_serve(&[&node], &actor, 2).await.unwrap();
    let replayed = meshctl.json(&["dead", "replay", "--all", "worker"]).await.unwrap();
    assert_eq!(replayed["replayed"][0]["letter"], 2, "{replayed}");
    wait_until_empty(&bed, SOON).await;
    assert!(letters(&bed).await.is_empty());
    let none = meshctl.run(&["dead", "show", "2"]).await.unwrap();
    assert_eq!(none.code, 4, "{}", none.stderr);
    assert!(none.stderr.contains("meshctl dead ls"), "{}", none.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_done_is_put_aside_at_once() {
    let bed = Testbed::start("never").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let actor = bed.deploy("worker", &teller().unwrap(), &[]).await.unwrap();
    let target = TargetKey::Actor(actor.key().clone());
    let subject = Subject::Queue(bed.name().clone(), target).to_string();
    let jetstream = bed.lattice().jetstream();
    let publish = async |bytes: &'static [u8]| {
        let stored = jetstream.publish(subject.clone(), bytes.into()).await.unwrap();
        stored.await.unwrap();
    };
    publish(b"no invocation").await;
    // They run at once: one after the other they are put aside in order.
    wait_for_letters(&bed, 1).await;
    publish(b"\x81\xa1v\x09").await;
    let found = wait_for_letters(&bed, 2).await;
    for letter in &found {
        assert_eq!((letter.code.as_str(), letter.attempts), ("bad_request", Some(1)), "{letter:?}");
        assert_eq!((&letter.operation, &letter.id), (&None, &None), "{letter:?}");
    }
    let meshctl = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let shown = meshctl.json(&["dead", "show", "1"]).await.unwrap();
    assert!(shown["malformed"].is_string(), "{shown}");
    assert_eq!(shown["payload"], "no invocation", "{shown}");

    // A page at a time, and gone for good.
    let page = meshctl.json(&["dead", "ls", "--count", "1"]).await.unwrap();
    assert_eq!((&page["total"], &page["next"]), (&2.into(), &2.into()), "{page}");
    let page = meshctl.json(&["dead", "ls", "--from", "2"]).await.unwrap();
    assert_eq!((&page["letters"][0]["sequence"], &page["next"]), (&2.into(), &().into()), "{page}");
    assert_eq!(meshctl.json(&["dead", "rm", "1"]).await.unwrap()["removed"], 1);
    assert_eq!(meshctl.run(&["dead", "rm", "1"]).await.unwrap().code, 4);
    let key = actor.key().as_str();
    assert_eq!(meshctl.json(&["dead", "rm", "--all", key]).await.unwrap()["removed"], 1);
    assert!(letters(&bed).await.is_empty());
}

async fn revoke(actor: &Publisher) {
    let what = Revoked::Actor(actor.key().clone());
    let record = RevocationRecord {
        v: limits::WIRE_VERSION,
        what: what.to_string(),
        at_ms: 1,
        why: "its seed leaked".to_owned(),
        writer: String::new(),
    };
    actor.registry().put(&RegistryKey::Revoked(what), &record, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_is_undeployed_is_waited_for_and_one_that_is_revoked_is_not() {
    let bed = Testbed::start("waits").await.unwrap();
    let node = bed.start_node().await.unwrap();
    let actor = deploy(&bed, &teller().unwrap(), |_| {}).await;
    actor.wait_until_served(1, SOON).await.unwrap();
    bed.lattice().enqueue(durable(&actor, job(1, Duration::ZERO))).await.unwrap();
    wait_until_empty(&bed, SOON).await;

    actor.undeploy().await.unwrap();
    wait_until("the node to leave", SOON, async || {
        bed.inventory(node.key()).await.is_ok_and(|now| now.heartbeat.actors.is_empty())
    })
    .await
    .unwrap();
    bed.lattice().enqueue(durable(&actor, job(2, Duration::ZERO))).await.unwrap();
    let status = bed.lattice().queue_status().await.unwrap();
    assert_eq!((status[0].stored, status[0].waiting), (1, 1), "{status:?}");
    actor.deploy(&actor.sign(&teller().unwrap(), 2, &[]).unwrap(), 2).await.unwrap();
    wait_until_empty(&bed, SOON).await;
    assert_eq!((done(&node, 1), done(&node, 2)), (1, 1));

    revoke(&actor).await;
    bed.lattice().enqueue(durable(&actor, job(3, Duration::ZERO))).await.unwrap();
    wait_until_empty(&bed, SOON).await;
    // It may have been run before the node knew of the revocation; else it says why it was not.
    let found = letters(&bed).await;
    assert_eq!(done(&node, 3) + found.len(), 1, "{found:?}");
    bed.lattice().enqueue(durable(&actor, job(4, Duration::ZERO))).await.unwrap();
    let found = wait_for_letters(&bed, found.len() + 1).await;
    let last = found.last().unwrap();
    assert_eq!((last.code.as_str(), last.attempts), ("revoked", Some(1)), "{last:?}");
    assert!(last.reason.contains("its seed leaked"), "{last:?}");
    assert_eq!(done(&node, 4), 0);
}
