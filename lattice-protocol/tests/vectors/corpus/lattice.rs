//! A small lattice as a version leaves it behind: a signed module, the records around it, a durable invocation that
//! waits and one that was put aside. The end-to-end test `corpus` gives it to the nodes of today.

use std::path::Path;

use lattice_protocol::claims::{SignRequest, sign, verify};
use lattice_protocol::keys::{Actor, Issuer, KeyKind, Node, Provider};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::{Digest, LatticeName};
use lattice_protocol::record::{
    ActorLimits, ActorRecord, Isolation, Labels, LinkRecord, ProviderRecord, Record,
    RevocationRecord,
};
use lattice_protocol::subjects::{self, RegistryKey, Revoked, Subject, header};
use lattice_protocol::{Invocation, InvocationId};
use serde_json::json;
use uuid::Uuid;

use super::versions;
use crate::samples::key;

/// Answers with what it was sent.
const ECHO: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 2)
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (call $request (i32.const 0) (i32.const 1024))
    (call $response (i32.const 1024) (local.get $length))
    (i32.const 1)))"#;
/// When it was left.
const NOW_S: u64 = 1_790_000_000;

fn pair<K: KeyKind>(byte: u8) -> nkeys::KeyPair {
    nkeys::KeyPair::new_from_raw(K::PAIR, [byte; 32]).unwrap()
}

fn module() -> Vec<u8> {
    let request = SignRequest {
        issuer: &pair::<Issuer>(4),
        module: &pair::<Actor>(1),
        name: "echo",
        capabilities: vec!["mesh:keyvalue".into()],
        tags: Vec::new(),
        revision: Some(2),
        version: Some("0.1.0".into()),
        now_s: NOW_S,
        expires_s: None,
        not_before_s: None,
    };
    sign(&wat::parse_str(ECHO).unwrap(), &request).unwrap()
}

/// Returns the records: their names as files, their keys, their bytes.
fn records(module: &[u8]) -> Vec<(&'static str, RegistryKey, Vec<u8>)> {
    let (served, struck) = (key::<Actor>(1), key::<Actor>(2));
    let actor = ActorRecord {
        v: WIRE_VERSION,
        key: served.clone(),
        name: "echo".parse().unwrap(),
        revision: 2,
        digest: Digest::of(module),
        size: module.len() as u64,
        issuer: key::<Issuer>(4),
        capabilities: vec!["mesh:keyvalue".into()],
        labels: Labels::from([("zone".into(), "eu".into())]),
        limits: ActorLimits { memory_bytes: Some(1 << 25), timeout_ms: Some(5_000) },
        concurrency: Some(64),
        replicas: None,
        isolation: Isolation::Reuse,
        deployed_at_ms: NOW_S * 1_000,
        rolled_back: false,
        history: Vec::new(),
        writer: "w1".into(),
    };
    let other =
        ActorRecord { key: struck.clone(), name: "struck".parse().unwrap(), ..actor.clone() };
    let link = LinkRecord {
        v: WIRE_VERSION,
        source: served.clone(),
        contract: "mesh:keyvalue".parse().unwrap(),
        name: "default".parse().unwrap(),
        target: lattice_protocol::keys::ProviderKey::well_known("keyvalue-nats").unwrap().into(),
        config: [("bucket".to_owned(), "corpus".to_owned())].into(),
        generation: 3,
        writer: "w1".into(),
    };
    let provider = ProviderRecord {
        v: WIRE_VERSION,
        key: key::<Provider>(5),
        name: "timekeeper".into(),
        command: vec!["timer".into()],
        labels: Labels::from([("zone".into(), "eu".into())]),
        config: Default::default(),
        writer: "w1".into(),
    };
    let revoked = Revoked::Actor(struck.clone());
    let revocation = RevocationRecord {
        v: WIRE_VERSION,
        what: revoked.to_string(),
        at_ms: NOW_S * 1_000,
        why: "the seed leaked".into(),
        writer: "w1".into(),
    };
    let link_key = RegistryKey::Link(served.clone(), link.contract.clone(), link.name.clone());
    vec![
        ("actor", RegistryKey::Actor(served), actor.encode().unwrap()),
        ("struck", RegistryKey::Actor(struck), other.encode().unwrap()),
        ("link", link_key, link.encode().unwrap()),
        ("provider", RegistryKey::Provider(provider.key.clone()), provider.encode().unwrap()),
        ("revocation", RegistryKey::Revoked(revoked), revocation.encode().unwrap()),
    ]
}

pub(super) fn record(folder: &Path) {
    let folder = folder.join("lattice");
    std::fs::create_dir_all(&folder).unwrap();
    let module = module();
    std::fs::write(folder.join("module.wasm"), &module).unwrap();
    let lattice: LatticeName = "corpus".parse().unwrap();
    let mut entries = Vec::new();
    for (name, key, bytes) in records(&module) {
        let file = format!("{name}.msgpack");
        std::fs::write(folder.join(&file), bytes).unwrap();
        entries.push(json!({"key": key.to_string(), "file": file}));
    }
    let served = key::<Actor>(1);
    let id = InvocationId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));
    let durable = Invocation {
        timeout_ms: Some(5_000),
        ..Invocation::new(id, served.as_str(), "Echo", b"stored by an earlier version")
    };
    std::fs::write(folder.join("durable.msgpack"), durable.encode().unwrap()).unwrap();
    let queue = subjects::queue_stream(&lattice);
    let queued = Subject::Queue(lattice.clone(), served.clone().into()).to_string();
    let dead = [
        (header::ATTEMPTS_MAX, "5".to_owned()),
        (header::DEAD_REASON, "the card was refused".to_owned()),
        (header::DEAD_CODE, "actor_error".to_owned()),
        (header::DEAD_SUBJECT, queued.clone()),
        (header::DEAD_STREAM, queue.clone()),
        (header::DEAD_SEQUENCE, "17".to_owned()),
        (header::DEAD_ATTEMPTS, "5".to_owned()),
        (header::DEAD_ID, "order-17".to_owned()),
        (header::DEAD_OPERATION, "Echo".to_owned()),
        (header::DEAD_NODE, key::<Node>(3).to_string()),
    ];
    let tells = json!({
        "lattice": lattice.as_str(),
        "actor": served.as_str(),
        "struck": key::<Actor>(2).as_str(),
        "provider": key::<Provider>(5).as_str(),
        "registry": {"bucket": subjects::registry_bucket(&lattice), "entries": entries},
        "modules": {"bucket": subjects::modules_bucket(&lattice), "digest": Digest::of(&module).as_str()},
        "queued": {"stream": queue, "subject": queued, "headers": {"Nats-Msg-Id": "order-18", header::ATTEMPTS_MAX: "5"}},
        "dead": {
            "stream": subjects::dead_stream(&lattice),
            "subject": Subject::Dead(lattice, served.into()).to_string(),
            "headers": dead.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        },
    });
    let text = serde_json::to_string_pretty(&tells).unwrap();
    std::fs::write(folder.join("lattice.json"), text + "\n").unwrap();
}

#[test]
fn modules_that_were_signed_still_verify() {
    for (version, folder) in versions() {
        let module = std::fs::read(folder.join("lattice/module.wasm")).unwrap();
        let verified = verify(&module, NOW_S).unwrap_or_else(|error| panic!("{version}: {error}"));
        assert_eq!((verified.name(), verified.revision()), ("echo", 2), "{version}");
        assert_eq!(verified.capabilities(), ["mesh:keyvalue"], "{version}");
    }
}
