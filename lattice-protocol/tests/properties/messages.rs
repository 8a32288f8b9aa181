//! Msgpack and the messages: what is encoded comes back, what is broken is refused.

use std::collections::BTreeMap;

use lattice_protocol::control::{
    Ack, ActorStates, AskActors, AskCalls, AskLink, CallsHeld, Inventory, LinkState, Prepare,
    Prepared, Providers,
};
use lattice_protocol::event::Event;
use lattice_protocol::keys::{Actor, Issuer, Key, Node, Provider};
use lattice_protocol::limits::{self, NESTING_LEVELS_MAX};
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{
    ActorLimits, ActorRecord, Isolation, LinkRecord, ProviderRecord, Record, RevocationRecord,
};
use lattice_protocol::{
    BodyRef, DecodeError, Error, ErrorCode, Invocation, InvocationId, Reply, codec,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::{contract, digest, key, link_name, target};

/// Bytes with a good chance to be msgpack: markers and short lengths more often than others.
pub fn near_msgpack() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => any::<u8>(),
        3 => select(vec![0x80, 0x81, 0x90, 0x91, 0x92, 0xa0, 0xa1, 0xc0, 0xc4, 0xc7, 0xd4, 0xd9]),
        2 => 0u8..4,
        1 => 0xc0u8..0xe0,
    ];
    vec(byte, 0..200)
}

/// Returns how many maps and arrays are nested in `value`.
fn depth(value: &rmpv::Value) -> usize {
    match value {
        rmpv::Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        rmpv::Value::Map(fields) => {
            1 + fields.iter().map(|(key, value)| depth(key).max(depth(value))).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// What a full decoder says of the same bytes.
fn reference(mut bytes: &[u8]) -> Result<(), &'static str> {
    let value =
        rmpv::decode::read_value_with_max_depth(&mut bytes, 2_000).map_err(|_| "malformed")?;
    if depth(&value) > NESTING_LEVELS_MAX {
        return Err("too deep");
    }
    if bytes.is_empty() { Ok(()) } else { Err("trailing") }
}

fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut bytes = bytes.to_vec();
    // The reference reads 0xc1 as nil.
    let checked = loop {
        match codec::check(&bytes) {
            Err(DecodeError::InvalidType { at }) => {
                prop_assert_eq!(bytes[at], 0xc1);
                bytes[at] = 0xc0;
            }
            other => break other,
        }
    };
    let expected = reference(&bytes);
    prop_assert_eq!(
        checked.is_ok(),
        expected.is_ok(),
        "{:02x?}: {:?}, {:?}",
        bytes,
        checked,
        expected
    );
    if let (Err(DecodeError::TrailingBytes { .. }), said) = (&checked, &expected) {
        prop_assert_eq!(*said, Err("trailing"));
    }
    Ok(())
}

/// Any value of msgpack, a few levels deep.
pub fn value() -> impl Strategy<Value = rmpv::Value> {
    let leaf = prop_oneof![
        Just(rmpv::Value::Nil),
        any::<bool>().prop_map(rmpv::Value::from),
        any::<i64>().prop_map(rmpv::Value::from),
        any::<f64>().prop_map(rmpv::Value::from),
        "\\PC{0,40}".prop_map(rmpv::Value::from),
        vec(any::<u8>(), 0..300).prop_map(rmpv::Value::Binary),
        (any::<i8>(), vec(any::<u8>(), 0..40))
            .prop_map(|(kind, data)| rmpv::Value::Ext(kind, data)),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(rmpv::Value::Array),
            vec((inner.clone(), inner), 0..6).prop_map(rmpv::Value::Map),
        ]
    })
}

/// Encodes a value.
pub fn packed(value: &rmpv::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).unwrap();
    bytes
}

