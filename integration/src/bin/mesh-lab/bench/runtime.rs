//! The engine alone, in this process: an instance with fresh memory and its call, and the call of a
//! warm instance, beside the same module on the crate `wapc`.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use integration::bench::findings::Findings;
use integration::bench::turns::{Column, Sample};
use integration::harness::{actor_module, actor_module_bytes};
use lattice_protocol::claims::{SignRequest, VerifiedModule, sign, verify};
use lattice_protocol::limits::ACTOR_MEMORY_DEFAULT_BYTES;
use lattice_protocol::record::Isolation;
use mesh_runtime::{
    Actor, ActorOptions, Call, Engine, EngineOptions, Host, HostCall, HostFuture, LogSource,
};

use super::Context;
use super::baselines::{self, NOT_INSTALLED};
use super::trio::{FRESH, REUSE};

const PAYLOAD_BYTES: usize = 128;
const WAPC: &str = "wapc, a warm call";
/// Calls between two looks at the clock.
const BATCH: u32 = 100;

enum Who {
    Engine(Actor),
    /// The program, and the module.
    Wapc(PathBuf, PathBuf),
}

/// A host that is never asked for anything by `echo`.
struct Nobody;

impl Host for Nobody {
    fn call<'a>(&'a self, call: HostCall) -> HostFuture<'a> {
        Box::pin(std::future::ready(Ok(call.payload)))
    }

    fn log(&self, _source: LogSource, _text: &str) {}
}

/// Measures all of them.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let engine = Engine::new(EngineOptions::default())?;
    let module = verified(&actor_module_bytes("echo")?)?;
    let compile = |isolation| {
        let memory_bytes = ACTOR_MEMORY_DEFAULT_BYTES;
        engine.compile(&module, ActorOptions { memory_bytes, isolation, warm_instances_max: 16 })
    };
    let mut subjects = vec![
        (FRESH.to_owned(), Who::Engine(compile(Isolation::PerCall)?)),
        (REUSE.to_owned(), Who::Engine(compile(Isolation::Reuse)?)),
    ];
    match baselines::wapc() {
        Some(program) => {
            subjects.push((WAPC.to_owned(), Who::Wapc(program, actor_module("echo")?)));
        }
        None => found.missing.push(format!("{WAPC}: {NOT_INSTALLED}")),
    }
    let time = context.options.time();
    let measure = async |who: &mut Who| {
        let us = match who {
            Who::Engine(actor) => measure(actor, time).await?,
            Who::Wapc(program, module) => {
                let mut command = tokio::process::Command::new(program);
                command.arg(module).args(["echo", &PAYLOAD_BYTES.to_string()]);
                command.arg(time.as_millis().to_string()).stdin(Stdio::null()).kill_on_drop(true);
                let output = command.output().await?;
                ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
                said.get("call_us").and_then(serde_json::Value::as_f64).context("no figure")?
            }
        };
        Ok(Sample::default().with("call_us", us))
    };
    let turns = context.rounds.in_turns("in the engine", &mut subjects, measure).await?;
    let figure = |name| turns.series(name).and_then(|series| series.spread("call_us"));
    found.look("fresh: instance and call", figure(FRESH));
    found.look("reuse: a call", figure(REUSE));
    found
        .tables
        .push(turns.table(&[Column { head: "us a call", figure: "call_us", decimals: 2 }], &[]));
    found.note(format!(
        "`echo` of the actor of this name with {PAYLOAD_BYTES} B, one call after the other"
    ));
    found.turns.push(turns);
    Ok(())
}

fn verified(wasm: &[u8]) -> anyhow::Result<VerifiedModule> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
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
    Ok(verify(&sign(wasm, &request)?, now_s)?)
}

/// Returns the microseconds of one call.
async fn measure(actor: &Actor, time: Duration) -> anyhow::Result<f64> {
    let host: Arc<dyn Host> = Arc::new(Nobody);
    let payload = [b'.'; PAYLOAD_BYTES];
    let (begun, mut calls, mut last) = (Instant::now(), 0, Bytes::new());
    while begun.elapsed() < time {
        let deadline = Instant::now() + Duration::from_secs(10);
        for _ in 0..BATCH {
            let host = host.clone();
            let call = Call { operation: "echo", payload: &payload, deadline, host };
            last = actor.call(call).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        calls += BATCH;
    }
    ensure!(last == payload.as_slice(), "the answer is not what was sent");
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}
