//! NATS goes away under nodes that serve HTTP: requests, their actors and the providers of the node go on,
//! health says so, and when NATS is back so is the node, by itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use integration::harness::{
    MeshNode, Meshctl, NatsCluster, NodeOptions, actor_module_bytes, free_port, wait_for,
    wait_until,
};
use integration::http_load::{self, HttpLoad};
use integration::publisher::{Publisher, echo_with_text};
use integration::testbed::{SOON, Testbed};
use lattice_client::{Call, ConnectOptions, Lattice};
use serde_json::Value;

/// How long NATS is away.
const AWAY: Duration = Duration::from_secs(10);
/// Time after NATS is started again within which calls over it work.
const BACK_WITHIN: Duration = Duration::from_secs(5);
/// Connections of the load.
const CONNECTIONS: usize = 4;
/// Log lines that an outage of [`AWAY`] may cost: a loss, a return, and what few tasks say of it.
const LINES_MAX: usize = 20;

/// A node that answers HTTP and tells its health.
struct Serving {
    node: MeshNode,
    http: SocketAddr,
    health: SocketAddr,
    _data: tempfile::TempDir,
}

impl Serving {
    async fn start(options: NodeOptions, client: &async_nats::Client) -> Self {
        let address = || SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let (http, health, data) = (address(), address(), tempfile::tempdir().unwrap());
        let options = options.arg("--http").arg(http.to_string()).arg("--data").arg(data.path());
        let options = options.arg("--health").arg(health.to_string());
        let node = options.start(client).await.unwrap();
        Self { node, http, health, _data: data }
    }

    async fn health(&self) -> Value {
        let (status, body) = http_load::get(self.health, "/readyz").await.unwrap();
        let health: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 200, "a node that serves HTTP is ready: {health}");
        assert_eq!(health["ready"], true);
        health
    }

    async fn wait_until_healthy(&self, status: &str) -> Value {
        wait_for(status, SOON, async || {
            let health = self.health().await;
            anyhow::ensure!(health["status"] == status, "{health}");
            Ok(health)
        })
        .await
        .unwrap()
    }

    /// Waits until a link has arrived: then a request is answered.
    async fn wait_until_served(&self) {
        wait_for("an answer over HTTP", SOON, async || {
            let (status, body) = http_load::get(self.http, "/").await?;
            anyhow::ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body));
            Ok(())
        })
        .await
        .unwrap();
    }
}

/// Deploys an actor and links it: `(contract, provider)`, the one that begins its work last.
async fn deploy(
    lattice: &Lattice,
    user: &Meshctl,
    name: &str,
    links: &[(&str, &str)],
) -> Publisher {
    let actor = Publisher::new(lattice, name).await.unwrap();
    let contracts: Vec<_> = links.iter().map(|(contract, _)| *contract).collect();
    let wasm = actor_module_bytes(name).unwrap();
    actor.deploy(&actor.sign(&wasm, 1, &contracts).unwrap(), 1).await.unwrap();
    actor.wait_until_served(1, SOON).await.unwrap();
    for (contract, provider) in links {
        user.ok(&["link", "put", actor.key().as_str(), contract, provider]).await.unwrap();
    }
    actor
}

fn load(address: SocketAddr) -> HttpLoad {
    HttpLoad::start(address, "/load", CONNECTIONS, |status, body| match status {
        200 => Ok("counted".to_owned()),
        other => Err(format!("{other}: {}", String::from_utf8_lossy(body))),
    })
}

