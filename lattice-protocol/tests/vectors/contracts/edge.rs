//! Messages of the contracts that this crate would write otherwise but must read, and bytes that it
//! must refuse.

use rmpv::Value;

use crate::edge::{Edge, map};
use crate::fields;

/// Returns messages that are well formed though this crate would write them otherwise.
pub fn accepted() -> Vec<Edge> {
    let header = |value: Value| Value::Array(vec![Value::Array(vec!["accept".into(), value])]);
    let asks = |headers: Value, later: Value| {
        fields::encode(&map(&[
            ("method", "GET".into()),
            ("path", "/".into()),
            ("headers", headers),
            ("later", later),
        ]))
    };
    let set = map(&[("key", "k".into()), ("value", "v".into()), ("ttl_ms", Value::Nil)]);
    vec![
        (
            "contract_text_header",
            "a header's value as str, and a field of a later version",
            "http.Request",
            asks(header("*/*".into()), 1.into()),
        ),
        (
            "contract_text_value",
            "a value as str, from an encoder without bin; nil is absent",
            "keyvalue.Set",
            fields::encode(&set),
        ),
        (
            "contract_defaults",
            "what is absent takes its default",
            "keyvalue.Increment",
            fields::encode(&map(&[("key", "k".into())])),
        ),
        (
            "contract_nil",
            "nil is a message without fields",
            "messaging.Acknowledgement",
            fields::encode(&Value::Nil),
        ),
    ]
}

/// Returns bytes that must be refused, each with the kind of the refusal.
pub fn refused() -> Vec<(Edge, &'static str)> {
    let encode = |fields: &[(&str, Value)]| fields::encode(&map(fields));
    let key = |key: String| encode(&[("key", key.into())]);
    let line_end = Value::Array(vec![Value::Array(vec!["a".into(), "b\r\nc: d".into()])]);
    let response = encode(&[("headers", line_end)]);
    let array = fields::encode(&Value::Array(vec!["k".into()]));
    let blob = encode(&[("container", "photos".into()), ("name", "../secret".into())]);
    let subject = encode(&[("subject", "mesh.default.call.M".into())]);
    let members = vec![Value::from("m"); 1_001];
    let many = encode(&[("key", "k".into()), ("members", Value::Array(members))]);
    vec![
        (("contract_no_key", "a field is missing", "keyvalue.Key", vec![0x80]), "shape"),
        (
            ("contract_array", "an array instead of a map with names", "keyvalue.Key", array),
            "shape",
        ),
        (
            ("contract_empty_key", "a key without a name", "keyvalue.Key", key(String::new())),
            "shape",
        ),
        (
            ("contract_long_key", "a key of 513 bytes", "keyvalue.Key", key("k".repeat(513))),
            "too_large",
        ),
        (
            ("contract_many_members", "1,001 members in one request", "keyvalue.Members", many),
            "shape",
        ),
        (
            ("contract_header_line_end", "a header that would be two", "http.Response", response),
            "shape",
        ),
        (
            (
                "contract_status",
                "a status that is no final one",
                "http.Response",
                encode(&[("status", 101.into())]),
            ),
            "shape",
        ),
        (
            (
                "contract_path_of_dots",
                "a name that leads out of its container",
                "blobstore.Blob",
                blob,
            ),
            "shape",
        ),
        (
            (
                "contract_subject_of_the_mesh",
                "a message to an actor's own subject",
                "messaging.Message",
                subject,
            ),
            "shape",
        ),
        (
            (
                "contract_verdict",
                "a verdict that does not exist",
                "messaging.Acknowledgement",
                encode(&[("verdict", "maybe".into())]),
            ),
            "shape",
        ),
    ]
}
