//! The messages that the vectors show, as Rust values.

use std::collections::BTreeMap;

use lattice_protocol::control::{
    Ack, ActorStates, AskActors, AskCalls, AskLink, CallsHeld, Inventory, LinkState, Prepare,
    Prepared, Providers, Refusal, RefusedLink, RunningProvider, ServingBy, SupervisedProvider,
};
use lattice_protocol::event::{Event, EventKind};
use lattice_protocol::keys::{Actor, Issuer, Key, KeyKind, Node, Provider};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::Digest;
use lattice_protocol::presence::{Heartbeat, ServedActor};
use lattice_protocol::record::{
    ActorLimits, ActorRecord, Isolation, LinkRecord, PastRevision, ProviderRecord, Record,
    RevocationRecord,
};
use lattice_protocol::{BodyRef, Error, ErrorCode, Invocation, InvocationId, Reply};
use uuid::Uuid;

/// One message: its name, what it shows, its bytes.
pub type Sample = (String, &'static str, Vec<u8>);

fn ask_links() -> Vec<Sample> {
    let ask = AskLink {
        source: key::<Actor>(1),
        contract: "mesh:keyvalue".parse().unwrap(),
        name: "default".parse().unwrap(),
        target: key::<Provider>(2),
        at: 7,
    };
    vec![sample("full", "a question about a link that was just written", ask.encode().unwrap())]
}

fn ask_calls() -> Vec<Sample> {
    let inbox = "_INBOX.mesh-default.0190000000007000800000000000000a.".to_owned();
    let ask = AskCalls { inbox, calls: vec!["17".to_owned(), "21".to_owned()] };
    vec![sample("full", "who has one of two calls", ask.encode().unwrap())]
}

fn calls_held() -> Vec<Sample> {
    let none = CallsHeld { node: key::<Node>(3), held: vec![], unread: false };
    let held = CallsHeld { held: vec![1], ..none.clone() };
    let unread = CallsHeld { unread: true, ..none.clone() };
    let all = [
        ("none", "it has none of them", none),
        ("held", "it has the second one", held),
        ("unread", "it does not know yet", unread),
    ];
    all.into_iter().map(|(name, shows, told)| sample(name, shows, told.encode().unwrap())).collect()
}

fn link_states() -> Vec<Sample> {
    let node = key::<Node>(3);
    let error = Error::not_started(ErrorCode::BadRequest, "the setting url is missing");
    let states = [
        ("working", "it will say more", LinkState::Working { node: node.clone() }),
        ("ready", "it runs the link", LinkState::Ready { node: node.clone(), generation: 2 }),
        ("refused", "it does not follow the record", LinkState::Refused { node, error }),
    ];
    states
        .into_iter()
        .map(|(name, shows, state)| sample(name, shows, state.encode().unwrap()))
        .collect()
}

fn ask_actors() -> Vec<Sample> {
    let ask = AskActors { actors: vec![key::<Actor>(1), key::<Actor>(2)] };
    vec![sample("two", "a node would like to serve two actors no more", ask.encode().unwrap())]
}

fn actor_states() -> Vec<Sample> {
    let nothing =
        ActorStates { node: key::<Node>(3), serving: vec![], coming: vec![], unread: false };
    let both = ActorStates {
        serving: vec![ServingBy { key: key::<Actor>(1), at: 42 }],
        coming: vec![key::<Actor>(2)],
        ..nothing.clone()
    };
    let unread = ActorStates { unread: true, ..nothing.clone() };
    vec![
        sample("nothing", "neither of them is for this node", nothing.encode().unwrap()),
        sample("both", "one is served, the other is being loaded", both.encode().unwrap()),
        sample("unread", "a node that has just started", unread.encode().unwrap()),
    ]
}

fn providers() -> Vec<Sample> {
    let node = key::<Node>(3);
    let error = Error::not_started(ErrorCode::ProviderUnavailable, "Redis does not answer");
    let refused = RefusedLink {
        source: key::<Actor>(1),
        name: "default".parse().unwrap(),
        error: Error::not_started(ErrorCode::BadRequest, "the setting url is missing"),
    };
    let running = RunningProvider {
        key: key::<Provider>(2),
        name: "keyvalue-redis".to_owned(),
        contract: "mesh:keyvalue".parse().unwrap(),
        version: "0.1.0".to_owned(),
        description: "keys and values in Redis".to_owned(),
        links: 1,
        refused: vec![refused],
        calls: 1_000,
        in_flight: 3,
        error: Some(error),
    };
    let supervised = SupervisedProvider {
        key: key::<Provider>(2),
        name: "keyvalue-redis".to_owned(),
        pid: Some(4_711),
        process: Some(node.clone()),
        writer: "0198c0de-0000-7000-8000-000000000001".to_owned(),
        starts: 2,
        reason: Some("it was killed by signal 9".to_owned()),
    };
    let none = Providers { node: node.clone(), running: vec![], supervised: vec![] };
    let full = Providers { node, running: vec![running], supervised: vec![supervised] };
    vec![
        sample("none", "a node without providers", none.encode().unwrap()),
        sample("full", "one in this process, one as a process", full.encode().unwrap()),
    ]
}

/// Returns every vector file: name of the file, type of its messages, the messages.
pub fn all() -> Vec<(&'static str, &'static str, Vec<Sample>)> {
    vec![
        ("invocation.json", "Invocation", invocations()),
        ("reply.json", "Reply", replies()),
        ("error.json", "Error", errors()),
        ("actor_record.json", "ActorRecord", actor_records()),
        ("link_record.json", "LinkRecord", link_records()),
        ("provider_record.json", "ProviderRecord", provider_records()),
        ("revocation_record.json", "RevocationRecord", revocation_records()),
        ("heartbeat.json", "Heartbeat", heartbeats()),
        ("event.json", "Event", events()),
        ("inventory.json", "Inventory", inventories()),
        ("prepare.json", "Prepare", prepares()),
        ("prepared.json", "Prepared", prepareds()),
        ("ack.json", "Ack", acks()),
        ("ask_link.json", "AskLink", ask_links()),
        ("link_state.json", "LinkState", link_states()),
        ("providers.json", "Providers", providers()),
        ("ask_calls.json", "AskCalls", ask_calls()),
        ("calls_held.json", "CallsHeld", calls_held()),
        ("ask_actors.json", "AskActors", ask_actors()),
        ("actor_states.json", "ActorStates", actor_states()),
    ]
}

fn sample(name: &str, shows: &'static str, bytes: Vec<u8>) -> Sample {
    (name.to_owned(), shows, bytes)
}

/// Returns the key of the seed that is 32 times `byte`.
pub fn key<K: KeyKind>(byte: u8) -> Key<K> {
    nkeys::KeyPair::new_from_raw(K::PAIR, [byte; 32]).unwrap().public_key().parse().unwrap()
}

fn id() -> InvocationId {
    InvocationId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

fn body() -> BodyRef {
    BodyRef { object: "0190-body".into(), digest: Digest::of(b"body"), length: 2_000_000 }
}

fn facts<const N: usize>(facts: [(&str, &str); N]) -> BTreeMap<String, String> {
    facts.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn invocations() -> Vec<Sample> {
    let (actor, other) = (key::<Actor>(1), key::<Actor>(2));
    let plain = Invocation::new(id(), actor.as_str(), "Echo", b"hello");
    let full = Invocation {
        origin: Some(other.as_str()),
        link: Some("default"),
        timeout_ms: Some(1_500),
        hops: Some(2),
        idempotent: Some(true),
        min_revision: Some(70_000),
        auth: Some(&[0xaa; 32]),
        ..plain.clone()
    };
    let by_reference = Invocation { msg: b"", body_ref: Some(body()), ..plain.clone() };
    vec![
        sample("plain", "a call with a payload", plain.encode().unwrap()),
        sample("full", "every field that a call may have", full.encode().unwrap()),
        sample("body_ref", "the payload is in the object store", by_reference.encode().unwrap()),
    ]
}

fn replies() -> Vec<Sample> {
    let node = key::<Node>(3);
    let ok = Reply { revision: Some(7), ..Reply::new(id(), node.as_str(), Ok(b"hello")) };
    let empty = Reply::new(id(), node.as_str(), Ok(b""));
    let error = Error::not_started(ErrorCode::Busy, "all 256 places are taken");
    let err = Reply::new(id(), node.as_str(), Err(error.clone()));
    let unknown =
        Reply { id: InvocationId(Uuid::nil()), ..Reply::new(id(), node.as_str(), Err(error)) };
    let by_reference = Reply { ok: None, body_ref: Some(body()), ..ok.clone() };
    vec![
        sample("ok", "an answer with a payload", ok.encode().unwrap()),
        sample("ok_empty", "an answer without payload still has `ok`", empty.encode().unwrap()),
        sample("error", "an error of work that had not begun", err.encode().unwrap()),
        sample(
            "error_unknown_id",
            "the request was too broken to tell its id",
            unknown.encode().unwrap(),
        ),
        sample("body_ref", "the payload is in the object store", by_reference.encode().unwrap()),
    ]
}

fn errors() -> Vec<Sample> {
    let encode = |error: &Error| lattice_protocol::codec::encode(error).unwrap();
    let mut samples: Vec<Sample> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let error = Error::not_started(*code, "why");
            sample(code.as_str(), "work that had not begun", encode(&error))
        })
        .collect();
    let detailed = Error::started(ErrorCode::DeadlineExceeded, "no answer — in time")
        .with_detail("actor", "echo")
        .with_detail("waited_ms", "2000");
    samples.push(sample("detailed", "work that may have begun, with facts", encode(&detailed)));
    samples
}

fn actor_record() -> ActorRecord {
    ActorRecord {
        v: WIRE_VERSION,
        key: key::<Actor>(1),
        name: "echo".parse().unwrap(),
        revision: 2,
        digest: Digest::of(b"second"),
        size: 40_000,
        issuer: key::<Issuer>(4),
        capabilities: vec!["mesh:keyvalue".into()],
        labels: facts([("zone", "eu")]),
        limits: ActorLimits { memory_bytes: Some(1 << 25), timeout_ms: Some(500) },
        concurrency: Some(64),
        replicas: None,
        isolation: Isolation::Reuse,
        deployed_at_ms: 1_800_000_000_000,
        rolled_back: true,
        history: vec![PastRevision {
            revision: 1,
            digest: Digest::of(b"first"),
            issuer: key::<Issuer>(4),
            capabilities: vec![],
            deployed_at_ms: 1_700_000_000_000,
        }],
        writer: "w1".into(),
    }
}

fn actor_records() -> Vec<Sample> {
    let full = actor_record();
    let plain = ActorRecord {
        capabilities: vec![],
        labels: BTreeMap::new(),
        limits: ActorLimits::default(),
        concurrency: None,
        isolation: Isolation::PerCall,
        rolled_back: false,
        history: vec![],
        ..full.clone()
    };
    let two = ActorRecord { replicas: Some(2), ..plain.clone() };
    vec![
        sample("plain", "an actor with the default limits", plain.encode().unwrap()),
        sample("full", "every field but the number of nodes", full.encode().unwrap()),
        sample("replicas", "an actor that two nodes serve", two.encode().unwrap()),
    ]
}

fn link_records() -> Vec<Sample> {
    let link = LinkRecord {
        v: WIRE_VERSION,
        source: key::<Actor>(1),
        contract: "mesh:keyvalue".parse().unwrap(),
        name: "default".parse().unwrap(),
        target: key::<Provider>(5).into(),
        config: facts([("url", "redis://127.0.0.1")]),
        generation: 3,
        writer: "w1".into(),
    };
    let to_actor = LinkRecord { target: key::<Actor>(2).into(), ..link.clone() };
    vec![
        sample("provider", "the contract leads to a provider", link.encode().unwrap()),
        sample("actor", "the contract leads to another actor", to_actor.encode().unwrap()),
    ]
}

fn provider_records() -> Vec<Sample> {
    let provider = ProviderRecord {
        v: WIRE_VERSION,
        key: key::<Provider>(5),
        name: "keyvalue".into(),
        command: vec!["mesh-provider-keyvalue".into(), "--verbose".into()],
        labels: facts([("zone", "eu")]),
        config: facts([("url", "redis://127.0.0.1")]),
        writer: "w1".into(),
    };
    vec![sample("full", "every field that a record may have", provider.encode().unwrap())]
}

fn revocation_records() -> Vec<Sample> {
    let revocation = |what: String| RevocationRecord {
        v: WIRE_VERSION,
        what,
        at_ms: 1_800_000_000_000,
        why: "the seed leaked".into(),
        writer: "w1".into(),
    };
    let issuer = revocation(key::<Issuer>(4).to_string());
    let module = revocation(Digest::of(b"second").to_string());
    vec![
        sample("issuer", "every module that an issuer signed", issuer.encode().unwrap()),
        sample("module", "one module", module.encode().unwrap()),
    ]
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        v: WIRE_VERSION,
        node: key::<Node>(3),
        version: "0.1.0".into(),
        labels: facts([("zone", "eu")]),
        uptime_ms: 60_000,
        draining: false,
        in_flight: 1,
        calls: 100_000,
        actors: vec![ServedActor {
            key: key::<Actor>(1),
            revision: 2,
            digest: Digest::of(b"second"),
            in_flight: 1,
            lingering: false,
        }],
        actor_count: 1,
    }
}

