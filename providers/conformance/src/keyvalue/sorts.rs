//! A key holds one sort: to use it as another is refused, and changes nothing.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::operation::{SET_INTERSECTION, SET_UNION};
use lattice_protocol::contract::keyvalue::{Condition, ListSide};

use super::desk::{Desk, Told, items, refused, same};
use super::{Outcome, check};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "a list or a set is no value", no_value(desk)).await;
    check(report, "a value or a set is no list", no_list(desk)).await;
    check(report, "a value or a list is no set", no_set(desk)).await;
    check(report, "a union wants sets alone, wherever they stand", among_sets(desk)).await;
    check(report, "set puts a value in the place of anything", replaced(desk)).await;
    check(report, "delete, exists and keys take any sort", any(desk)).await;
}

/// Makes a key of each sort.
async fn made(desk: &Desk, name: &str) -> Result<[String; 3], String> {
    let keys = ["value", "list", "set"].map(|sort| desk.key(&format!("{name}/{sort}")));
    let [value, list, set] = &keys;
    desk.set(value, "7").await.told("set")?;
    desk.push(list, ListSide::Back, ["a", "b"]).await.told("list_push")?;
    desk.set_add(set, ["a", "b"]).await.told("set_add")?;
    Ok(keys)
}

/// Fails unless what was made is as it was.
async fn unchanged(desk: &Desk, [value, list, set]: &[String; 3]) -> Outcome {
    same("the value", desk.get(value).await.told("get")?, Some(b"7".to_vec()))?;
    let page = desk.range(list, 0, None).await.told("list_range")?;
    same("the list", page.values, items(["a", "b"]))?;
    same("the set", desk.set_members(set).await.told("set_members")?, items(["a", "b"]))
}

async fn no_value(desk: &Desk) -> Outcome {
    let keys = made(desk, "no-value").await?;
    let [_, list, set] = &keys;
    let bad = ErrorCode::BadRequest;
    for key in [list, set] {
        refused("get", desk.get(key).await, bad)?;
        refused("increment", desk.increment(key, 1).await, bad)?;
        for expected in [None, Some(&b"a"[..])] {
            let swap = desk.compare_and_set(key, expected, "v", None).await;
            refused("compare_and_set", swap, bad)?;
        }
        refused("compare_and_delete", desk.compare_and_delete(key, "a").await, bad)?;
        let absent = desk.set_for(key, "v", None, Some(Condition::Absent)).await.told("set")?;
        same("absent", absent, false)?;
    }
    unchanged(desk, &keys).await
}

async fn no_list(desk: &Desk) -> Outcome {
    let keys = made(desk, "no-list").await?;
    let [value, _, set] = &keys;
    let bad = ErrorCode::BadRequest;
    for key in [value, set] {
        refused("list_push", desk.push(key, ListSide::Back, ["v"]).await, bad)?;
        refused("list_pop", desk.pop(key, ListSide::Front, 1).await, bad)?;
        refused("list_pop of many", desk.pop(key, ListSide::Back, 1_000).await, bad)?;
        refused("list_range", desk.range(key, 0, None).await, bad)?;
        refused("list_remove", desk.list_remove(key, "a", 0).await, bad)?;
        refused("list_length", desk.list_length(key).await, bad)?;
        refused("list_clear", desk.list_clear(key).await, bad)?;
    }
    unchanged(desk, &keys).await
}

async fn no_set(desk: &Desk) -> Outcome {
    let keys = made(desk, "no-set").await?;
    let [value, list, _] = &keys;
    let bad = ErrorCode::BadRequest;
    for key in [value, list] {
        refused("set_add", desk.set_add(key, ["m"]).await, bad)?;
        refused("set_remove", desk.set_remove(key, ["a"]).await, bad)?;
        refused("set_contains", desk.set_contains(key, "a").await, bad)?;
        refused("set_members", desk.set_members(key).await, bad)?;
        for operation in [SET_UNION, SET_INTERSECTION] {
            refused(operation, desk.of_sets(operation, &[key]).await, bad)?;
        }
    }
    unchanged(desk, &keys).await
}

async fn among_sets(desk: &Desk) -> Outcome {
    let keys = made(desk, "among-sets").await?;
    let [value, list, set] = &keys;
    let none = &desk.key("among-sets/none");
    for operation in [SET_UNION, SET_INTERSECTION] {
        for keys in [[set, value], [value, set], [none, list], [list, none]] {
            let answer = desk.of_sets(operation, &keys).await;
            refused(operation, answer, ErrorCode::BadRequest)?;
        }
    }
    unchanged(desk, &keys).await
}

async fn replaced(desk: &Desk) -> Outcome {
    let keys = made(desk, "replaced").await?;
    for key in &keys {
        let present = desk.set_for(key, "v", None, Some(Condition::Present)).await.told("set")?;
        same("present", present, true)?;
        same("get", desk.get(key).await.told("get")?, Some(b"v".to_vec()))?;
        desk.delete(key).await.told("delete")?;
        // Nothing of the earlier content comes back with the sort.
        same("list", desk.list_length(key).await.told("list_length")?, 0)?;
        same("set", desk.set_members(key).await.told("set_members")?, items::<&str>([]))?;
    }
    let keys = made(desk, "replaced-always").await?;
    for key in &keys {
        same("always", desk.set(key, "w").await.told("set")?, true)?;
        same("get", desk.get(key).await.told("get")?, Some(b"w".to_vec()))?;
        same("increment", desk.set(key, "1").await.told("set")?, true)?;
        same("count", desk.increment(key, 1).await.told("increment")?, 2)?;
    }
    Ok(())
}

async fn any(desk: &Desk) -> Outcome {
    let mut keys = made(desk, "any").await?;
    let mut listed = desk.all_keys(&desk.key("any/"), None).await?;
    listed.sort();
    keys.sort();
    same("keys", listed, keys.to_vec())?;
    for key in &keys {
        same("exists", desk.exists(key).await.told("exists")?, true)?;
        same("delete", desk.delete(key).await.told("delete")?, true)?;
        same("gone", desk.exists(key).await.told("exists")?, false)?;
    }
    same("keys then", desk.all_keys(&desk.key("any/"), None).await?, Vec::new())
}
