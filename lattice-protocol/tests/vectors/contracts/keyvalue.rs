//! Messages of `mesh:keyvalue`.

use lattice_protocol::contract::keyvalue::{self, Condition, ListSide};

use super::{bytes, edge, text};
use crate::edge::Edge;

/// Returns all of them.
pub fn all() -> Vec<Edge> {
    [values(), lists(), sets()].concat()
}

fn values() -> Vec<Edge> {
    let key = || "cart:7".to_owned();
    let value = || b"3 pears".to_vec();
    let plain = keyvalue::Set { key: key(), value: value(), ttl_ms: None, condition: None };
    let full =
        keyvalue::Set { ttl_ms: Some(60_000), condition: Some(Condition::Absent), ..plain.clone() };
    let present = keyvalue::Set { condition: Some(Condition::Present), ..plain.clone() };
    let swap = keyvalue::CompareAndSet {
        key: key(),
        expected: Some(bytes("2 pears")),
        value: value(),
        ttl_ms: Some(60_000),
    };
    let first = keyvalue::CompareAndSet { expected: None, ttl_ms: None, ..swap.clone() };
    let unlock = keyvalue::CompareAndDelete { key: "lock:7".into(), expected: b"me".to_vec() };
    let swapped = keyvalue::Swapped { swapped: true, current: None };
    let lost = keyvalue::Swapped { swapped: false, current: Some(bytes("9 plums")) };
    let count = keyvalue::Increment { key: "visits".into(), delta: -2 };
    let keys = keyvalue::Keys { prefix: "cart:".into(), cursor: None, limit: Some(2) };
    let next = keyvalue::Keys { cursor: text("AQ"), ..keys.clone() };
    let page = keyvalue::KeyPage { keys: vec![key(), "cart:9".into()], cursor: text("AQ") };
    let last = keyvalue::KeyPage { keys: vec![], cursor: None };
    let found = keyvalue::Value { value: Some(bytes("3 pears")) };
    let none = keyvalue::Value { value: None };
    vec![
        edge(
            "get_request",
            "a key alone, as several operations have it",
            "keyvalue.Key",
            &keyvalue::Key { key: key() },
        ),
        edge("get_response", "a value", "keyvalue.Value", &found),
        edge("get_response_absent", "the key holds nothing", "keyvalue.Value", &none),
        edge("set_request", "a value that stays", "keyvalue.Set", &plain),
        edge("set_request_full", "a value that goes, if there is none", "keyvalue.Set", &full),
        edge("set_request_present", "only in the place of another", "keyvalue.Set", &present),
        edge(
            "set_response",
            "it was written",
            "keyvalue.Written",
            &keyvalue::Written { written: true },
        ),
        edge(
            "delete_response",
            "there was something",
            "keyvalue.Existed",
            &keyvalue::Existed { existed: true },
        ),
        edge("increment_request", "a negative delta", "keyvalue.Increment", &count),
        edge("increment_response", "the sum", "keyvalue.Number", &keyvalue::Number { value: 40 }),
        edge("compare_and_set_request", "in the place of a value", "keyvalue.CompareAndSet", &swap),
        edge(
            "compare_and_set_request_absent",
            "only where there is nothing",
            "keyvalue.CompareAndSet",
            &first,
        ),
        edge("compare_and_set_response", "it was as expected", "keyvalue.Swapped", &swapped),
        edge("compare_and_set_response_other", "it was another", "keyvalue.Swapped", &lost),
        edge(
            "compare_and_delete_request",
            "a lock is given back",
            "keyvalue.CompareAndDelete",
            &unlock,
        ),
        edge("keys_request", "the first page", "keyvalue.Keys", &keys),
        edge("keys_request_next", "the page after", "keyvalue.Keys", &next),
        edge("keys_response", "others follow", "keyvalue.KeyPage", &page),
        edge("keys_response_last", "none follows", "keyvalue.KeyPage", &last),
    ]
}

fn lists() -> Vec<Edge> {
    let key = || "jobs".to_owned();
    let two = || vec![bytes("a"), bytes("b")];
    let push = keyvalue::ListPush { key: key(), values: two(), side: ListSide::Back };
    let front = keyvalue::ListPush { side: ListSide::Front, ..push.clone() };
    let pop = keyvalue::ListPop { key: key(), side: ListSide::Front, count: 2 };
    let range = keyvalue::ListRange { key: key(), start: -2, limit: Some(10) };
    let page = keyvalue::ListPage { values: two(), length: 7 };
    let remove = keyvalue::ListRemove { key: key(), value: b"a".to_vec(), count: 1 };
    vec![
        edge("list_push_request", "two values to the back", "keyvalue.ListPush", &push),
        edge("list_push_request_front", "b is then the first", "keyvalue.ListPush", &front),
        edge(
            "list_push_response",
            "the list has two now",
            "keyvalue.Length",
            &keyvalue::Length { length: 2 },
        ),
        edge("list_pop_request", "two values from the front", "keyvalue.ListPop", &pop),
        edge(
            "list_pop_response",
            "the first is the first",
            "keyvalue.Values",
            &keyvalue::Values { values: two() },
        ),
        edge("list_range_request", "the last two", "keyvalue.ListRange", &range),
        edge("list_range_response", "two of seven", "keyvalue.ListPage", &page),
        edge("list_remove_request", "the first that is equal", "keyvalue.ListRemove", &remove),
    ]
}

fn sets() -> Vec<Edge> {
    let key = || "online".to_owned();
    let two = || vec![bytes("ada"), bytes("bob")];
    let contains = keyvalue::Contains { key: key(), member: b"ada".to_vec() };
    let keys = keyvalue::SetKeys { keys: vec![key(), "admins".into()] };
    let add = keyvalue::Members { key: key(), members: two() };
    vec![
        edge("set_add_request", "two members", "keyvalue.Members", &add),
        edge("set_contains_request", "is she in", "keyvalue.Contains", &contains),
        edge("set_union_request", "of two sets", "keyvalue.SetKeys", &keys),
        edge(
            "set_union_response",
            "in any order",
            "keyvalue.MemberList",
            &keyvalue::MemberList { members: two() },
        ),
    ]
}
