//! Subjects, headers, buckets, streams and registry keys: programs of two versions meet only where both look.

use std::collections::BTreeMap;
use std::path::Path;

use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{Actor, Issuer, Node, Provider};
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects::{self, ControlVerb, RegistryKey, Revoked, Subject, header};

use super::versions;
use crate::samples::key;

const FILE: &str = "names.json";

/// Returns every name of the lattice `shop`: what it is, and its text.
fn present() -> BTreeMap<String, String> {
    let lattice: LatticeName = "shop".parse().unwrap();
    let (actor, provider, node) = (key::<Actor>(1), key::<Provider>(5), key::<Node>(3));
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut subject = |what: &str, subject: Subject| {
        let text = subject.to_string();
        assert_eq!(text.parse::<Subject>(), Ok(subject), "it is read as it is written");
        names.insert(format!("subject {what}"), text);
    };
    subject("call of an actor", Subject::Call(lattice.clone(), actor.clone().into()));
    subject("call of a provider", Subject::Call(lattice.clone(), provider.clone().into()));
    subject("queue", Subject::Queue(lattice.clone(), actor.clone().into()));
    subject("dead", Subject::Dead(lattice.clone(), actor.clone().into()));
    subject("heartbeat", Subject::Heartbeat(lattice.clone(), node.clone()));
    for verb in ControlVerb::ALL {
        let what = verb.as_str();
        subject(&format!("control {what}"), Subject::Control(lattice.clone(), node.clone(), *verb));
        subject(&format!("control all {what}"), Subject::ControlAll(lattice.clone(), *verb));
    }
    for kind in EventKind::ALL {
        subject(&format!("event {}", kind.as_str()), Subject::Event(lattice.clone(), *kind));
    }
    let link = (actor.clone(), "mesh:keyvalue".parse().unwrap(), "default".parse().unwrap());
    let keys = [
        ("actor", RegistryKey::Actor(actor.clone())),
        ("link", RegistryKey::Link(link.0, link.1, link.2)),
        ("provider", RegistryKey::Provider(provider)),
        ("revoked actor", RegistryKey::Revoked(Revoked::Actor(actor.clone()))),
        ("revoked issuer", RegistryKey::Revoked(Revoked::Issuer(key::<Issuer>(4)))),
    ];
    for (what, key) in keys {
        let text = key.to_string();
        assert_eq!(text.parse::<RegistryKey>(), Ok(key), "it is read as it is written");
        names.insert(format!("registry {what}"), text);
    }
    let target = actor.into();
    let texts = [
        ("queue group", subjects::queue_group(&target)),
        ("inbox", subjects::inbox_prefix(&lattice)),
        ("registry", subjects::registry_bucket(&lattice)),
        ("modules", subjects::modules_bucket(&lattice)),
        ("bodies", subjects::bodies_bucket(&lattice)),
        ("keyvalue", subjects::keyvalue_bucket(&lattice)),
        ("timers", subjects::timers_bucket(&lattice)),
        ("queue stream", subjects::queue_stream(&lattice)),
        ("queue consumer", subjects::queue_consumer(&target)),
        ("dead stream", subjects::dead_stream(&lattice)),
        ("service", subjects::discovery_name().to_owned()),
        ("header attempts", header::ATTEMPTS_MAX.to_owned()),
        ("header dead reason", header::DEAD_REASON.to_owned()),
        ("header dead code", header::DEAD_CODE.to_owned()),
        ("header dead subject", header::DEAD_SUBJECT.to_owned()),
        ("header dead stream", header::DEAD_STREAM.to_owned()),
        ("header dead sequence", header::DEAD_SEQUENCE.to_owned()),
        ("header dead attempts", header::DEAD_ATTEMPTS.to_owned()),
        ("header dead id", header::DEAD_ID.to_owned()),
        ("header dead operation", header::DEAD_OPERATION.to_owned()),
        ("header dead node", header::DEAD_NODE.to_owned()),
        ("header traceparent", header::TRACEPARENT.to_owned()),
        ("header tracestate", header::TRACESTATE.to_owned()),
        ("header baggage", header::BAGGAGE.to_owned()),
    ];
    names.extend(texts.map(|(what, text)| (what.to_owned(), text)));
    names
}

pub(super) fn record(folder: &Path) {
    let text = serde_json::to_string_pretty(&present()).unwrap();
    std::fs::write(folder.join(FILE), text + "\n").unwrap();
}

#[test]
fn every_name_that_was_recorded_is_the_same_today() {
    let now = present();
    for (version, folder) in versions() {
        let text = std::fs::read_to_string(folder.join(FILE)).unwrap();
        let then: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
        assert!(then.len() > 40, "{version} tells few names");
        for (what, text) in then {
            assert_eq!(now.get(&what), Some(&text), "{version}: {what}");
        }
    }
}
