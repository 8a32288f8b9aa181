//! Guests that mean harm: each costs its own call, and another actor keeps answering.
//!
//! All of this runs on one thread, where a guest that would not yield would stop everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_protocol::limits::PAYLOAD_BYTES_MAX;
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{Actor, ActorOptions, Engine};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

use crate::guests::{self, guest, guest_of};
use crate::support::{
    Answer, PATIENCE, TestHost, actor, assert_error, call, call_with, engine, options, try_compile,
};

const TIME: Duration = Duration::from_millis(100);
/// How late the error of a call may be.
const LATENESS_MAX: Duration = Duration::from_millis(50);
/// Tries for what is a matter of time: the machine may be busy with other things.
const TRIES: usize = 5;

/// Keeps the tests that measure time from measuring one another.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Runs a call of `hostile` while `echo` is called again and again; returns its result and how
/// long it took. No call of `echo` may fail.
async fn beside_echo(
    echo: &Actor,
    hostile: &Actor,
    host: &Arc<TestHost>,
    time: Duration,
) -> (Result<Bytes, Error>, Duration) {
    let begin = Instant::now();
    let attack = call_with(hostile, "Op", b"payload", host, time);
    tokio::pin!(attack);
    loop {
        tokio::select! {
            biased;
            answer = call(echo, "Op", b"alive") => assert_eq!(answer.unwrap(), "alive"),
            result = &mut attack => return (result, begin.elapsed()),
        }
        tokio::select! {
            biased;
            result = &mut attack => return (result, begin.elapsed()),
            () = tokio::task::yield_now() => {}
        }
    }
}

/// Asserts that a call of the guest `wat` ends in time with an error, beside a busy echo.
async fn assert_ends(wat: &str, answer: fn() -> Answer, code: ErrorCode, containing: &str) {
    let _alone = alone().await;
    let engine = engine(4);
    let (echo, hostile) = (actor(&engine, &guests::echo()), actor(&engine, wat));
    let mut shortest = Duration::MAX;
    for _ in 0..TRIES {
        let host = TestHost::new(answer());
        let (result, elapsed) = beside_echo(&echo, &hostile, &host, TIME).await;
        assert_error(&result, code, true, containing);
        shortest = shortest.min(elapsed);
        if shortest <= TIME + LATENESS_MAX {
            return;
        }
    }
    panic!("it took {shortest:?}");
}

#[tokio::test]
async fn an_endless_loop_ends_at_the_deadline() {
    assert_ends(&guests::endless(), || Answer::Echo, ErrorCode::DeadlineExceeded, "time").await;
}

#[tokio::test]
async fn an_endless_loop_in_an_initialiser_ends_at_the_deadline() {
    for export in [r#"(export "_initialize")"#, r#"(export "_start")"#, r#"(export "wapc_init")"#] {
        let items = format!("(func {export} (loop $again (br $again)))");
        let wat = guest_of("wapc", &items, "(i32.const 1)");
        assert_ends(&wat, || Answer::Echo, ErrorCode::DeadlineExceeded, "time").await;
    }
    let wat = guest_of("wapc", "(start $s) (func $s (loop $again (br $again)))", "(i32.const 1)");
    assert_ends(&wat, || Answer::Echo, ErrorCode::DeadlineExceeded, "time").await;
}

#[tokio::test]
async fn a_loop_of_imports_ends_at_the_deadline() {
    let log = "(call $console_log (i32.const 48) (i32.const 6))";
    let respond = "(call $guest_response (i32.const 0) (i32.const 262144))";
    let ask = "(drop (call $host_call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
      (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 7)))";
    for body in [log, respond, ask] {
        let wat = guest(&format!("(loop $again {body} (br $again)) (i32.const 1)"));
        assert_ends(&wat, || Answer::Echo, ErrorCode::DeadlineExceeded, "time").await;
    }
}

#[tokio::test]
async fn a_host_call_that_never_returns_ends_at_the_deadline() {
    assert_ends(&guests::caller(), || Answer::Never, ErrorCode::DeadlineExceeded, "time").await;
}

#[tokio::test]
async fn memory_that_grows_without_end_meets_its_limit() {
    let greedy = guest(
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable",
    );
    let limit = "its limit is 16777216";
    assert_ends(&greedy, || Answer::Echo, ErrorCode::LimitExceeded, limit).await;
    let stubborn =
        guest("(loop $again (drop (memory.grow (i32.const 1))) (br $again)) (i32.const 1)");
    assert_ends(&stubborn, || Answer::Echo, ErrorCode::DeadlineExceeded, "time").await;
}

