//! Messages that this crate would write otherwise but must read, and bytes that it must refuse.

use lattice_protocol::keys::{Actor, KeyKind};
use rmpv::Value;

use crate::fields;

/// A message: its name, what it shows, its type, its bytes.
pub type Edge = (&'static str, &'static str, &'static str, Vec<u8>);

fn target() -> String {
    nkeys::KeyPair::new_from_raw(Actor::PAIR, [1; 32]).unwrap().public_key()
}

fn id() -> Value {
    Value::Binary((0..16).collect())
}

/// Makes a map with named fields.
pub fn map(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

fn call(more: &[(&str, Value)]) -> Value {
    let mut fields = vec![("id", id()), ("target", target().into()), ("operation", "Echo".into())];
    fields.extend_from_slice(more);
    map(&fields)
}

/// Returns messages that are well formed though this crate would write them otherwise.
pub fn accepted() -> Vec<Edge> {
    let text_payload = call(&[("msg", "hello".into())]);
    let reordered = map(&[
        ("operation", "Echo".into()),
        ("msg", Value::Binary(b"hello".to_vec())),
        ("target", target().into()),
        ("id", id()),
    ]);
    let unknown = call(&[("later", map(&[("any", Value::Array(vec![1.into(), Value::Nil]))]))]);
    let nils = call(&[("origin", Value::Nil), ("timeout_ms", Value::Nil), ("auth", Value::Nil)]);
    let later_code = map(&[("code", "later".into()), ("message", "m".into())]);
    // A map16 head and a str8: longer forms than needed.
    let mut long_forms = vec![0xde, 0, 3, 0xd9, 2, b'i', b'd'];
    long_forms.extend(fields::encode(&id()));
    for text in ["target", &target(), "operation", "Echo"] {
        long_forms.extend([0xda, 0, text.len() as u8]);
        long_forms.extend(text.bytes());
    }
    vec![
        (
            "bare",
            "all that a hand-written client must send",
            "Invocation",
            fields::encode(&call(&[])),
        ),
        (
            "text_payload",
            "the payload as str, from an encoder without bin",
            "Invocation",
            fields::encode(&text_payload),
        ),
        ("reordered", "fields in any order", "Invocation", fields::encode(&reordered)),
        (
            "unknown_field",
            "a field of a later minor version is ignored",
            "Invocation",
            fields::encode(&unknown),
        ),
        ("nil_is_absent", "nil means absent", "Invocation", fields::encode(&nils)),
        ("long_forms", "lengths wider than needed", "Invocation", long_forms),
        (
            "later_code",
            "a code of a later version reads as `internal`; absent `started` as true",
            "Error",
            fields::encode(&later_code),
        ),
    ]
}

/// Returns bytes that must be refused, each with the kind of the refusal.
pub fn refused() -> Vec<(Edge, &'static str)> {
    let bare = fields::encode(&call(&[]));
    let changed = |more: &[(&str, Value)]| fields::encode(&call(more));
    let deep = (0..65).fold(Value::Nil, |inner, _| Value::Array(vec![inner]));
    let mut trailing = bare.clone();
    trailing.push(0xc0);
    let without = |name: &str| {
        let Value::Map(fields) = call(&[]) else { unreachable!() };
        fields::encode(&Value::Map(
            fields.into_iter().filter(|(key, _)| key.as_str() != Some(name)).collect(),
        ))
    };
    let with_id = |id: Value| {
        fields::encode(&map(&[
            ("id", id),
            ("target", target().into()),
            ("operation", "Echo".into()),
        ]))
    };
    let operation = |text: &str| {
        fields::encode(&map(&[
            ("id", id()),
            ("target", target().into()),
            ("operation", text.into()),
        ]))
    };
    let body = |length: u64| {
        map(&[("object", "o".into()), ("digest", "0".repeat(64).into()), ("length", length.into())])
    };
    let ok = ("ok", Value::Binary(vec![]));
    let err = ("err", map(&[("code", "busy".into())]));
    let reply = |more: &[(&str, Value)]| {
        let mut fields = vec![("id", id()), ("node", "N".into())];
        fields.extend_from_slice(more);
        fields::encode(&map(&fields))
    };
    let call_array = fields::encode(&Value::Array(vec![
        1.into(),
        id(),
        target().into(),
        "Echo".into(),
        Value::Binary(vec![]),
    ]));
    let call = "Invocation";
    let edges: Vec<(&str, &str, &str, Vec<u8>, &str)> = vec![
        ("empty", "no bytes at all", call, vec![], "truncated"),
        ("cut", "the last byte is missing", call, bare[..bare.len() - 1].to_vec(), "truncated"),
        (
            "giant_map",
            "a map of 2^32-1 entries that are not there",
            call,
            vec![0xdf, 0xff, 0xff, 0xff, 0xff],
            "truncated",
        ),
        (
            "giant_array",
            "an array of 2^32-1 values that are not there",
            call,
            vec![0xdd, 0xff, 0xff, 0xff, 0xff],
            "truncated",
        ),
        (
            "giant_bin",
            "a payload of 2^32-1 bytes that are not there",
            call,
            vec![0x81, 0xa3, b'm', b's', b'g', 0xc6, 0xff, 0xff, 0xff, 0xff],
            "truncated",
        ),
        (
            "giant_str",
            "a text of 2^32-1 bytes that are not there",
            call,
            vec![0xdb, 0xff, 0xff, 0xff, 0xff],
            "truncated",
        ),
        (
            "giant_ext",
            "an extension of 2^32-1 bytes that are not there",
            call,
            vec![0xc9, 0xff, 0xff, 0xff, 0xff, 1],
            "truncated",
        ),
        (
            "too_deep",
            "65 arrays in one another, in a field that nobody reads",
            call,
            changed(&[("x", deep)]),
            "too_deep",
        ),
        ("trailing", "a byte follows the message", call, trailing, "trailing_bytes"),
        ("twice", "two messages in one", call, [bare.clone(), bare].concat(), "trailing_bytes"),
        (
            "reserved_byte",
            "the byte that msgpack never uses",
            call,
            vec![0x81, 0xa1, b'v', 0xc1],
            "invalid_type",
        ),
        ("no_map", "a number instead of a map", call, vec![0x01], "shape"),
        ("array", "an array instead of a map with names", call, call_array, "shape"),
        ("no_id", "a field is missing", call, without("id"), "shape"),
        ("no_target", "a field is missing", call, without("target"), "shape"),
        ("no_operation", "a field is missing", call, without("operation"), "shape"),
        ("id_short", "an id of 15 bytes", call, with_id(Value::Binary(vec![0; 15])), "shape"),
        (
            "id_written",
            "an id as it is written for people",
            call,
            with_id("01900000-0000-7000-8000-000000000001".into()),
            "shape",
        ),
        ("id_array", "an id as numbers", call, with_id(Value::Array(vec![0.into(); 16])), "shape"),
        (
            "doubled",
            "a field that comes twice",
            call,
            changed(&[("operation", "Other".into())]),
            "shape",
        ),
        (
            "payload_number",
            "a payload that is no bytes",
            call,
            changed(&[("msg", 7.into())]),
            "shape",
        ),
        (
            "negative_timeout",
            "a number out of its range",
            call,
            changed(&[("timeout_ms", (-1).into())]),
            "shape",
        ),
        ("operation_empty", "an operation without a name", call, operation(""), "shape"),
        (
            "operation_control",
            "an operation with a line end in it",
            call,
            operation("Echo\n"),
            "shape",
        ),
        ("operation_long", "an operation of 257 bytes", call, operation(&"a".repeat(257)), "shape"),
        (
            "two_payloads",
            "both `msg` and `body_ref`",
            call,
            changed(&[("msg", "a".into()), ("body_ref", body(1))]),
            "shape",
        ),
        (
            "large_reference",
            "a referenced payload over the limit",
            call,
            changed(&[("body_ref", body(1 << 40))]),
            "too_large",
        ),
        (
            "later_version",
            "version 2, whatever else it holds",
            call,
            fields::encode(&map(&[("v", 2.into())])),
            "version",
        ),
        (
            "far_version",
            "a version that needs more than a byte",
            call,
            fields::encode(&map(&[("v", 70_000.into())])),
            "version",
        ),
        ("no_answer", "neither payload nor error", "Reply", reply(&[]), "shape"),
        ("two_answers", "both payload and error", "Reply", reply(&[ok, err]), "shape"),
        (
            "later_record",
            "a record of version 2",
            "ActorRecord",
            fields::encode(&map(&[("v", 2.into())])),
            "version",
        ),
        (
            "record_number",
            "a number where a key should be",
            "RevocationRecord",
            fields::encode(&map(&[("v", 1.into()), ("what", 1.into())])),
            "shape",
        ),
        (
            "later_heartbeat",
            "a heartbeat of version 2",
            "Heartbeat",
            fields::encode(&map(&[("v", 2.into())])),
            "version",
        ),
        (
            "unknown_state",
            "a state that does not exist",
            "Prepared",
            fields::encode(&map(&[("state", "asleep".into())])),
            "shape",
        ),
    ];
    edges
        .into_iter()
        .map(|(name, shows, of, bytes, error)| ((name, shows, of, bytes), error))
        .collect()
}
