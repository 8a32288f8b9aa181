//! Initialisation that is the same for every instance runs once; what is not runs for each.

use std::time::{Duration, Instant};

use lattice_protocol::ErrorCode;

use crate::guests::guest_of;
use crate::support::{
    Answer, PATIENCE, TestHost, actor, assert_error, call, call_with, engine, reused,
};

/// Counts to `rounds` before it is called, keeps the sum in a global, in its memory and in a page that it grew
/// by, and answers with what it finds there.
fn counts_first(rounds: u32, how: &str) -> String {
    let items = format!(
        r#"(global $sum (mut i32) (i32.const 0))
        (func $begin
          (local $at i32)
          (local.set $at (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
          (loop $again
            (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
            (br_if $again (i32.lt_u (global.get $sum) (i32.const {rounds}))))
          (i32.store (i32.const 64) (i32.add (global.get $sum) (i32.load (i32.const 64))))
          (i32.store (local.get $at) (global.get $sum)))
        {how}"#
    );
    let answer = r#"(i32.store (i32.const 68) (global.get $sum))
      (i32.store (i32.const 72)
        (i32.load (i32.mul (i32.sub (memory.size) (i32.const 1)) (i32.const 65536))))
      (call $guest_response (i32.const 64) (i32.const 12))
      (global.set $sum (i32.const 7))
      (i32.store (i32.const 64) (i32.const 7))
      (i32.const 1)"#;
    guest_of("wapc", &items, answer)
}

#[tokio::test]
async fn initialisation_runs_once_and_every_call_finds_what_it_left() {
    let engine = engine(2);
    let rounds = 20_000_000_u32;
    let expected: Vec<u8> = [rounds; 3].iter().flat_map(|word| word.to_le_bytes()).collect();
    for how in [
        r#"(export "wapc_init" (func $begin))"#,
        r#"(export "_start" (func $begin))"#,
        r#"(export "_initialize" (func $begin))"#,
        "(start $begin)",
    ] {
        let guest = actor(&engine, &counts_first(rounds, how));
        let begun = Instant::now();
        for _ in 0..200 {
            assert_eq!(call(&guest, "Ask", b"").await.unwrap(), expected, "{how}");
        }
        // Each would take more than 5 ms.
        assert!(begun.elapsed() < Duration::from_millis(500), "{how}: {:?}", begun.elapsed());
        let guest = reused(&engine, &counts_first(rounds, how));
        assert_eq!(call(&guest, "Ask", b"").await.unwrap(), expected, "{how}");
    }
}

#[tokio::test]
async fn initialisation_that_asks_its_host_runs_for_each_instance() {
    let engine = engine(1);
    let items = r#"(func (export "wapc_init") (call $console_log (i32.const 48) (i32.const 6)))"#;
    let guest = actor(&engine, &guest_of("wapc", items, "(i32.const 0)"));
    let host = TestHost::new(Answer::Echo);
    for calls in 1..=3 {
        let _ = call_with(&guest, "Ask", b"", &host, PATIENCE).await;
        assert_eq!(host.lines().len(), calls);
    }
}

#[tokio::test]
async fn initialisation_that_fails_or_never_ends_fails_the_call_and_not_the_compiler() {
    let engine = engine(1);
    let items = r#"(func (export "wapc_init") unreachable)"#;
    let guest = actor(&engine, &guest_of("wapc", items, "(i32.const 0)"));
    let answer = call(&guest, "Ask", b"").await;
    assert_error(&answer, ErrorCode::ActorTrapped, true, "unreachable");
    let items = r#"(func (export "wapc_init") (loop $again (br $again)))"#;
    let guest = actor(&engine, &guest_of("wapc", items, "(i32.const 0)"));
    let host = TestHost::echo();
    let answer = call_with(&guest, "Ask", b"", &host, Duration::from_millis(50)).await;
    assert_error(&answer, ErrorCode::DeadlineExceeded, true, "");
    let items = r#"(func $deep (export "wapc_init") (call $deep))"#;
    let guest = actor(&engine, &guest_of("wapc", items, "(i32.const 0)"));
    let answer = call(&guest, "Ask", b"").await;
    assert_error(&answer, ErrorCode::ActorTrapped, true, "stack");
}

#[tokio::test]
async fn what_a_snapshot_cannot_keep_is_initialised_for_each_instance() {
    let engine = engine(1);
    let items = r#"(table $table 4 funcref)
      (func $seven (result i32) (i32.const 7))
      (elem declare func $seven)
      (func (export "wapc_init") (table.set $table (i32.const 2) (ref.func $seven)))"#;
    let answer = r#"(i32.store8 (i32.const 64) (call_indirect $table (result i32) (i32.const 2)))
      (call $guest_response (i32.const 64) (i32.const 1))
      (i32.const 1)"#;
    let guest = actor(&engine, &guest_of("wapc", items, answer));
    for _ in 0..2 {
        assert_eq!(call(&guest, "Ask", b"").await.unwrap(), vec![7]);
    }
}
