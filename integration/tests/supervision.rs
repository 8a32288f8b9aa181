//! Providers as processes: killed, frozen, orphaned, and kept alive through it all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use integration::harness::{
    MeshNode, Meshctl, RedisServer, actor_module_bytes, free_port, programs_folder, wait_for,
    wait_until,
};
use integration::http_load::{HttpLoad, HttpTally};
use integration::load::{Load, LoadOptions};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::ErrorCode;
use lattice_protocol::contract::{Message, keyvalue};
use lattice_protocol::keys::{ActorKey, ProviderKey};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A provider that was killed answers again within this time.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// Connections of the load.
const CONNECTIONS: usize = 8;

/// A lattice whose nodes run a provider of Redis as a process, and an actor that uses it.
struct Supervised {
    bed: Testbed,
    redis: RedisServer,
    nodes: Vec<MeshNode>,
    http: SocketAddr,
    user: Meshctl,
}

impl Supervised {
    async fn start(nodes: usize) -> Self {
        let bed = Testbed::start("supervised").await.unwrap();
        let redis = RedisServer::start().await.unwrap();
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let mut started = Vec::new();
        for number in 0..nodes {
            let mut options =
                bed.node().unwrap().arg("--provider-dir").arg(programs_folder().unwrap());
            if number == 0 {
                options = options.arg("--http").arg(http.to_string());
            }
            started.push(options.start(bed.lattice().nats()).await.unwrap());
        }
        Self { bed, redis, nodes: started, http, user }
    }

    /// Deploys the counter and links it to the supervised provider; returns its key.
    async fn count(&self) -> ActorKey {
        let counter = Publisher::new(self.bed.lattice(), "counter").await.unwrap();
        let wasm = actor_module_bytes("counter").unwrap();
        let signed = counter.sign(&wasm, 1, &["mesh:http", "mesh:keyvalue"]).unwrap();
        counter.deploy(&signed, 1).await.unwrap();
        counter.wait_until_served(1, SOON).await.unwrap();
        let key = counter.key().as_str();
        self.user.ok(&["link", "put", key, "mesh:http", "http-server"]).await.unwrap();
        let url = format!("url={}", self.redis.url());
        let link = ["link", "put", key, "mesh:keyvalue", "redis", "--config", &url];
        self.user.ok(&link).await.unwrap();
        counter.key().clone()
    }

    async fn run_provider(&self) {
        self.user.ok(&["provider", "put", "redis", "--", "keyvalue-redis"]).await.unwrap();
    }

    async fn provider(&self) -> Value {
        let told = self.user.json(&["provider", "ls"]).await.unwrap();
        let all = told["providers"].as_array().unwrap();
        all.iter().find(|one| one["name"] == "redis").unwrap().clone()
    }

    /// The processes of the provider, once there are as many as nodes.
    async fn pids(&self) -> Vec<i32> {
        let wanted = self.nodes.len();
        wait_for("a process on each node", SOON, async || {
            let provider = self.provider().await;
            let running = provider["running"].as_array().unwrap().len();
            let supervised = provider["supervised"].as_array().unwrap();
            let pids: Vec<i32> = supervised
                .iter()
                .filter_map(|one| one["pid"].as_i64())
                .map(|pid| i32::try_from(pid).unwrap())
                .collect();
            anyhow::ensure!(pids.len() == wanted && running == wanted, "{provider}");
            Ok(pids)
        })
        .await
        .unwrap()
    }
}

/// Counts, or an error of the actor's own because the provider is away; nothing else.
fn judge(status: u16, body: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(body);
    match status {
        200 => Ok("counted".to_owned()),
        503 if text.contains("provider_unavailable") => Ok("away".to_owned()),
        _ => Err(format!("{status}: {text}")),
    }
}

