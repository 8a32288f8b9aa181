//! Actors that call actors: in process and over NATS the same answers and the same errors.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use integration::guests::{nap, sleeper};
use integration::harness::{MeshNode, actor_module_bytes};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::subjects::Subject;
use lattice_protocol::{Error, ErrorCode, Invocation, limits};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

const ANY_ACTOR: &str = "mesh:actor";

#[derive(Serialize)]
struct Ping<'a> {
    message: &'a str,
    times: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Pinged {
    said: String,
    count: u32,
}

#[derive(Serialize)]
struct Forward<'a> {
    target: &'a str,
    operation: &'a str,
    #[serde(with = "serde_bytes")]
    payload: &'a [u8],
}

#[derive(Serialize)]
struct Chase<'a> {
    target: &'a str,
}

/// Actors that call one another, on one node or on two.
struct Actors {
    bed: Testbed,
    /// The node of the callers, then that of the called.
    nodes: Vec<MeshNode>,
    pinger: Publisher,
    ponger: Publisher,
    sample: Publisher,
}

async fn deploy(bed: &Testbed, name: &str, wasm: &[u8], caps: &[&str], caller: bool) -> Publisher {
    let mut publisher = Publisher::new(bed.lattice(), name).await.unwrap();
    publisher.shape = if caller {
        |record| {
            record.labels.insert("calls".to_owned(), "yes".to_owned());
        }
    } else {
        |record| {
            record.labels.insert("called".to_owned(), "yes".to_owned());
        }
    };
    publisher.deploy(&publisher.sign(wasm, 1, caps).unwrap(), 1).await.unwrap();
    publisher.wait_until_served(1, SOON).await.unwrap();
    publisher
}

impl Actors {
    async fn start(nodes: usize) -> Self {
        let bed = Testbed::start("calls").await.unwrap();
        let nodes = bed.start_for_calls(nodes > 1).await.unwrap();
        let module = |name: &str| actor_module_bytes(name).unwrap();
        let ponger = deploy(&bed, "ponger", &module("ponger"), &[], false).await;
        deploy(&bed, "sleeper", &sleeper().unwrap(), &[], false).await;
        let pinger =
            deploy(&bed, "pinger", &module("pinger"), &[ANY_ACTOR, "mesh:keyvalue"], true).await;
        let sample = module("wapc-guest-sample");
        let sample = deploy(&bed, "sample", &sample, &[ANY_ACTOR], true).await;
        Self { bed, nodes, pinger, ponger, sample }
    }

    /// Returns the node that serves what is called.
    fn called(&self) -> &MeshNode {
        self.nodes.last().unwrap()
    }

    async fn call(
        &self,
        actor: &Publisher,
        operation: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Vec<u8>, Error> {
        let call = Call::new(actor.key().clone(), operation, payload.into()).timeout(SOON);
        let answer = self.bed.lattice().call(call).await?;
        assert_eq!(answer.node, self.nodes[0].key().as_str());
        Ok(answer.payload.to_vec())
    }

    async fn forward(
        &self,
        target: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let forward = Forward { target, operation, payload };
        self.call(&self.pinger, "forward", rmp_serde::to_vec_named(&forward).unwrap()).await
    }

    /// Asserts that an actor's call fails with `code`, which the actor passes on as its own error.
    async fn assert_refused(&self, target: &str, code: ErrorCode) {
        let error = self.forward(target, "ping", b"").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError, "{error}");
        assert!(error.message.starts_with(&format!("{code}: ")), "{target}: {error}");
    }

    async fn answers(&self) {
        let before = self.bed.inventory(self.called().key()).await.unwrap().heartbeat.calls;
        let ping = rmp_serde::to_vec_named(&Ping { message: "you?", times: 3 }).unwrap();
        let pinged = self.call(&self.pinger, "ping", ping).await.unwrap();
        let pinged: Pinged = rmp_serde::from_slice(&pinged).unwrap();
        assert_eq!(pinged, Pinged { said: "pong: you?".to_owned(), count: 3 });
        let after = self.bed.inventory(self.called().key()).await.unwrap().heartbeat.calls;
        assert!(after >= before + 3, "the calls went somewhere else");

        // By key as by name.
        for target in [self.ponger.key().as_str(), "ponger"] {
            let pong = self.forward(target, "ping", b"\x81\xa7message\xa2hi").await.unwrap();
            assert_eq!(pong, b"\x81\xa4said\xa8pong: hi");
        }
    }

