//! WASI preview 1: what it offers, what it refuses, and that it never blocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lattice_protocol::ErrorCode;
use mesh_runtime::LogSource;
use mesh_runtime::limits::{LOG_CALL_BYTES_MAX, LOG_LINE_BYTES_MIN};

use crate::guests::guest_of;
use crate::support::{PATIENCE, TestHost, actor, assert_error, call, call_with, engine};

const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];
/// Writes "out\nrest" to standard output: its buffers are at 768.
const TEXT: &str = r#"(data (i32.const 640) "out\0arest")
  (data (i32.const 768) "\80\02\00\00\05\00\00\00\85\02\00\00\03\00\00\00")"#;
const RESPOND_512: &str = "(call $guest_response (i32.const 512) (i32.const 8)) (i32.const 1)";

fn import(module: &str, name: &str, parameters: &str) -> String {
    format!(r#"(import "{module}" "{name}" (func ${name} (param {parameters}) (result i32)))"#)
}

#[tokio::test]
async fn output_goes_to_the_log_by_lines() {
    let engine = engine(2);
    for module in MODULES {
        let items = import(module, "fd_write", "i32 i32 i32 i32") + TEXT;
        let body = format!(
            "(drop (call $fd_write (i32.const 1) (i32.const 768) (i32.const 2) (i32.const 512)))
      (drop (call $fd_write (i32.const 2) (i32.const 768) (i32.const 1) (i32.const 516)))
      {RESPOND_512}"
        );
        let host = TestHost::echo();
        let wat = guest_of("wapc", &items, &body);
        let response = call_with(&actor(&engine, &wat), "Op", b"", &host, PATIENCE).await.unwrap();
        assert_eq!(&response[..], [8, 0, 0, 0, 5, 0, 0, 0]);
        let stdout = |text: &str| (LogSource::Stdout, text.to_owned());
        let stderr = |text: &str| (LogSource::Stderr, text.to_owned());
        assert_eq!(host.lines(), [stdout("out"), stderr("out"), stdout("rest"), stderr("r")]);
    }
}

#[tokio::test]
async fn endless_output_is_bounded_and_ends() {
    let engine = engine(2);
    let items = import(MODULES[0], "fd_write", "i32 i32 i32 i32") + TEXT;
    let body = "(loop $again
      (drop (call $fd_write (i32.const 1) (i32.const 768) (i32.const 2) (i32.const 512)))
      (br $again)) (i32.const 1)";
    let host = TestHost::echo();
    let wat = guest_of("wapc", &items, body);
    let time = Duration::from_millis(100);
    let result = call_with(&actor(&engine, &wat), "Op", b"", &host, time).await;
    assert_error(&result, ErrorCode::DeadlineExceeded, true, "time");
    let lines = host.lines();
    assert!(lines.len() <= LOG_CALL_BYTES_MAX / LOG_LINE_BYTES_MIN + 1, "{} lines", lines.len());
    assert!(lines.last().unwrap().1.contains("dropped"));
}

#[tokio::test]
async fn clocks_tell_the_time() {
    let engine = engine(2);
    for module in MODULES {
        let items = import(module, "clock_time_get", "i32 i64 i32");
        let read = |clock: u32| {
            let body = format!(
                "(if (call $clock_time_get (i32.const {clock}) (i64.const 0) (i32.const 512))
          (then (return (i32.const 0)))) {RESPOND_512}"
            );
            guest_of("wapc", &items, &body)
        };
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let response = call(&actor(&engine, &read(0)), "Op", b"").await.unwrap();
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let told = u128::from(u64::from_le_bytes(response[..].try_into().unwrap()));
        assert!((before..=after).contains(&told));
        let monotonic = actor(&engine, &read(1));
        let first = call(&monotonic, "Op", b"").await.unwrap();
        let second = call(&monotonic, "Op", b"").await.unwrap();
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        assert!(number(&first) < number(&second));
        let result = call(&actor(&engine, &read(2)), "Op", b"").await;
        assert_error(&result, ErrorCode::ActorError, true, "");
    }
}

#[tokio::test]
async fn randomness_fills_the_whole_buffer() {
    let engine = engine(2);
    let items = import(MODULES[0], "random_get", "i32 i32");
    // More than is made in one go; the end of it is returned.
    let body = "(drop (memory.grow (i32.const 64)))
    (drop (call $random_get (i32.const 65536) (i32.const 3000000)))
    (call $guest_response (i32.const 3065472) (i32.const 64)) (i32.const 1)";
    let wat = guest_of("wapc", &items, body);
    let random = actor(&engine, &wat);
    let first = call(&random, "Op", b"").await.unwrap();
    let second = call(&random, "Op", b"").await.unwrap();
    assert_ne!(first, second);
    assert_ne!(&first[..], [0; 64]);
}

