//! A node that was frozen, and thaws: what waited for it meanwhile, and what it missed, does no harm.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use integration::harness::{MeshNode, Meshctl, actor_module_bytes};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::contract::http::{Request, Response, operation};
use lattice_protocol::contract::{Headers, Message};
use lattice_protocol::names::LinkName;
use lattice_protocol::record::LinkRecord;
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{Error, ErrorCode};
use tempfile::TempDir;

/// How long the node is frozen: longer than the calls wait, and not so long that the server gives it up.
const FROZEN: Duration = Duration::from_secs(3);
/// Calls that are made meanwhile.
const CALLS: usize = 20;

struct Case {
    bed: Testbed,
    node: MeshNode,
    counter: Publisher,
    _data: TempDir,
}

impl Case {
    /// Starts a node with a counter whose store is on the node: NATS has no part in it.
    async fn start(name: &str) -> Self {
        let bed = Testbed::start(name).await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let options = bed.node().unwrap().arg("--data").arg(data.path());
        let node = options.start(bed.lattice().nats()).await.unwrap();
        let module = actor_module_bytes("counter").unwrap();
        let counter =
            bed.deploy("counter", &module, &["mesh:http", "mesh:keyvalue"]).await.unwrap();
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
        let link = ["link", "put", counter.key().as_str(), "mesh:keyvalue", "keyvalue-embedded"];
        user.ok(&link).await.unwrap();
        Self { bed, node, counter, _data: data }
    }

    /// Asks the counter to count once more.
    async fn ask(&self, timeout: Duration) -> Result<Response, Error> {
        let request = Request {
            method: "GET".to_owned(),
            path: "/frozen".to_owned(),
            query: String::new(),
            headers: Headers::default(),
            body: Vec::new(),
            scheme: None,
            authority: None,
            remote: None,
        };
        let payload = request.encode().unwrap();
        let call = Call::new(self.counter.key().clone(), operation::HANDLE, payload);
        let answer = self.bed.lattice().call(call.timeout(timeout)).await?;
        Ok(Response::decode(&answer.payload).unwrap())
    }

    /// Counts once more; returns how often that was done so far.
    async fn count(&self, timeout: Duration) -> Result<i64, Error> {
        let response = self.ask(timeout).await?;
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        let counted: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        Ok(counted["count"].as_i64().unwrap())
    }

    /// Freezes the node for [`FROZEN`] while calls are made that nobody waits for in the end.
    async fn freeze_under_calls(&mut self, meanwhile: impl AsyncFnOnce(&Self)) {
        self.node.process().freeze().await.unwrap();
        let thaw = Instant::now() + FROZEN;
        let short = Duration::from_millis(300);
        let calls = join_all((0..CALLS).map(|_| self.count(short))).await;
        for call in calls {
            assert_eq!(call.unwrap_err().code, ErrorCode::DeadlineExceeded);
        }
        meanwhile(self).await;
        tokio::time::sleep_until(thaw.into()).await;
        self.node.process().thaw().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_callers_have_gone_are_not_run_after_a_thaw() {
    let mut case = Case::start("thaw").await;
    assert_eq!(case.count(SOON).await, Ok(1));
    case.freeze_under_calls(async |_| {}).await;
    // Who still waits is answered, and finds that nothing was done for the others.
    assert_eq!(case.count(SOON).await, Ok(2));
    case.bed.wait_until_idle(&case.node.key().clone()).await.unwrap();
    assert_eq!(case.count(SOON).await, Ok(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_meanwhile_is_not_used_after_a_thaw() {
    let mut case = Case::start("unlinked").await;
    assert_eq!(case.count(SOON).await, Ok(1));
    case.freeze_under_calls(async |case| {
        let registry = case.counter.registry();
        let contract = "mesh:keyvalue".parse().unwrap();
        let key = case.counter.key().clone();
        let link = RegistryKey::Link(key, contract, LinkName::default_link());
        let record = registry.get::<LinkRecord>(&link).await.unwrap().unwrap();
        registry.delete(&link, record.at).await.unwrap();
    })
    .await;
    // The first call that is answered knows of it.
    let response = case.ask(SOON).await.unwrap();
    let told = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, 503, "{told}");
    assert!(told.contains("no_link"), "{told}");
}