    async fn errors(&self) {
        let (provider, _) = ProviderKey::generate().unwrap();
        self.assert_refused("nobody-of-this-name", ErrorCode::NotFound).await;
        self.assert_refused(provider.as_str(), ErrorCode::Unauthorized).await;
        self.assert_refused("mesh:keyvalue", ErrorCode::NoLink).await;
        self.assert_refused("mesh:blobstore", ErrorCode::Unauthorized).await;
        self.assert_refused("no such name!", ErrorCode::BadRequest).await;
        // What the called actor itself says comes back with its text.
        let error = self.forward("ponger", "sing", b"").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError);
        assert!(error.message.starts_with("actor_error: no operation `sing`"), "{error}");
    }

    async fn hops(&self) {
        let chase = rmp_serde::to_vec_named(&Chase { target: "pinger" }).unwrap();
        let error = self.call(&self.pinger, "chase", chase).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError);
        assert!(error.message.contains("limit_exceeded: more than 16 calls"), "{error}");
    }

    async fn capabilities(&self) {
        let pinger = actor_module_bytes("pinger").unwrap();
        let of_ponger = format!("mesh:actor:{}", self.ponger.key());
        for (number, (caps, permitted)) in [
            (vec![], false),
            (vec!["mesh:actor:sleeper"], false),
            (vec!["mesh:actor:ponger"], true),
            (vec![of_ponger.as_str()], true),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("caller-{number}");
            let caller = deploy(&self.bed, &name, &pinger, &caps, true).await;
            let ping = rmp_serde::to_vec_named(&Ping { message: "", times: 1 }).unwrap();
            let outcome = self.call(&caller, "ping", ping).await;
            match outcome {
                Ok(_) => assert!(permitted, "{caps:?}"),
                Err(error) => {
                    assert!(!permitted, "{caps:?}: {error}");
                    assert!(error.message.starts_with("unauthorized: "), "{error}");
                }
            }
        }
    }

    /// The called actor gets what is left of the caller's time, not a time of its own.
    async fn deadline(&self) {
        let long = nap(Duration::from_secs(60));
        let forward = Forward { target: "sleeper", operation: "sleep", payload: &long };
        let forward = rmp_serde::to_vec_named(&forward).unwrap();
        let budget = Duration::from_millis(300);
        let begun = Instant::now();
        let key = self.pinger.key().clone();
        let replied = self.bed.send(key, "forward", &forward, budget).await.unwrap();
        let error = replied.outcome.unwrap_err();
        assert!(error.to_string().contains("deadline_exceeded"), "{error}");
        self.bed.wait_until_idle(self.called().key()).await.unwrap();
        let took = begun.elapsed();
        let default = Duration::from_millis(limits::CALL_TIMEOUT_DEFAULT_MS.into());
        assert!(took < default, "the sleeper slept for {took:?}");
    }

    /// A module that knows nothing of the mesh, made with the crate `wapc-guest`.
    async fn module_of_others(&self) {
        assert_eq!(self.call(&self.sample, "echo", "words").await.unwrap(), b"words");
        let error = self.call(&self.sample, "fail", "on purpose").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError);
        assert!(error.message.contains("on purpose"), "{error}");
        for target in [self.ponger.key().as_str(), "ponger"] {
            let relay = [target.as_bytes(), b" ping \x81\xa7message\xa2hi"].concat();
            let pong = self.call(&self.sample, "relay", relay).await.unwrap();
            assert_eq!(pong, b"\x81\xa4said\xa8pong: hi");
        }
        let error = self.call(&self.sample, "relay", "nobody ping").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorError);
        assert!(error.message.contains("not_found"), "{error}");
    }

    async fn all(&self) {
        self.answers().await;
        self.errors().await;
        self.hops().await;
        self.capabilities().await;
        self.deadline().await;
        self.module_of_others().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_process() {
    let actors = Actors::start(1).await;
    let subject = Subject::Call(actors.bed.name().clone(), actors.ponger.key().clone().into());
    let mut seen = actors.bed.lattice().nats().subscribe(subject.to_string()).await.unwrap();
    assert!(actors.bed.lattice().fence().await);
    actors.all().await;
    // A target that is served here is never called over NATS.
    assert!(actors.bed.lattice().fence().await);
    let nothing = timeout(Duration::ZERO, seen.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_nats() {
    let actors = Actors::start(2).await;
    actors.all().await;
    // What the called node is told: who calls, how far away, how much time is left.
    let subject = Subject::Call(actors.bed.name().clone(), actors.ponger.key().clone().into());
    let mut seen = actors.bed.lattice().nats().subscribe(subject.to_string()).await.unwrap();
    assert!(actors.bed.lattice().fence().await);
    let forward = Forward { target: "ponger", operation: "ping", payload: b"\x81\xa7message\xa0" };
    let forward = rmp_serde::to_vec_named(&forward).unwrap();
    let budget = Duration::from_millis(5_000);
    let pinger = actors.pinger.key();
    actors.bed.send(pinger.clone(), "forward", &forward, budget).await.unwrap().outcome.unwrap();
    let message = timeout(SOON, seen.next()).await.unwrap().unwrap();
    let invocation = Invocation::decode(&message.payload).unwrap();
    assert_eq!((invocation.origin, invocation.hops), (Some(pinger.as_str()), Some(1)));
    assert_eq!(invocation.link, Some("default"));
    let left = invocation.timeout_ms.unwrap();
    assert!((1..5_000).contains(&left), "{left} ms of 5,000 are left");
}
