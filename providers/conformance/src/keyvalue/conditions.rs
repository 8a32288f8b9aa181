//! Writes under a condition: `set` with one, `compare_and_set`, `compare_and_delete`.

use lattice_protocol::contract::keyvalue::Condition;

use super::desk::{Desk, Told, same};
use super::{Outcome, check};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "set writes only where its condition holds", set(desk)).await;
    check(report, "compare_and_set writes only where the value is as expected", swap(desk)).await;
    check(report, "compare_and_delete removes only what is as expected", delete(desk)).await;
    check(report, "an empty value is not nothing", empty(desk)).await;
}

async fn set(desk: &Desk) -> Outcome {
    let key = desk.key("condition");
    let set = async |value: &str, condition| {
        desk.set_for(&key, value, None, Some(condition)).await.told("set")
    };
    same("present, of nothing", set("1", Condition::Present).await?, false)?;
    same("it wrote nothing", desk.get(&key).await.told("get")?, None)?;
    same("absent, of nothing", set("2", Condition::Absent).await?, true)?;
    same("absent, of something", set("3", Condition::Absent).await?, false)?;
    same("it stayed", desk.get(&key).await.told("get")?, Some(b"2".to_vec()))?;
    same("present, of something", set("4", Condition::Present).await?, true)?;
    same("it changed", desk.get(&key).await.told("get")?, Some(b"4".to_vec()))?;
    desk.delete(&key).await.told("delete")?;
    same("present, of what was deleted", set("5", Condition::Present).await?, false)?;
    same("absent, of what was deleted", set("6", Condition::Absent).await?, true)
}

async fn swap(desk: &Desk) -> Outcome {
    let key = desk.key("swap");
    let swap = async |expected: Option<&str>, value: &str| {
        let expected = expected.map(str::as_bytes);
        desk.compare_and_set(&key, expected, value, None).await.told("compare_and_set")
    };
    let held = |value: &str| Some(value.as_bytes().to_vec());
    same("something, of nothing", swap(Some("1"), "2").await?, (false, None))?;
    same("it wrote nothing", desk.get(&key).await.told("get")?, None)?;
    same("nothing, of nothing", swap(None, "1").await?, (true, None))?;
    same("nothing, of something", swap(None, "2").await?, (false, held("1")))?;
    same("another", swap(Some("11"), "2").await?, (false, held("1")))?;
    same("it stayed", desk.get(&key).await.told("get")?, held("1"))?;
    same("as expected", swap(Some("1"), "2").await?, (true, None))?;
    same("it changed", desk.get(&key).await.told("get")?, held("2"))?;
    let bytes = [0, 255, 13, 10, 0];
    desk.set(&key, bytes).await.told("set")?;
    let near = [0, 255, 13, 10];
    let answer = desk.compare_and_set(&key, Some(&near), "x", None).await.told("bytes")?;
    same("bytes, cut", answer, (false, Some(bytes.to_vec())))?;
    let answer = desk.compare_and_set(&key, Some(&bytes), "x", None).await.told("bytes")?;
    same("bytes", answer, (true, None))?;
    desk.delete(&key).await.told("delete")?;
    same("nothing, of what was deleted", swap(None, "9").await?, (true, None))
}

async fn delete(desk: &Desk) -> Outcome {
    let key = desk.key("swap-delete");
    let delete = async |expected: &str| {
        desk.compare_and_delete(&key, expected).await.told("compare_and_delete")
    };
    same("of nothing", delete("1").await?, (false, None))?;
    desk.set(&key, "1").await.told("set")?;
    same("another", delete("2").await?, (false, Some(b"1".to_vec())))?;
    same("it stayed", desk.get(&key).await.told("get")?, Some(b"1".to_vec()))?;
    same("as expected", delete("1").await?, (true, None))?;
    same("it is gone", desk.exists(&key).await.told("exists")?, false)?;
    same("once more", delete("1").await?, (false, None))
}

async fn empty(desk: &Desk) -> Outcome {
    let key = desk.key("empty");
    let swap = async |expected: Option<&[u8]>, value: &str| {
        desk.compare_and_set(&key, expected, value, None).await.told("compare_and_set")
    };
    same("empty, of nothing", swap(Some(b""), "x").await?, (false, None))?;
    same("nothing, of nothing", swap(None, "").await?, (true, None))?;
    same("nothing, of empty", swap(None, "x").await?, (false, Some(Vec::new())))?;
    let absent = desk.set_for(&key, "x", None, Some(Condition::Absent)).await.told("set")?;
    same("absent, of empty", absent, false)?;
    same("empty, of empty", swap(Some(b""), "x").await?, (true, None))?;
    desk.set(&key, "").await.told("set")?;
    let deleted = desk.compare_and_delete(&key, "").await.told("compare_and_delete")?;
    same("delete of empty", deleted, (true, None))
}
