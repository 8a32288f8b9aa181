//! Messages that are none: refused before anything is done, whatever they are.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::keyvalue::CONTRACT;

use super::desk::{Desk, Told, refused, same};
use super::{Outcome, check, pack};
use crate::Report;

pub async fn checks(report: &mut Report, desk: &Desk) {
    check(report, "an unknown operation is bad_request", unknown(desk)).await;
    check(report, "what is no message is bad_request", malformed(desk)).await;
    check(report, "a message without what it needs is bad_request", missing(desk)).await;
    check(report, "a field of another type is bad_request", mistyped(desk)).await;
    check(report, "a field that nobody knows is passed over", later(desk)).await;
    check(report, "the store is well after all that", well(desk)).await;
}

async fn unknown(desk: &Desk) -> Outcome {
    let message = pack::map(&[("key", pack::text(&desk.key("unknown")))]);
    let long = "x".repeat(256);
    for operation in ["explode", "GET", "get ", "mesh:keyvalue/get", "list", &long] {
        let answer = desk.link.raw(operation, message.clone()).await;
        refused(operation, answer, ErrorCode::BadRequest)?;
    }
    Ok(())
}

async fn malformed(desk: &Desk) -> Outcome {
    let key = pack::text(&desk.key("malformed"));
    let whole = pack::map(&[("key", key.clone()), ("value", pack::bin(b"v"))]);
    let cut = whole.get(..whole.len() - 1).unwrap_or_default().to_vec();
    let deep = vec![0x91; 10_000];
    let messages: [(&str, Vec<u8>); 8] = [
        ("a text", pack::text("hello")),
        ("a list", pack::array(&[key])),
        ("a number", vec![7]),
        ("cut short", cut),
        ("with more behind it", [whole, vec![0]].concat()),
        ("no msgpack", vec![0xc1]),
        ("deep", deep),
        ("a map that promises more", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
    ];
    for operation in CONTRACT.operations {
        for (what, message) in &messages {
            let what = format!("{}: {what}", operation.name);
            let answer = desk.link.raw(operation.name, message.clone()).await;
            refused(&what, answer, ErrorCode::BadRequest)?;
        }
    }
    Ok(())
}

async fn missing(desk: &Desk) -> Outcome {
    for operation in CONTRACT.operations {
        // The one that needs nothing.
        if operation.name == "keys" {
            desk.link.raw("keys", vec![]).await.told("keys without a message")?;
            continue;
        }
        for message in [vec![], vec![0xc0], pack::map(&[]), pack::map(&[("x", pack::text("y"))])] {
            let answer = desk.link.raw(operation.name, message).await;
            refused(operation.name, answer, ErrorCode::BadRequest)?;
        }
    }
    let key = desk.key("missing");
    for operation in [
        "set",
        "compare_and_set",
        "compare_and_delete",
        "list_push",
        "list_remove",
        "set_add",
        "set_contains",
    ] {
        let message = pack::map(&[("key", pack::text(&key))]);
        refused(operation, desk.link.raw(operation, message).await, ErrorCode::BadRequest)?;
    }
    same("nothing was written", desk.exists(&key).await.told("exists")?, false)
}

async fn mistyped(desk: &Desk) -> Outcome {
    let key = desk.key("mistyped");
    let with = |field, value| {
        pack::map(&[("key", pack::text(&key)), ("value", pack::bin(b"v")), (field, value)])
    };
    for (operation, message) in [
        ("get", pack::map(&[("key", pack::number(7))])),
        ("get", pack::map(&[("key", vec![0xc0])])),
        ("get", pack::map(&[("key", [&[0xa2][..], &[0xff, 0xfe]].concat())])),
        ("set", with("ttl_ms", pack::text("7"))),
        ("set", with("ttl_ms", vec![0xff])),
        ("set", with("condition", pack::text("maybe"))),
        ("increment", with("delta", pack::number(u64::MAX))),
        ("increment", with("delta", pack::text("1"))),
        ("list_push", with("values", pack::bin(b"v"))),
        ("list_push", with("values", pack::array(&[pack::number(7)]))),
        ("list_pop", with("side", pack::text("middle"))),
        ("list_pop", with("count", vec![0xff])),
        ("set_union", pack::map(&[("keys", pack::text(&key))])),
        ("keys", pack::map(&[("limit", vec![0xff])])),
    ] {
        refused(operation, desk.link.raw(operation, message).await, ErrorCode::BadRequest)?;
    }
    same("nothing was written", desk.exists(&key).await.told("exists")?, false)
}

async fn later(desk: &Desk) -> Outcome {
    let key = desk.key("later");
    let message = pack::map(&[
        ("later", pack::array(&[pack::map(&[("x", vec![0xc0])])])),
        ("key", pack::text(&key)),
        ("value", pack::text("as text")),
        ("ttl_ms", vec![0xc0]),
    ]);
    desk.link.raw("set", message).await.told("set")?;
    same("get", desk.get(&key).await.told("get")?, Some(b"as text".to_vec()))
}

async fn well(desk: &Desk) -> Outcome {
    let key = desk.key("well");
    desk.set(&key, "v").await.told("set")?;
    same("get", desk.get(&key).await.told("get")?, Some(b"v".to_vec()))
}