fn heartbeats() -> Vec<Sample> {
    let mut lingering = heartbeat();
    lingering.actors.iter_mut().for_each(|actor| actor.lingering = true);
    vec![
        sample("serving", "a node that serves one actor", heartbeat().encode().unwrap()),
        sample(
            "lingering",
            "a node that serves it until another one does",
            lingering.encode().unwrap(),
        ),
    ]
}

fn events() -> Vec<Sample> {
    EventKind::ALL
        .iter()
        .map(|kind| {
            let event = Event {
                specversion: "1.0".into(),
                id: "0190".into(),
                source: key::<Node>(3).to_string(),
                kind: format!("mesh.{}", kind.as_str()),
                subject: key::<Actor>(1).to_string(),
                time: "2026-11-23T03:00:00Z".into(),
                data: facts([("name", "echo"), ("revision", "2")]),
            };
            sample(kind.as_str(), "an event of this kind", event.encode().unwrap())
        })
        .collect()
}

fn inventories() -> Vec<Sample> {
    let refused = Refusal {
        key: key::<Actor>(2),
        digest: Digest::of(b"bad"),
        revision: 1,
        error: Error::not_started(ErrorCode::Revoked, "the issuer was revoked"),
    };
    let inventory = Inventory { heartbeat: heartbeat(), refused: vec![refused], registry_at: None };
    let following = Inventory { registry_at: Some(42), refused: Vec::new(), ..inventory.clone() };
    vec![
        sample("refusing", "a node that refuses one module", inventory.encode().unwrap()),
        sample("following", "a node that tells what it has read", following.encode().unwrap()),
    ]
}

