//! Which calls share memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lattice_protocol::ErrorCode;
use mesh_runtime::{Actor, limits};

use crate::guests::{self, guest};
use crate::support::{PATIENCE, TestHost, actor, assert_error, call, call_with, engine, reused};

async fn count(actor: &Actor) -> u32 {
    let response = call(actor, "Count", b"").await.unwrap();
    u32::from_le_bytes(response[..].try_into().unwrap())
}

#[tokio::test]
async fn each_call_has_fresh_memory_by_default() {
    // One slot: each call gets the very memory of the call before.
    let engine = engine(1);
    let counter = actor(&engine, &guests::counter());
    for _ in 0..50 {
        assert_eq!(count(&counter).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_at_once_do_not_see_one_another() {
    let engine = engine(64);
    let (echo, warm) = (actor(&engine, &guests::echo()), reused(&engine, &guests::caller()));
    let counter = actor(&engine, &guests::counter());
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0u64..32 {
        let (echo, warm, counter) = (echo.clone(), warm.clone(), counter.clone());
        callers.spawn(async move {
            for number in 0..200 {
                let payload = (caller << 32 | number).to_le_bytes().repeat(50);
                assert_eq!(call(&echo, "Echo", &payload).await.unwrap(), payload);
                assert_eq!(call(&warm, "Ask", &payload).await.unwrap(), payload);
                assert_eq!(count(&counter).await, 1);
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn reused_instances_keep_their_memory_until_they_trap() {
    let engine = engine(4);
    let counter = reused(&engine, &guests::counter());
    for expected in 1..=5 {
        assert_eq!(count(&counter).await, expected);
    }
    let result = call(&counter, "Count", b"trap").await;
    assert_error(&result, ErrorCode::ActorTrapped, true, "unreachable");
    assert_eq!(count(&counter).await, 1);
}

#[tokio::test]
async fn an_instance_that_was_late_is_not_used_again() {
    let engine = engine(4);
    let wat = guest(
        "(i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
    (if (local.get $length) (then (loop $again (br $again))))
    (call $guest_response (i32.const 512) (i32.const 4))
    (i32.const 1)",
    );
    let counter = reused(&engine, &wat);
    assert_eq!((count(&counter).await, count(&counter).await), (1, 2));
    let time = Duration::from_millis(20);
    let result = call_with(&counter, "Count", b"loop", &TestHost::echo(), time).await;
    assert_error(&result, ErrorCode::DeadlineExceeded, true, "time");
    assert_eq!(count(&counter).await, 1);
}

#[tokio::test]
async fn an_instance_that_grew_is_not_used_again() {
    let engine = engine(4);
    let pages = limits::WARM_GROWTH_BYTES_MAX / 65_536 + 1;
    let wat = guest(&format!(
        "(i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
    (if (local.get $length) (then (drop (memory.grow (i32.const {pages})))))
    (call $guest_response (i32.const 512) (i32.const 4))
    (i32.const 1)"
    ));
    let counter = reused(&engine, &wat);
    assert_eq!((count(&counter).await, count(&counter).await), (1, 2));
    call(&counter, "Count", b"grow").await.unwrap();
    assert_eq!(count(&counter).await, 1);
}

#[tokio::test]
async fn a_warm_instance_remembers_nothing_of_the_last_call() {
    let engine = engine(4);
    // Sets a response and an error where it has a payload, and nothing where it has none.
    let wat = guest(
        "(if (local.get $length) (then
      (call $guest_error (i32.const 48) (i32.const 6))
      (call $guest_response (i32.const 48) (i32.const 6))))
    (i32.const 1)",
    );
    let forgetful = reused(&engine, &wat);
    assert_eq!(call(&forgetful, "Op", b"x").await.unwrap(), "a line");
    let result = call(&forgetful, "Op", b"").await;
    assert_error(&result, ErrorCode::ActorError, true, "without a response");
}

#[tokio::test]
async fn a_probe_leaves_a_warm_instance_without_a_host() {
    let engine = engine(4);
    let counter = reused(&engine, &guests::counter());
    let host = TestHost::echo();
    counter.probe(Arc::clone(&host) as _, Instant::now() + PATIENCE).await.unwrap();
    assert_eq!(Arc::strong_count(&host), 1);
    assert_eq!(count(&counter).await, 1);
    assert_eq!(count(&counter).await, 2);
}
