//! Keys in pages.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use lattice_protocol::ErrorCode;
use lattice_protocol::contract::limits::PAGE_ENTRIES_MAX;

use super::desk::{Desk, Told, same};
use super::values::ODD;
use super::{Outcome, check};
use crate::Report;

/// Keys of the large listing: several pages of any size.
const MANY: usize = 2_500;
/// Pages that a listing of those keys may have.
const PAGES_MAX: usize = 50_000;
/// Writes under way at once.
const WRITES: usize = 32;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "keys of nothing is one empty page", nothing(desk)).await;
    check(report, "a prefix means its letters", prefixes(desk)).await;
    check(report, "2,500 keys come in pages, none is lost", pages(desk)).await;
    check(report, "keys come in pages while others change", changing(desk)).await;
    check(report, "a cursor of nobody does no harm", cursors(desk)).await;
}

async fn nothing(desk: &Desk) -> Outcome {
    let page = desk.keys(&desk.key("nothing/"), None, None).await.told("keys")?;
    same("keys", page.keys, Vec::new())?;
    same("all", desk.all_keys(&desk.key("nothing/"), Some(1)).await?, Vec::new())
}

async fn prefixes(desk: &Desk) -> Outcome {
    // Each odd text begins one key, and something that it may be mistaken for begins another.
    let mut keys = BTreeSet::new();
    for odd in ODD {
        keys.insert(desk.key(&format!("prefix/{odd}/1")));
        keys.insert(desk.key(&format!("prefix/x{odd}")));
    }
    for key in &keys {
        desk.set(key, "v").await.told(key)?;
    }
    for odd in ODD {
        let prefix = desk.key(&format!("prefix/{odd}"));
        let wanted: BTreeSet<_> =
            keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
        let found: BTreeSet<_> = desk.all_keys(&prefix, None).await?.into_iter().collect();
        same(&prefix, found, wanted)?;
    }
    // The whole of a key is a prefix of it.
    for key in &keys {
        let found = desk.all_keys(key, None).await?;
        same(key, found.contains(key), true)?;
    }
    let found: BTreeSet<_> = desk.all_keys(&desk.key("prefix/"), None).await?.into_iter().collect();
    same("all", found, keys)
}

/// Writes keys, many at once.
async fn write(desk: &Desk, keys: impl Iterator<Item = String>) -> Outcome {
    let writes = stream::iter(keys)
        .map(|key| async move { desk.set(&key, "v").await.told("set").map(drop) });
    writes.buffer_unordered(WRITES).try_collect().await
}

async fn pages(desk: &Desk) -> Outcome {
    let prefix = desk.key("many/");
    let wanted: BTreeSet<String> = (0..MANY).map(|n| format!("{prefix}{n}")).collect();
    write(desk, wanted.iter().cloned()).await?;
    for limit in [None, Some(0), Some(7), Some(500), Some(1_000), Some(u32::MAX)] {
        let (mut found, mut cursor, mut count) = (BTreeSet::new(), None, 0);
        loop {
            let page = desk.keys(&prefix, cursor, limit).await.told("keys")?;
            let keys: BTreeSet<String> = page.keys.iter().cloned().collect();
            same("a key twice in a page", page.keys.len() - keys.len(), 0)?;
            same("a large page", page.keys.len() > PAGE_ENTRIES_MAX as usize, false)?;
            found.extend(keys);
            count += 1;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
            same("pages without end", count > PAGES_MAX, false)?;
        }
        same("one page of all", count > 1, true)?;
        let lost = wanted.difference(&found).count();
        let strange = found.difference(&wanted).count();
        same(&format!("lost and strange keys in pages of {limit:?}"), (lost, strange), (0, 0))?;
    }
    Ok(())
}

/// Lists keys that stay while they are written over and others come and go.
async fn changing(desk: &Desk) -> Outcome {
    let prefix = desk.key("changing/");
    let stay: Vec<String> = (0..300).map(|n| format!("{prefix}stay-{n}")).collect();
    write(desk, stay.iter().cloned()).await?;
    let noise = async {
        for n in 0.. {
            let (comes, again) = (format!("{prefix}comes-{n}"), stay.get(n * 7 % stay.len()));
            desk.set(&comes, "v").await.told("set")?;
            if let Some(again) = again {
                desk.set(again, "w").await.told("set")?;
            }
            desk.delete(&comes).await.told("delete")?;
            // Lets the listing go on where nothing ever waits.
            tokio::task::yield_now().await;
        }
        Ok::<(), String>(())
    };
    let listing = async {
        for _ in 0..3 {
            let found: BTreeSet<_> = desk.all_keys(&prefix, Some(20)).await?.into_iter().collect();
            let lost = stay.iter().filter(|key| !found.contains(*key)).count();
            same("lost keys", lost, 0)?;
        }
        Ok(())
    };
    tokio::select! {
        outcome = listing => outcome,
        outcome = noise => outcome,
    }
}

async fn cursors(desk: &Desk) -> Outcome {
    let prefix = desk.key("cursor/");
    desk.set(&desk.key("cursor/k"), "v").await.told("set")?;
    let long = "9".repeat(2_048);
    for cursor in ["x", "-1", "18446744073709551616", "../..", "*", "ü", &long] {
        match desk.keys(&prefix, Some(cursor.to_owned()), None).await {
            Ok(page) => {
                let strange = page.keys.iter().filter(|key| !key.starts_with(&prefix)).count();
                same("strange keys", strange, 0)?;
            }
            Err(error) => {
                same(cursor, (error.code, error.started), (ErrorCode::BadRequest, false))?;
            }
        }
    }
    for cursor in ["", "a\n"] {
        let answer = desk.keys(&prefix, Some(cursor.to_owned()), None).await;
        super::desk::refused("a cursor that is none", answer, ErrorCode::BadRequest)?;
    }
    let answer = desk.keys(&prefix, Some("9".repeat(2_049)), None).await;
    super::desk::refused("a long cursor", answer, ErrorCode::TooLarge)
}