fn prepares() -> Vec<Sample> {
    let prepare = Prepare { record: actor_record() };
    vec![sample("full", "the record that would be written", prepare.encode().unwrap())]
}

fn prepareds() -> Vec<Sample> {
    let node = key::<Node>(3);
    let error = Error::not_started(ErrorCode::BadRequest, "the module is not signed");
    let reason = "it lacks the label zone".to_owned();
    let states = [
        ("working", "the node has begun", Prepared::Working { node: node.clone() }),
        ("ready", "the node could serve it now", Prepared::Ready { node: node.clone() }),
        ("refused", "the node refuses it", Prepared::Refused { node: node.clone(), error }),
        ("not_eligible", "the node is not asked for it", Prepared::NotEligible { node, reason }),
    ];
    states
        .into_iter()
        .map(|(name, shows, state)| sample(name, shows, state.encode().unwrap()))
        .collect()
}

fn acks() -> Vec<Sample> {
    let node = key::<Node>(3);
    let error = Some(Error::not_started(ErrorCode::Draining, "it is leaving already"));
    let plain = Ack { node: node.clone(), error: None };
    let refusing = Ack { node, error };
    vec![
        sample("plain", "the node will do it", plain.encode().unwrap()),
        sample("refusing", "the node will not do it", refusing.encode().unwrap()),
    ]
}
