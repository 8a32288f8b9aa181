//! Nodes of the release before this one are replaced by those of this build, one after the other, under load; for a
//! while both serve, and both `meshctl`s work with both.
//!
//! `MESH_PREVIOUS` is the folder of that release's programs. Without it they are those of this build: the way of
//! an upgrade is walked all the same, and what earlier versions *wrote* is the affair of `corpus`.

use std::path::Path;
use std::process::Command;

use integration::harness::{
    Meshctl, actor_module_bytes, mesh_node_program, meshctl_program, previous_program, wait_for,
    wait_until,
};
use integration::load::{Load, LoadOptions};
use integration::publisher::{Publisher, echo_with_text};
use integration::testbed::{SOON, Testbed};
use lattice_client::queue::Durable;

/// Calls that each stage of the upgrade must have seen.
const CALLS: u64 = 300;
/// Nodes that are replaced.
const NODES: usize = 2;

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    assert!(output.status.success(), "{} has no version", program.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Deploys the next revision of the actor by a `meshctl`, which asks every node whether it could serve it.
async fn deploy(user: &Meshctl, actor: &Publisher, revision: u64) {
    let echo = actor_module_bytes("echo").unwrap();
    let module = actor.sign(&echo_with_text(&echo, revision).unwrap(), revision, &[]).unwrap();
    let path = user.home().join(format!("echo.{revision}.wasm"));
    std::fs::write(&path, module).unwrap();
    user.ok(&["deploy", path.to_str().unwrap()]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lattice_is_upgraded_node_by_node_without_losing_a_call() {
    let previous = previous_program(mesh_node_program().unwrap()).unwrap();
    let of =
        if std::env::var_os("MESH_PREVIOUS").is_some() { "MESH_PREVIOUS" } else { "this build" };
    let this = mesh_node_program().unwrap();
    println!("before: {} ({}, of {of})", version(&previous), previous.display());
    println!("after:  {} ({})", version(&this), this.display());

    let bed = Testbed::start("upgrade").await.unwrap();
    let nats = bed.lattice().nats();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        let old = bed.node().unwrap().program(&previous);
        nodes.push(old.start(nats).await.unwrap());
    }
    let user = |program| Meshctl::new(&bed.url(), bed.name().as_str()).unwrap().program(program);
    let today = meshctl_program().unwrap();
    let users = [user(previous_program(today.clone()).unwrap()), user(today)];
    let actor = Publisher::new(bed.lattice(), "echo").await.unwrap();
    deploy(&users[0], &actor, 1).await;
    let all: Vec<_> = nodes.iter().collect();
    bed.wait_until_all_serve(&all, &actor, 1).await.unwrap();
    let load = Load::start(bed.lattice(), &LoadOptions::new(actor.key().clone(), 4));

    let (mut revision, mut stored) = (1, 0);
    for replaced in 0..=NODES {
        if replaced > 0 {
            // As an operator does it: the new one first.
            nodes.push(bed.start_node().await.unwrap());
            assert!(nodes.remove(0).terminate().await.unwrap().success());
        }
        // What is deployed by either is served by all of them.
        for user in &users {
            revision += 1;
            deploy(user, &actor, revision).await;
            let all: Vec<_> = nodes.iter().collect();
            bed.wait_until_all_serve(&all, &actor, revision).await.unwrap();
            let listed = user.json(&["ls", "nodes"]).await.unwrap();
            for node in &nodes {
                assert!(listed.to_string().contains(node.key().as_str()), "{listed}");
            }
        }
        for _ in 0..20 {
            let one = Durable::new(actor.key().clone(), "echo", b"kept".as_slice());
            bed.lattice().enqueue(one).await.unwrap();
            stored += 1;
        }
        // Each of those that are there now answers calls.
        let before = load.answered();
        wait_until("the load to go on", SOON, async || load.answered() > before + CALLS)
            .await
            .unwrap();
    }
    let tally = load.stop().await.unwrap();
    println!("{} calls, {} failed; by node {:?}", tally.calls, tally.failed, tally.nodes);
    assert_eq!((tally.failed, tally.went_back), (0, 0), "{:?}", tally.errors);
    assert_eq!(tally.nodes.len(), 2 * NODES, "every node answered: {:?}", tally.nodes);
    wait_for("the queue to be empty", SOON, async || {
        let left: u64 = bed.lattice().queue_status().await?.iter().map(|one| one.stored).sum();
        anyhow::ensure!(left == 0, "{left} of {stored} are left");
        Ok(())
    })
    .await
    .unwrap();
    for mut node in nodes {
        assert!(node.terminate().await.unwrap().success());
    }
}