fn lines_with(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_goes_on_while_nats_is_away_and_the_node_comes_back_by_itself() {
    let mut bed = Testbed::start("away").await.unwrap();
    let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let mut at = Serving::start(bed.node().unwrap(), bed.lattice().nats()).await;
    let links = [("mesh:keyvalue", "keyvalue-embedded"), ("mesh:http", "http-server")];
    let counter = deploy(bed.lattice(), &user, "counter", &links).await;
    let echo = actor_module_bytes("echo").unwrap();
    let other = bed.deploy("echo", &echo_with_text(&echo, 1).unwrap(), &[]).await.unwrap();
    at.wait_until_served().await;
    let before = at.wait_until_healthy("ok").await;
    assert_eq!((&before["nats"]["up"], &before["nats"]["losses"]), (&true.into(), &0.into()));
    assert_eq!(before["actors"], 2);

    let load = load(at.http);
    wait_until("the load to run", SOON, async || load.answered() > 100).await.unwrap();
    let quiet = at.node.log().unwrap().lines().count();
    bed.server().kill().unwrap();
    let lost = Instant::now();
    let during = at.wait_until_healthy("degraded").await;
    let told_after = lost.elapsed();
    assert_eq!(during["nats"]["up"], false);
    tokio::time::sleep(AWAY.saturating_sub(lost.elapsed())).await;
    let late = at.health().await;
    assert_eq!((&late["status"], &late["nats"]["losses"]), (&"degraded".into(), &1.into()));
    assert_eq!(
        late["nats"]["since_ms"].as_u64().unwrap() / 1_000,
        during["nats"]["since_ms"].as_u64().unwrap() / 1_000
    );
    let away_ms = late["nats"]["for_ms"].as_u64().unwrap();
    assert!((9_000..=20_000).contains(&away_ms), "{away_ms} ms");
    let answered_away = load.answered();

    let again = Instant::now();
    bed.server().start_again().await.unwrap();
    // By another client, which has nothing to come back from.
    let client = bed.another_client().await.unwrap();
    wait_until("a call over NATS", SOON, async || {
        client.call(Call::new(other.key().clone(), "echo", b"back".as_slice())).await.is_ok()
    })
    .await
    .unwrap();
    let back_after = again.elapsed();
    let after = at.wait_until_healthy("ok").await;
    assert_eq!((&after["nats"]["up"], &after["nats"]["losses"]), (&true.into(), &1.into()));
    assert_eq!(after["registry"]["current"], true);

    // It follows what is deployed from now on, while HTTP goes on.
    let module = echo_with_text(&echo, 2).unwrap();
    other.deploy(&other.sign(&module, 2, &[]).unwrap(), 2).await.unwrap();
    bed.wait_until_all_serve(&[&at.node], &other, 2).await.unwrap();
    bed.wait_until_all_serve(&[&at.node], &counter, 1).await.unwrap();
    let tally = load.stop().await.unwrap();
    println!(
        "{} HTTP requests, {} failed; {answered_away} answered until NATS was back; health told the loss after \
         {told_after:?}; calls over NATS after {back_after:?}; slowest request {} ms",
        tally.requests,
        tally.failed,
        tally.quantile_us(1.0) / 1_000
    );
    assert_eq!(tally.failed, 0, "{:?}", tally.errors);
    assert!(back_after <= BACK_WITHIN, "{back_after:?}");

    let log = at.node.log().unwrap();
    assert_eq!(lines_with(&log, "NATS can't be reached"), 1, "{log}");
    assert_eq!(lines_with(&log, "NATS is back"), 1, "{log}");
    let cost = log.lines().count() - quiet;
    assert!(cost <= LINES_MAX, "an outage cost {cost} lines:\n{log}");
    assert!(at.node.terminate().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_over_to_another_server_of_its_cluster() {
    const LATTICE: &str = "over";
    let mut cluster = Box::pin(NatsCluster::start()).await.unwrap();
    let urls: Vec<_> = cluster.servers().iter().map(|server| server.url()).collect();
    let join = ConnectOptions::url(&urls[2]).lattice(LATTICE.parse().unwrap());
    let lattice = Lattice::connect(join).await.unwrap();
    let user = Meshctl::new(&urls[2], LATTICE).unwrap();
    let mut nodes = Vec::new();
    for url in &urls[..2] {
        let options = NodeOptions::new(url, LATTICE).unwrap();
        nodes.push(Serving::start(options, lattice.nats()).await);
    }
    let hello = deploy(&lattice, &user, "hello", &[("mesh:http", "http-server")]).await;
    let mut loads = Vec::new();
    for at in &nodes {
        at.wait_until_served().await;
        at.wait_until_healthy("ok").await;
        loads.push(load(at.http));
    }
    wait_until("the loads to run", SOON, async || loads.iter().all(|it| it.answered() > 100))
        .await
        .unwrap();

    // The first node's server goes; the second node's stays.
    cluster.servers()[0].kill().unwrap();
    let lost = Instant::now();
    wait_for("the first node to be with another server", SOON, async || {
        let health = nodes[0].health().await;
        anyhow::ensure!(health["nats"]["losses"] == 1 && health["nats"]["up"] == true, "{health}");
        Ok(())
    })
    .await
    .unwrap();
    let over_after = lost.elapsed();
    assert!(over_after <= BACK_WITHIN, "{over_after:?}");
    let mut seen = std::collections::BTreeSet::new();
    wait_until("calls over NATS to reach both", SOON, async || {
        let ping = Call::new(hello.key().clone(), "mesh:ping", b"".as_slice());
        seen.extend(lattice.call(ping).await.map(|answer| answer.node));
        seen.len() == 2
    })
    .await
    .unwrap();
    let reached_after = lost.elapsed();
    // Where the registry's leader was lost too, its successor has to be elected first.
    nodes[0].wait_until_healthy("ok").await;
    let read_after = lost.elapsed();
    for load in &loads {
        let before = load.answered();
        wait_until("the loads to go on", SOON, async || load.answered() > before + 300)
            .await
            .unwrap();
    }
    for (at, load) in nodes.iter().zip(loads) {
        let tally = load.stop().await.unwrap();
        println!("{}: {} HTTP requests, {} failed", at.node.key(), tally.requests, tally.failed);
        assert_eq!(tally.failed, 0, "{:?}", tally.errors);
    }
    println!(
        "over after {over_after:?}, calls reached both after {reached_after:?}, registry read after {read_after:?}"
    );
    assert_eq!(nodes[1].health().await["nats"]["losses"], 0);
    for at in &mut nodes {
        assert!(at.node.terminate().await.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_who_leaves_and_answers_nothing_else() {
    let bed = Testbed::start("health").await.unwrap();
    let mut at = Serving::start(bed.node().unwrap(), bed.lattice().nats()).await;
    at.wait_until_healthy("ok").await;
    assert_eq!(http_load::get(at.health, "/").await.unwrap().0, 404);
    // Drained, it is alive, and nothing may be sent to it.
    bed.lattice().drain_node(at.node.key(), false, SOON).await.unwrap();
    wait_for("a node that leaves", SOON, async || {
        let (status, body) = http_load::get(at.health, "/readyz").await?;
        let health: Value = serde_json::from_slice(&body)?;
        anyhow::ensure!(status == 503 && health["status"] == "draining", "{status}: {health}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(http_load::get(at.health, "/healthz").await.unwrap().0, 200);
    assert!(at.node.terminate().await.unwrap().success());
    assert!(http_load::get(at.health, "/healthz").await.is_err(), "nobody is there any more");
}
