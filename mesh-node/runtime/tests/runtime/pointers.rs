//! Bad pointers and lengths in every import: a trap that names it, and nothing else happens.

use lattice_protocol::ErrorCode;

use crate::guests::{self, guest, guest_of};
use crate::support::{Answer, PATIENCE, TestHost, actor, assert_error, call, call_with, engine};

/// Pointers and lengths that lead out of four pages of memory.
const BAD: [(i64, i64); 6] = [
    (0, 0xffff_ffff),
    (0xffff_ffff, 0xffff_ffff),
    (0xffff_ffff, 1),
    (262_143, 2),
    (262_144, 1),
    (0x8000_0000, 0x8000_0000),
];

#[tokio::test]
async fn every_range_of_wapc_is_checked() {
    let engine = engine(2);
    let echo = actor(&engine, &guests::echo());
    let host_call = |place: usize, pointer: i64, length: i64| {
        let ranges: Vec<String> = (0..4)
            .map(|index| match index == place {
                true => format!("(i32.const {pointer}) (i32.const {length})"),
                false => "(i32.const 0) (i32.const 1)".to_owned(),
            })
            .collect();
        format!("(drop (call $host_call {}))", ranges.join(" "))
    };
    for (pointer, length) in BAD {
        let range = format!("(i32.const {pointer}) (i32.const {length})");
        let mut bodies = vec![
            ("__guest_response", format!("(call $guest_response {range})")),
            ("__guest_error", format!("(call $guest_error {range})")),
            ("__console_log", format!("(call $console_log {range})")),
        ];
        bodies.extend((0..4).map(|place| ("__host_call", host_call(place, pointer, length))));
        for (import, body) in bodies {
            let host = TestHost::echo();
            let hostile = actor(&engine, &guest(&format!("{body} (i32.const 1)")));
            let result = call_with(&hostile, "Op", b"payload", &host, PATIENCE).await;
            let place = format!("{import}: ");
            assert_error(&result, ErrorCode::ActorTrapped, true, &place);
            assert_error(&result, ErrorCode::ActorTrapped, true, "outside the actor's memory");
            assert_eq!((host.calls().len(), host.lines().len()), (0, 0));
            assert_eq!(call(&echo, "Op", b"alive").await.unwrap(), "alive");
        }
    }
}

#[tokio::test]
async fn every_target_of_wapc_is_checked() {
    let engine = engine(2);
    let failing = |message: &str| {
        TestHost::new(Answer::Fail(lattice_protocol::Error::not_started(ErrorCode::Busy, message)))
    };
    for pointer in [0xffff_ffff_i64, 262_144, 262_143, 0x8000_0000] {
        let bad = format!("(i32.const {pointer})");
        let ask = "(drop (call $host_call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
      (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 7)))";
        for (import, body, host) in [
            (
                "__guest_request",
                format!("(call $guest_request {bad} (i32.const 0))"),
                TestHost::echo(),
            ),
            (
                "__guest_request",
                format!("(call $guest_request (i32.const 0) {bad})"),
                TestHost::echo(),
            ),
            ("__host_response", format!("{ask} (call $host_response {bad})"), TestHost::echo()),
            ("__host_error", format!("{ask} (call $host_error {bad})"), failing("later")),
        ] {
            let hostile = actor(&engine, &guest(&format!("{body} (i32.const 1)")));
            let result = call_with(&hostile, "Op", b"payload", &host, PATIENCE).await;
            assert_error(&result, ErrorCode::ActorTrapped, true, &format!("{import}: "));
        }
    }
}

#[tokio::test]
async fn every_pointer_of_abort_is_checked() {
    let engine = engine(2);
    let items = r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (data (i32.const 256) "\04\00\00\00n\00o\00") (data (i32.const 512) "\ff\ff\ff\ff")"#;
    let aborting = |message: i64, file: i64| {
        let body = format!(
            "(call $abort (i32.const {message}) (i32.const {file}) (i32.const 3) (i32.const 4)) (i32.const 1)"
        );
        guest_of("wapc", items, &body)
    };
    let result = call(&actor(&engine, &aborting(260, 0)), "Op", b"").await;
    let said = "the actor aborted: no at (nothing said):3:4";
    assert_error(&result, ErrorCode::ActorTrapped, true, said);
    for (message, file) in [(0xffff_ffff, 0), (262_146, 0), (1, 0), (516, 0), (260, 0xffff_fffc)] {
        let result = call(&actor(&engine, &aborting(message, file)), "Op", b"").await;
        assert_error(&result, ErrorCode::ActorTrapped, true, "env.abort: ");
    }
}

#[tokio::test]
async fn every_pointer_of_wasi_is_checked() {
    let engine = engine(2);
    let echo = actor(&engine, &guests::echo());
    // A buffer at 768 that leads nowhere, a subscription to a clock at 896.
    let data = r#"(data (i32.const 768) "\00\00\00\00\ff\ff\ff\ff")"#;
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        for (import, parameters, arguments) in [
            ("args_sizes_get", "i32 i32", vec!["-1 0", "0 -1", "262141 0"]),
            ("environ_sizes_get", "i32 i32", vec!["-1 0", "0 -1", "262141 0"]),
            ("clock_res_get", "i32 i32", vec!["0 -1", "1 262137"]),
            ("random_get", "i32 i32", vec!["0 -1", "-1 1", "262143 2"]),
            ("fd_fdstat_get", "i32 i32", vec!["1 -1", "1 262121"]),
            (
                "fd_write",
                "i32 i32 i32 i32",
                vec!["1 -1 1 0", "1 768 1 0", "1 262137 1 0", "1 0 0 -1", "1 0 1 262141"],
            ),
            ("fd_read", "i32 i32 i32 i32", vec!["0 0 0 -1"]),
            (
                "poll_oneoff",
                "i32 i32 i32 i32",
                vec!["-1 0 1 0", "0 -1 1 0", "262120 0 1 0", "0 4096 1 -1", "0 0 256 262141"],
            ),
            ("clock_time_get", "i32 i64 i32", vec!["0 0 -1", "1 0 262137"]),
        ] {
            for arguments in arguments {
                let kinds = parameters.split(' ');
                let arguments: Vec<String> = kinds
                    .zip(arguments.split(' '))
                    .map(|(kind, value)| format!("({kind}.const {value})"))
                    .collect();
                let arguments = arguments.join(" ");
                let items = format!(
                    r#"(import "{module}" "{import}" (func $it (param {parameters}) (result i32))) {data}"#
                );
                let wat = guest_of("wapc", &items, &format!("(call $it {arguments})"));
                let result = call(&actor(&engine, &wat), "Op", b"").await;
                assert_error(&result, ErrorCode::ActorTrapped, true, &format!("{import}: "));
                assert_eq!(call(&echo, "Op", b"alive").await.unwrap(), "alive");
            }
        }
    }
}

#[tokio::test]
async fn imports_in_a_start_function_find_the_memory() {
    let engine = engine(2);
    let start = |pointer: i64| {
        let start =
            format!("(start $s) (func $s (call $console_log (i32.const {pointer}) (i32.const 6)))");
        guest_of(
            "wapc",
            &start,
            "(call $guest_response (i32.const 48) (i32.const 1)) (i32.const 1)",
        )
    };
    let host = TestHost::echo();
    call_with(&actor(&engine, &start(48)), "Op", b"", &host, PATIENCE).await.unwrap();
    assert_eq!(host.lines().len(), 1);
    let result = call(&actor(&engine, &start(-1)), "Op", b"").await;
    assert_error(&result, ErrorCode::ActorTrapped, true, "__console_log: ");
}
