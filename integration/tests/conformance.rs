//! Every provider does what its contract says, in the node's process and over NATS, whoever wrote it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration::harness::{
    Meshctl, ProcessGuard, RedisServer, S3Server, conformance_program, python_path, python_program,
    wait_for, workspace_root,
};
use integration::testbed::{SOON, Testbed};
use lattice_client::{Lattice, TraceContext};
use lattice_protocol::keys::{ActorKey, NodeKey, ProviderKey};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::LinkName;
use lattice_protocol::record::LinkRecord;
use mesh_blobstore_object_store::{fs, s3};
use mesh_conformance::{
    InProcess, Link, Linked, Recorder, Report, blobstore, http_client, keyvalue, logging,
    messaging, random, timer,
};
use mesh_provider::{
    About, Actors, ActorsByNats, CallInfo, Context, Origin, Provider, ProviderCall, ProviderHost,
};
use tempfile::TempDir;

type Settings = BTreeMap<String, String>;

fn settings<const N: usize>(pairs: [(&str, &str); N]) -> Settings {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn assert_passed(provider: &str, way: &str, report: &Report) {
    println!("{provider}, {way}\n{report}");
    assert!(!report.checks.is_empty());
    assert_eq!(report.failed(), 0, "{provider}, {way}");
}

/// A provider in this process, without a node.
struct Here {
    host: ProviderHost,
    source: ActorKey,
    at: u64,
    _data: TempDir,
}

impl Here {
    fn start(lattice: &Lattice, about: About, make: fn(&Context) -> Arc<dyn Provider>) -> Self {
        let key = ProviderKey::generate().unwrap().0;
        let data = tempfile::tempdir().unwrap();
        let actors = ActorsByNats::new(lattice.clone(), key.clone(), about.contract, false);
        let context = Context {
            key: key.clone(),
            lattice: lattice.clone(),
            actors: Arc::new(actors),
            data: Some(data.path().to_owned()),
        };
        let host = ProviderHost::new(key, make(&context), false);
        Self { host, source: ActorKey::generate().unwrap().0, at: 0, _data: data }
    }

    async fn link(&mut self, name: &str, config: Settings) -> Link {
        let name: LinkName = name.parse().unwrap();
        self.at += 1;
        let record = LinkRecord {
            v: WIRE_VERSION,
            source: self.source.clone(),
            contract: self.host.about().contract.name.parse().unwrap(),
            name: name.clone(),
            target: self.host.key().clone().into(),
            config,
            generation: 1,
            writer: String::new(),
        };
        self.host.put_link(&record, self.at);
        let id = mesh_provider::LinkId { source: self.source.clone(), name: name.clone() };
        let status = tokio::time::timeout(SOON, self.host.settled(&id, self.at)).await.unwrap();
        assert_eq!((status.running, status.refused), (Some(1), None));
        let (host, source) = (self.host.clone(), self.source.clone());
        Link::new(move |operation, message| {
            let (host, source, name) = (host.clone(), source.clone(), name.clone());
            async move {
                let info =
                    CallInfo { deadline: Instant::now() + SOON, trace: TraceContext::default() };
                let call = ProviderCall { operation: &operation, payload: &message, info };
                host.call(Origin { source: &source, link: &name }, call).await
            }
        })
    }

    async fn stop(self) {
        assert_eq!(self.host.quiet(SOON).await, 0);
        assert_eq!(self.host.finish(SOON).await, 0);
    }
}

/// Returns the key of a provider that a node runs.
async fn key_of(lattice: &Lattice, name: &str) -> ProviderKey {
    wait_for("the node's providers", SOON, async || {
        let told = lattice.providers(Duration::from_millis(300)).await?;
        let mut running = told.into_iter().flat_map(|one| one.running);
        let found = running.find(|one| one.name == name).map(|one| one.key);
        found.ok_or_else(|| anyhow::anyhow!("nobody runs {name}"))
    })
    .await
    .unwrap()
}

/// Examines a provider over two links: in this process, then in a node by its key.
macro_rules! both_ways {
    ($bed:expr, $about:expr, $make:expr, $first:expr, $second:expr, $suite:expr) => {{
        let mut here = Here::start($bed.lattice(), $about, $make);
        let link = here.link("default", $first).await;
        let other = here.link("other", $second).await;
        let report = Box::pin($suite(&link, &other)).await;
        assert_passed($about.name, "in process", &report);
        here.stop().await;

        let key = key_of($bed.lattice(), $about.name).await;
        let contract = $about.contract.name.parse().unwrap();
        let mut linked = Linked::new($bed.lattice(), key, contract).await.unwrap();
        let link = linked.link(LinkName::default_link(), $first).await.unwrap();
        let other = linked.link("other".parse().unwrap(), $second).await.unwrap();
        let report = Box::pin($suite(&link, &other)).await;
        assert_passed($about.name, "over NATS", &report);
        linked.unlink().await.unwrap();
    }};
}

/// Examines whether actors whose links name no prefix share anything, or two links of one actor do.
async fn assert_strangers(lattice: &Lattice, key: &ProviderKey, name: &str, config: &Settings) {
    let contract = || mesh_keyvalue_nats::ABOUT.contract.name.parse().unwrap();
    let mut actor = Linked::new(lattice, key.clone(), contract()).await.unwrap();
    let mut stranger = Linked::new(lattice, key.clone(), contract()).await.unwrap();
    let link = actor.link(LinkName::default_link(), config.clone()).await.unwrap();
    let theirs = stranger.link(LinkName::default_link(), config.clone()).await.unwrap();
    assert_passed(name, "two actors", &keyvalue::strangers(&link, &theirs).await);
    let second = actor.link("other".parse().unwrap(), config.clone()).await.unwrap();
    assert_passed(name, "two links", &keyvalue::strangers(&link, &second).await);
    actor.unlink().await.unwrap();
    stranger.unlink().await.unwrap();
}

async fn bed_with_node(data: &TempDir) -> (Testbed, integration::harness::MeshNode) {
    let bed = Testbed::start("conformance").await.unwrap();
    let options = bed.node().unwrap().arg("--data").arg(data.path());
    let node = options.start(bed.lattice().nats()).await.unwrap();
    (bed, node)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_value_providers_conform() {
    let data = tempfile::tempdir().unwrap();
    let (bed, _node) = bed_with_node(&data).await;
    let redis = RedisServer::start().await.unwrap();
    let url = redis.url();
    let tenant = |prefix: &str| settings([("prefix", prefix)]);
    let on_redis = |prefix: &str| settings([("prefix", prefix), ("url", &url)]);
    // Most of their time they wait for something to expire, so all of them do so at once.
    tokio::join!(
        Box::pin(async {
            both_ways!(
                bed,
                mesh_keyvalue_nats::ABOUT,
                mesh_keyvalue_nats::provider,
                tenant("a"),
                tenant("b"),
                keyvalue::suite
            );
        }),
        Box::pin(async {
            both_ways!(
                bed,
                mesh_keyvalue_redis::ABOUT,
                mesh_keyvalue_redis::provider,
                on_redis("a"),
                on_redis("b"),
                keyvalue::suite
            );
        }),
        Box::pin(async {
            both_ways!(
                bed,
                mesh_keyvalue_embedded::ABOUT,
                mesh_keyvalue_embedded::provider,
                tenant("a"),
                tenant("b"),
                keyvalue::suite
            );
        }),
    );
    for (name, config) in [
        (mesh_keyvalue_nats::ABOUT.name, settings([])),
        (mesh_keyvalue_redis::ABOUT.name, settings([("url", &url)])),
        (mesh_keyvalue_embedded::ABOUT.name, settings([])),
    ] {
        let key = key_of(bed.lattice(), name).await;
        Box::pin(assert_strangers(bed.lattice(), &key, name, &config)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blob_providers_conform() {
    let data = tempfile::tempdir().unwrap();
    let (bed, _node) = bed_with_node(&data).await;
    let tenant = |prefix: &str| settings([("prefix", prefix)]);
    let server = S3Server::start().await.unwrap();
    let url = server.url();
    let in_bucket = |prefix: &str| {
        settings([
            ("bucket", S3Server::BUCKET),
            ("endpoint", &url),
            ("allow_http", "true"),
            ("region", "eu-central-1"),
            ("access_key_id", "key"),
            ("secret_access_key", "secret"),
            ("prefix", prefix),
        ])
    };
    tokio::join!(
        Box::pin(async {
            both_ways!(
                bed,
                mesh_blobstore_nats::ABOUT,
                mesh_blobstore_nats::provider,
                tenant("a"),
                tenant("b"),
                blobstore::suite
            );
        }),
        Box::pin(async {
            both_ways!(bed, fs::ABOUT, fs::provider, tenant("a"), tenant("b"), blobstore::suite);
        }),
        Box::pin(async {
            both_ways!(
                bed,
                s3::ABOUT,
                s3::provider,
                in_bucket("a"),
                in_bucket("b"),
                blobstore::suite
            );
        }),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_small_providers_conform() {
    let data = tempfile::tempdir().unwrap();
    let (bed, _node) = bed_with_node(&data).await;
    let none = || settings([]);
    both_ways!(
        bed,
        mesh_random::ABOUT,
        mesh_random::provider,
        none(),
        none(),
        async |link, _: &Link| random::suite(link).await
    );
    both_ways!(
        bed,
        mesh_logging::ABOUT,
        mesh_logging::provider,
        none(),
        none(),
        async |link, _: &Link| logging::suite(link).await
    );
    let inside = || settings([("hosts", "127.0.0.1"), ("private", "true")]);
    let outside = || settings([("hosts", "*")]);
    both_ways!(
        bed,
        mesh_http_client::ABOUT,
        mesh_http_client::provider,
        inside(),
        outside(),
        http_client::suite
    );
}

/// Makes two providers of a kind whose calls come to `actors` of each.
fn two(
    lattice: &Lattice,
    source: &ActorKey,
    make: fn(&Context) -> Arc<dyn Provider>,
    actors: impl Fn(usize) -> Arc<dyn Actors>,
) -> InProcess {
    let one = |instance| {
        let key = ProviderKey::generate().unwrap().0;
        make(&Context { key, lattice: lattice.clone(), actors: actors(instance), data: None })
    };
    InProcess::new(source.clone(), SOON, (0..2).map(one))
}

/// A kind of provider that calls actors in this process, and another time over NATS.
struct Callers {
    here: (InProcess, Recorder),
    by_nats: (InProcess, Recorder),
    /// Its first process can be killed.
    mortal: (InProcess, Recorder),
    _serving: mesh_conformance::ServedActor,
}

impl Callers {
    async fn start(
        lattice: &Lattice,
        about: About,
        make: fn(&Context) -> Arc<dyn Provider>,
    ) -> Self {
        let source = ActorKey::generate().unwrap().0;
        let direct = || {
            let actor = Recorder::new();
            (two(lattice, &source, make, |instance| actor.called_by(instance)), actor)
        };
        let actor = Recorder::new();
        let node = NodeKey::generate().unwrap().0;
        let serving = actor.serve(lattice, node, &source).await.unwrap();
        let by_nats = two(lattice, &source, make, |_| {
            let key = ProviderKey::generate().unwrap().0;
            Arc::new(ActorsByNats::new(lattice.clone(), key, about.contract, false))
        });
        Self { here: direct(), by_nats: (by_nats, actor), mortal: direct(), _serving: serving }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_that_call_actors_conform() {
    let bed = Testbed::start("callers-conform").await.unwrap();
    let lattice = bed.lattice();
    let messages =
        Callers::start(lattice, mesh_messaging_nats::ABOUT, mesh_messaging_nats::provider);
    let messages = messages.await;
    let timers = Callers::start(lattice, mesh_timer::ABOUT, mesh_timer::provider).await;
    // Most of their time they wait, so all of them do so at once.
    let reports = tokio::join!(
        Box::pin(messaging::suite(&messages.here.0, &messages.here.1, lattice)),
        Box::pin(messaging::suite(&messages.by_nats.0, &messages.by_nats.1, lattice)),
        Box::pin(messaging::takeover_suite(&messages.mortal.0, &messages.mortal.1, lattice)),
        Box::pin(timer::suite(&timers.here.0, &timers.here.1)),
        Box::pin(timer::suite(&timers.by_nats.0, &timers.by_nats.1)),
        Box::pin(timer::takeover_suite(&timers.mortal.0, &timers.mortal.1)),
    );
    assert_passed("messaging-nats", "actors in process", &reports.0);
    assert_passed("messaging-nats", "actors over NATS", &reports.1);
    assert_passed("messaging-nats", "a process dies", &reports.2);
    assert_passed("timer", "actors in process", &reports.3);
    assert_passed("timer", "actors over NATS", &reports.4);
    assert_passed("timer", "a process dies", &reports.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_in_python_conforms_and_is_linked_like_any_other() {
    let bed = Testbed::start("python").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let key = ProviderKey::generate().unwrap().0;
    let environment = [
        ("MESH_NATS", bed.url()),
        ("MESH_LATTICE", bed.name().to_string()),
        ("MESH_PROVIDER_KEY", key.to_string()),
        ("PYTHONPATH", python_path().unwrap().display().to_string()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    let mut command = Command::new(python_program());
    command.arg(workspace_root().join("examples/providers/python/keyvalue.py")).envs(environment);
    let mut provider = ProcessGuard::spawn("keyvalue-python", command).unwrap();
    wait_for("the provider's word", SOON, async || {
        provider.check_alive()?;
        anyhow::ensure!(provider.log()?.contains(key.as_str()), "{}", provider.log_tail());
        Ok(())
    })
    .await
    .unwrap();

    // As a person does it.
    let mut examine = tokio::process::Command::new(conformance_program().unwrap());
    examine
        .args(["mesh:keyvalue", key.as_str(), "--config", "prefix=a", "--other", "prefix=b"])
        .args(["--nats", &bed.url(), "--lattice", bed.name().as_str()])
        .stdin(Stdio::null());
    let examined = tokio::time::timeout(Duration::from_secs(180), examine.output()).await;
    let examined = examined.unwrap().unwrap();
    let told = String::from_utf8_lossy(&examined.stdout);
    println!("{told}");
    let complaints = String::from_utf8_lossy(&examined.stderr);
    assert!(examined.status.success(), "{told}\n{complaints}\n{}", provider.log_tail());

    Box::pin(assert_strangers(bed.lattice(), &key, "keyvalue-python", &settings([]))).await;

    let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let actor = ActorKey::generate().unwrap().0;
    let link = ["link", "put", actor.as_str(), "mesh:keyvalue", "keyvalue-python"];
    let put = user.json(&link).await.unwrap();
    assert_eq!((&put["target"], &put["providers"]), (&key.as_str().into(), &1.into()));
    let wrong = [&link[..], &["--config", "url=x"]].concat();
    let refused = user.run(&wrong).await.unwrap();
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("url is not known"), "{}", refused.stderr);
    // What was there before is there again.
    let links = user.json(&["link", "ls"]).await.unwrap();
    assert_eq!(links["links"][0]["config"], serde_json::json!([]));
    assert_eq!(links["links"][0]["generation"], 3);
}
