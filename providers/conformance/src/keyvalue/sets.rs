//! Sets: members without order, each once.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::operation::{SET_INTERSECTION, SET_UNION};
use lattice_protocol::contract::limits::keyvalue as bounds;

use super::desk::{Desk, Told, items, refused, same};
use super::{Outcome, check, pack};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "a set that is not there is empty", absent(desk)).await;
    check(report, "a set has each member once, and says what was new", members(desk)).await;
    check(report, "a set without members does not exist", emptied(desk)).await;
    check(report, "members may be any bytes within their bound", bytes(desk)).await;
    check(report, "unions and intersections", combined(desk)).await;
    check(report, "a set that would grow beyond its bound stays as it was", full(desk)).await;
    check(report, "an answer with too many members is too_large", many(desk)).await;
    check(report, "an answer with too many bytes is too_large", large(desk)).await;
    check(report, "requests over their bounds are refused", wrong(desk)).await;
}

async fn absent(desk: &Desk) -> Outcome {
    let key = desk.key("set-absent");
    let none = items::<&str>([]);
    same("members", desk.set_members(&key).await.told("set_members")?, none.clone())?;
    same("contains", desk.set_contains(&key, "m").await.told("set_contains")?, false)?;
    same("remove", desk.set_remove(&key, ["m"]).await.told("set_remove")?, 0)?;
    for operation in [SET_UNION, SET_INTERSECTION] {
        let found = desk.of_sets(operation, &[&key, &key]).await.told(operation)?;
        same(operation, found, none.clone())?;
    }
    same("exists", desk.exists(&key).await.told("exists")?, false)
}

async fn members(desk: &Desk) -> Outcome {
    let key = desk.key("set-members");
    same("all new", desk.set_add(&key, ["a", "b", "a"]).await.told("set_add")?, 2)?;
    same("one new", desk.set_add(&key, ["b", "c"]).await.told("set_add")?, 1)?;
    same("none new", desk.set_add(&key, ["a", "a"]).await.told("set_add")?, 0)?;
    let found = desk.set_members(&key).await.told("set_members")?;
    same("members", found, items(["a", "b", "c"]))?;
    same("contains", desk.set_contains(&key, "b").await.told("set_contains")?, true)?;
    same("contains not", desk.set_contains(&key, "d").await.told("set_contains")?, false)?;
    let removed = desk.set_remove(&key, ["b", "b", "d"]).await.told("set_remove")?;
    same("removed", removed, 1)?;
    same("contains no more", desk.set_contains(&key, "b").await.told("set_contains")?, false)?;
    let found = desk.set_members(&key).await.told("set_members")?;
    same("members then", found, items(["a", "c"]))
}

async fn emptied(desk: &Desk) -> Outcome {
    let key = desk.key("set-emptied");
    for how in ["remove", "delete"] {
        desk.set_add(&key, ["a", "b"]).await.told("set_add")?;
        if how == "remove" {
            same(how, desk.set_remove(&key, ["a", "b"]).await.told("set_remove")?, 2)?;
        } else {
            same(how, desk.delete(&key).await.told("delete")?, true)?;
        }
        same(how, desk.exists(&key).await.told("exists")?, false)?;
        same(how, desk.all_keys(&key, None).await?, Vec::new())?;
        same(how, desk.set_add(&key, ["a"]).await.told("set_add")?, 1)?;
        same(how, desk.set_members(&key).await.told("set_members")?, items(["a"]))?;
        desk.delete(&key).await.told("delete")?;
    }
    Ok(())
}

async fn bytes(desk: &Desk) -> Outcome {
    let key = desk.key("set-bytes");
    let every: Vec<u8> = (0..=255).collect();
    let largest = vec![7; bounds::ITEM_BYTES_MAX];
    let mut members = items([&[][..], &[0], &[0, 0], &every, b"1", b"01", &largest]);
    same("add", desk.set_add(&key, &members).await.told("set_add")?, 7)?;
    members.sort();
    same("members", desk.set_members(&key).await.told("set_members")? == members, true)?;
    for member in &members {
        same("contains", desk.set_contains(&key, member).await.told("set_contains")?, true)?;
    }
    same("contains not", desk.set_contains(&key, "001").await.told("set_contains")?, false)
}

async fn combined(desk: &Desk) -> Outcome {
    let keys = ["one", "two", "three", "none"].map(|name| desk.key(&format!("set-of-{name}")));
    let [one, two, three, none] = &keys;
    desk.set_add(one, ["a", "b", "c"]).await.told("set_add")?;
    desk.set_add(two, ["b", "c", "d"]).await.told("set_add")?;
    desk.set_add(three, ["c", "e"]).await.told("set_add")?;
    for (operation, keys, wanted) in [
        (SET_UNION, &[one][..], &["a", "b", "c"][..]),
        (SET_UNION, &[one, two], &["a", "b", "c", "d"]),
        (SET_UNION, &[one, two, three, none], &["a", "b", "c", "d", "e"]),
        (SET_UNION, &[three, three], &["c", "e"]),
        (SET_INTERSECTION, &[one], &["a", "b", "c"]),
        (SET_INTERSECTION, &[one, two], &["b", "c"]),
        (SET_INTERSECTION, &[two, one, three], &["c"]),
        (SET_INTERSECTION, &[one, one], &["a", "b", "c"]),
        (SET_INTERSECTION, &[one, none], &[]),
    ] {
        let found = desk.of_sets(operation, keys).await.told(operation)?;
        same(operation, found, items(wanted))?;
    }
    let most: Vec<&String> = keys.iter().cycle().take(bounds::SETS_MAX).collect();
    let found = desk.of_sets(SET_UNION, &most).await.told(SET_UNION)?;
    same("of 64 sets", found, items(["a", "b", "c", "d", "e"]))
}

