//! The keys that there are, in pages.

use std::collections::BTreeSet;

use lattice_protocol::contract::keyvalue::ListSide;

use super::store::Store;
use crate::Report;
use crate::checks::same;

/// Keys that are listed: more than two pages of the largest size.
const MANY: usize = 2_500;
/// Writes at once.
const AT_ONCE: usize = 50;

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("every sort of key is listed by its prefix", sorts(store)).await;
    report.check("a prefix means its letters", letters(store)).await;
    report.check("many keys come in pages, none is left out", pages(store)).await;
}

async fn all(store: &Store, prefix: &str, limit: Option<u32>) -> Result<Vec<String>, String> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    for _ in 0..10_000 {
        let page = store.page(prefix, cursor, limit).await?;
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
    Err("the pages do not come to an end".to_owned())
}

async fn set_of(store: &Store, prefix: &str) -> Result<BTreeSet<String>, String> {
    Ok(all(store, prefix, None).await?.into_iter().collect())
}

async fn sorts(store: &Store) -> Result<(), String> {
    store.set("sorts/value", b"").await?;
    store.push("sorts/list", &["a"], ListSide::Back).await?;
    store.add("sorts/set", &["a"]).await?;
    store.set("sorts/gone", b"").await?;
    store.delete("sorts/gone").await?;
    let wanted = ["list", "set", "value"].map(|name| store.key(&format!("sorts/{name}")));
    same("the keys", set_of(store, &store.key("sorts/")).await?, wanted.into())?;
    same("keys of no such prefix", set_of(store, &store.key("none/")).await?, BTreeSet::new())
}

async fn letters(store: &Store) -> Result<(), String> {
    let names = ["q*a", "q*b", "qxa", "q?a", "q[ab]", "q\\a", "q.a", "q>", "qüa"];
    for name in names {
        store.set(name, b"").await?;
    }
    for (prefix, wanted) in [
        ("q*", &["q*a", "q*b"][..]),
        ("q?", &["q?a"]),
        ("q[a", &["q[ab]"]),
        ("q\\", &["q\\a"]),
        ("q.", &["q.a"]),
        ("qü", &["qüa"]),
        ("q", &names),
    ] {
        let wanted = wanted.iter().map(|name| store.key(name)).collect();
        same(&format!("the keys of {prefix:?}"), set_of(store, &store.key(prefix)).await?, wanted)?;
    }
    Ok(())
}

async fn pages(store: &Store) -> Result<(), String> {
    let names: Vec<String> = (0..MANY).map(|number| format!("many/{number}")).collect();
    for some in names.chunks(AT_ONCE) {
        let writes = some.iter().map(|name| store.set(name, b""));
        for outcome in futures_util::future::join_all(writes).await {
            outcome?;
        }
    }
    let wanted: BTreeSet<String> = names.iter().map(|name| store.key(name)).collect();
    for limit in [None, Some(1_000), Some(5_000)] {
        let found = all(store, &store.key("many/"), limit).await?;
        let found: BTreeSet<String> = found.into_iter().collect();
        same(&format!("how many keys pages of {limit:?} have"), found.len(), MANY)?;
        same("whether they are those that were written", found == wanted, true)?;
    }
    let first = store.page(&store.key("many/"), None, Some(10)).await?;
    same("whether a small page is small", first.keys.len() <= 1_000, true)?;
    same("whether more follows", first.cursor.is_some(), true)
}
