//! Counters: values that are numbers.

use lattice_protocol::ErrorCode;

use super::desk::{Desk, Told, refused, same};
use super::{Outcome, check, pack};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "a counter begins at 0 and is a value", counter(desk)).await;
    check(report, "increment counts by one unless told", default(desk)).await;
    check(report, "increment refuses what is no number", numbers(desk)).await;
    check(report, "increment stays within 64 bits", range(desk)).await;
}

async fn counter(desk: &Desk) -> Outcome {
    let key = desk.key("counter");
    let add = async |delta| desk.increment(&key, delta).await.told("increment");
    same("of nothing", add(5).await?, 5)?;
    same("as text", desk.get(&key).await.told("get")?, Some(b"5".to_vec()))?;
    same("down", add(-7).await?, -2)?;
    same("as text below 0", desk.get(&key).await.told("get")?, Some(b"-2".to_vec()))?;
    same("by nothing", add(0).await?, -2)?;
    desk.set(&key, "40").await.told("set")?;
    same("of what was set", add(2).await?, 42)?;
    let swap = desk.compare_and_set(&key, Some(b"42"), "7", None).await.told("compare_and_set")?;
    same("compare_and_set", swap, (true, None))?;
    same("of what was swapped", add(1).await?, 8)?;
    desk.delete(&key).await.told("delete")?;
    same("of what was deleted", add(1).await?, 1)
}

async fn default(desk: &Desk) -> Outcome {
    let key = desk.key("counter-default");
    for number in 1..=3 {
        let message = pack::map(&[("key", pack::text(&key))]);
        desk.link.raw("increment", message).await.told("increment")?;
        let text = format!("{number}").into_bytes();
        same("get", desk.get(&key).await.told("get")?, Some(text))?;
    }
    Ok(())
}

async fn numbers(desk: &Desk) -> Outcome {
    let key = desk.key("no-number");
    let long = "1".repeat(1_000);
    for text in [
        "",
        "x",
        "1x",
        " 1",
        "1 ",
        "1.5",
        "1e3",
        "0x1",
        "+1",
        "007",
        "-0",
        "-",
        "9223372036854775808",
        &long,
    ] {
        desk.set(&key, text).await.told("set")?;
        refused(text, desk.increment(&key, 1).await, ErrorCode::BadRequest)?;
        same(text, desk.get(&key).await.told("get")?, Some(text.as_bytes().to_vec()))?;
    }
    desk.set(&key, [0xff]).await.told("set")?;
    refused("bytes", desk.increment(&key, 1).await, ErrorCode::BadRequest)
}

async fn range(desk: &Desk) -> Outcome {
    let key = desk.key("counter-range");
    for (start, over, back) in [(i64::MAX, 1, i64::MIN), (i64::MIN, -1, i64::MAX)] {
        desk.delete(&key).await.told("delete")?;
        same("the end", desk.increment(&key, start).await.told("increment")?, start)?;
        refused("beyond", desk.increment(&key, over).await, ErrorCode::BadRequest)?;
        refused("far beyond", desk.increment(&key, start).await, ErrorCode::BadRequest)?;
        let held = Some(start.to_string().into_bytes());
        same("it stayed", desk.get(&key).await.told("get")?, held)?;
        same("and back", desk.increment(&key, back).await.told("increment")?, -1)?;
    }
    Ok(())
}
