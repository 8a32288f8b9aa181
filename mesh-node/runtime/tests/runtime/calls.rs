//! What an actor and its host say to one another.

use bytes::Bytes;
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{HostCall, LogSource};

use crate::guests::{self, guest, guest_of};
use crate::support::{Answer, PATIENCE, TestHost, actor, assert_error, call, call_with, engine};

#[tokio::test]
async fn an_echo_returns_its_payload() {
    let engine = engine(4);
    assert!(engine.is_pooling());
    for wat in [guests::echo(), guests::older_echo()] {
        let echo = actor(&engine, &wat);
        for payload in [&b"hello"[..], b"", &[7; 100_000]] {
            assert_eq!(call(&echo, "Echo", payload).await.unwrap(), payload);
        }
    }
}

#[tokio::test]
async fn the_guest_sees_the_operation() {
    let engine = engine(4);
    let named = actor(
        &engine,
        &guest(
            "(call $guest_request (i32.const 1024) (i32.const 4096))
    (call $guest_response (i32.const 1024) (local.get $operation)) (i32.const 1)",
        ),
    );
    assert_eq!(
        call(&named, "HttpServer.HandleRequest", b"x").await.unwrap(),
        "HttpServer.HandleRequest"
    );
}

#[tokio::test]
async fn an_error_of_the_guest_arrives_with_its_text() {
    let engine = engine(4);
    let failing =
        actor(&engine, &guest("(call $guest_error (i32.const 48) (i32.const 6)) (i32.const 0)"));
    let error = call(&failing, "Op", b"").await.unwrap_err();
    assert_eq!(error, Error::started(ErrorCode::ActorError, "a line"));
}

#[tokio::test]
async fn the_rules_of_results_hold() {
    let engine = engine(4);
    let empty =
        actor(&engine, &guest("(call $guest_response (i32.const 0) (i32.const 0)) (i32.const 1)"));
    assert_eq!(call(&empty, "Op", b"x").await.unwrap(), "");

    let silent = actor(&engine, &guest("(i32.const 1)"));
    let result = call(&silent, "Op", b"").await;
    assert_error(&result, ErrorCode::ActorError, true, "without a response");

    let error_and_success =
        actor(&engine, &guest("(call $guest_error (i32.const 48) (i32.const 6)) (i32.const 1)"));
    let result = call(&error_and_success, "Op", b"").await;
    assert_error(&result, ErrorCode::ActorError, true, "a line");

    let failure =
        actor(&engine, &guest("(call $guest_response (i32.const 0) (i32.const 7)) (i32.const 0)"));
    let result = call(&failure, "Op", b"").await;
    assert_error(&result, ErrorCode::ActorError, true, "without an error");
}

#[tokio::test]
async fn a_host_call_goes_out_and_comes_back() {
    let engine = engine(4);
    let caller = actor(&engine, &guests::caller());
    let host = TestHost::new(Answer::Bytes(Bytes::from_static(b"from afar")));
    let response = call_with(&caller, "Op", b"ask", &host, PATIENCE).await.unwrap();
    assert_eq!(response, "from afar");
    let expected = HostCall {
        link: "default".to_owned(),
        namespace: "mesh:test".to_owned(),
        operation: "Op".to_owned(),
        payload: Bytes::from_static(b"ask"),
    };
    assert_eq!(host.calls(), [expected]);
}

#[tokio::test]
async fn the_guest_sees_a_host_error_as_its_text() {
    let engine = engine(4);
    let caller = actor(&engine, &guests::caller());
    let error = Error::not_started(ErrorCode::NoLink, "nothing is linked");
    let host = TestHost::new(Answer::Fail(error.clone()));
    let result = call_with(&caller, "Op", b"ask", &host, PATIENCE).await;
    assert_eq!(result.unwrap_err(), Error::started(ErrorCode::ActorError, error.to_string()));
}

#[tokio::test]
async fn a_host_call_that_makes_no_sense_is_an_error_that_the_guest_sees() {
    let engine = engine(4);
    let host = TestHost::echo();
    // The operation is not UTF-8; then it is too long.
    for (data, length) in [("\\ff", 1), ("", 257)] {
        let wat = guest_of(
            "wapc",
            &format!(r#"(data (i32.const 256) "{data}")"#),
            &format!(
                "(if (call $host_call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
            (i32.const 256) (i32.const {length}) (i32.const 0) (i32.const 0)) (then unreachable))
        (call $host_error (i32.const 4096))
        (call $guest_error (i32.const 4096) (call $host_error_len)) (i32.const 0)"
            ),
        );
        let result = call_with(&actor(&engine, &wat), "Op", b"", &host, PATIENCE).await;
        assert_error(&result, ErrorCode::ActorError, true, "bad_request: the operation");
    }
    assert_eq!(host.calls(), []);
}

#[tokio::test]
async fn console_lines_reach_the_host() {
    let engine = engine(4);
    let wat = guest(
        "(call $console_log (i32.const 48) (i32.const 6))
    (call $guest_response (i32.const 0) (i32.const 0)) (i32.const 1)",
    );
    let host = TestHost::echo();
    call_with(&actor(&engine, &wat), "Op", b"", &host, PATIENCE).await.unwrap();
    assert_eq!(host.lines(), [(LogSource::Console, "a line".to_owned())]);
}

#[tokio::test]
async fn initialisers_run_in_order_before_the_call() {
    let engine = engine(4);
    let items = r#"(global $at (mut i32) (i32.const 512))
  (func $note (param i32)
    (i32.store8 (global.get $at) (local.get 0))
    (global.set $at (i32.add (global.get $at) (i32.const 1))))
  (func (export "wapc_init") (call $note (i32.const 99)))
  (func (export "_start") (call $note (i32.const 98)))
  (func (export "_initialize") (call $note (i32.const 97)))"#;
    let body = "(call $guest_response (i32.const 512) (i32.const 4)) (i32.const 1)";
    let response = call(&actor(&engine, &guest_of("wapc", items, body)), "Op", b"").await.unwrap();
    assert_eq!(&response[..], b"abc\0");
}

#[tokio::test]
async fn a_passed_deadline_starts_nothing() {
    let engine = engine(4);
    let host = TestHost::echo();
    let result =
        call_with(&actor(&engine, &guests::echo()), "Op", b"", &host, std::time::Duration::ZERO)
            .await;
    assert_error(&result, ErrorCode::DeadlineExceeded, false, "before it began");
}
