//! The NATS server goes away under a node: the node comes back by itself, and has missed nothing.

use integration::harness::{NatsServer, actor_module_bytes, wait_until};
use integration::load::{Load, LoadOptions};
use integration::publisher::echo_with_text;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;

/// How the server goes away and comes back.
enum Outage {
    Restart,
    Kill,
}

impl Outage {
    async fn strike(&self, server: &mut NatsServer) {
        match self {
            Outage::Restart => server.restart().await.unwrap(),
            Outage::Kill => {
                server.kill().unwrap();
                server.start_again().await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_its_server() {
    let mut bed = Testbed::start("outage").await.unwrap();
    let mut node = bed.start_node().await.unwrap();
    let echo = actor_module_bytes("echo").unwrap();
    let actor = bed.deploy("echo", &echo_with_text(&echo, 1).unwrap(), &[]).await.unwrap();
    let (key, id) = (node.key().clone(), node.process().pid());
    let mut revision = 1;
    for outage in [Outage::Restart, Outage::Kill] {
        let load = Load::start(bed.lattice(), &LoadOptions::new(actor.key().clone(), 4));
        wait_until("the load to run", SOON, async || !load.seen().is_empty()).await.unwrap();
        outage.strike(bed.server()).await;
        // By itself, and serving what it served.
        wait_until("the node to answer again", SOON, async || {
            let call = Call::new(actor.key().clone(), "echo", b"back".as_slice());
            bed.lattice().call(call).await.is_ok_and(|answer| {
                (answer.node == key.as_str(), answer.revision) == (true, Some(revision))
            })
        })
        .await
        .unwrap();
        let tally = load.stop().await.unwrap();
        assert!(tally.calls > tally.failed, "{:?}", tally.errors);
        for error in tally.errors.keys() {
            let known = ["internal: the connection", "not_found: ", "deadline_exceeded: "];
            assert!(known.iter().any(|text| error.starts_with(text)), "{error}");
        }

        // It follows what is changed from now on: another revision, then an actor that goes.
        revision += 1;
        let module = echo_with_text(&echo, revision).unwrap();
        actor.deploy(&actor.sign(&module, revision, &[]).unwrap(), revision).await.unwrap();
        bed.wait_until_all_serve(&[&node], &actor, revision).await.unwrap();
        let other = bed.deploy("other", &echo, &[]).await.unwrap();
        other.undeploy().await.unwrap();
        wait_until("the other actor to go", SOON, async || {
            let served = bed.inventory(&key).await.unwrap().heartbeat.actors;
            served.len() == 1 && served[0].key == *actor.key()
        })
        .await
        .unwrap();
        node.process().check_alive().unwrap();
        assert_eq!(node.process().pid(), id);
    }
    assert!(node.terminate().await.unwrap().success());
}
