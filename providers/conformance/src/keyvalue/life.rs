//! Values that live for a time: there until it is over, gone at most a second later.

use std::time::{Duration, Instant};

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::{Condition, ListSide};
use lattice_protocol::contract::limits::keyvalue as limits;

use super::desk::{Desk, Told, items, refused, same};
use super::{Outcome, check, pack};
use crate::Report;

/// The life that most checks give.
const LIFE_MS: u64 = 400;
/// How much longer a store may keep a value.
const GRACE_MS: u64 = 1_000;
/// Pause between two looks at a value.
const LOOK_PAUSE_MS: u64 = 10;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "a value is gone after its life, and not before", gone(desk)).await;
    check(report, "a value may live for 1 ms or for ten years", ends(desk)).await;
    check(report, "increment leaves a life as it was", counted(desk)).await;
    check(report, "a write without a life ends the earlier one", ended(desk)).await;
    check(report, "what is over is nothing to every operation", over(desk)).await;
    check(report, "a life beyond its bounds is refused", bounds(desk)).await;
}

/// Waits for a value to go; fails where that is before `life_ms` from `from` on, or long after it.
async fn goes(desk: &Desk, key: &str, from: Instant, life_ms: u64) -> Outcome {
    let written = Instant::now();
    loop {
        let asked = Instant::now();
        let held = desk.exists(key).await.told("exists")?;
        if !held {
            // Stores count whole milliseconds.
            let early = from.elapsed() + Duration::from_millis(1) < Duration::from_millis(life_ms);
            return same("it went before its life was over", early, false);
        }
        if asked.duration_since(written) > Duration::from_millis(life_ms + GRACE_MS) {
            return Err(format!("{key} is there {} ms after its end", GRACE_MS));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_PAUSE_MS)).await;
    }
}

async fn gone(desk: &Desk) -> Outcome {
    let (set, swap) = (desk.key("life-set"), desk.key("life-swap"));
    let from = Instant::now();
    desk.set_for(&set, "v", Some(LIFE_MS), None).await.told("set")?;
    let swapped = desk.compare_and_set(&swap, None, "v", Some(LIFE_MS)).await;
    same("swapped", swapped.told("compare_and_set")?, (true, None))?;
    for key in [&set, &swap] {
        goes(desk, key, from, LIFE_MS).await?;
        same("get", desk.get(key).await.told("get")?, None)?;
    }
    Ok(())
}

async fn ends(desk: &Desk) -> Outcome {
    let (short, long) = (desk.key("life-short"), desk.key("life-long"));
    let from = Instant::now();
    desk.set_for(&short, "v", Some(1), None).await.told("set")?;
    desk.set_for(&long, "v", Some(limits::TTL_MAX_MS), None).await.told("set")?;
    goes(desk, &short, from, 1).await?;
    same("the long one", desk.get(&long).await.told("get")?, Some(b"v".to_vec()))
}

async fn counted(desk: &Desk) -> Outcome {
    let key = desk.key("life-counter");
    let from = Instant::now();
    desk.set_for(&key, "1", Some(LIFE_MS), None).await.told("set")?;
    same("increment", desk.increment(&key, 1).await.told("increment")?, 2)?;
    goes(desk, &key, from, LIFE_MS).await?;
    same("anew", desk.increment(&key, 1).await.told("increment")?, 1)
}

async fn ended(desk: &Desk) -> Outcome {
    let (set, swap, list) = (desk.key("stay-set"), desk.key("stay-swap"), desk.key("stay-list"));
    let other = desk.key("stay-not");
    for key in [&set, &swap, &list] {
        desk.set_for(key, "v", Some(LIFE_MS), None).await.told("set")?;
    }
    desk.set(&set, "w").await.told("set")?;
    let swapped = desk.compare_and_set(&swap, Some(b"v"), "w", None).await;
    same("swapped", swapped.told("compare_and_set")?, (true, None))?;
    desk.delete(&list).await.told("delete")?;
    desk.push(&list, ListSide::Back, ["w"]).await.told("list_push")?;
    // One that is written last and does go tells that the time of the others is over.
    let from = Instant::now();
    desk.set_for(&other, "v", Some(LIFE_MS + GRACE_MS), None).await.told("set")?;
    goes(desk, &other, from, LIFE_MS + GRACE_MS).await?;
    for key in [&set, &swap] {
        same(key, desk.get(key).await.told("get")?, Some(b"w".to_vec()))?;
    }
    same("the list", desk.list_length(&list).await.told("list_length")?, 1)
}

async fn over(desk: &Desk) -> Outcome {
    let names = ["set", "swap", "delete", "count", "list", "members", "read", "taken"];
    let keys = names.map(|name| desk.key(&format!("over/{name}")));
    let from = Instant::now();
    for key in &keys {
        desk.set_for(key, "7", Some(LIFE_MS), None).await.told("set")?;
    }
    for key in &keys {
        goes(desk, key, from, LIFE_MS).await?;
    }
    let listed = desk.all_keys(&desk.key("over/"), None).await?;
    same("keys", listed, Vec::new())?;
    let [set, swap, delete, count, list, members, read, taken] = &keys;
    let present = desk.set_for(set, "v", None, Some(Condition::Present)).await.told("set")?;
    same("present", present, false)?;
    let absent = desk.set_for(set, "v", None, Some(Condition::Absent)).await.told("set")?;
    same("absent", absent, true)?;
    let swapped = desk.compare_and_set(swap, Some(b"7"), "v", None).await;
    same("compare_and_set", swapped.told("compare_and_set")?, (false, None))?;
    let deleted = desk.compare_and_delete(delete, "7").await.told("compare_and_delete")?;
    same("compare_and_delete", deleted, (false, None))?;
    same("delete", desk.delete(delete).await.told("delete")?, false)?;
    same("increment", desk.increment(count, 1).await.told("increment")?, 1)?;
    same("list_push", desk.push(list, ListSide::Back, ["v"]).await.told("list_push")?, 1)?;
    same("set_add", desk.set_add(members, ["v"]).await.told("set_add")?, 1)?;
    same("list_range", desk.range(read, 0, None).await.told("list_range")?.length, 0)?;
    same("set_members", desk.set_members(read).await.told("set_members")?, items::<&str>([]))?;
    same("list_clear", desk.list_clear(taken).await.told("list_clear")?, false)?;
    // What was written in their place has no end.
    let from = Instant::now();
    desk.set_for(read, "v", Some(LIFE_MS), None).await.told("set")?;
    goes(desk, read, from, LIFE_MS).await?;
    same("the value", desk.get(set).await.told("get")?, Some(b"v".to_vec()))?;
    same("the counter", desk.get(count).await.told("get")?, Some(b"1".to_vec()))?;
    same("the list", desk.list_length(list).await.told("list_length")?, 1)
}

async fn bounds(desk: &Desk) -> Outcome {
    let key = desk.key("life-bounds");
    for life in [0, limits::TTL_MAX_MS + 1, u64::MAX] {
        for operation in ["set", "compare_and_set"] {
            let message = pack::map(&[
                ("key", pack::text(&key)),
                ("value", pack::bin(b"v")),
                ("ttl_ms", pack::number(life)),
            ]);
            refused(operation, desk.link.raw(operation, message).await, ErrorCode::BadRequest)?;
        }
    }
    same("nothing was written", desk.exists(&key).await.told("exists")?, false)
}
