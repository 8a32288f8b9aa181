//! Values: what is stored is what is read.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::limits::keyvalue as limits;

use super::desk::{Desk, Told, refused, same};
use super::{Outcome, check};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "what is absent is an answer", absent(desk)).await;
    check(report, "a value is read as it was written, and written over", written(desk)).await;
    check(report, "a value may be any bytes, none included", bytes(desk)).await;
    check(report, "a value may be as large as its bound, and no larger", bounds(desk)).await;
    check(report, "a key may be any text within its bound", keys(desk)).await;
    check(report, "a key over its bound is refused", wrong_keys(desk)).await;
}

async fn absent(desk: &Desk) -> Outcome {
    let key = desk.key("absent");
    same("get", desk.get(&key).await.told("get")?, None)?;
    same("exists", desk.exists(&key).await.told("exists")?, false)?;
    same("delete", desk.delete(&key).await.told("delete")?, false)
}

async fn written(desk: &Desk) -> Outcome {
    let key = desk.key("written");
    same("set", desk.set(&key, "one").await.told("set")?, true)?;
    same("get", desk.get(&key).await.told("get")?, Some(b"one".to_vec()))?;
    same("exists", desk.exists(&key).await.told("exists")?, true)?;
    same("set over it", desk.set(&key, "two").await.told("set")?, true)?;
    same("get again", desk.get(&key).await.told("get")?, Some(b"two".to_vec()))?;
    same("delete", desk.delete(&key).await.told("delete")?, true)?;
    same("get of nothing", desk.get(&key).await.told("get")?, None)?;
    same("exists of nothing", desk.exists(&key).await.told("exists")?, false)?;
    same("delete of nothing", desk.delete(&key).await.told("delete")?, false)?;
    same("set anew", desk.set(&key, "three").await.told("set")?, true)?;
    same("get anew", desk.get(&key).await.told("get")?, Some(b"three".to_vec()))
}

async fn bytes(desk: &Desk) -> Outcome {
    let all: Vec<u8> = (0..=255).collect();
    for (name, value) in [("none", &[][..]), ("zero", &[0]), ("all", &all), ("ends", b"\r\n\0\r\n")]
    {
        let key = desk.key(&format!("bytes-{name}"));
        desk.set(&key, value).await.told("set")?;
        same(name, desk.get(&key).await.told("get")?, Some(value.to_vec()))?;
        same(name, desk.exists(&key).await.told("exists")?, true)?;
    }
    Ok(())
}

async fn bounds(desk: &Desk) -> Outcome {
    let key = desk.key("large");
    let largest: Vec<u8> = (0..limits::VALUE_BYTES_MAX).map(|n| (n % 251) as u8).collect();
    same("set", desk.set(&key, &largest).await.told("set of the largest value")?, true)?;
    let found = desk.get(&key).await.told("get of the largest value")?;
    same("the largest value came back", found.as_ref() == Some(&largest), true)?;
    let (swapped, current) =
        desk.compare_and_set(&key, Some(b"x"), "y", None).await.told("compare_and_set")?;
    same("swapped", swapped, false)?;
    same("the largest value is told", current.as_ref() == Some(&largest), true)?;
    let larger = vec![0; limits::VALUE_BYTES_MAX + 1];
    let message =
        super::pack::map(&[("key", super::pack::text(&key)), ("value", super::pack::bin(&larger))]);
    refused("set of a larger one", desk.link.raw("set", message).await, ErrorCode::TooLarge)?;
    let found = desk.get(&key).await.told("get")?;
    same("the largest value is there still", found.as_ref() == Some(&largest), true)?;
    desk.delete(&key).await.told("delete").map(drop)
}

/// Keys that mean something to one store or another.
pub const ODD: &[&str] = &[
    " ",
    "*",
    "?",
    "[a-z]",
    "\\",
    "\\*",
    ".",
    "..",
    ">",
    "a.b",
    ".a",
    "a.",
    "a b",
    "/",
    "a/b",
    "//",
    ":",
    "a:b",
    "%",
    "%3A",
    "=",
    "=2E",
    "-",
    "_",
    "{a}",
    "$JS.API",
    "ü",
    "日本",
    "🦀",
    "\u{202e}",
    "A",
    "a",
    "'",
    "\"",
    "^",
    "#",
    "|",
    "\u{a0}",
    "\u{ffff}",
    "\u{10ffff}",
    "mesh:",
    "~",
    "!",
    ",",
    ";",
    "@",
    "&",
    "(",
    ")",
    "+",
];

async fn keys(desk: &Desk) -> Outcome {
    let mut keys: Vec<String> = Vec::new();
    for odd in ODD {
        keys.push(format!("{odd}{}", desk.run()));
        keys.push(desk.key(odd));
    }
    for letter in ["k", ".", "*", "ü"] {
        let mut longest = desk.key(&format!("longest-{}-", letter.escape_unicode()));
        while longest.len() + letter.len() <= limits::KEY_BYTES_MAX {
            longest.push_str(letter);
        }
        longest.push_str(&"k".repeat(limits::KEY_BYTES_MAX - longest.len()));
        keys.push(longest);
    }
    for key in &keys {
        same(key, desk.set(key, key).await.told(key)?, true)?;
    }
    // Each has its own value: none is another one in disguise.
    for key in &keys {
        same(key, desk.get(key).await.told(key)?, Some(key.clone().into_bytes()))?;
        same(key, desk.exists(key).await.told(key)?, true)?;
    }
    for key in &keys {
        same(key, desk.delete(key).await.told(key)?, true)?;
        same(key, desk.get(key).await.told(key)?, None)?;
    }
    Ok(())
}

async fn wrong_keys(desk: &Desk) -> Outcome {
    let long = "k".repeat(limits::KEY_BYTES_MAX + 1);
    for (key, code) in [
        ("", ErrorCode::BadRequest),
        ("a\n", ErrorCode::BadRequest),
        ("\0", ErrorCode::BadRequest),
        ("\u{7f}", ErrorCode::BadRequest),
        ("\u{85}", ErrorCode::BadRequest),
        (&long, ErrorCode::TooLarge),
    ] {
        let key = super::pack::text(key);
        let message = super::pack::map(&[("key", key.clone())]);
        refused("get", desk.link.raw("get", message).await, code)?;
        let message = super::pack::map(&[("key", key), ("value", super::pack::bin(b"v"))]);
        refused("set", desk.link.raw("set", message).await, code)?;
    }
    Ok(())
}
