//! Lists.

use lattice_protocol::contract::keyvalue::{Length, ListRemove, ListSide, operation};
use lattice_protocol::contract::{ByteBuf, Existed};

use super::store::{Store, items};
use crate::Report;
use crate::checks::{ask, same};

const FRONT: ListSide = ListSide::Front;
const BACK: ListSide = ListSide::Back;

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a list has two ends", ends(store)).await;
    report.check("a part of a list is read by its index", parts(store)).await;
    report.check("values are removed from the front on", removals(store)).await;
    report.check("a list without content does not exist", empty(store)).await;
    report.check("a long list is read in pages", pages(store)).await;
    report.check("each value is taken once", races(store)).await;
}

async fn whole(store: &Store, name: &str) -> Result<Vec<ByteBuf>, String> {
    Ok(store.range(name, 0, Some(1_000)).await?.values)
}

async fn length(store: &Store, name: &str) -> Result<u64, String> {
    let length: Length = ask(&store.link, operation::LIST_LENGTH, &store.of(name)).await?;
    Ok(length.length)
}

async fn ends(store: &Store) -> Result<(), String> {
    same("the length", store.push("ends", &["c", "d"], BACK).await?, 2)?;
    // One after the other: the last one is in front.
    same("the length", store.push("ends", &["b", "a"], FRONT).await?, 4)?;
    same("the list", whole(store, "ends").await?, items(&["a", "b", "c", "d"]))?;
    same("taken from the front", store.pop("ends", FRONT, 1).await?, items(&["a"]))?;
    same("taken from the back", store.pop("ends", BACK, 2).await?, items(&["d", "c"]))?;
    same("the rest", store.pop("ends", FRONT, 9).await?, items(&["b"]))?;
    same("taken from nothing", store.pop("ends", FRONT, 1).await?, items(&[]))
}

async fn parts(store: &Store) -> Result<(), String> {
    store.push("parts", &["a", "b", "c", "d", "e"], BACK).await?;
    for (start, limit, wanted) in [
        (0, None, &["a", "b", "c", "d", "e"][..]),
        (1, Some(2), &["b", "c"]),
        (4, Some(9), &["e"]),
        (5, None, &[]),
        (i64::MAX, None, &[]),
        (-1, None, &["e"]),
        (-3, Some(2), &["c", "d"]),
        (-9, Some(1), &["a"]),
    ] {
        let page = store.range("parts", start, limit).await?;
        same(&format!("the part from {start}"), page.values, items(wanted))?;
        same("the length", page.length, 5)?;
    }
    same("the length of nothing", length(store, "no-parts").await?, 0)
}

async fn removals(store: &Store) -> Result<(), String> {
    store.push("removals", &["a", "b", "a", "c", "a"], BACK).await?;
    let remove = async |value: &str, count| {
        let key = store.key("removals");
        let request = ListRemove { key, value: value.as_bytes().to_vec(), count };
        let length: Length = ask(&store.link, operation::LIST_REMOVE, &request).await?;
        Ok::<_, String>(length.length)
    };
    same("removed", remove("a", 2).await?, 2)?;
    same("the list", whole(store, "removals").await?, items(&["b", "c", "a"]))?;
    same("removed of what is absent", remove("x", 0).await?, 0)?;
    same("removed", remove("b", 0).await?, 1)?;
    same("the list", whole(store, "removals").await?, items(&["c", "a"]))
}

async fn empty(store: &Store) -> Result<(), String> {
    let clear = async || {
        let existed: Existed = ask(&store.link, operation::LIST_CLEAR, &store.of("empty")).await?;
        Ok::<_, String>(existed.existed)
    };
    same("whether it was there", clear().await?, false)?;
    store.push("empty", &["a", ""], BACK).await?;
    same("the length", length(store, "empty").await?, 2)?;
    same("whether it was there", clear().await?, true)?;
    same("whether it is there", store.exists("empty").await?, false)?;
    store.push("empty", &["a"], BACK).await?;
    store.pop("empty", BACK, 1).await?;
    same("whether it is there once all is taken", store.exists("empty").await?, false)
}

async fn pages(store: &Store) -> Result<(), String> {
    let numbers: Vec<String> = (0..1_500).map(|number| number.to_string()).collect();
    for some in numbers.chunks(500) {
        let texts: Vec<&str> = some.iter().map(String::as_str).collect();
        store.push("pages", &texts, BACK).await?;
    }
    let (mut read, mut start) = (Vec::new(), 0);
    loop {
        let page = store.range("pages", start, Some(1_000)).await?;
        same("the length", page.length, 1_500)?;
        if page.values.is_empty() {
            break;
        }
        start += i64::try_from(page.values.len()).map_err(|error| error.to_string())?;
        read.extend(page.values);
    }
    let wanted: Vec<ByteBuf> = numbers.iter().map(|text| ByteBuf::from(text.as_bytes())).collect();
    same("whether all came in order", read == wanted, true)
}

async fn races(store: &Store) -> Result<(), String> {
    let numbers: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
    store.push("queue", &texts, BACK).await?;
    let pops = (0..30).map(|_| store.pop("queue", FRONT, 2));
    let mut taken = Vec::new();
    for values in futures_util::future::join_all(pops).await {
        taken.extend(values?);
    }
    taken.sort();
    let wanted: Vec<ByteBuf> = texts.iter().map(|text| ByteBuf::from(text.as_bytes())).collect();
    same("what was taken", taken, wanted)
}