/// Decodes `bytes` as each message there is: a panic fails the test.
fn decode_as_everything(bytes: &[u8]) {
    let _ = Invocation::decode(bytes).map(|message| message.encode().unwrap());
    let _ = Reply::decode(bytes).map(|message| message.encode().unwrap());
    let _ = codec::decode::<Error>(bytes).map(|message| message.to_string());
    let _ = ActorRecord::decode(bytes).map(|record| (record.concurrency(), record.memory_bytes()));
    let _ = LinkRecord::decode(bytes);
    let _ = ProviderRecord::decode(bytes);
    let _ = RevocationRecord::decode(bytes);
    let _ = Heartbeat::decode(bytes);
    let _ = Event::decode(bytes).map(|event| event.event_kind());
    let _ = Inventory::decode(bytes);
    let _ = Prepare::decode(bytes);
    let _ = Prepared::decode(bytes);
    let _ = Ack::decode(bytes);
    let _ = AskLink::decode(bytes);
    let _ = AskActors::decode(bytes);
    let _ = ActorStates::decode(bytes);
    let _ = LinkState::decode(bytes).map(|state| state.node().clone());
    let _ = Providers::decode(bytes);
    let _ = AskCalls::decode(bytes);
    let _ = CallsHeld::decode(bytes);
    if let Err(error) = Invocation::decode(bytes) {
        assert!(matches!(Error::from(error).code, ErrorCode::BadRequest | ErrorCode::TooLarge));
    }
}

fn body() -> impl Strategy<Value = BodyRef> {
    ("[a-z0-9-]{1,40}", digest(), 0..=limits::PAYLOAD_BYTES_MAX as u64)
        .prop_map(|(object, digest, length)| BodyRef { object, digest, length })
}

fn facts() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("\\PC{0,10}", "\\PC{0,20}", 0..4)
}

fn error() -> impl Strategy<Value = Error> {
    (select(ErrorCode::ALL), "\\PC{0,60}", facts(), any::<bool>())
        .prop_map(|(code, message, detail, started)| Error { code, message, detail, started })
}

fn actor_record() -> impl Strategy<Value = ActorRecord> {
    let limits = (option::of(any::<u64>()), option::of(any::<u32>()))
        .prop_map(|(memory_bytes, timeout_ms)| ActorLimits { memory_bytes, timeout_ms });
    let signed = (key::<Issuer>(), vec("\\PC{0,20}", 0..4), facts(), digest());
    let number = || option::of(any::<u32>());
    let chosen = (any::<bool>(), any::<bool>(), number(), number(), limits);
    (key::<Actor>(), any::<u64>(), signed, chosen).prop_map(|(key, number, signed, chosen)| {
        let (issuer, capabilities, labels, digest) = signed;
        let (reuse, rolled_back, concurrency, replicas, limits) = chosen;
        let record = ActorRecord {
            v: limits::WIRE_VERSION,
            key,
            name: "echo".parse().unwrap(),
            revision: number,
            digest,
            size: number,
            issuer,
            capabilities,
            labels,
            replicas,
            limits,
            concurrency,
            isolation: if reuse { Isolation::Reuse } else { Isolation::PerCall },
            deployed_at_ms: number,
            rolled_back,
            history: vec![],
            writer: "w".into(),
        };
        ActorRecord { history: vec![record.as_past()], ..record }
    })
}

