//! Lists: in order, from either end.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::{ListPop, ListSide, Values, operation};
use lattice_protocol::contract::limits::{self, keyvalue as bounds};

use super::desk::{Desk, Told, items, refused, same};
use super::{Outcome, check, pack};
use crate::Report;

use ListSide::{Back, Front};

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "a list that is not there is empty", absent(desk)).await;
    check(report, "a list keeps the order of its pushes", order(desk)).await;
    check(report, "by default a list is a queue", queue(desk)).await;
    check(report, "pops take in order, as many as there are", pops(desk)).await;
    check(report, "a list without values does not exist", emptied(desk)).await;
    check(report, "a list is read in pages from any index", ranges(desk)).await;
    check(report, "list_remove takes equal values from the front on", removes(desk)).await;
    check(report, "a list is whole after values were removed from its middle", gaps(desk)).await;
    check(report, "values of a list may be any bytes within their bound", bytes(desk)).await;
    check(report, "an answer takes no more values than it has room for", room(desk)).await;
    check(report, "a push over its bounds is refused", wrong(desk)).await;
}

async fn absent(desk: &Desk) -> Outcome {
    let key = desk.key("list-absent");
    same("length", desk.list_length(&key).await.told("list_length")?, 0)?;
    same("pop", desk.pop(&key, Front, 5).await.told("list_pop")?, items::<&str>([]))?;
    let page = desk.range(&key, 0, None).await.told("list_range")?;
    same("range", (page.values.len(), page.length), (0, 0))?;
    same("remove", desk.list_remove(&key, "v", 0).await.told("list_remove")?, 0)?;
    same("clear", desk.list_clear(&key).await.told("list_clear")?, false)?;
    same("exists", desk.exists(&key).await.told("exists")?, false)
}

/// Reads a list that fits into one page.
async fn all(desk: &Desk, key: &str) -> Result<Vec<ByteBuf>, String> {
    let page = desk.range(key, 0, Some(limits::PAGE_ENTRIES_MAX)).await.told("list_range")?;
    same("length of the page", page.values.len() as u64, page.length)?;
    Ok(page.values)
}

async fn order(desk: &Desk) -> Outcome {
    let key = desk.key("list-order");
    same("back", desk.push(&key, Back, ["c", "d"]).await.told("list_push")?, 2)?;
    same("front", desk.push(&key, Front, ["b", "a"]).await.told("list_push")?, 4)?;
    same("twice", desk.push(&key, Back, ["d"]).await.told("list_push")?, 5)?;
    same("all", all(desk, &key).await?, items(["a", "b", "c", "d", "d"]))?;
    same("length", desk.list_length(&key).await.told("list_length")?, 5)?;
    same("exists", desk.exists(&key).await.told("exists")?, true)
}

async fn queue(desk: &Desk) -> Outcome {
    let key = desk.key("list-queue");
    for value in ["1", "2", "3"] {
        let values = pack::array(&[pack::bin(value.as_bytes())]);
        let push = pack::map(&[("key", pack::text(&key)), ("values", values)]);
        desk.link.raw("list_push", push).await.told("list_push")?;
    }
    let pop = pack::map(&[("key", pack::text(&key))]);
    desk.link.raw("list_pop", pop).await.told("list_pop")?;
    same("what is left", all(desk, &key).await?, items(["2", "3"]))?;
    let read = pack::map(&[("key", pack::text(&key))]);
    desk.link.raw("list_range", read).await.told("list_range")?;
    let remove = pack::map(&[("key", pack::text(&key)), ("value", pack::bin(b"2"))]);
    desk.link.raw("list_remove", remove).await.told("list_remove")?;
    same("what is left then", all(desk, &key).await?, items(["3"]))
}

