//! Lists of blobs.

use futures_util::{StreamExt, TryStreamExt};

use super::shared::Store;
use crate::Report;
use crate::checks::{same, some};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("250 blobs are listed in order, in pages", pages(store)).await;
}

async fn pages(store: &Store) -> Result<(), String> {
    let mut names: Vec<String> = (0..248).map(|n| format!("pages/{:03}/x", n * 33 % 248)).collect();
    names.push("pages-not".to_owned());
    names.push("pages/".repeat(3) + "deep");
    let puts = futures_util::stream::iter(&names).map(|name| store.put(name, name.as_bytes()));
    let _: Vec<_> = puts.buffer_unordered(8).try_collect().await?;
    names.sort();
    let (mut seen, mut cursor, mut turns) = (Vec::new(), None, 0);
    loop {
        let page = store.list("pages", cursor, None).await?;
        same("whether a page has at most 100", page.blobs.len() <= 100, true)?;
        seen.extend(page.blobs);
        (cursor, turns) = (page.cursor, turns + 1);
        if cursor.is_none() || turns > 10 {
            break;
        }
    }
    same("the pages", turns, 3)?;
    let found: Vec<&str> = seen.iter().map(|blob| blob.name.as_str()).collect();
    same("the names", found, names.iter().map(String::as_str).collect())?;
    for blob in &seen {
        same("the size", blob.size, blob.name.len() as u64)?;
    }
    let first = some("the first", seen.first())?;
    let info = some("the info", store.info(&first.name).await?)?;
    same("the version", &first.version, &info.version)?;
    for (prefix, count) in [
        ("pages/", 249),
        ("pages/00", 10),
        ("pages/007/x", 1),
        ("pages/007/x/", 0),
        ("pages-", 1),
        ("p", 250),
    ] {
        let listed = store.list(prefix, None, Some(1_000)).await?;
        same(&format!("how many begin with {prefix:?}"), listed.blobs.len(), count)?;
        same("the cursor", listed.cursor, None)?;
    }
    let page = store.list("pages/1", None, Some(7)).await?;
    same("a page of 7", page.blobs.len(), 7)?;
    let next = store.list("pages/1", page.cursor, Some(93)).await?;
    same("the page after it", next.blobs.len(), 93)?;
    // A page may end with the last one and not know it yet.
    if next.cursor.is_some() {
        let rest = store.list("pages/1", next.cursor, Some(93)).await?;
        same("the page after the last of 100", rest.blobs.len(), 0)?;
        same("its cursor", rest.cursor, None)?;
    }
    let gone = futures_util::stream::iter(&names).map(|name| store.delete(name));
    let gone: Vec<bool> = gone.buffer_unordered(8).try_collect().await?;
    same("whether all were there", gone.into_iter().all(|existed| existed), true)?;
    same("what is left", store.list("", None, None).await?.blobs.len(), 0)
}
