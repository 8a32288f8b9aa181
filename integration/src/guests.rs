//! Guests as WAT, for what no example actor does: to sleep, to harm.

use std::time::Duration;

/// Returns an actor whose `__guest_call` has `body`, beside `items`.
///
/// Its memory of four pages holds "default" at 0, "mesh:test" at 16, "Op" at 32 and "a line" at
/// 48; nothing else is in it.
///
/// # Errors
/// When that is no WAT.
pub fn guest_of(items: &str, body: &str) -> anyhow::Result<Vec<u8>> {
    let text = format!(
        r#"(module
  (import "wapc" "__guest_request" (func $guest_request (param i32 i32)))
  (import "wapc" "__guest_response" (func $guest_response (param i32 i32)))
  (import "wapc" "__guest_error" (func $guest_error (param i32 i32)))
  (import "wapc" "__host_call" (func $host_call
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $console_log (param i32 i32)))
  {items}
  (memory (export "memory") 4)
  (data (i32.const 0) "default") (data (i32.const 16) "mesh:test")
  (data (i32.const 32) "Op") (data (i32.const 48) "a line")
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    {body}))"#
    );
    Ok(wat::parse_str(text)?)
}

/// Returns an actor that has nothing but `body`.
///
/// # Errors
/// When that is no WAT.
pub fn guest(body: &str) -> anyhow::Result<Vec<u8>> {
    guest_of("", body)
}

/// Returns an actor that sleeps as long as its payload says ([`nap`]) and returns it.
///
/// # Errors
/// Never.
pub fn sleeper() -> anyhow::Result<Vec<u8>> {
    // A subscription to the monotonic clock at 1024, whose time is at 1048.
    guest_of(
        r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll
             (param i32 i32 i32 i32) (result i32)))
           (data (i32.const 1040) "\01")"#,
        "(call $guest_request (i32.const 512) (i32.const 1048))
         (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096)))
         (call $guest_response (i32.const 1048) (local.get $length))
         (i32.const 1)",
    )
}

/// Returns an actor that computes as many steps, of about a nanosecond, as its payload says (eight
/// bytes, the lowest first), and returns it.
///
/// # Errors
/// Never.
pub fn laborer() -> anyhow::Result<Vec<u8>> {
    guest_of(
        "",
        "(local $steps i64)
         (call $guest_request (i32.const 512) (i32.const 1024))
         (local.set $steps (i64.load (i32.const 1024)))
         (loop $again
           (local.set $steps (i64.sub (local.get $steps) (i64.const 1)))
           (br_if $again (i64.gt_s (local.get $steps) (i64.const 0))))
         (call $guest_response (i32.const 1024) (local.get $length))
         (i32.const 1)",
    )
}

/// Returns an actor that sleeps as long as the first eight bytes of its payload say, then writes the
/// rest into the log of its node and answers with nothing.
///
/// # Errors
/// Never.
pub fn teller() -> anyhow::Result<Vec<u8>> {
    guest_of(
        r#"(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll
             (param i32 i32 i32 i32) (result i32)))
           (data (i32.const 1040) "\01")"#,
        "(call $guest_request (i32.const 512) (i32.const 8192))
         (i64.store (i32.const 1048) (i64.load (i32.const 8192)))
         (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096)))
         (call $console_log (i32.const 8200) (i32.sub (local.get $length) (i32.const 8)))
         (call $guest_response (i32.const 8200) (i32.const 0))
         (i32.const 1)",
    )
}

/// Returns an actor that writes its payload into the log of its node and fails with it.
///
/// # Errors
/// Never.
pub fn failer() -> anyhow::Result<Vec<u8>> {
    guest(
        "(call $guest_request (i32.const 512) (i32.const 8192))
         (call $console_log (i32.const 8192) (local.get $length))
         (call $guest_error (i32.const 8192) (local.get $length))
         (i32.const 0)",
    )
}

/// Returns the payload that makes [`sleeper`] sleep for `time`.
pub fn nap(time: Duration) -> Vec<u8> {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).to_le_bytes().to_vec()
}
