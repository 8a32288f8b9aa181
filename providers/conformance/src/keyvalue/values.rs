//! Values, their lives, and changes under a condition.

use std::time::Duration;

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::{Condition, Swapped};

use super::store::Store;
use crate::Report;
use crate::checks::same;

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a value is read as it was written", written(store)).await;
    report.check("what is absent is an answer", absent(store)).await;
    report.check("a condition decides about a write", conditions(store)).await;
    report.check("a value is gone after its life", lives(store)).await;
    report.check("a value is swapped only where it is as expected", swaps(store)).await;
    report.check("a value is removed only where it is as expected", removals(store)).await;
    report.check("of many swaps at once each is exact", races(store)).await;
}

async fn written(store: &Store) -> Result<(), String> {
    let all: Vec<u8> = (0..=255).collect();
    for value in [&b""[..], b"a", &all, &vec![7; 100_000]] {
        store.set("value", value).await?;
        store.holds("value", Some(value)).await?;
    }
    for name in ["ü ñ", "*", "?", "[a-z]", "\\", "a.b", "a>", "a:b", "%41", "..", "/", "'\"`", "$x"]
    {
        store.set(name, name.as_bytes()).await?;
        store.holds(name, Some(name.as_bytes())).await?;
    }
    let longest = "k".repeat(512 - store.key("").len());
    store.set(&longest, b"long").await?;
    store.holds(&longest, Some(b"long")).await
}

async fn absent(store: &Store) -> Result<(), String> {
    store.holds("absent", None).await?;
    same("whether it is there", store.exists("absent").await?, false)?;
    same("whether it was there", store.delete("absent").await?, false)?;
    store.set("absent", b"").await?;
    same("whether an empty value is there", store.exists("absent").await?, true)?;
    same("whether it was there", store.delete("absent").await?, true)?;
    same("whether it is there afterwards", store.exists("absent").await?, false)?;
    store.holds("absent", None).await
}

async fn conditions(store: &Store) -> Result<(), String> {
    let (absent, present) = (Some(Condition::Absent), Some(Condition::Present));
    for (condition, wanted, value) in [
        (present, false, None),
        (absent, true, Some(&b"1"[..])),
        (absent, false, Some(b"1")),
        (present, true, Some(b"3")),
    ] {
        let new = if wanted && condition == present { b"3" } else { b"1" };
        let written = store.set_if("conditions", new, None, condition).await?;
        same(&format!("written under {condition:?}"), written, wanted)?;
        store.holds("conditions", value).await?;
    }
    store.delete("conditions").await?;
    same("written after it was removed", store.set_if("conditions", b"", None, absent).await?, true)
}

async fn lives(store: &Store) -> Result<(), String> {
    store.set_if("short", b"v", Some(300), None).await?;
    store.set_if("replaced", b"v", Some(300), None).await?;
    store.set("replaced", b"stays").await?;
    store.set_if("long", b"v", Some(3_600_000), None).await?;
    store.holds("short", Some(b"v")).await?;
    // A store may keep it up to a second longer.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    store.holds("short", None).await?;
    same("whether it is there", store.exists("short").await?, false)?;
    store.holds("replaced", Some(b"stays")).await?;
    store.holds("long", Some(b"v")).await?;
    let again = store.set_if("short", b"w", None, Some(Condition::Absent)).await?;
    same("written in its place", again, true)
}

async fn swaps(store: &Store) -> Result<(), String> {
    let swap = async |expected: Option<&'static [u8]>, value: &'static [u8]| {
        store.swap("swap", expected, value).await.map_err(|error| error.to_string())
    };
    let other =
        |current: Option<&[u8]>| Swapped { swapped: false, current: current.map(ByteBuf::from) };
    let done = Swapped { swapped: true, current: None };
    same("a swap of nothing", swap(Some(b""), b"x").await?, other(None))?;
    same("a swap of what is absent", swap(None, b"1").await?, done.clone())?;
    same("the same again", swap(None, b"2").await?, other(Some(b"1")))?;
    same("a swap of another", swap(Some(b"0"), b"2").await?, other(Some(b"1")))?;
    same("a swap of the present one", swap(Some(b"1"), b"2").await?, done)?;
    store.holds("swap", Some(b"2")).await
}

async fn removals(store: &Store) -> Result<(), String> {
    store.set("removal", b"1").await?;
    let remove = async |expected: &'static [u8]| {
        store.delete_if("removal", expected).await.map_err(|error| error.to_string())
    };
    let other = Swapped { swapped: false, current: Some(ByteBuf::from("1")) };
    same("a removal of another", remove(b"0").await?, other)?;
    same("a removal", remove(b"1").await?, Swapped { swapped: true, current: None })?;
    same("the same again", remove(b"1").await?, Swapped { swapped: false, current: None })?;
    same("whether it is there", store.exists("removal").await?, false)
}

/// Many writers count by swapping; every one that succeeds must count.
async fn races(store: &Store) -> Result<(), String> {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    let write = |_| async {
        let mut done = 0;
        while done < EACH {
            let before = store.get("race").await?;
            let text = before.as_deref().map(String::from_utf8_lossy);
            let count: u64 = text.map_or(Ok(0), |text| text.parse()).map_err(|_| "no number")?;
            let next = (count + 1).to_string();
            let swapped = store.swap("race", before.as_deref(), next.as_bytes()).await;
            match swapped {
                Ok(swapped) => done += usize::from(swapped.swapped),
                // To be told to come again is an answer, too.
                Err(error) if error.code == lattice_protocol::ErrorCode::Busy => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok::<_, String>(())
    };
    for outcome in futures_util::future::join_all((0..WRITERS).map(write)).await {
        outcome?;
    }
    store.holds("race", Some((WRITERS * EACH).to_string().as_bytes())).await
}
