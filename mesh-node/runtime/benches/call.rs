//! What a call costs: with fresh memory, on a warm instance, with a call of the host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that can't be set up should end there"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use lattice_protocol::claims::{SignRequest, sign, verify};
use lattice_protocol::record::Isolation;
use mesh_runtime::{
    Actor, ActorOptions, Call, Engine, EngineOptions, Host, HostCall, HostFuture, LogSource,
};

const ECHO: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 17)
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (call $request (i32.const 1024) (i32.const 4096))
    (call $response (i32.const 4096) (local.get $length))
    (i32.const 1)))"#;

/// Grows its memory by a page as the first allocation of most compilers does, and uses it.
const GROWER: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 17)
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (local $page i32)
    (local.set $page (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
    (call $request (i32.const 1024) (local.get $page))
    (call $response (local.get $page) (local.get $length))
    (i32.const 1)))"#;

const CALLER: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $length (result i32)))
  (import "wapc" "__host_response" (func $fetch (param i32)))
  (memory (export "memory") 17)
  (data (i32.const 0) "default") (data (i32.const 16) "mesh:test") (data (i32.const 32) "Op")
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (call $request (i32.const 1024) (i32.const 4096))
    (drop (call $call (i32.const 0) (i32.const 7) (i32.const 16) (i32.const 9)
      (i32.const 32) (i32.const 2) (i32.const 4096) (local.get $length)))
    (call $fetch (i32.const 8192))
    (call $response (i32.const 8192) (call $length))
    (i32.const 1)))"#;

struct EchoHost;

impl Host for EchoHost {
    fn call<'a>(&'a self, call: HostCall) -> HostFuture<'a> {
        Box::pin(std::future::ready(Ok(call.payload)))
    }

    fn log(&self, _source: LogSource, _text: &str) {}
}

fn compile(engine: &Engine, wasm: &[u8], isolation: Isolation) -> Actor {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request = SignRequest {
        issuer: &nkeys::KeyPair::new_account(),
        module: &nkeys::KeyPair::new_module(),
        name: "bench",
        capabilities: Vec::new(),
        tags: Vec::new(),
        revision: None,
        version: None,
        now_s,
        expires_s: None,
        not_before_s: None,
    };
    let module = verify(&sign(wasm, &request).unwrap(), now_s).unwrap();
    let options =
        ActorOptions { memory_bytes: 64 * 1024 * 1024, isolation, warm_instances_max: 16 };
    engine.compile(&module, options).unwrap()
}

fn calls(criterion: &mut Criterion) {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let host: Arc<dyn Host> = Arc::new(EchoHost);
    let payload = vec![7; 128];
    let mut bench = |name: &str, wasm: &[u8], isolation: Isolation, operation: &str| {
        let actor = compile(&engine, wasm, isolation);
        criterion.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let deadline = Instant::now() + Duration::from_secs(10);
                let host = Arc::clone(&host);
                let call = Call { operation, payload: black_box(&payload), deadline, host };
                actor.call(call).await.unwrap()
            });
        });
    };
    let (echo, caller) = (wat::parse_str(ECHO).unwrap(), wat::parse_str(CALLER).unwrap());
    bench("echo, fresh memory", &echo, Isolation::PerCall, "Echo");
    let grower = wat::parse_str(GROWER).unwrap();
    bench("echo that grows, fresh memory", &grower, Isolation::PerCall, "Echo");
    bench("echo, warm instance", &echo, Isolation::Reuse, "Echo");
    bench("host call, fresh memory", &caller, Isolation::PerCall, "Ask");
    bench("host call, warm instance", &caller, Isolation::Reuse, "Ask");
    // An actor by a real compiler, where one was built: it allocates, and initialises itself.
    if let Some(path) = std::env::var_os("MESH_BENCH_ACTOR") {
        let actor = std::fs::read(path).expect("MESH_BENCH_ACTOR names a module");
        let operation = std::env::var("MESH_BENCH_OPERATION").unwrap_or("Echo".to_owned());
        bench("actor, fresh memory", &actor, Isolation::PerCall, &operation);
        bench("actor, warm instance", &actor, Isolation::Reuse, &operation);
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