#[tokio::test]
async fn tables_that_grow_without_end_meet_the_same_limit() {
    // A table of the pool's greatest size takes 1 MiB; memory takes the rest of the budget.
    let wat = guest_of(
        "wapc",
        "(table $t 1 funcref)",
        "(drop (memory.grow (i32.const 248)))
    (loop $again (br_if $again
      (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
    unreachable",
    );
    assert_ends(&wat, || Answer::Echo, ErrorCode::LimitExceeded, "a table").await;
}

#[tokio::test]
async fn a_guest_that_copes_with_a_refused_growth_is_no_failure() {
    let engine = engine(2);
    let wat = guest(
        "(if (i32.ne (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))
    (call $guest_response (i32.const 48) (i32.const 6)) (i32.const 1)",
    );
    assert_eq!(call(&actor(&engine, &wat), "Op", b"").await.unwrap(), "a line");
}

#[tokio::test]
async fn deep_recursion_is_a_trap() {
    let items = "(func $deep (param i64) (result i64)
    (i64.add (local.get 0) (call $deep (i64.add (local.get 0) (i64.const 1)))))";
    let wat = guest_of("wapc", items, "(i32.wrap_i64 (call $deep (i64.const 0)))");
    assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, "call stack exhausted").await;
    // The same with a host call on the way down.
    let items = "(func $deep (param i32) (result i32)
    (drop (call $host_call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
      (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 7)))
    (i32.add (local.get 0) (call $deep (i32.add (local.get 0) (i32.const 1)))))";
    let wat = guest_of("wapc", items, "(call $deep (i32.const 0))");
    assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, "call stack exhausted").await;
}

#[tokio::test]
async fn traps_name_their_cause_and_place() {
    let items = "(func $broken (result i32) unreachable)";
    let wat = guest_of("wapc", items, "(call $broken)");
    let cause = "wasm `unreachable` instruction executed (in broken < function ";
    assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, cause).await;
    let wat = guest("(i32.div_s (i32.const 1) (i32.const 0))");
    assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, "divide by zero").await;
    let wat = guest("(i32.load (i32.const -4))");
    assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, "out of bounds memory access")
        .await;
}

#[tokio::test]
async fn a_trap_in_an_initialiser_is_one_of_the_call() {
    for items in [r#"(func (export "wapc_init") unreachable)"#, "(start $s) (func $s unreachable)"]
    {
        let wat = guest_of("wapc", items, "(i32.const 1)");
        assert_ends(&wat, || Answer::Echo, ErrorCode::ActorTrapped, "unreachable").await;
        let engine = engine(1);
        let deadline = Instant::now() + PATIENCE;
        let error = actor(&engine, &wat).probe(TestHost::echo(), deadline).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ActorTrapped);
    }
}

#[tokio::test]
async fn payloads_beyond_the_limit_are_refused_wherever_they_come_from() {
    let engine = engine(2);
    let over = vec![0; PAYLOAD_BYTES_MAX + 1];
    let echo = actor(&engine, &guests::echo());
    assert_error(&call(&echo, "Op", &over).await, ErrorCode::TooLarge, false, "exceeds");
    let host = TestHost::new(Answer::Bytes(over.into()));
    let result = call_with(&actor(&engine, &guests::caller()), "Op", b"", &host, PATIENCE).await;
    assert_error(&result, ErrorCode::TooLarge, true, "the host's response");

    let length = PAYLOAD_BYTES_MAX + 1;
    let grow = "(drop (memory.grow (i32.const 1100)))";
    let roomy = ActorOptions { memory_bytes: 128 * 1024 * 1024, ..options() };
    let wat = guest(&format!(
        "{grow} (call $guest_response (i32.const 0) (i32.const {length})) (i32.const 1)"
    ));
    let result = call(&try_compile(&engine, &wat, roomy).unwrap(), "Op", b"").await;
    assert_error(&result, ErrorCode::TooLarge, true, "__guest_response: the response");
}

#[tokio::test]
async fn a_response_larger_than_the_memory_does_not_reach_it() {
    let engine = engine(2);
    let host = TestHost::new(Answer::Bytes(vec![1; 32 * 1024 * 1024].into()));
    let result = call_with(&actor(&engine, &guests::caller()), "Op", b"", &host, PATIENCE).await;
    assert_error(&result, ErrorCode::ActorTrapped, true, "__host_response: ");
}

/// Starts `count` endless loops with one deadline; returns how late the last error came.
async fn lateness_of(engine: &Engine, count: usize) -> Duration {
    let (echo, endless) = (actor(engine, &guests::echo()), actor(engine, &guests::endless()));
    let deadline = Instant::now() + TIME * 3;
    let mut loops = JoinSet::new();
    for _ in 0..count {
        let endless = endless.clone();
        loops.spawn(async move {
            let time = deadline.saturating_duration_since(Instant::now());
            let result = call_with(&endless, "Op", b"", &TestHost::echo(), time).await;
            // One that did not get its first turn in time never began.
            assert_eq!(result.unwrap_err().code, ErrorCode::DeadlineExceeded);
            Instant::now().saturating_duration_since(deadline)
        });
    }
    let mut latest = Duration::ZERO;
    let mut answers = 0;
    loop {
        tokio::select! {
            biased;
            done = loops.join_next() => match done {
                Some(late) => latest = latest.max(late.unwrap()),
                None => break,
            },
            answer = call(&echo, "Op", b"alive") => {
                assert_eq!(answer.unwrap(), "alive");
                answers += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert!(answers > 3, "the echo answered {answers} times");
    latest
}

#[tokio::test]
async fn many_loops_on_one_thread_end_in_time_and_let_others_run() {
    let _alone = alone().await;
    let engine = engine(128);
    let mut least = Duration::MAX;
    for _ in 0..TRIES {
        least = least.min(lateness_of(&engine, 100).await);
        if least <= LATENESS_MAX {
            return;
        }
    }
    panic!("the last of 100 loops ended {least:?} late");
}
