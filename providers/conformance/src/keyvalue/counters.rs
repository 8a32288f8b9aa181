//! Counters: values that are numbers.

use lattice_protocol::ErrorCode;

use super::store::Store;
use crate::Report;
use crate::checks::{fails, same};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a counter is a value in digits", digits(store)).await;
    report.check("what is no number is not counted", no_numbers(store)).await;
    report.check("a counter stays within 64 bits", bits(store)).await;
    report.check("of many increments at once each counts", races(store)).await;
}

async fn add(store: &Store, name: &str, delta: i64) -> Result<i64, String> {
    store.increment(name, delta).await.map_err(|error| format!("increment failed: {error}"))
}

async fn digits(store: &Store) -> Result<(), String> {
    for (delta, sum) in [(1, 1), (41, 42), (-50, -8), (0, -8)] {
        same("the sum", add(store, "counter", delta).await?, sum)?;
        store.holds("counter", Some(sum.to_string().as_bytes())).await?;
    }
    store.set("counter", b"100").await?;
    same("the sum after a set", add(store, "counter", 1).await?, 101)
}

async fn no_numbers(store: &Store) -> Result<(), String> {
    for text in ["", "x", "1.5", " 1", "1 ", "+1", "0x1"] {
        store.set("word", text.as_bytes()).await?;
        let outcome = store.increment("word", 1).await;
        fails(&format!("an increment of {text:?}"), outcome, &[ErrorCode::BadRequest])?;
        store.holds("word", Some(text.as_bytes())).await?;
    }
    Ok(())
}

async fn bits(store: &Store) -> Result<(), String> {
    for (start, delta) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX, i64::MAX)] {
        let text = start.to_string();
        store.set("edge", text.as_bytes()).await?;
        let outcome = store.increment("edge", delta).await;
        fails(&format!("{start} and {delta}"), outcome, &[ErrorCode::BadRequest])?;
        store.holds("edge", Some(text.as_bytes())).await?;
    }
    store.set("edge", i64::MIN.to_string().as_bytes()).await?;
    same("the sum of both ends", add(store, "edge", i64::MAX).await?, -1)
}

async fn races(store: &Store) -> Result<(), String> {
    const WRITERS: usize = 16;
    const EACH: usize = 20;
    let count = |_| async {
        let mut sums = Vec::new();
        while sums.len() < EACH {
            match store.increment("tally", 1).await {
                Ok(sum) => sums.push(sum),
                Err(error) if error.code == ErrorCode::Busy && !error.started => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(sums)
    };
    let mut all = Vec::new();
    for sums in futures_util::future::join_all((0..WRITERS).map(count)).await {
        all.extend(sums?);
    }
    all.sort_unstable();
    let wanted: Vec<i64> = (1..).take(WRITERS * EACH).collect();
    same("whether every sum came once", all == wanted, true)
}