async fn pops(desk: &Desk) -> Outcome {
    let key = desk.key("list-pops");
    desk.push(&key, Back, ["a", "b", "c", "d", "e", "f"]).await.told("list_push")?;
    let pop = async |side, count| desk.pop(&key, side, count).await.told("list_pop");
    same("front", pop(Front, 1).await?, items(["a"]))?;
    same("back", pop(Back, 1).await?, items(["f"]))?;
    same("several of the back", pop(Back, 2).await?, items(["e", "d"]))?;
    same("more than there are", pop(Front, 1_000).await?, items(["b", "c"]))?;
    same("of nothing", pop(Front, 1).await?, items::<&str>([]))?;
    for count in [0, 1_001] {
        let pop = ListPop { key: key.clone(), side: Front, count };
        let answer = desk.link.ask::<Values>(operation::LIST_POP, &pop).await;
        refused("a count beyond its bounds", answer, ErrorCode::BadRequest)?;
    }
    Ok(())
}

async fn emptied(desk: &Desk) -> Outcome {
    let key = desk.key("list-emptied");
    for how in ["pop", "remove", "clear", "delete"] {
        desk.push(&key, Back, ["v", "v"]).await.told("list_push")?;
        match how {
            "pop" => same(how, desk.pop(&key, Back, 2).await.told(how)?.len(), 2)?,
            "remove" => same(how, desk.list_remove(&key, "v", 0).await.told(how)?, 2)?,
            "clear" => same(how, desk.list_clear(&key).await.told(how)?, true)?,
            _ => same(how, desk.delete(&key).await.told(how)?, true)?,
        }
        same(how, desk.exists(&key).await.told("exists")?, false)?;
        same(how, desk.all_keys(&key, None).await?, Vec::new())?;
        // Nothing of it is in the way of another sort, or comes back.
        same(how, desk.set_add(&key, ["m"]).await.told("set_add")?, 1)?;
        same(how, desk.delete(&key).await.told("delete")?, true)?;
        same(how, desk.push(&key, Front, ["w"]).await.told("list_push")?, 1)?;
        same(how, all(desk, &key).await?, items(["w"]))?;
        desk.delete(&key).await.told("delete")?;
    }
    Ok(())
}

async fn ranges(desk: &Desk) -> Outcome {
    let key = desk.key("list-ranges");
    let values: Vec<String> = (0..1_200).map(|n| n.to_string()).collect();
    for part in values.chunks(bounds::ITEMS_MAX) {
        desk.push(&key, Back, part).await.told("list_push")?;
    }
    let length = values.len();
    for (start, limit, first, count) in [
        (0, None, 0, 100),
        (0, Some(0), 0, 100),
        (0, Some(5_000), 0, 1_000),
        (7, Some(3), 7, 3),
        (1_198, Some(10), 1_198, 2),
        (1_200, None, 0, 0),
        (i64::MAX, None, 0, 0),
        (-1, None, 1_199, 1),
        (-3, Some(2), 1_197, 2),
        (-1_200, Some(1), 0, 1),
        (-1_201, Some(1), 0, 1),
        (i64::MIN, Some(1), 0, 1),
    ] {
        let page = desk.range(&key, start, limit).await.told("list_range")?;
        let wanted = values.iter().skip(first).take(count);
        same(&format!("from {start}"), page.values, items(wanted))?;
        same("length", page.length, length as u64)?;
    }
    let mut read = Vec::new();
    while read.len() < length {
        let page = desk.range(&key, read.len() as i64, Some(250)).await.told("list_range")?;
        same("a page", page.values.is_empty(), false)?;
        read.extend(page.values);
    }
    same("all pages", read, items(&values))
}

async fn removes(desk: &Desk) -> Outcome {
    let key = desk.key("list-removes");
    desk.push(&key, Back, ["x", "a", "x", "b", "x", "x"]).await.told("list_push")?;
    let remove =
        async |value, count| desk.list_remove(&key, value, count).await.told("list_remove");
    same("none", remove("y", 0).await?, 0)?;
    same("two", remove("x", 2).await?, 2)?;
    same("of the front", all(desk, &key).await?, items(["a", "b", "x", "x"]))?;
    same("more than there are", remove("b", 9).await?, 1)?;
    same("all", remove("x", 0).await?, 2)?;
    same("the rest", all(desk, &key).await?, items(["a"]))
}

