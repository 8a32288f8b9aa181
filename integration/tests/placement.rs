//! An actor moves from node to node under load, and no call ever finds nobody: not even one that is
//! tried again.

use std::path::PathBuf;
use std::time::Duration;

use integration::harness::{MeshNode, Meshctl, actor_module_bytes, wait_until};
use integration::load::{Load, LoadOptions};
use integration::publisher::{Publisher, echo_with_text};
use integration::testbed::{SOON, Testbed};
use lattice_protocol::keys::{ActorKey, NodeKey};
use serde_json::Value;

/// Workers of a load, and the pause of each: some 200 calls a second.
const WORKERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(40);
const MOVES: usize = 6;

fn load(bed: &Testbed, actor: &ActorKey) -> Load {
    let options = LoadOptions { pause: PAUSE, ..LoadOptions::new(actor.clone(), WORKERS) };
    Load::start(bed.lattice(), &options)
}

/// Ends a load of which no call may have failed, nor have been tried twice.
async fn clean(load: Load) {
    // However soon all is over, some calls come after it.
    let before = load.answered();
    wait_until("more calls", SOON, async || load.answered() > before + 100).await.unwrap();
    let tally = load.stop().await.unwrap();
    let bad = (tally.failed, tally.went_back, tally.retries);
    assert_eq!(bad, (0, 0, 0), "of {} calls: {:?}", tally.calls, tally.errors);
}

/// Returns whether a node says that it serves the actor, and whether only until another does.
async fn serves(bed: &Testbed, node: &NodeKey, actor: &ActorKey) -> Option<bool> {
    let inventory = bed.inventory(node).await.unwrap();
    let served = inventory.heartbeat.actors.into_iter().find(|served| served.key == *actor);
    served.map(|served| served.lingering)
}

async fn wait_until_left(bed: &Testbed, node: &NodeKey, actor: &ActorKey) {
    let what = format!("{node} to serve it no more");
    wait_until(&what, SOON, async || serves(bed, node, actor).await.is_none()).await.unwrap();
}

async fn seats(bed: &Testbed) -> [MeshNode; 2] {
    let start = async |seat| {
        let options = bed.node().unwrap().label("seat", seat);
        options.start(bed.lattice().nats()).await.unwrap()
    };
    [start("0").await, start("1").await]
}

struct User {
    user: Meshctl,
}

impl User {
    /// Signs revision `revision` of the actor `echo`.
    async fn sign(&self, revision: u64) -> PathBuf {
        let (file, out) = (self.user.home().join("echo.wasm"), self.user.home().join("signed"));
        let wasm = echo_with_text(&actor_module_bytes("echo").unwrap(), revision).unwrap();
        std::fs::write(&file, wasm).unwrap();
        let (rev, paths) = (revision.to_string(), [&file, &out].map(|p| p.to_str().unwrap()));
        let sign = ["sign", paths[0], "--name", "echo", "--rev", &rev, "--out", paths[1]];
        self.user.ok(&sign).await.unwrap();
        out
    }