/// A guest that polls one clock for `nanoseconds`, with the layout of `module`.
fn sleeper(module: &str, nanoseconds: u64, absolute: bool) -> String {
    let items = import(module, "poll_oneoff", "i32 i32 i32 i32");
    let (clock, time, flags) = if module == "wasi_unstable" { (24, 32, 48) } else { (16, 24, 40) };
    let body = format!(
        "(i64.store (i32.const 1024) (i64.const 77))
    (i32.store (i32.const {clock_at}) (i32.const 1))
    (i64.store (i32.const {time_at}) (i64.const {nanoseconds}))
    (i32.store16 (i32.const {flags_at}) (i32.const {absolute}))
    (if (call $poll_oneoff (i32.const 1024) (i32.const 512) (i32.const 1) (i32.const 600))
      (then (return (i32.const 0))))
    (if (i32.ne (i32.load (i32.const 600)) (i32.const 1)) (then (return (i32.const 0))))
    {RESPOND_512}",
        clock_at = 1_024 + clock,
        time_at = 1_024 + time,
        flags_at = 1_024 + flags,
        absolute = u8::from(absolute),
    );
    guest_of("wapc", &items, &body)
}

#[tokio::test]
async fn a_sleep_waits_without_blocking_the_thread() {
    let engine = engine(4);
    for module in MODULES {
        let time = Duration::from_millis(50);
        let sleeping = actor(&engine, &sleeper(module, time.as_nanos() as u64, false));
        let begin = Instant::now();
        let host = TestHost::echo();
        // Both sleep on the one thread of this test: one after the other would take twice as long.
        let (first, second) = tokio::join!(
            call(&sleeping, "Op", b""),
            call_with(&sleeping, "Op", b"", &host, PATIENCE)
        );
        let elapsed = begin.elapsed();
        assert_eq!(&first.unwrap()[..], 77u64.to_le_bytes());
        second.unwrap();
        assert!(elapsed >= time, "{elapsed:?}");
    }
}

#[tokio::test]
async fn a_sleep_ends_at_the_deadline() {
    let engine = engine(4);
    for module in MODULES {
        for absolute in [false, true] {
            let sleeping = actor(&engine, &sleeper(module, u64::MAX / 2, absolute));
            let time = Duration::from_millis(50);
            let result = call_with(&sleeping, "Op", b"", &TestHost::echo(), time).await;
            assert_error(&result, ErrorCode::DeadlineExceeded, true, "time");
        }
        let past = actor(&engine, &sleeper(module, 1, true));
        assert_eq!(&call(&past, "Op", b"").await.unwrap()[..], 77u64.to_le_bytes());
    }
}

#[tokio::test]
async fn a_loop_of_yields_ends_at_the_deadline() {
    let engine = engine(4);
    let items = format!(r#"(import "{}" "sched_yield" (func $yield (result i32)))"#, MODULES[0]);
    let body = "(loop $again (drop (call $yield)) (br $again)) (i32.const 1)";
    let wat = guest_of("wapc", &items, body);
    let time = Duration::from_millis(50);
    let result = call_with(&actor(&engine, &wat), "Op", b"", &TestHost::echo(), time).await;
    assert_error(&result, ErrorCode::DeadlineExceeded, true, "time");
}

#[tokio::test]
async fn an_exit_with_zero_ends_an_initialiser_well_and_any_other_is_a_trap() {
    let engine = engine(2);
    let exit = |code: i32, in_call: bool| {
        let exit = format!("(call $exit (i32.const {code}))");
        let (init, call) = if in_call { (String::new(), exit) } else { (exit, String::new()) };
        let items = format!(
            r#"(import "{}" "proc_exit" (func $exit (param i32)))
  (func (export "_start") {init})"#,
            MODULES[0]
        );
        guest_of("wapc", &items, &format!("{call} {RESPOND_512}"))
    };
    call(&actor(&engine, &exit(0, false)), "Op", b"").await.unwrap();
    let result = call(&actor(&engine, &exit(3, false)), "Op", b"").await;
    assert_error(&result, ErrorCode::ActorTrapped, true, "exited with code 3");
    let result = call(&actor(&engine, &exit(0, true)), "Op", b"").await;
    assert_error(&result, ErrorCode::ActorTrapped, true, "exited with code 0");
}

#[tokio::test]
async fn files_and_sockets_are_refused() {
    let engine = engine(2);
    for module in MODULES {
        for (name, parameters) in [
            ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
            ("fd_prestat_get", "i32 i32"),
            ("sock_accept", "i32 i32 i32"),
            ("fd_filestat_get", "i32 i32"),
        ] {
            let zeros: Vec<String> =
                parameters.split(' ').map(|kind| format!("({kind}.const 3)")).collect();
            let body = format!(
                "(i32.store (i32.const 512) (call ${name} {})) {RESPOND_512}",
                zeros.join(" ")
            );
            let wat = guest_of("wapc", &import(module, name, parameters), &body);
            let response = call(&actor(&engine, &wat), "Op", b"").await.unwrap();
            assert_eq!(response[0], 8, "{name}: no such descriptor");
        }
    }
}
