//! Links with different prefixes share a store and nothing in it.

use lattice_protocol::contract::keyvalue::ListSide;
use lattice_protocol::contract::keyvalue::operation::{SET_INTERSECTION, SET_UNION};

use super::desk::{Desk, Told, items, same};
use super::values::ODD;
use super::{Outcome, check};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk, other: &Desk) {
    check(report, "nobody reads the keys of another prefix", reads(desk, other)).await;
    check(report, "nobody changes the keys of another prefix", writes(desk, other)).await;
    check(report, "nobody lists the keys of another prefix", lists(desk, other)).await;
    check(report, "no key reaches out of its prefix", tricks(desk, other)).await;
    check(report, "what the other wrote can be removed", other.tidy()).await;
}

/// The keys of each sort that somebody has.
async fn made(desk: &Desk, name: &str) -> Result<[String; 3], String> {
    let keys = ["value", "list", "set"].map(|sort| desk.key(&format!("{name}/{sort}")));
    let [value, list, set] = &keys;
    desk.set(value, "7").await.told("set")?;
    desk.push(list, ListSide::Back, ["a"]).await.told("list_push")?;
    desk.set_add(set, ["a"]).await.told("set_add")?;
    Ok(keys)
}

async fn unchanged(desk: &Desk, [value, list, set]: &[String; 3]) -> Outcome {
    same("the value", desk.get(value).await.told("get")?, Some(b"7".to_vec()))?;
    let page = desk.range(list, 0, None).await.told("list_range")?;
    same("the list", page.values, items(["a"]))?;
    same("the set", desk.set_members(set).await.told("set_members")?, items(["a"]))
}

async fn reads(desk: &Desk, other: &Desk) -> Outcome {
    let keys = made(desk, "mine").await?;
    let [value, list, set] = &keys;
    let none = items::<&str>([]);
    same("get", other.get(value).await.told("get")?, None)?;
    same("list_length", other.list_length(list).await.told("list_length")?, 0)?;
    same("list_range", other.range(list, 0, None).await.told("list_range")?.length, 0)?;
    same("set_members", other.set_members(set).await.told("set_members")?, none.clone())?;
    same("set_contains", other.set_contains(set, "a").await.told("set_contains")?, false)?;
    for operation in [SET_UNION, SET_INTERSECTION] {
        let found = other.of_sets(operation, &[set]).await.told(operation)?;
        same(operation, found, none.clone())?;
    }
    for key in &keys {
        same("exists", other.exists(key).await.told("exists")?, false)?;
    }
    Ok(())
}

async fn writes(desk: &Desk, other: &Desk) -> Outcome {
    let keys = made(desk, "kept").await?;
    let [value, list, set] = &keys;
    for key in &keys {
        same("delete", other.delete(key).await.told("delete")?, false)?;
        same("list_clear", other.list_clear(key).await.told("list_clear")?, false)?;
    }
    let popped = other.pop(list, ListSide::Front, 9).await.told("list_pop")?;
    same("list_pop", popped, items::<&str>([]))?;
    same("list_remove", other.list_remove(list, "a", 0).await.told("list_remove")?, 0)?;
    same("set_remove", other.set_remove(set, ["a"]).await.told("set_remove")?, 0)?;
    let deleted = other.compare_and_delete(value, "7").await.told("compare_and_delete")?;
    same("compare_and_delete", deleted, (false, None))?;
    same("increment", other.increment(value, 1).await.told("increment")?, 1)?;
    let swapped = other.compare_and_set(list, None, "v", None).await.told("compare_and_set")?;
    same("compare_and_set", swapped, (true, None))?;
    same("list_push", other.push(set, ListSide::Back, ["b"]).await.told("list_push")?, 1)?;
    unchanged(desk, &keys).await?;
    for key in &keys {
        same("delete of its own", other.delete(key).await.told("delete")?, true)?;
    }
    unchanged(desk, &keys).await
}

async fn lists(desk: &Desk, other: &Desk) -> Outcome {
    made(desk, "listed").await?;
    other.set(&desk.key("listed/other"), "v").await.told("set")?;
    same(
        "keys",
        other.all_keys(&desk.key("listed/"), None).await?,
        vec![desk.key("listed/other")],
    )?;
    let mine = desk.all_keys(&desk.key("listed/"), None).await?;
    same("mine", mine.contains(&desk.key("listed/other")), false)?;
    // All that the other has: none of it is of this run, but what it wrote itself.
    let all = other.all_keys("", Some(1_000)).await?;
    let strange: Vec<_> = all.into_iter().filter(|key| key.contains("listed/value")).collect();
    let strange: Vec<_> = strange.into_iter().filter(|key| key.contains(desk.run())).collect();
    same("strange keys", strange, Vec::new())
}

async fn tricks(desk: &Desk, other: &Desk) -> Outcome {
    let run = desk.run();
    let mut keys: Vec<String> = ODD.iter().map(|odd| format!("{odd}{run}")).collect();
    keys.extend(ODD.iter().map(|odd| format!("{odd}{odd}{run}{odd}")));
    for key in &keys {
        desk.set(key, "mine").await.told(key)?;
    }
    for key in &keys {
        same(key, other.get(key).await.told(key)?, None)?;
        same(key, other.set(key, "theirs").await.told(key)?, true)?;
    }
    for key in &keys {
        same(key, desk.get(key).await.told(key)?, Some(b"mine".to_vec()))?;
    }
    for key in &keys {
        same(key, other.delete(key).await.told(key)?, true)?;
        same(key, desk.delete(key).await.told(key)?, true)?;
    }
    for odd in ODD {
        let found = other.all_keys(odd, Some(1_000)).await?;
        same(odd, found.iter().filter(|key| key.contains(&desk.prefix())).count(), 0)?;
    }
    Ok(())
}