    async fn deploy(&self, file: &std::path::Path, arguments: &[&str]) -> Value {
        let deploy = [&["deploy", file.to_str().unwrap()], arguments].concat();
        self.user.json(&deploy).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_moves_by_labels_is_always_served() {
    let bed = Testbed::start("placement").await.unwrap();
    let nodes = seats(&bed).await;
    let user = User { user: Meshctl::new(&bed.url(), bed.name().as_str()).unwrap() };
    let mut file = user.sign(1).await;
    let deployed = user.deploy(&file, &["--label", "seat=0"]).await;
    let actor: ActorKey = deployed["key"].as_str().unwrap().parse().unwrap();
    let load = load(&bed, &actor);
    for number in 1..=MOVES {
        // With a new revision, or only to another place.
        if number % 2 == 1 {
            file = user.sign(number as u64 + 1).await;
        }
        let (to, from) = (number % 2, 1 - number % 2);
        let deployed = user.deploy(&file, &["--label", &format!("seat={to}")]).await;
        assert_eq!(deployed["node"], nodes[to].key().as_str(), "move {number}");
        wait_until_left(&bed, nodes[from].key(), &actor).await;
        assert_eq!(serves(&bed, nodes[to].key(), &actor).await, Some(false));
    }
    clean(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_waits_for_the_one_that_has_just_joined() {
    let bed = Testbed::start("placement").await.unwrap();
    let mut node = bed.start_node().await.unwrap();
    let echo = bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let load = load(&bed, echo.key());
    for _ in 0..MOVES / 2 {
        let next = bed.start_node().await.unwrap();
        let status = node.terminate().await.unwrap();
        assert!(status.success(), "{status}\n{}", node.process().log_tail());
        node = next;
    }
    clean(load).await;
}

fn at_seat_1(record: &mut lattice_protocol::record::ActorRecord) {
    record.labels.insert("seat".to_owned(), "1".to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_else_serves_is_served_for_a_while_and_not_for_ever() {
    let bed = Testbed::start("placement").await.unwrap();
    let node = bed.node().unwrap().label("seat", "0");
    let node = node.start(bed.lattice().nats()).await.unwrap();
    let mut echo: Publisher =
        bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let load = load(&bed, echo.key());
    echo.shape = at_seat_1;
    let wasm = actor_module_bytes("echo").unwrap();
    echo.deploy(&echo.sign(&wasm, 2, &[]).unwrap(), 2).await.unwrap();
    wait_until("it to linger", SOON, async || {
        serves(&bed, node.key(), echo.key()).await == Some(true)
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    clean(load).await;
    wait_until_left(&bed, node.key(), echo.key()).await;
}

/// Waits until exactly `wanted` of `nodes` serve the actor, and no other lingers.
async fn wait_until_so_many_serve(
    bed: &Testbed,
    nodes: &[MeshNode],
    actor: &ActorKey,
    wanted: usize,
) {
    let what = format!("{wanted} of {} nodes to serve it", nodes.len());
    wait_until(&what, SOON, async || {
        let mut found = Vec::new();
        for node in nodes {
            found.extend(serves(bed, node.key(), actor).await);
        }
        found.len() == wanted && found.iter().all(|lingers| !lingers)
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_nodes_serve_an_actor_and_another_takes_the_place_of_one_that_dies() {
    let bed = Testbed::start("placement").await.unwrap();
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(bed.start_node().await.unwrap());
    }
    let user = User { user: Meshctl::new(&bed.url(), bed.name().as_str()).unwrap() };
    let deployed = user.deploy(&user.sign(1).await, &["--replicas", "2"]).await;
    let actor: ActorKey = deployed["key"].as_str().unwrap().parse().unwrap();
    wait_until_so_many_serve(&bed, &nodes, &actor, 2).await;
    let listed = user.user.json(&["ls", "actors"]).await.unwrap();
    assert_eq!(listed["actors"][0]["replicas"], 2, "{listed}");

    let mut serving = None;
    for (at, node) in nodes.iter().enumerate() {
        serving = serves(&bed, node.key(), &actor).await.map(|_| at).or(serving);
    }
    let mut killed = nodes.remove(serving.unwrap());
    killed.process().kill().unwrap();
    wait_until_so_many_serve(&bed, &nodes, &actor, 2).await;

    // Others join and leave: what that moves costs no call.
    let load = load(&bed, &actor);
    for _ in 0..2 {
        nodes.push(bed.start_node().await.unwrap());
        wait_until_so_many_serve(&bed, &nodes, &actor, 2).await;
    }
    for _ in 0..2 {
        let mut node = nodes.remove(0);
        let status = node.terminate().await.unwrap();
        assert!(status.success(), "{status}\n{}", node.process().log_tail());
        wait_until_so_many_serve(&bed, &nodes, &actor, 2).await;
    }
    clean(load).await;
}
