//! Links: what a contract of an actor leads to, bound, rebound and taken away while it calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Message;
use integration::harness::{MeshNode, Meshctl, actor_module_bytes};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::serve::{Delivery, Handler, ServeOptions, Serving};
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::{ProviderKey, TargetKey};
use lattice_protocol::subjects::{self, Subject};
use lattice_protocol::{Error, ErrorCode, Invocation, Reply};
use serde::Serialize;
use serde_json::Value;

const CONTRACT: &str = "test:words";
const OTHER: &str = "test:others";
/// A call whose provider is gone has its error within this time.
const GONE_WITHIN: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct Forward<'a> {
    target: &'a str,
    operation: &'a str,
    #[serde(with = "serde_bytes")]
    payload: &'a [u8],
}

/// An actor that forwards what it is told to, and a user of `meshctl`.
struct Linked {
    bed: Testbed,
    nodes: Vec<MeshNode>,
    user: Meshctl,
    caller: Publisher,
}

async fn deploy(bed: &Testbed, name: &str, module: &str, caps: &[&str], at: &str) -> Publisher {
    let mut publisher = Publisher::new(bed.lattice(), name).await.unwrap();
    publisher.shape = match at {
        "calls" => |record| {
            record.labels.insert("calls".to_owned(), "yes".to_owned());
            record.capabilities.push(CONTRACT.to_owned());
        },
        _ => |record| {
            record.labels.insert("called".to_owned(), "yes".to_owned());
        },
    };
    let wasm = actor_module_bytes(module).unwrap();
    publisher.deploy(&publisher.sign(&wasm, 1, caps).unwrap(), 1).await.unwrap();
    publisher.wait_until_served(1, SOON).await.unwrap();
    publisher
}

impl Linked {
    /// Starts one node for the caller and what it calls, or one for each.
    async fn start(nodes: usize) -> Self {
        let bed = Testbed::start("links").await.unwrap();
        let nodes = bed.start_for_calls(nodes > 1).await.unwrap();
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
        let caller = deploy(&bed, "caller", "pinger", &[CONTRACT], "calls").await;
        deploy(&bed, "first", "echo", &[], "called").await;
        deploy(&bed, "second", "ponger", &[], "called").await;
        Self { bed, nodes, user, caller }
    }

    /// Makes the actor call `operation` of a contract.
    async fn forward(
        &self,
        contract: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let forward = Forward { target: contract, operation, payload };
        let forward = rmp_serde::to_vec_named(&forward).unwrap();
        let call = Call::new(self.caller.key().clone(), "forward", forward).timeout(SOON);
        Ok(self.bed.lattice().call(call).await?.payload.to_vec())
    }