fn kind(tally: &HttpTally, name: &str) -> u64 {
    tally.kinds.get(name).copied().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_killed_under_load_is_back_within_two_seconds_and_nothing_else_fails() {
    let supervised = Supervised::start(1).await;
    supervised.run_provider().await;
    supervised.count().await;
    let pid = supervised.pids().await[0];

    let echo =
        supervised.bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let others = Load::start(supervised.bed.lattice(), &LoadOptions::new(echo.key().clone(), 4));
    let quiet = HttpLoad::start(supervised.http, "/x", CONNECTIONS, judge);
    wait_until("some requests", SOON, async || quiet.answered() > 500).await.unwrap();
    let quiet = quiet.stop().await.unwrap();
    assert_eq!((quiet.failed, kind(&quiet, "away")), (0, 0), "{:?}", quiet.errors);

    let load = HttpLoad::start(supervised.http, "/x", CONNECTIONS, judge);
    wait_until("some requests", SOON, async || load.answered() > 200).await.unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    // Every request in flight is answered, then those that come later are refused, then served.
    let back = wait_for("the count to go on", SOON, async || {
        let (status, body) = integration::http_load::get(supervised.http, "/back").await?;
        judge(status, &body).map_err(anyhow::Error::msg)?;
        anyhow::ensure!(status == 200, "away");
        Ok(killed.elapsed())
    })
    .await
    .unwrap();
    let at_return = load.answered();
    wait_until("more requests", SOON, async || load.answered() > at_return + 500).await.unwrap();
    let tally = load.stop().await.unwrap();
    let others = others.stop().await.unwrap();
    println!(
        "back after {back:?}; {} counted, {} told that it was away",
        kind(&tally, "counted"),
        kind(&tally, "away")
    );
    assert_eq!(tally.failed, 0, "{:?}", tally.errors);
    assert!(kind(&tally, "away") > 0, "nobody noticed that it was killed");
    assert!(back <= BACK_WITHIN, "back only after {back:?}");
    assert_eq!(others.failed, 0, "{:?}", others.errors);
    let provider = supervised.provider().await;
    assert_eq!(provider["supervised"][0]["starts"], 2, "{provider}");
    let reason = provider["supervised"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("signal 9"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_the_death_of_one_loses_at_most_its_calls_in_flight() {
    let supervised = Supervised::start(2).await;
    supervised.run_provider().await;
    supervised.count().await;
    let pids = supervised.pids().await;

    let load = HttpLoad::start(supervised.http, "/x", CONNECTIONS, |status, body| match status {
        200 => Ok("counted".to_owned()),
        _ => Err(format!("{status}: {}", String::from_utf8_lossy(body))),
    });
    wait_until("some requests", SOON, async || load.answered() > 300).await.unwrap();
    kill(Pid::from_raw(pids[0]), Signal::SIGKILL).unwrap();
    let at_death = load.answered();
    wait_until("more requests", SOON, async || load.answered() > at_death + 1_000).await.unwrap();
    // Both again, and still nobody fails.
    supervised.pids().await;
    let tally = load.stop().await.unwrap();
    println!("{} of {} requests lost", tally.failed, tally.requests);
    assert!(tally.failed <= CONNECTIONS as u64, "{} lost: {:?}", tally.failed, tally.errors);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_instances_the_death_of_one_is_told_to_whom_it_owed_an_answer() {
    const CALLS: usize = 16;
    let mut supervised = Supervised::start(2).await;
    supervised.run_provider().await;
    let counter = supervised.count().await;
    let provider = supervised.provider().await["key"].as_str().unwrap().to_owned();
    let provider: ProviderKey = provider.parse().unwrap();
    let pids = supervised.pids().await;
    // While Redis stands still both have calls, for which they wait.
    supervised.redis.process().unwrap().freeze().await.unwrap();
    let calls = (0..CALLS).map(|_| {
        let get = keyvalue::Key { key: "x".to_owned() }.encode().unwrap();
        let mut call = Call::new(provider.clone(), keyvalue::operation::GET, get).timeout(SOON);
        call.origin = Some(counter.as_str().to_owned());
        let lattice = supervised.bed.lattice().clone();
        tokio::spawn(async move { (lattice.call(call).await, Instant::now()) })
    });
    let calls: Vec<_> = calls.collect();
    // As long as it takes that somebody is known to have each of them.
    tokio::time::sleep(Duration::from_millis(600)).await;
    kill(Pid::from_raw(pids[0]), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    tokio::time::sleep(Duration::from_millis(700)).await;
    supervised.redis.process().unwrap().thaw().unwrap();
    let (mut answered, mut told) = (0, 0);
    for call in calls {
        let (outcome, at) = call.await.unwrap();
        match outcome {
            Ok(_) => answered += 1,
            Err(error) => {
                assert_eq!((error.code, error.started), (ErrorCode::NotFound, true), "{error}");
                let took = at - killed;
                assert!(took <= Duration::from_secs(1), "told only after {took:?}");
                told += 1;
            }
        }
    }
    println!("{answered} answered, {told} told of the death");
    assert!(answered > 0 && told > 0, "{answered} answered, {told} told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_is_killed_and_started_again() {
    let supervised = Supervised::start(1).await;
    supervised.run_provider().await;
    supervised.count().await;
    let pid = supervised.pids().await[0];
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    wait_for("another process in its place", Duration::from_secs(40), async || {
        let provider = supervised.provider().await;
        let now = &provider["supervised"][0];
        anyhow::ensure!(now["starts"] == 2 && now["pid"] != pid, "{provider}");
        let (status, _) = integration::http_load::get(supervised.http, "/x").await?;
        anyhow::ensure!(status == 200, "it answers {status}");
        Ok(())
    })
    .await
    .unwrap();
    let provider = supervised.provider().await;
    let reason = provider["supervised"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("did not answer"), "{reason}");
    let log = supervised.nodes[0].log().unwrap();
    assert!(log.contains("keyvalue-redis") && log.contains("a link is open"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_ends_with_its_node_however_that_ends() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut supervised = Supervised::start(1).await;
        supervised.run_provider().await;
        let pid = supervised.pids().await[0];
        let node = i32::try_from(supervised.nodes[0].process().pid()).unwrap();
        kill(Pid::from_raw(node), signal).unwrap();
        wait_until("the provider to end", SOON, async || kill(Pid::from_raw(pid), None).is_err())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_made_before_its_provider_works_as_soon_as_that_runs_and_from_every_node() {
    // The actor is served on the first node alone, the provider on the second.
    let bed = Testbed::start("early").await.unwrap();
    let redis = RedisServer::start().await.unwrap();
    let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let nats = bed.lattice().nats();
    let first = bed.node().unwrap().label("actors", "yes").arg("--http").arg(http.to_string());
    let _first = first.start(nats).await.unwrap();
    let second = bed.node().unwrap().label("stores", "yes");
    let second = second.arg("--provider-dir").arg(programs_folder().unwrap());
    let _second = second.start(nats).await.unwrap();

    let mut counter = Publisher::new(bed.lattice(), "counter").await.unwrap();
    counter.shape = |record| drop(record.labels.insert("actors".to_owned(), "yes".to_owned()));
    let wasm = actor_module_bytes("counter").unwrap();
    let signed = counter.sign(&wasm, 1, &["mesh:http", "mesh:keyvalue"]).unwrap();
    counter.deploy(&signed, 1).await.unwrap();
    counter.wait_until_served(1, SOON).await.unwrap();
    let (provider, _) = ProviderKey::generate().unwrap();
    let (actor, provider) = (counter.key().as_str(), provider.as_str());
    user.ok(&["link", "put", actor, "mesh:http", "http-server"]).await.unwrap();
    let url = format!("url={}", redis.url());
    let early = ["link", "put", actor, "mesh:keyvalue", provider, "--config", &url];
    let early = user.run(&early).await.unwrap();
    assert_eq!(early.code, 0, "{}", early.stderr);
    assert!(early.stderr.contains("as soon as"), "{}", early.stderr);
    let begun = Instant::now();
    let (status, body) = integration::http_load::get(http, "/x").await.unwrap();
    assert_eq!(judge(status, &body), Ok("away".to_owned()));
    assert!(begun.elapsed() <= Duration::from_secs(1), "{:?}", begun.elapsed());

    let put = ["provider", "put", "redis", "--key", provider, "--label", "stores=yes"];
    user.ok(&[&put[..], &["--", "keyvalue-redis"]].concat()).await.unwrap();
    let (status, body) = integration::http_load::get(http, "/x").await.unwrap();
    assert_eq!(judge(status, &body), Ok("counted".to_owned()));
}
