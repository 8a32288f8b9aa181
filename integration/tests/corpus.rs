//! What earlier versions left behind in NATS is served by the nodes of today: records, modules, durable invocations
//! and dead letters, put there byte by byte from the corpus of `lattice-protocol`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::HeaderMap;
use async_nats::jetstream::object_store::{self, ObjectMetadata};
use bytes::Bytes;
use integration::harness::{Meshctl, programs_folder, wait_for, workspace_root};
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::ErrorCode;
use lattice_protocol::keys::{ActorKey, NodeKey};
use serde_json::Value;

/// Returns the lattice that each recorded version left behind.
fn lattices() -> BTreeMap<String, PathBuf> {
    let versions =
        std::fs::read_dir(workspace_root().join("lattice-protocol/tests/corpus")).unwrap();
    let all: BTreeMap<_, _> = versions
        .map(|version| version.unwrap())
        .map(|version| (version.file_name().into_string().unwrap(), version.path().join("lattice")))
        .collect();
    assert!(!all.is_empty());
    all
}

fn file(folder: &Path, name: &str) -> Bytes {
    std::fs::read(folder.join(name)).unwrap().into()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Stores a message in a stream as the version did, headers included.
async fn store(bed: &Testbed, told: &Value, payload: Bytes) {
    let mut headers = HeaderMap::new();
    for (name, value) in told["headers"].as_object().unwrap() {
        headers.insert(name.as_str(), value.as_str().unwrap());
    }
    let jetstream = bed.lattice().jetstream();
    let sent = jetstream.publish_with_headers(text(&told["subject"]), headers, payload);
    let stored = sent.await.unwrap().await.unwrap();
    assert_eq!(Value::from(stored.stream), told["stream"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lattice_of_an_earlier_version_is_served() {
    for (version, folder) in lattices() {
        println!("the lattice that {version} left behind");
        let told: Value = serde_json::from_slice(&file(&folder, "lattice.json")).unwrap();
        let bed = Testbed::start(told["lattice"].as_str().unwrap()).await.unwrap();
        // What makes buckets and streams; from here on everything is as the files say.
        bed.lattice().registry().await.unwrap();
        bed.lattice().open_queue().await.unwrap();
        let jetstream = bed.lattice().jetstream();
        let modules = text(&told["modules"]["bucket"]);
        let modules = object_store::Config { bucket: modules, ..object_store::Config::default() };
        let modules = jetstream.create_object_store(modules).await.unwrap();
        let digest = text(&told["modules"]["digest"]);
        let object = ObjectMetadata { name: digest, ..ObjectMetadata::default() };
        modules.put(object, &mut file(&folder, "module.wasm").as_ref()).await.unwrap();
        let registry = text(&told["registry"]["bucket"]);
        let registry = jetstream.get_key_value(registry).await.unwrap();
        for entry in told["registry"]["entries"].as_array().unwrap() {
            let bytes = file(&folder, &text(&entry["file"]));
            registry.put(text(&entry["key"]), bytes).await.unwrap();
        }
        store(&bed, &told["queued"], file(&folder, "durable.msgpack")).await;
        store(&bed, &told["dead"], file(&folder, "durable.msgpack")).await;

        let options = bed.node().unwrap().label("zone", "eu");
        let options = options.arg("--provider-dir").arg(programs_folder().unwrap());
        let mut node = options.start(bed.lattice().nats()).await.unwrap();
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();

        // The actor answers, at the revision that its record tells.
        let actor: ActorKey = text(&told["actor"]).parse().unwrap();
        let answer = wait_for("an answer", SOON, async || {
            let call = Call::new(actor.clone(), "Echo", b"as ever".as_slice());
            Ok(bed.lattice().call(call).await?)
        })
        .await
        .unwrap();
        assert_eq!((&answer.payload[..], answer.revision), (b"as ever".as_slice(), Some(2)));
        // By its name too.
        let listed = user.ok(&["ls", "actors"]).await.unwrap();
        assert!(listed.contains("echo"), "{listed}");

        let told_by = async |node: &NodeKey| {
            let all = bed.lattice().providers(Duration::from_secs(1)).await?;
            all.into_iter().find(|told| told.node == *node).context("the node says nothing")
        };
        // Its link runs: the provider that it leads to, which is in this node, says so.
        wait_for("the link to run", SOON, async || {
            let told = told_by(node.key()).await?;
            let store = told.running.iter().find(|one| one.name == "keyvalue-nats");
            let links = store.map_or(0, |store| store.links);
            anyhow::ensure!(links == 1, "{links} links");
            Ok(())
        })
        .await
        .unwrap();

        // The provider runs as a process.
        wait_for("the provider to run", SOON, async || {
            let told = told_by(node.key()).await?;
            let running =
                told.supervised.iter().any(|one| one.name == "timekeeper" && one.pid.is_some());
            anyhow::ensure!(running, "{:?}", told.supervised);
            Ok(())
        })
        .await
        .unwrap();

        // What was revoked is.
        let struck: ActorKey = text(&told["struck"]).parse().unwrap();
        let call = Call::new(struck, "Echo", b"".as_slice());
        let refused = bed.lattice().call(call).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Revoked, "{refused}");

        // What waited was run, and what was put aside can be looked at and replayed.
        wait_for("the queue to be empty", SOON, async || {
            let left: u64 = bed.lattice().queue_status().await?.iter().map(|one| one.stored).sum();
            anyhow::ensure!(left == 0, "{left} are left");
            Ok(())
        })
        .await
        .unwrap();
        let letters = bed.lattice().dead_letters(None, 0, 10).await.unwrap().letters;
        let [letter] = letters.as_slice() else { panic!("{letters:?}") };
        assert_eq!((letter.code.as_str(), letter.attempts), ("actor_error", Some(5)));
        assert_eq!(letter.reason, "the card was refused");
        assert_eq!(letter.operation.as_deref(), Some("Echo"));
        assert_eq!((letter.id.as_deref(), letter.queue_sequence), (Some("order-17"), Some(17)));
        bed.lattice().replay_dead_letter(letter.sequence).await.unwrap();
        let refused = bed.inventory(node.key()).await.unwrap().refused;
        assert_eq!(refused.len(), 1, "only what was revoked: {refused:?}");
        assert!(node.terminate().await.unwrap().success());
        let log = node.log().unwrap();
        assert!(!log.contains("a record is refused"), "{log}");
    }
}
