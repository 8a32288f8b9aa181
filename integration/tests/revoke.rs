//! What is revoked or does not verify is not served: within 2 s, on every node, from then on.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use integration::harness::{MeshNode, actor_module_bytes, wait_until};
use integration::publisher::{Publisher, echo_with_text};
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_client::events::Events;
use lattice_protocol::event::{Event, EventKind};
use lattice_protocol::names::Digest;
use lattice_protocol::record::RevocationRecord;
use lattice_protocol::subjects::{RegistryKey, Revoked};
use lattice_protocol::{Error, ErrorCode, limits};
use tokio::time::timeout;

/// A revocation strikes on every node within this time.
const STRIKES_WITHIN: Duration = Duration::from_secs(2);
/// Calls in a row that must all be answered alike: enough that every node had some.
const CALLS: usize = 40;

fn echo(number: u64) -> Vec<u8> {
    echo_with_text(&actor_module_bytes("echo").unwrap(), number).unwrap()
}

async fn call(bed: &Testbed, actor: &Publisher) -> Result<Option<u64>, Error> {
    let call = Call::new(actor.key().clone(), "echo", b"".as_slice());
    bed.lattice().call(call).await.map(|answer| answer.revision)
}

async fn revoke(actor: &Publisher, what: &Revoked) {
    let record = RevocationRecord {
        v: limits::WIRE_VERSION,
        what: what.to_string(),
        at_ms: 1,
        why: "its seed leaked".to_owned(),
        writer: String::new(),
    };
    let key = RegistryKey::Revoked(what.clone());
    actor.registry().put(&key, &record, None).await.unwrap();
}

/// Waits until every node answers `revoked`, as many calls in a row show.
async fn wait_until_struck(bed: &Testbed, actor: &Publisher, within: Duration) {
    let begun = Instant::now();
    wait_until("every node to refuse", within, async || {
        for _ in 0..CALLS {
            match call(bed, actor).await {
                Err(error) if error.code == ErrorCode::Revoked => {
                    assert!(error.message.contains("its seed leaked"), "{error}");
                }
                _ => return false,
            }
        }
        true
    })
    .await
    .unwrap();
    assert!(begun.elapsed() <= within, "it took {:?}", begun.elapsed());
}

async fn assert_nobody_serves(bed: &Testbed, actor: &Publisher, nodes: &[MeshNode]) {
    for node in nodes {
        let inventory = bed.inventory(node.key()).await.unwrap();
        assert!(inventory.heartbeat.actors.iter().all(|served| served.key != *actor.key()));
        let refused = inventory.refused.iter().find(|refusal| refusal.key == *actor.key());
        assert_eq!(refused.unwrap().error.code, ErrorCode::Revoked);
    }
}

