//! `wascc:keyvalue` and `wasmcloud:keyvalue`, but for ranges.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue as kv;
use lattice_protocol::contract::{ByteBuf, Existed, Message};

use super::{K, bytes, done, first};

const K_V: &[u8] = b"\x82\xa3key\xa1k\xa5value\xa1v";
const LIST_V: &[u8] = b"\x82\xa8listName\xa1k\xa5value\xa1v";
const SET_V: &[u8] = b"\x82\xa7setName\xa1k\xa5value\xa1v";
const COUNT_3: &[u8] = b"\x82\xa8newCount\x03\xa9new_count\x03";

/// Checks what a call of `wasmcloud:keyvalue` asks for, and what becomes of the answer.
fn turns<Req, Resp>(operation: &str, payload: &[u8], asks: &(&str, Req), gets: &Resp, into: &[u8])
where
    Req: Message + PartialEq + std::fmt::Debug,
    Resp: Message,
{
    let call = first("wasmcloud:keyvalue", operation, payload).unwrap();
    assert_eq!((call.contract, call.operation), (kv::NAME, asks.0), "{operation}");
    assert_eq!(Req::decode(&call.payload).as_ref(), Ok(&asks.1), "{operation}");
    assert_eq!(done(call, gets), into, "{operation}");
}

fn key(key: &str) -> kv::Key {
    kv::Key { key: key.into() }
}

#[test]
fn values_and_counters_of_the_plain_form() {
    let held = kv::Value { value: Some(ByteBuf::from("v")) };
    turns("Get", K, &("get", key("k")), &held, b"\x82\xa5value\xa1v\xa6exists\xc3");
    let nothing = kv::Value { value: None };
    turns("Get", K, &("get", key("k")), &nothing, b"\x82\xa5value\xa0\xa6exists\xc2");
    let set = |ttl_ms| kv::Set { key: "k".into(), value: b"v".into(), ttl_ms, condition: None };
    let written = kv::Written { written: true };
    for (expires, ttl_ms) in
        [(b"\x00".as_slice(), None), (b"\xff", None), (b"\x3c", Some(60_000)), (b"", None)]
    {
        let fields = if expires.is_empty() { 0x82 } else { 0x83 };
        let name: &[u8] = if expires.is_empty() { b"" } else { b"\xa7expires" };
        let payload = [&[fields], &K_V[1..], name, expires].concat();
        turns("Set", &payload, &("set", set(ttl_ms)), &written, b"\x81\xa5value\xa1v");
    }
    let add = kv::Increment { key: "k".into(), delta: -2 };
    let sum = kv::Number { value: 40 };
    turns("Add", b"\x82\xa3key\xa1k\xa5value\xfe", &("increment", add), &sum, b"\x81\xa5value\x28");
    let existed = Existed { existed: true };
    turns("Del", K, &("delete", key("k")), &existed, K);
    turns("Clear", K, &("list_clear", key("k")), &existed, K);
    turns("KeyExists", K, &("exists", key("k")), &existed, b"\x82\xa5value\xa0\xa6exists\xc3");
}

#[test]
fn lists_and_sets_of_the_plain_form() {
    let three = kv::Length { length: 3 };
    let push = kv::ListPush { key: "k".into(), values: bytes(&["v"]), side: kv::ListSide::Back };
    turns("Push", K_V, &("list_push", push), &three, COUNT_3);
    let remove = kv::ListRemove { key: "k".into(), value: b"v".into(), count: 0 };
    turns("ListItemDelete", K_V, &("list_remove", remove), &three, COUNT_3);
    let member = || kv::Members { key: "k".into(), members: bytes(&["v"]) };
    turns("SetAdd", K_V, &("set_add", member()), &three, COUNT_3);
    turns("SetRemove", K_V, &("set_remove", member()), &three, COUNT_3);
    let members = kv::MemberList { members: bytes(&["a", "b"]) };
    let values = b"\x81\xa6values\x92\xa1a\xa1b";
    turns("SetQuery", K, &("set_members", key("k")), &members, values);
    let keys = || kv::SetKeys { keys: vec!["a".into(), "b".into()] };
    let payload = b"\x81\xa4keys\x92\xa1a\xa1b";
    turns("SetUnion", payload, &("set_union", keys()), &members, values);
    turns("SetIntersection", payload, &("set_intersection", keys()), &members, values);
}

