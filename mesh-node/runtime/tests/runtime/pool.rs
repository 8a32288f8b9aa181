//! Instances are bounded, and where there can be no pool there is service all the same.

use std::sync::Arc;
use std::time::Duration;

use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{ActorOptions, Engine, EngineOptions};

use crate::guests;
use crate::support::{
    Answer, PATIENCE, TestHost, actor, assert_error, call, call_with, engine, options, reused,
    try_compile,
};

#[tokio::test]
async fn a_call_that_finds_no_instance_is_answered_busy() {
    let engine = engine(2);
    let caller = actor(&engine, &guests::caller());
    let echo = actor(&engine, &guests::echo());
    let host = TestHost::new(Answer::Never);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (caller, host) = (caller.clone(), Arc::clone(&host));
        waiting.spawn(async move { call_with(&caller, "Op", b"", &host, PATIENCE).await });
    }
    while host.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    assert_error(&call(&echo, "Op", b"").await, ErrorCode::Busy, false, "no instance is free");
    // Calls that are given up give their instances back.
    waiting.shutdown().await;
    assert_eq!(call(&echo, "Op", b"free").await.unwrap(), "free");
}

#[tokio::test]
async fn idle_instances_leave_slots_to_others() {
    let engine = engine(4);
    let options = ActorOptions { warm_instances_max: 100, ..options() };
    let mut actors = Vec::new();
    for _ in 0..8 {
        let counter = reused(&engine, &guests::counter());
        call(&counter, "Count", b"").await.unwrap();
        actors.push(counter);
    }
    let echo = try_compile(&engine, &guests::echo(), options).unwrap();
    assert_eq!(call(&echo, "Op", b"room").await.unwrap(), "room");
    // Dropped actors give their idle instances back: others may be kept again.
    actors.clear();
    let counter = reused(&engine, &guests::counter());
    call(&counter, "Count", b"").await.unwrap();
    assert_eq!(&call(&counter, "Count", b"").await.unwrap()[..], 2u32.to_le_bytes());
}

#[tokio::test]
async fn without_address_space_there_is_no_pool_but_service() {
    let options = EngineOptions { slots: 200_000, ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    assert!(!engine.is_pooling());
    let echo = actor(&engine, &guests::echo());
    assert_eq!(call(&echo, "Op", b"slow but here").await.unwrap(), "slow but here");
    let endless = actor(&engine, &guests::endless());
    let time = Duration::from_millis(20);
    let result: Result<_, Error> = call_with(&endless, "Op", b"", &TestHost::echo(), time).await;
    assert_error(&result, ErrorCode::DeadlineExceeded, true, "time");
}
