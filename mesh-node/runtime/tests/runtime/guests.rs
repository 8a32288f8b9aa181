//! Guests as WAT.

/// The imports of waPC from `module`, each under a name of its own.
fn imports(module: &str) -> String {
    format!(
        r#"
  (import "{module}" "__guest_request" (func $guest_request (param i32 i32)))
  (import "{module}" "__guest_response" (func $guest_response (param i32 i32)))
  (import "{module}" "__guest_error" (func $guest_error (param i32 i32)))
  (import "{module}" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "{module}" "__host_response_len" (func $host_response_len (result i32)))
  (import "{module}" "__host_response" (func $host_response (param i32)))
  (import "{module}" "__host_error_len" (func $host_error_len (result i32)))
  (import "{module}" "__host_error" (func $host_error (param i32)))
  (import "{module}" "__console_log" (func $console_log (param i32 i32)))
"#
    )
}

/// An actor whose `__guest_call` has `body`, beside `items`.
///
/// Its memory holds "default" at 0, "mesh:test" at 16, "Op" at 32 and "a line" at 48.
pub fn guest_of(module: &str, items: &str, body: &str) -> String {
    format!(
        r#"(module {imports}
  {items}
  (memory (export "memory") 4)
  (data (i32.const 0) "default") (data (i32.const 16) "mesh:test")
  (data (i32.const 32) "Op") (data (i32.const 48) "a line")
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    {body}))"#,
        imports = imports(module)
    )
}

/// An actor that imports `wapc` and has nothing but `body`.
pub fn guest(body: &str) -> String {
    guest_of("wapc", "", body)
}

const ECHO: &str = "(call $guest_request (i32.const 1024) (i32.const 4096))
    (call $guest_response (i32.const 4096) (local.get $length))
    (i32.const 1)";

/// Returns its payload.
pub fn echo() -> String {
    guest(ECHO)
}

/// The same as an older actor, importing `wasmbus`.
pub fn older_echo() -> String {
    guest_of("wasmbus", "", ECHO)
}

/// Calls its host with its payload and returns what the host answers, or fails with its error.
pub fn caller() -> String {
    guest(
        "(call $guest_request (i32.const 1024) (i32.const 4096))
    (if (result i32) (call $host_call
        (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
        (i32.const 32) (i32.const 2) (i32.const 4096) (local.get $length))
      (then
        (call $host_response (i32.const 4096))
        (call $guest_response (i32.const 4096) (call $host_response_len))
        (i32.const 1))
      (else
        (call $host_error (i32.const 4096))
        (call $guest_error (i32.const 4096) (call $host_error_len))
        (i32.const 0)))",
    )
}

/// Returns a counter in its memory that each call raises: 4 bytes, little-endian. Traps when its
/// payload is not empty.
pub fn counter() -> String {
    guest(
        "(if (local.get $length) (then unreachable))
    (i32.store (i32.const 512) (i32.add (i32.load (i32.const 512)) (i32.const 1)))
    (call $guest_response (i32.const 512) (i32.const 4))
    (i32.const 1)",
    )
}

/// Never returns.
pub fn endless() -> String {
    guest("(loop $again (br $again)) (i32.const 1)")
}
