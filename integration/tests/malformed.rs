//! Whatever is sent to a node's subjects gets a typed error or silence, and the node serves on.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use integration::harness::{MeshNode, actor_module_bytes, wait_until, workspace_root};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::Call;
use lattice_protocol::control::{Inventory, Prepared};
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::subjects::{self, ControlVerb, Subject};
use lattice_protocol::{ErrorCode, Invocation, InvocationId, limits};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// A failure names the bytes; the same seed makes them again.
const SEED: u64 = 0x6d65_7368;
const GENERATED: usize = 3_000;
const AT_ONCE: usize = 32;
/// More than the node may grow by all of this.
const GROWTH_MAX_BYTES: u64 = 128 * 1024 * 1024;

struct Target {
    bed: Testbed,
    node: MeshNode,
    echo: Publisher,
    memory_bytes: u64,
}

impl Target {
    async fn start(name: &str) -> Self {
        let bed = Testbed::start(name).await.unwrap();
        let options =
            bed.node().unwrap().arg("--log").arg("info,mesh_node=debug,lattice_client=debug");
        let mut node = options.start(bed.lattice().nats()).await.unwrap();
        let echo = bed.deploy("echo", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
        let memory_bytes = resident_bytes(&mut node);
        Self { bed, node, echo, memory_bytes }
    }

    fn key(&self) -> TargetKey {
        self.echo.key().clone().into()
    }

    async fn assert_serves(&mut self) {
        let call = Call::new(self.echo.key().clone(), "echo", b"alive".as_slice());
        assert_eq!(self.bed.lattice().call(call).await.unwrap().payload, "alive");
        self.node.process().check_alive().unwrap();
        let grown = resident_bytes(&mut self.node).saturating_sub(self.memory_bytes);
        assert!(grown <= GROWTH_MAX_BYTES, "the node grew by {grown} bytes");
        assert!(!self.node.log().unwrap().contains("panicked"));
    }

    /// Sends bytes to the actor's subject: what can't be read is answered with a typed error.
    async fn call(&self, bytes: Bytes) {
        let expected =
            Invocation::decode(&bytes).err().map(|error| lattice_protocol::Error::from(error).code);
        let replied = self.bed.send_bytes(&self.key(), bytes.clone(), SOON).await;
        let replied = replied.unwrap_or_else(|error| panic!("{error:#} to {}", hex(&bytes)));
        match (expected, replied.outcome) {
            (Some(code), Err(error)) => assert_eq!(error.code, code, "{error} to {}", hex(&bytes)),
            (Some(code), Ok(_)) => panic!("an answer instead of {code} to {}", hex(&bytes)),
            // A mutation that is a call all the same, of whatever: any typed answer is right.
            (None, _) => {}
        }
    }
}

fn resident_bytes(node: &mut MeshNode) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process().pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// Every message that the protocol's own vectors say must be refused.
fn vectors() -> Vec<Bytes> {
    let path = workspace_root().join("lattice-protocol/vectors/malformed.json");
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let vectors = read["vectors"].as_array().unwrap().iter();
    let vectors: Vec<Bytes> =
        vectors.map(|vector| unhex(vector["bytes"].as_str().unwrap()).into()).collect();
    assert!(vectors.len() > 20);
    vectors
}

/// A call as it should be, in all its parts.
fn good(target: &ActorKey) -> Vec<u8> {
    let mut call =
        Invocation::new(InvocationId::generate(), target.as_str(), "echo", b"payload of a call");
    call.origin = Some(target.as_str());
    call.link = Some("default");
    call.timeout_ms = Some(2_000);
    call.hops = Some(1);
    call.idempotent = Some(true);
    call.min_revision = Some(1);
    call.encode().unwrap()
}

fn pick(random: &mut StdRng, from: &[u8]) -> usize {
    random.random_range(0..from.len())
}

/// Makes one message that is probably broken.
fn generate(random: &mut StdRng, target: &ActorKey) -> Bytes {
    let mut bytes = good(target);
    match random.random_range(0..8) {
        0 => {
            bytes = vec![0; random.random_range(0..200)];
            random.fill_bytes(&mut bytes);
        }
        1 => {
            for _ in 0..random.random_range(1..6) {
                let at = pick(random, &bytes);
                bytes[at] = random.random();
            }
        }
        2 => bytes.truncate(pick(random, &bytes)),
        3 => {
            // A length that nothing follows.
            let at = pick(random, &bytes);
            let head = [0xc6, 0xc9, 0xdb, 0xdd, 0xdf][random.random_range(0..5)];
            bytes.truncate(at);
            bytes.extend([head, 0xff, 0xff, 0xff, 0xff, 0x00]);
        }
        4 => {
            let at = pick(random, &bytes);
            let value = [0x00, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc2, 0xcb, 0xd4, 0xff];
            bytes[at] = value[random.random_range(0..value.len())];
        }
        5 => {
            // Nesting within and beyond the limit, in a field that nobody reads.
            let depth = random.random_range(1..3 * limits::NESTING_LEVELS_MAX);
            bytes[0] += 1;
            bytes.extend([0xa1, b'x']);
            bytes.extend(std::iter::repeat_n(0x91, depth));
            bytes.push(0xc0);
        }
        6 => {
            let from = pick(random, &bytes);
            let more = bytes.split_off(from);
            bytes.extend(more.iter().rev());
        }
        _ => bytes.extend(good(target).iter().take(random.random_range(1..40))),
    }
    bytes.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_calls_are_answered_with_typed_errors() {
    let mut target = Target::start("calls").await;
    for bytes in vectors() {
        target.call(bytes).await;
    }
    target.assert_serves().await;

    let mut random = StdRng::seed_from_u64(SEED);
    let corpus: Vec<Bytes> =
        (0..GENERATED).map(|_| generate(&mut random, target.echo.key())).collect();
    let broken = corpus.iter().filter(|bytes| Invocation::decode(bytes).is_err()).count();
    assert!(broken > GENERATED / 2, "only {broken} of the corpus are broken");
    for batch in corpus.chunks(500) {
        let calls = stream::iter(batch).map(|bytes| target.call(bytes.clone()));
        calls.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        target.assert_serves().await;
    }

    // Well-formed, and of no sense.
    let (other, _) = ActorKey::generate().unwrap();
    let id = InvocationId::generate();
    let own = target.echo.key().clone();
    let wrong = Invocation::new(id, other.as_str(), "echo", b"");
    let far = Invocation { hops: Some(200), ..Invocation::new(id, own.as_str(), "echo", b"") };
    let unknown = Invocation::new(id, own.as_str(), "mesh:nothing", b"");
    for (call, code) in [
        (wrong, ErrorCode::BadRequest),
        (far, ErrorCode::LimitExceeded),
        (unknown, ErrorCode::BadRequest),
    ] {
        let bytes = call.encode().unwrap().into();
        let replied = target.bed.send_bytes(&target.key(), bytes, SOON).await.unwrap();
        assert_eq!(replied.outcome.unwrap_err().code, code);
    }
    target.assert_serves().await;
    assert!(target.node.terminate().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_orders_heartbeats_and_events_harm_nobody() {
    let mut target = Target::start("orders").await;
    let (lattice, nats) = (target.bed.name().clone(), target.bed.lattice().nats().clone());
    let node = target.node.key().clone();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut corpus = vectors();
    corpus.extend((0..300).map(|_| generate(&mut random, target.echo.key())));

    // To verbs that read a message, and to some that do not exist.
    let own = Subject::Control(lattice.clone(), node.clone(), ControlVerb::Prepare).to_string();
    let every = Subject::ControlAll(lattice.clone(), ControlVerb::Prepare).to_string();
    for subject in [&own, &every] {
        for bytes in &corpus {
            let replied = nats.request(subject.clone(), bytes.clone()).await.unwrap();
            let refused = Prepared::decode(&replied.payload).unwrap();
            let Prepared::Refused { error, .. } = refused else { panic!("{refused:?}") };
            assert!(!error.started);
        }
        target.assert_serves().await;
    }
    let inventory = Subject::Control(lattice.clone(), node.clone(), ControlVerb::Inventory);
    let beats = Subject::Heartbeat(lattice.clone(), node).to_string();
    let heard = target.bed.lattice().events().await.unwrap();
    for bytes in &corpus {
        let replied = nats.request(inventory.to_string(), bytes.clone()).await.unwrap();
        Inventory::decode(&replied.payload).unwrap();
        nats.publish(own.replace("prepare", "explode"), bytes.clone()).await.unwrap();
        // Nobody drains every node by one message.
        nats.publish(every.replace("prepare", "stop"), bytes.clone()).await.unwrap();
        nats.publish(beats.clone(), bytes.clone()).await.unwrap();
        let events = subjects::all_events(&lattice);
        for kind in ["node_stopped", "actor_swapped", "nothing"] {
            nats.publish(events.replace('*', kind), bytes.clone()).await.unwrap();
        }
    }
    target.assert_serves().await;
    drop(heard);
    assert!(target.node.terminate().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_a_node_speak_to_another_in_its_name() {
    let mut target = Target::start("forbidden").await;
    let lattice = target.bed.name().clone();
    let subject = Subject::Call(lattice.clone(), target.key()).to_string();
    let forbidden = [
        "mesh.x.call.MABC".to_owned(),
        format!("mesh.{lattice}.evt.node_stopped"),
        "$JS.API.STREAM.NAMES".to_owned(),
        "$SYS.REQ.SERVER.PING".to_owned(),
        "wild.*".to_owned(),
        "wild.>".to_owned(),
        "a..b".to_owned(),
        ".a".to_owned(),
        "a.".to_owned(),
    ];
    let mut heard = Vec::new();
    for listen in ["mesh.x.>", "mesh.*.evt.node_stopped", "$JS.API.STREAM.NAMES", "wild.>"] {
        heard.push(target.bed.lattice().nats().subscribe(listen).await.unwrap());
    }
    assert!(target.bed.lattice().fence().await);

    // A client that checks nothing.
    let mut raw =
        tokio::net::TcpStream::connect(("127.0.0.1", target.bed.server().port())).await.unwrap();
    raw.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").await.unwrap();
    let call = good(target.echo.key());
    for reply in &forbidden {
        for bytes in [&call[..], b"\xc1"] {
            let head = format!("PUB {subject} {reply} {}\r\n", bytes.len());
            raw.write_all(head.as_bytes()).await.unwrap();
            raw.write_all(bytes).await.unwrap();
            raw.write_all(b"\r\n").await.unwrap();
        }
    }
    wait_until("the node to have dropped every one", SOON, async || {
        let log = target.node.log().unwrap();
        log.matches("forbidden reply subject is dropped").count() == 2 * forbidden.len()
    })
    .await
    .unwrap();
    target.assert_serves().await;
    assert!(target.bed.lattice().fence().await);
    for listener in &mut heard {
        let nothing = listener.next().now_or_never();
        assert!(nothing.is_none(), "the node said {nothing:?}");
    }

    // The same call with an inbox is answered.
    raw.write_all(
        format!("SUB raw.inbox 1\r\nPUB {subject} raw.inbox {}\r\n", call.len()).as_bytes(),
    )
    .await
    .unwrap();
    raw.write_all(&call).await.unwrap();
    raw.write_all(b"\r\n").await.unwrap();
    let answered = async {
        let mut seen = Vec::new();
        loop {
            raw.readable().await.unwrap();
            let mut buffer = [0; 4096];
            match raw.try_read(&mut buffer) {
                Ok(read) => seen.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            if seen.windows(17).any(|window| window == b"payload of a call") {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), answered).await.unwrap();
}
