//! Instances that were used look to their next call as if they were not.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lattice_protocol::claims::{SignRequest, sign, verify};
use lattice_protocol::record::Isolation;
use lattice_protocol::{Error, ErrorCode};

use crate::{
    Actor, ActorOptions, Call, Engine, EngineOptions, Host, HostCall, HostFuture, LogSource,
};

/// Answers with a sum over all of its memory and its globals as it finds them; then writes what its payload says
/// (pairs of an address and a word), changes its globals, and does what its operation says: "grow", "trap", "wait".
const SCRIBBLER: &str = r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 6)
  (global $a (mut i32) (i32.const 77)) (global $b (mut i64) (i64.const 78))
  (global $c (mut f64) (f64.const 7.5)) (global $d (mut v128) (v128.const i64x2 1 2))
  (data (i32.const 70000) "what was there at the beginning")
  (data (i32.const 200000) "and this too")
  (func (export "__guest_call") (param $operation i32) (param $length i32) (result i32)
    (local $sum i64) (local $at i32)
    (local.set $sum (i64.add (i64.extend_i32_u (global.get $a)) (global.get $b)))
    (local.set $sum (i64.add (local.get $sum) (i64.trunc_sat_f64_s (global.get $c))))
    (local.set $sum (i64.add (local.get $sum) (i64x2.extract_lane 1 (global.get $d))))
    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (memory.size))))
    (loop $words
      (local.set $sum (i64.add (i64.rotl (local.get $sum) (i64.const 7))
        (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $words (i32.lt_u (local.get $at) (i32.mul (i32.const 6) (i32.const 65536)))))
    (call $request (i32.const 0) (i32.const 8))
    (i64.store (i32.const 4096) (local.get $sum))
    (global.set $a (i32.const 1)) (global.set $b (i64.const 2)) (global.set $c (f64.const 3))
    (global.set $d (v128.const i64x2 4 5))
    (call $response (i32.const 4096) (i32.const 8))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 119)) (then
      (drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))))
    (local.set $at (i32.const 8))
    (block $end (loop $writes
      (br_if $end (i32.ge_u (local.get $at) (i32.add (local.get $length) (i32.const 8))))
      (i32.store (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br $writes)))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 103)) (then
      (drop (memory.grow (i32.const 1)))))
    (if (i32.eq (i32.load8_u (i32.const 0)) (i32.const 116)) (then unreachable))
    (i32.const 1)))"#;

struct Slow;

impl Host for Slow {
    fn call(&self, _call: HostCall) -> HostFuture<'_> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Bytes::new())
        })
    }

    fn log(&self, _source: LogSource, _text: &str) {}
}

fn actor(slots: u32, wat: &str) -> Actor {
    let engine = Engine::new(EngineOptions { slots, ..EngineOptions::default() }).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request = SignRequest {
        issuer: &nkeys::KeyPair::new_account(),
        module: &nkeys::KeyPair::new_module(),
        name: "scribbler",
        capabilities: Vec::new(),
        tags: Vec::new(),
        revision: None,
        version: None,
        now_s,
        expires_s: None,
        not_before_s: None,
    };
    let module = verify(&sign(&wat::parse_str(wat).unwrap(), &request).unwrap(), now_s).unwrap();
    let isolation = Isolation::PerCall;
    let options = ActorOptions { memory_bytes: 1 << 26, isolation, warm_instances_max: 8 };
    engine.compile(&module, options).unwrap()
}

async fn call(actor: &Actor, operation: &str, payload: &[u8]) -> Result<Bytes, Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    actor.call(Call { operation, payload, deadline, host: Arc::new(Slow) }).await
}

/// A few writes at random, most of them near one another as those of real code are.
fn scribbles(number: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..rand::random::<u32>() % 12 {
        let far = rand::random::<u32>().is_multiple_of(4);
        let range = if far { 6 * 65_536 } else { 16_384 };
        let at = 4_200 + rand::random::<u32>() % (range - 4_300);
        payload.extend(at.to_le_bytes());
        payload.extend(number.to_le_bytes());
    }
    payload
}

#[tokio::test]
async fn every_call_finds_memory_and_globals_as_the_first_did() {
    let actor = actor(4, SCRIBBLER);
    let first = call(&actor, "", &[]).await.unwrap();
    assert_eq!(actor.idle(), 1, "it is kept");
    for number in 0..3_000 {
        let operation = match rand::random::<u32>() % 50 {
            0 => "grow",
            1 => "trap",
            _ => "",
        };
        let answer = call(&actor, operation, &scribbles(number)).await;
        match operation {
            "trap" => assert!(answer.is_err()),
            _ => assert_eq!(answer.unwrap(), first, "call {number}"),
        }
        assert_eq!(actor.idle(), usize::from(operation.is_empty()), "after {operation:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_wait_and_go_on_elsewhere_leave_nothing_to_others() {
    let actor = actor(16, SCRIBBLER);
    let first = call(&actor, "", &[]).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..2_000 {
        let (actor, first) = (actor.clone(), first.clone());
        calls.spawn(async move {
            let answer = call(&actor, "wait", &scribbles(number)).await;
            match answer {
                Ok(answer) => assert_eq!(answer, first),
                // Every slot is taken.
                Err(error) => assert_eq!(error.code, ErrorCode::Busy, "{error}"),
            }
        });
        if number % 12 == 0 {
            while let Some(done) = calls.join_next().await {
                done.unwrap();
            }
        }
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert!(actor.idle() > 1);
}

#[tokio::test]
async fn an_instance_that_wrote_much_or_cannot_be_put_back_is_not_kept() {
    let writes_all = r#"(module
      (import "wapc" "__guest_response" (func $response (param i32 i32)))
      (memory (export "memory") 40)
      (func (export "__guest_call") (param i32 i32) (result i32)
        (call $response (i32.const 2000000) (i32.const 1))
        (memory.fill (i32.const 0) (i32.const 7) (i32.const 2621440))
        (i32.const 1)))"#;
    let actor_of_much = actor(4, writes_all);
    for _ in 0..3 {
        assert_eq!(call(&actor_of_much, "", &[]).await.unwrap(), vec![0]);
        assert_eq!(actor_of_much.idle(), 0);
    }
    let sets_table = r#"(module
      (import "wapc" "__guest_response" (func $response (param i32 i32)))
      (memory (export "memory") 1) (table $t 1 funcref) (func $f) (elem declare func $f)
      (func (export "__guest_call") (param i32 i32) (result i32)
        (i32.store8 (i32.const 0) (ref.is_null (table.get $t (i32.const 0))))
        (table.set $t (i32.const 0) (ref.func $f))
        (call $response (i32.const 0) (i32.const 1))
        (i32.const 1)))"#;
    let actor_of_tables = actor(4, sets_table);
    for _ in 0..3 {
        assert_eq!(call(&actor_of_tables, "", &[]).await.unwrap(), vec![1]);
        assert_eq!(actor_of_tables.idle(), 0);
    }
}