async fn gaps(desk: &Desk) -> Outcome {
    let key = desk.key("list-gaps");
    desk.push(&key, Back, ["x", "a", "x", "b", "x", "c", "x"]).await.told("list_push")?;
    same("removed", desk.list_remove(&key, "x", 0).await.told("list_remove")?, 4)?;
    desk.push(&key, Back, ["d"]).await.told("list_push")?;
    desk.push(&key, Front, ["z"]).await.told("list_push")?;
    same("all", all(desk, &key).await?, items(["z", "a", "b", "c", "d"]))?;
    let page = desk.range(&key, -2, Some(1)).await.told("list_range")?;
    same("from the back", (page.values, page.length), (items(["c"]), 5))?;
    let page = desk.range(&key, 2, Some(2)).await.told("list_range")?;
    same("from the middle", page.values, items(["b", "c"]))?;
    same("back", desk.pop(&key, Back, 2).await.told("list_pop")?, items(["d", "c"]))?;
    same("front", desk.pop(&key, Front, 2).await.told("list_pop")?, items(["z", "a"]))?;
    same("length", desk.list_length(&key).await.told("list_length")?, 1)
}

async fn bytes(desk: &Desk) -> Outcome {
    let key = desk.key("list-bytes");
    let every: Vec<u8> = (0..=255).collect();
    let largest = vec![7; bounds::ITEM_BYTES_MAX];
    let values = items([&[][..], &[0], &every, b"\r\n", &largest]);
    desk.push(&key, Back, &values).await.told("list_push")?;
    same("all", all(desk, &key).await? == values, true)?;
    same("remove", desk.list_remove(&key, "", 0).await.told("list_remove")?, 1)?;
    same("pop", desk.pop(&key, Back, 1).await.told("list_pop")? == items([&largest]), true)?;
    desk.delete(&key).await.told("delete").map(drop)
}

/// Fills a list beyond what one answer has room for, if the store grants that much, and empties it.
async fn room(desk: &Desk) -> Outcome {
    let key = desk.key("list-room");
    let value = vec![1; bounds::ITEM_BYTES_MAX];
    let fit = bounds::ITEMS_BYTES_MAX / bounds::ITEM_BYTES_MAX;
    let mut length = 0;
    for _ in 0..fit / 10 + 1 {
        match desk.push(&key, Back, vec![&value; 10]).await {
            Ok(now) => length = now,
            Err(error) => {
                refused::<()>("a push into a full list", Err(error), ErrorCode::LimitExceeded)?;
                break;
            }
        }
    }
    same("length", desk.list_length(&key).await.told("list_length")?, length)?;
    let wanted = usize::try_from(length).unwrap_or_default().min(fit);
    let page = desk.range(&key, 0, Some(1_000)).await.told("list_range")?;
    same("range", (page.values.len(), page.length), (wanted, length))?;
    let popped = desk.pop(&key, Front, 1_000).await.told("list_pop")?;
    same("pop", popped.len(), wanted)?;
    let left = length - wanted as u64;
    same("left", desk.list_length(&key).await.told("list_length")?, left)?;
    same("the rest", desk.pop(&key, Back, 1_000).await.told("list_pop")?.len() as u64, left)
}

async fn wrong(desk: &Desk) -> Outcome {
    let key = desk.key("list-wrong");
    let push = |values: &[Vec<u8>]| {
        pack::map(&[("key", pack::text(&key)), ("values", pack::array(values))])
    };
    let large = pack::bin(&vec![0; bounds::ITEM_BYTES_MAX + 1]);
    let full = pack::bin(&vec![0; bounds::ITEM_BYTES_MAX]);
    for (what, message, code) in [
        ("no values", push(&[]), ErrorCode::BadRequest),
        ("1001 values", push(&vec![pack::bin(b"v"); 1_001]), ErrorCode::BadRequest),
        ("a large value", push(&[pack::bin(b"v"), large]), ErrorCode::TooLarge),
        ("more than 8 MiB", push(&vec![full; 129]), ErrorCode::TooLarge),
    ] {
        refused(what, desk.link.raw("list_push", message).await, code)?;
    }
    same("nothing was pushed", desk.exists(&key).await.told("exists")?, false)
}