#[test]
fn the_form_with_interfaces_has_single_values() {
    let held = kv::Value { value: Some(ByteBuf::from("v")) };
    let get = &("get", key("k"));
    turns("KeyValue.Get", b"\xa1k", get, &held, b"\x82\xa5value\xa1v\xa6exists\xc3");
    let value = b"v".to_vec();
    let set = kv::Set { key: "k".into(), value, ttl_ms: Some(1_000), condition: None };
    let payload = b"\x83\xa3key\xa1k\xa5value\xa1v\xa7expires\x01";
    turns("KeyValue.Set", payload, &("set", set), &kv::Written { written: true }, b"");
    let add = || kv::Increment { key: "k".into(), delta: 1 };
    let payload = b"\x82\xa3key\xa1k\xa5value\x01";
    let sum = kv::Number { value: 2 };
    turns("KeyValue.Increment", payload, &("increment", add()), &sum, b"\x02");
    // Some write the fields in their order, without names.
    turns("KeyValue.Increment", b"\x92\xa1k\x01", &("increment", add()), &sum, b"\x02");
    let existed = Existed { existed: true };
    for (operation, asks) in [
        ("KeyValue.Contains", "exists"),
        ("KeyValue.Del", "delete"),
        ("KeyValue.ListClear", "list_clear"),
        ("KeyValue.SetClear", "delete"),
    ] {
        turns(operation, b"\xa1k", &(asks, key("k")), &existed, b"\xc3");
    }
    let one = kv::Length { length: 1 };
    let push = kv::ListPush { key: "k".into(), values: bytes(&["v"]), side: kv::ListSide::Back };
    turns("KeyValue.ListAdd", LIST_V, &("list_push", push), &one, b"\x01");
    let remove = || kv::ListRemove { key: "k".into(), value: b"v".into(), count: 1 };
    turns("KeyValue.ListDel", LIST_V, &("list_remove", remove()), &one, b"\xc3");
    let none = kv::Length { length: 0 };
    turns("KeyValue.ListDel", LIST_V, &("list_remove", remove()), &none, b"\xc2");
    let member = || kv::Members { key: "k".into(), members: bytes(&["v"]) };
    turns("KeyValue.SetAdd", SET_V, &("set_add", member()), &one, b"\x01");
    turns("KeyValue.SetDel", SET_V, &("set_remove", member()), &one, b"\x01");
    let members = kv::MemberList { members: bytes(&["a"]) };
    turns("KeyValue.SetQuery", b"\xa1k", &("set_members", key("k")), &members, b"\x91\xa1a");
    let keys = || kv::SetKeys { keys: vec!["a".into(), "b".into()] };
    let union = &("set_union", keys());
    turns("KeyValue.SetUnion", b"\x92\xa1a\xa1b", union, &members, b"\x91\xa1a");
    let intersection = &("set_intersection", keys());
    turns("KeyValue.SetIntersection", b"\x92\xa1a\xa1b", intersection, &members, b"\x91\xa1a");
}

#[test]
fn what_an_older_message_cannot_hold_is_an_error() {
    let call = first("wascc:keyvalue", "Add", b"\x82\xa3key\xa1k\xa5value\x01").unwrap();
    let sum = kv::Number { value: i64::from(i32::MAX) + 1 };
    let error = call.answered(&sum.encode().unwrap()).unwrap_err();
    assert_eq!((error.code, error.started), (ErrorCode::BadRequest, true));
    assert!(error.message.contains("\"k\" is 2147483648 now"), "{}", error.message);
    let call = first("wascc:keyvalue", "Get", K).unwrap();
    let raw = kv::Value { value: Some(ByteBuf::from([0xff])) };
    let error = call.answered(&raw.encode().unwrap()).unwrap_err();
    assert!(error.message.contains("the value of \"k\" is not UTF-8"), "{}", error.message);
}

#[test]
fn an_answer_that_is_none_of_the_contract_is_told() {
    let call = first("wascc:keyvalue", "Get", K).unwrap();
    let error = call.answered(b"\x01").unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(error.message.starts_with("the answer of `mesh:keyvalue` to `get`"), "{error}");
}
