//! The registry against a real server: lists and watches are of what is there now.

use std::time::Duration;

use bytes::Bytes;
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::registry::Change;
use lattice_protocol::subjects::RegistryKey;
use tokio::time::timeout;

/// Writes a record of a module that nobody looks at.
async fn deploy(actor: &Publisher, revision: u64) {
    actor.deploy(&Bytes::from(revision.to_string()), revision).await.unwrap();
}

#[tokio::test]
async fn a_registry_that_was_empty_when_it_was_opened_lists_what_was_written_since() {
    let bed = Testbed::start("empty").await.unwrap();
    let registry = bed.lattice().registry().await.unwrap();
    assert!(registry.actors().await.unwrap().is_empty());
    let actor = Publisher::new(bed.lattice(), "echo").await.unwrap();
    deploy(&actor, 1).await;
    let found = registry.actors().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].record.key, *actor.key());
    actor.undeploy().await.unwrap();
    assert!(registry.actors().await.unwrap().is_empty());
}

/// Listing anew is done after each reconnect and every so often: a node that then took a record
/// for gone would stop serving it.
#[tokio::test]
async fn a_watch_that_lists_anew_tells_only_what_changed() {
    let mut bed = Testbed::start("again").await.unwrap();
    let mut watch = bed.lattice().registry().await.unwrap().watch();
    let next = async |watch: &mut lattice_client::registry::RegistryWatch| {
        timeout(SOON, watch.next()).await.unwrap().unwrap()
    };
    assert!(matches!(next(&mut watch).await, Change::Synced { .. }));
    let (kept, gone) = (
        Publisher::new(bed.lattice(), "kept").await.unwrap(),
        Publisher::new(bed.lattice(), "gone").await.unwrap(),
    );
    for actor in [&kept, &gone] {
        deploy(actor, 1).await;
        let change = next(&mut watch).await;
        let Change::Put { key, .. } = change else { panic!("{change:?}") };
        assert_eq!(key, RegistryKey::Actor(actor.key().clone()));
    }

    bed.server().restart().await.unwrap();
    assert!(matches!(next(&mut watch).await, Change::Synced { .. }));
    gone.undeploy().await.unwrap();
    let removed = RegistryKey::Actor(gone.key().clone());
    let change = next(&mut watch).await;
    assert!(
        matches!(&change, Change::Removed { key, at } if *key == removed && *at > 0),
        "{change:?}"
    );
    bed.server().restart().await.unwrap();
    assert!(matches!(next(&mut watch).await, Change::Synced { .. }));
    let silence = timeout(Duration::from_millis(200), watch.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}
