//! Messages that the contract does not allow, and keys that hold another sort.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Message;
use lattice_protocol::contract::keyvalue::{
    Increment, Key, Keys, ListPop, ListPush, ListSide, Members, Set, SetKeys, operation,
};
use lattice_protocol::contract::limits::keyvalue as limits;

use super::store::{Store, items};
use crate::Report;
use crate::checks::{fails, refused, same};

const BAD: &[ErrorCode] = &[ErrorCode::BadRequest];
const LARGE: &[ErrorCode] = &[ErrorCode::TooLarge];

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a key of another sort is refused", sorts(store)).await;
    report.check("the largest value fits", largest(store)).await;
    report.check("what exceeds its bound is refused", bounds(store)).await;
    report.check("messages that are none are refused", malformed(store)).await;
    report.check("an unknown operation is refused", unknown(store)).await;
}

async fn sorts(store: &Store) -> Result<(), String> {
    store.set("a-value", b"1").await?;
    store.push("a-list", &["1"], ListSide::Back).await?;
    store.add("a-set", &["1"]).await?;
    let link = &store.link;
    for (name, operations) in [
        ("a-value", &[operation::LIST_LENGTH, operation::LIST_CLEAR, operation::SET_MEMBERS][..]),
        ("a-list", &[operation::GET, operation::SET_MEMBERS]),
        ("a-set", &[operation::GET, operation::LIST_LENGTH, operation::LIST_CLEAR]),
    ] {
        for operation in operations {
            refused(link, operation, &store.of(name), BAD).await?;
        }
    }
    let count = Increment { key: store.key("a-list"), delta: 1 };
    refused(link, operation::INCREMENT, &count, BAD).await?;
    let (values, side) = (items(&["x"]), ListSide::Back);
    let push = ListPush { key: store.key("a-set"), values, side };
    refused(link, operation::LIST_PUSH, &push, BAD).await?;
    let add = Members { key: store.key("a-value"), members: items(&["x"]) };
    refused(link, operation::SET_ADD, &add, BAD).await?;
    // Whatever a key holds can be replaced by a value, looked for, and removed.
    store.set("a-list", b"now a value").await?;
    store.holds("a-list", Some(b"now a value")).await?;
    same("whether a set is there", store.exists("a-set").await?, true)?;
    same("whether a set was there", store.delete("a-set").await?, true)
}

async fn largest(store: &Store) -> Result<(), String> {
    let value = vec![0xa5; limits::VALUE_BYTES_MAX];
    store.set("largest", &value).await?;
    let found = store.get("largest").await?;
    same("whether it came back", found.as_deref() == Some(&value[..]), true)?;
    same("whether it was there", store.delete("largest").await?, true)
}

fn set(key: String, size: usize, ttl_ms: Option<u64>) -> Set {
    Set { key, value: vec![0; size], ttl_ms, condition: None }
}

async fn bounds(store: &Store) -> Result<(), String> {
    let link = &store.link;
    let key = || store.key("bounds");
    refused(link, operation::SET, &set(key(), limits::VALUE_BYTES_MAX + 1, None), LARGE).await?;
    for ttl_ms in [0, limits::TTL_MAX_MS + 1] {
        refused(link, operation::SET, &set(key(), 1, Some(ttl_ms)), BAD).await?;
    }
    let long = Key { key: "k".repeat(limits::KEY_BYTES_MAX + 1) };
    refused(link, operation::GET, &long, LARGE).await?;
    for wrong in ["", "a\nb", "\0"] {
        refused(link, operation::GET, &Key { key: wrong.to_owned() }, BAD).await?;
    }
    let none = ListPush { key: key(), values: vec![], side: ListSide::Back };
    refused(link, operation::LIST_PUSH, &none, BAD).await?;
    let large = "x".repeat(limits::ITEM_BYTES_MAX + 1);
    let push = ListPush { key: key(), values: items(&[&large]), side: ListSide::Back };
    refused(link, operation::LIST_PUSH, &push, LARGE).await?;
    for count in [0, 1_001] {
        let pop = ListPop { key: key(), side: ListSide::Front, count };
        refused(link, operation::LIST_POP, &pop, BAD).await?;
    }
    refused(link, operation::SET_UNION, &SetKeys { keys: vec![] }, BAD).await?;
    let many = SetKeys { keys: vec!["k".to_owned(); limits::SETS_MAX + 1] };
    refused(link, operation::SET_UNION, &many, BAD).await?;
    let cursor =
        Keys { prefix: String::new(), cursor: Some("of no page\u{fc}".into()), limit: None };
    refused(link, operation::KEYS, &cursor, BAD).await
}

async fn malformed(store: &Store) -> Result<(), String> {
    let whole = store.of("malformed").encode().map_err(|error| error.to_string())?;
    let cut = whole.get(..whole.len() - 1).unwrap_or_default().to_vec();
    let more = [&whole[..], b"\x00"].concat();
    for message in
        [b"".to_vec(), b"\xc1".to_vec(), b"\x90".to_vec(), b"\x81\xa3key\x07".to_vec(), cut, more]
    {
        let shown = format!("a get of {message:02x?}");
        fails(&shown, store.link.raw(operation::GET, message).await, BAD)?;
    }
    Ok(())
}

async fn unknown(store: &Store) -> Result<(), String> {
    for operation in ["", "GET", "fetch", "get ", "handle"] {
        let outcome = store.link.raw(operation, b"\x80".to_vec()).await;
        fails(&format!("{operation:?}"), outcome, BAD)?;
    }
    Ok(())
}
