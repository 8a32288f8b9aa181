//! Which modules are refused, and what is said of them.

use lattice_protocol::{ErrorCode, limits::ACTOR_MEMORY_DEFAULT_BYTES};
use mesh_runtime::{ActorOptions, CompileError};

use crate::guests::{self, guest_of};
use crate::support::{MEMORY_BYTES, assert_error, call, engine, options, try_compile};

#[tokio::test]
async fn an_unknown_import_is_named() {
    let engine = engine(1);
    let wat = guest_of("wapc", r#"(import "env" "system" (func (param i32)))"#, "(i32.const 1)");
    let error = try_compile(&engine, &wat, options()).unwrap_err();
    let expected =
        CompileError::UnknownImport { module: "env".to_owned(), name: "system".to_owned() };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn an_import_of_another_type_is_named() {
    let engine = engine(1);
    let wat = r#"(module (import "wapc" "__console_log" (func (param i64)))
      (memory (export "memory") 1)
      (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    match try_compile(&engine, wat, options()).unwrap_err() {
        CompileError::ImportType(cause) => assert!(cause.contains("__console_log"), "{cause}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn missing_and_mistyped_exports_are_named() {
    let engine = engine(1);
    let call = r#"(func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))"#;
    let memory = r#"(memory (export "memory") 1)"#;
    let refused =
        |items: &str| try_compile(&engine, &format!("(module {items})"), options()).unwrap_err();
    assert_eq!(refused(call), CompileError::MissingExport { name: "memory" });
    assert_eq!(refused(memory), CompileError::MissingExport { name: "__guest_call" });
    let wrong = r#"(func (export "__guest_call") (param i64 i32) (result i32) (i32.const 1))"#;
    match refused(&format!("{memory} {wrong}")) {
        CompileError::ExportType { name: "__guest_call", .. } => {}
        other => panic!("{other}"),
    }
    let initialiser = r#"(func (export "_start") (param i32))"#;
    match refused(&format!("{memory} {call} {initialiser}")) {
        CompileError::ExportType { name: "_start", .. } => {}
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn features_that_no_actor_needs_are_refused() {
    let engine = engine(1);
    for items in [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(func $f return_call $f)",
        "(type (struct))",
    ] {
        let error = try_compile(&engine, &format!("(module {items})"), options()).unwrap_err();
        assert!(matches!(error, CompileError::Invalid(_)), "{items}: {error}");
    }
}

#[tokio::test]
async fn a_module_that_starts_too_large_is_refused() {
    let engine = engine(1);
    let exports = r#"(func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1))"#;
    let small = ActorOptions { memory_bytes: MEMORY_BYTES, ..options() };
    let wat = format!(r#"(module (memory (export "memory") 257) {exports})"#);
    let declared = 257 * 65_536;
    let expected = CompileError::TooMuchMemory { declared, limit: MEMORY_BYTES };
    assert_eq!(try_compile(&engine, &wat, small).unwrap_err(), expected);
    let large = ActorOptions { memory_bytes: ACTOR_MEMORY_DEFAULT_BYTES, ..options() };
    let actor = try_compile(&engine, &wat, large).unwrap();
    assert_error(&call(&actor, "Op", b"").await, ErrorCode::ActorError, true, "without a response");
}

#[tokio::test]
async fn an_actor_outlives_its_engine() {
    let echo = {
        let engine = engine(1);
        try_compile(&engine, &guests::echo(), options()).unwrap()
    };
    assert_eq!(call(&echo, "Op", b"still here").await.unwrap(), "still here");
}