    /// Returns the code of the error that the actor saw, and its text.
    async fn refused(&self, contract: &str) -> String {
        let error = self.forward(contract, "echo", b"").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError, "{error}");
        error.message
    }

    async fn all(&self) {
        // Neither the signature nor the link alone is enough.
        let refused = self.refused(OTHER).await;
        assert!(refused.starts_with("unauthorized: ") && refused.contains("--cap"), "{refused}");
        let refused = self.refused(CONTRACT).await;
        let command = format!("meshctl link put {} {CONTRACT} TARGET", self.caller.key());
        assert!(refused.starts_with("no_link: ") && refused.contains(&command), "{refused}");

        // Bound: the very next call goes there.
        let put = self.user.json(&["link", "put", "caller", CONTRACT, "first"]).await.unwrap();
        assert_eq!((&put["generation"], &put["nodes"]), (&1.into(), &self.nodes.len().into()));
        assert_eq!(put["signed_for"], Value::Bool(true));
        assert_eq!(self.forward(CONTRACT, "echo", b"words").await.unwrap(), b"words");

        // Bound anew: the next call goes there instead.
        let put = ["link", "put", "caller", CONTRACT, "second", "--config", "tone=high"];
        assert_eq!(self.user.json(&put).await.unwrap()["generation"], 2);
        let pong = self.forward(CONTRACT, "ping", b"\x81\xa7message\xa2hi").await.unwrap();
        assert_eq!(pong, b"\x81\xa4said\xa8pong: hi");

        // A link of another name, and of another contract, is another link.
        let named = ["link", "put", "caller", CONTRACT, "first", "--name", "more"];
        self.user.ok(&named).await.unwrap();
        let run = self.user.run(&["link", "put", "caller", OTHER, "first"]).await.unwrap();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("was not signed to use test:others"), "{}", run.stderr);
        assert!(self.refused(OTHER).await.starts_with("unauthorized: "));
        let listed = self.user.json(&["link", "ls"]).await.unwrap();
        assert_eq!(listed["links"].as_array().unwrap().len(), 3, "{listed}");

        // Taken away: an error that the actor sees, and nothing else.
        let del = ["link", "del", "caller", CONTRACT];
        assert_eq!(self.user.json(&del).await.unwrap()["deleted"], true);
        assert!(self.refused(CONTRACT).await.starts_with("no_link: "));
        let again = self.user.run(&del).await.unwrap();
        assert_eq!(again.code, 4, "{}", again.stderr);
        self.user.ok(&["link", "del", "caller", CONTRACT, "--name", "more"]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_takes_effect_with_the_next_call_in_process() {
    Linked::start(1).await.all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_takes_effect_with_the_next_call_over_nats() {
    Linked::start(2).await.all().await;
}

/// A provider of any program: it answers who called it, and over which link.
struct Provider {
    lattice: Lattice,
    key: ProviderKey,
}

impl Handler for Provider {
    async fn handle(&self, delivery: Delivery) {
        let message = delivery.message;
        let call = Invocation::decode(&message.payload).unwrap();
        let told = format!("{} {} {}", call.operation, call.origin.unwrap(), call.link.unwrap());
        let reply = Reply::new(call.id, self.key.as_str(), Ok(told.as_bytes()));
        let reply = reply.encode().unwrap();
        self.lattice.nats().publish(message.reply.unwrap(), reply.into()).await.unwrap();
    }

    async fn refuse(&self, _message: Message) {
        panic!("there is room for all");
    }
}

async fn provide(lattice: &Lattice, key: &ProviderKey) -> Serving {
    let target = TargetKey::from(key.clone());
    let options = ServeOptions {
        subject: Subject::Call(lattice.name().clone(), target.clone()).to_string(),
        queue_group: Some(subjects::queue_group(&target)),
        in_flight_max: 16,
        sheds: false,
    };
    let provider = Provider { lattice: lattice.clone(), key: key.clone() };
    lattice.serve(options, Arc::new(provider)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_is_an_error_within_a_second_and_its_return_is_noticed() {
    let linked = Linked::start(1).await;
    let (key, _) = ProviderKey::generate().unwrap();
    linked.user.ok(&["link", "put", "caller", CONTRACT, key.as_str()]).await.unwrap();
    for _ in 0..2 {
        let begun = Instant::now();
        let refused = linked.refused(CONTRACT).await;
        let took = begun.elapsed();
        assert!(refused.starts_with("provider_unavailable: "), "{refused}");
        assert!(refused.contains(key.as_str()) && refused.contains(CONTRACT), "{refused}");
        assert!(took <= GONE_WITHIN, "the error came only after {took:?}");

        let serving = provide(linked.bed.lattice(), &key).await;
        let told = linked.forward(CONTRACT, "Tell", b"").await.unwrap();
        let wanted = format!("Tell {} default", linked.caller.key());
        assert_eq!(String::from_utf8(told).unwrap(), wanted);
        assert!(serving.drain(SOON).await.fenced);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_names_the_links_that_it_lacks() {
    let bed = Testbed::start("lacks").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
    let module = user.home().join("echo.wasm");
    std::fs::write(&module, actor_module_bytes("echo").unwrap()).unwrap();
    let (module, signed) = (module.to_str().unwrap(), user.home().join("signed.wasm"));
    let signed = signed.to_str().unwrap();
    let sign = ["sign", module, "--name", "shop", "--out", signed];
    let caps = ["--cap", "mesh:keyvalue", "--cap", "mesh:actor:echo", "--cap", "mesh:http"];
    user.ok(&[&sign[..], &caps[..]].concat()).await.unwrap();
    let deployed = user.run(&["deploy", signed]).await.unwrap();
    assert_eq!(deployed.code, 0, "{}", deployed.stderr);
    for contract in ["mesh:keyvalue", "mesh:http"] {
        let command = format!("meshctl link put shop {contract} TARGET");
        assert!(deployed.stderr.contains(&command), "{}", deployed.stderr);
    }
    assert!(!deployed.stderr.contains("mesh:actor:echo TARGET"), "{}", deployed.stderr);
    let (key, _) = ProviderKey::generate().unwrap();
    user.ok(&["link", "put", "shop", "mesh:keyvalue", key.as_str()]).await.unwrap();
    let again = user.json(&["deploy", signed]).await.unwrap();
    assert_eq!(again["missing_links"], serde_json::json!(["mesh:http"]));

    // The link outlives the actor, and can be taken away all the same.
    user.ok(&["undeploy", "shop"]).await.unwrap();
    let actor = again["key"].as_str().unwrap();
    let links = user.ok(&["link", "ls"]).await.unwrap();
    assert!(links.contains(actor) && links.contains(key.as_str()), "{links}");
    let unknown = user.run(&["link", "del", "shop", "mesh:keyvalue"]).await.unwrap();
    assert_eq!(unknown.code, 4, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("meshctl link ls"), "{}", unknown.stderr);
    user.ok(&["link", "del", &actor[..10], "mesh:keyvalue"]).await.unwrap();
}