/// Revokes what `of` names, and follows it through restarts and deployments.
async fn strikes(of: fn(&Publisher, Digest) -> Revoked) {
    let bed = Testbed::start("revoke").await.unwrap();
    let mut nodes = vec![bed.start_node().await.unwrap(), bed.start_node().await.unwrap()];
    let actor = Publisher::new(bed.lattice(), "echo").await.unwrap();
    let first = actor.sign(&echo(1), 1, &[]).unwrap();
    actor.deploy(&first, 1).await.unwrap();
    bed.wait_until_all_serve(&[&nodes[0], &nodes[1]], &actor, 1).await.unwrap();
    let what = of(&actor, Digest::of(&first));
    let of_one_module = matches!(what, Revoked::Module(_));

    revoke(&actor, &what).await;
    wait_until_struck(&bed, &actor, STRIKES_WITHIN).await;
    assert_nobody_serves(&bed, &actor, &nodes).await;

    // A node that starts later knows it too.
    for node in &mut nodes {
        assert!(node.terminate().await.unwrap().success());
    }
    nodes = vec![bed.start_node().await.unwrap()];
    wait_until_struck(&bed, &actor, SOON).await;
    assert_nobody_serves(&bed, &actor, &nodes).await;

    // Deployed again, and as a later revision.
    actor.deploy(&first, 1).await.unwrap();
    wait_until_struck(&bed, &actor, SOON).await;
    actor.deploy(&actor.sign(&echo(2), 2, &[]).unwrap(), 2).await.unwrap();
    if of_one_module {
        actor.wait_until_served(2, SOON).await.unwrap();
        // Going back to what is revoked changes nothing: the good revision serves on.
        actor.deploy(&first, 1).await.unwrap();
        wait_until("the node to refuse the revoked module", SOON, async || {
            let inventory = bed.inventory(nodes[0].key()).await.unwrap();
            inventory.refused.iter().any(|refusal| {
                refusal.key == *actor.key() && refusal.error.code == ErrorCode::Revoked
            })
        })
        .await
        .unwrap();
        assert_eq!(call(&bed, &actor).await, Ok(Some(2)));
    } else {
        wait_until_struck(&bed, &actor, SOON).await;
        assert_nobody_serves(&bed, &actor, &nodes).await;
    }

    // Without the revocation the newest record counts again.
    let newest = if of_one_module { 1 } else { 2 };
    let key = RegistryKey::Revoked(what);
    let at = actor.registry().get::<RevocationRecord>(&key).await.unwrap().unwrap().at;
    actor.registry().delete(&key, at).await.unwrap();
    wait_until("it to be served again", SOON, async || {
        call(&bed, &actor).await == Ok(Some(newest))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_module_is_served_no_more() {
    strikes(|_, digest| Revoked::Module(digest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_subject_is_served_no_more() {
    strikes(|actor, _| Revoked::Actor(actor.key().clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_issuer_is_served_no_more() {
    strikes(|actor, _| Revoked::Issuer(actor.issuer().clone())).await;
}

async fn refusal(events: &mut Events, revision: u64) -> Event {
    let heard = async {
        loop {
            let event = events.next().await.unwrap();
            let of = event.data.get("revision").is_some_and(|of| *of == revision.to_string());
            if event.event_kind() == Some(EventKind::ActorRefused) && of {
                return event;
            }
        }
    };
    timeout(SOON, heard).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_verify_is_refused_while_the_one_before_serves_on() {
    let bed = Testbed::start("refuse").await.unwrap();
    let mut actor = Publisher::new(bed.lattice(), "echo").await.unwrap();
    let trusted = bed.node().unwrap().trust(actor.issuer().as_str());
    let node = trusted.start(bed.lattice().nats()).await.unwrap();
    let mut events = bed.lattice().events().await.unwrap();
    actor.deploy(&actor.sign(&echo(1), 1, &[]).unwrap(), 1).await.unwrap();
    actor.wait_until_served(1, SOON).await.unwrap();

    let unsigned = Bytes::from(echo(2));
    let mut changed = actor.sign(&echo(3), 3, &[]).unwrap().to_vec();
    let text = b"text 0000000000000003";
    let at = changed.windows(text.len()).position(|window| window == text).unwrap();
    changed[at + text.len() - 1] = b'4';
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    actor.expires_s = Some(now_s - 60);
    let expired = actor.sign(&echo(4), 4, &[]).unwrap();
    actor.expires_s = None;
    let said = actor.sign(&echo(5), 50, &[]).unwrap();
    for (revision, module, cause) in [
        (2, unsigned, "the module is not signed"),
        (3, changed.into(), "hash"),
        (4, expired, "expired"),
        (5, said, "the record says revision 5, the module itself says 50"),
    ] {
        actor.deploy(&module, revision).await.unwrap();
        assert_refused(&bed, &node, &actor, &mut events, revision, cause).await;
    }
    actor.change_issuer().unwrap();
    actor.deploy(&actor.sign(&echo(6), 6, &[]).unwrap(), 6).await.unwrap();
    assert_refused(&bed, &node, &actor, &mut events, 6, "is not trusted by this node").await;
}

async fn assert_refused(
    bed: &Testbed,
    node: &MeshNode,
    actor: &Publisher,
    events: &mut Events,
    revision: u64,
    cause: &str,
) {
    let event = refusal(events, revision).await;
    let reason = &event.data["reason"];
    assert_eq!(event.source, node.key().as_str());
    assert!(reason.contains(cause), "revision {revision}: {reason}");
    let log = node.log().unwrap();
    let line = log.lines().find(|line| line.contains("refused") && line.contains(cause));
    assert!(line.unwrap().contains("WARN"), "{line:?}");
    let refused = bed.inventory(node.key()).await.unwrap().refused;
    let found = refused.iter().find(|refusal| refusal.key == *actor.key()).unwrap();
    assert_eq!((found.revision, &found.error.message), (revision, reason));
    assert_eq!(call(bed, actor).await, Ok(Some(1)), "what was active stays active");
}