proptest! {
    #[test]
    fn check_agrees_with_a_full_decoder(bytes in near_msgpack()) {
        agree(&bytes)?;
    }

    #[test]
    fn check_agrees_with_a_full_decoder_on_values_cut_and_changed(
        value in value(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let bytes = packed(&value);
        prop_assert_eq!(codec::check(&bytes), Ok(()));
        let at = at.index(bytes.len());
        prop_assert!(codec::check(&bytes[..at]).is_err());
        let mut changed = bytes;
        changed[at] = byte;
        agree(&changed)?;
        changed.push(byte);
        agree(&changed)?;
    }

    #[test]
    fn nesting_ends_where_it_should(
        levels in 0usize..140, maps in vec(any::<bool>(), 140), leaf in select(vec![0xc0u8, 0x90, 0x80]),
    ) {
        let mut bytes: Vec<u8> = Vec::new();
        for map in &maps[..levels] {
            // A map of nil to the next level, or an array that holds it.
            bytes.extend_from_slice(if *map { &[0x81, 0xc0] } else { &[0x91] });
        }
        bytes.push(leaf);
        let depth = levels + usize::from(leaf != 0xc0);
        let expected = if depth > NESTING_LEVELS_MAX { Err(DecodeError::TooDeep) } else { Ok(()) };
        prop_assert_eq!(codec::check(&bytes), expected);
        agree(&bytes)?;
        decode_as_everything(&bytes);
    }

    #[test]
    fn decoding_never_panics(bytes in near_msgpack(), value in value()) {
        decode_as_everything(&bytes);
        decode_as_everything(&packed(&value));
    }

    #[test]
    fn an_invocation_comes_back_as_it_was(
        id in any::<u128>(), target in target(), operation in "\\PC{1,60}", msg in vec(any::<u8>(), 0..300),
        origin in option::of(key::<Actor>()), link in option::of("[a-z]{1,9}"),
        numbers in (option::of(any::<u32>()), option::of(any::<u8>()), option::of(any::<u64>())),
        idempotent in option::of(any::<bool>()), body in option::of(body()),
        auth in option::of(vec(any::<u8>(), 0..40)),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let msg: &[u8] = if body.is_some() { &[] } else { &msg };
        let invocation = Invocation {
            origin: origin.as_ref().map(Key::as_str),
            link: link.as_deref(),
            timeout_ms: numbers.0,
            hops: numbers.1,
            idempotent,
            min_revision: numbers.2,
            body_ref: body,
            auth: auth.as_deref(),
            ..Invocation::new(InvocationId(Uuid::from_u128(id)), target.as_str(), &operation, msg)
        };
        let bytes = invocation.encode().unwrap();
        prop_assert_eq!(Invocation::decode(&bytes), Ok(invocation));
        let at = at.index(bytes.len());
        prop_assert!(Invocation::decode(&bytes[..at]).is_err());
        let mut changed = bytes;
        changed[at] = byte;
        decode_as_everything(&changed);
    }

    #[test]
    fn a_reply_comes_back_as_it_was(
        id in any::<u128>(), node in key::<Node>(), payload in vec(any::<u8>(), 0..300), error in error(),
        body in body(), revision in option::of(any::<u64>()), which in 0..3,
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let id = InvocationId(Uuid::from_u128(id));
        let reply = match which {
            0 => Reply::new(id, node.as_str(), Ok(&payload)),
            1 => Reply::new(id, node.as_str(), Err(error)),
            _ => Reply { ok: None, body_ref: Some(body), ..Reply::new(id, node.as_str(), Ok(&[])) },
        };
        let reply = Reply { revision, ..reply };
        let bytes = reply.encode().unwrap();
        prop_assert_eq!(Reply::decode(&bytes), Ok(reply));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] = byte;
        decode_as_everything(&changed);
    }

    #[test]
    fn records_come_back_as_they_were(
        actor in actor_record(), contract in contract(), name in link_name(), target in target(),
        provider in key::<Provider>(), labels in facts(), config in facts(), generation in any::<u64>(),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let v = limits::WIRE_VERSION;
        let writer = "w".to_owned();
        let link = LinkRecord {
            v, source: actor.key.clone(), contract, name, target, config: config.clone(), generation,
            writer: writer.clone(),
        };
        let provider = ProviderRecord {
            v, key: provider, name: "p".into(), command: vec!["run".into()], labels, config,
            writer: writer.clone(),
        };
        let revocation = RevocationRecord {
            v, what: actor.digest.to_string(), at_ms: generation, why: "why".into(), writer,
        };
        let bytes = actor.encode().unwrap();
        prop_assert_eq!(ActorRecord::decode(&bytes), Ok(actor));
        prop_assert_eq!(LinkRecord::decode(&link.encode().unwrap()), Ok(link));
        prop_assert_eq!(ProviderRecord::decode(&provider.encode().unwrap()), Ok(provider));
        prop_assert_eq!(RevocationRecord::decode(&revocation.encode().unwrap()), Ok(revocation));
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] = byte;
        decode_as_everything(&changed);
    }
}