/// Fills a set with numbers.
async fn fill(desk: &Desk, key: &str, numbers: std::ops::Range<usize>) -> Outcome {
    let members: Vec<String> = numbers.map(|n| format!("{n:06}")).collect();
    for part in members.chunks(bounds::ITEMS_MAX) {
        same("added", desk.set_add(key, part).await.told("set_add")?, part.len() as u64)?;
    }
    Ok(())
}

async fn full(desk: &Desk) -> Outcome {
    let key = desk.key("set-full");
    let most = bounds::SET_MEMBERS_MAX;
    fill(desk, &key, 0..most - 1).await?;
    let two = desk.set_add(&key, ["x", "000000", "y"]).await;
    refused("two more than one", two, ErrorCode::LimitExceeded)?;
    same("it stayed", desk.set_contains(&key, "x").await.told("set_contains")?, false)?;
    same("one more", desk.set_add(&key, ["x", "000000", "x"]).await.told("set_add")?, 1)?;
    refused("beyond", desk.set_add(&key, ["y"]).await, ErrorCode::LimitExceeded)?;
    same("none new", desk.set_add(&key, ["x"]).await.told("set_add")?, 0)?;
    same("members", desk.set_members(&key).await.told("set_members")?.len(), most)?;
    same("room", desk.set_remove(&key, ["x"]).await.told("set_remove")?, 1)?;
    same("again", desk.set_add(&key, ["y"]).await.told("set_add")?, 1)
}

async fn many(desk: &Desk) -> Outcome {
    let (one, two) = (desk.key("set-many-1"), desk.key("set-many-2"));
    let most = bounds::SET_MEMBERS_MAX;
    fill(desk, &one, 0..most / 2).await?;
    fill(desk, &two, most / 2..most).await?;
    let found = desk.of_sets(SET_UNION, &[&one, &two]).await.told(SET_UNION)?;
    same("as many as fit", found.len(), most)?;
    desk.set_add(&two, ["more"]).await.told("set_add")?;
    refused("more", desk.of_sets(SET_UNION, &[&one, &two]).await, ErrorCode::TooLarge)?;
    let common = desk.of_sets(SET_INTERSECTION, &[&one, &two]).await.told(SET_INTERSECTION)?;
    same("in both", common.len(), 0)
}

async fn large(desk: &Desk) -> Outcome {
    let mut keys = Vec::new();
    // Each set fits into any store, all of them into no answer.
    for set in 0..10u8 {
        let key = desk.key(&format!("set-large-{set}"));
        let members = (0..15u8).map(|n| [vec![set, n], vec![0; 59_998]].concat());
        same("added", desk.set_add(&key, members).await.told("set_add")?, 15)?;
        keys.push(key);
    }
    let fits = keys.get(..9).unwrap_or_default();
    same("what fits", desk.of_sets(SET_UNION, fits).await.told(SET_UNION)?.len(), 135)?;
    refused("more", desk.of_sets(SET_UNION, &keys).await, ErrorCode::TooLarge)?;
    for key in &keys {
        desk.delete(key).await.told("delete")?;
    }
    Ok(())
}

async fn wrong(desk: &Desk) -> Outcome {
    let key = desk.key("set-wrong");
    let members = |members: &[Vec<u8>]| {
        pack::map(&[("key", pack::text(&key)), ("members", pack::array(members))])
    };
    let large = pack::bin(&vec![0; bounds::ITEM_BYTES_MAX + 1]);
    for operation in ["set_add", "set_remove"] {
        for (message, code) in [
            (members(&[]), ErrorCode::BadRequest),
            (members(&vec![pack::bin(b"m"); 1_001]), ErrorCode::BadRequest),
            (members(std::slice::from_ref(&large)), ErrorCode::TooLarge),
        ] {
            refused(operation, desk.link.raw(operation, message).await, code)?;
        }
    }
    let contains = pack::map(&[("key", pack::text(&key)), ("member", large)]);
    refused("a large member", desk.link.raw("set_contains", contains).await, ErrorCode::TooLarge)?;
    for operation in [SET_UNION, SET_INTERSECTION] {
        for count in [0, bounds::SETS_MAX + 1] {
            let keys = pack::map(&[("keys", pack::array(&vec![pack::text(&key); count]))]);
            refused(operation, desk.link.raw(operation, keys).await, ErrorCode::BadRequest)?;
        }
        let empty = pack::map(&[("keys", pack::array(&[pack::text(&key), pack::text("")]))]);
        refused(operation, desk.link.raw(operation, empty).await, ErrorCode::BadRequest)?;
    }
    same("nothing was added", desk.exists(&key).await.told("exists")?, false)
}
