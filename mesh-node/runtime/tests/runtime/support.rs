//! Signing, a host, and an engine of a size that suits tests.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lattice_protocol::claims::{SignRequest, VerifiedModule, sign, verify};
use lattice_protocol::record::Isolation;
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{
    Actor, ActorOptions, Call, CompileError, Engine, EngineOptions, Host, HostCall, HostFuture,
    LogSource,
};

pub const MEMORY_BYTES: u64 = 16 * 1024 * 1024;
/// Time for calls that should succeed: more than any busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Returns `wat` as a module that was signed and verified.
pub fn signed(wat: &str) -> VerifiedModule {
    static KEYS: LazyLock<(nkeys::KeyPair, nkeys::KeyPair)> =
        LazyLock::new(|| (nkeys::KeyPair::new_account(), nkeys::KeyPair::new_module()));
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let request = SignRequest {
        issuer: &KEYS.0,
        module: &KEYS.1,
        name: "guest",
        capabilities: Vec::new(),
        tags: Vec::new(),
        revision: Some(1),
        version: None,
        now_s,
        expires_s: None,
        not_before_s: None,
    };
    let wasm = wat::parse_str(wat).expect("the guest is WAT");
    let module = sign(&wasm, &request).expect("it can be signed");
    verify(&module, now_s).expect("what was signed verifies")
}

pub fn engine(slots: u32) -> Engine {
    Engine::new(EngineOptions { slots, ..EngineOptions::default() }).expect("the engine starts")
}

pub fn options() -> ActorOptions {
    ActorOptions {
        memory_bytes: MEMORY_BYTES,
        isolation: Isolation::PerCall,
        warm_instances_max: 4,
    }
}

/// Compiles `wat` with the options that most tests want.
pub fn actor(engine: &Engine, wat: &str) -> Actor {
    try_compile(engine, wat, options()).expect("the guest compiles")
}

pub fn reused(engine: &Engine, wat: &str) -> Actor {
    let options = ActorOptions { isolation: Isolation::Reuse, ..options() };
    try_compile(engine, wat, options).expect("the guest compiles")
}

pub fn try_compile(
    engine: &Engine,
    wat: &str,
    options: ActorOptions,
) -> Result<Actor, CompileError> {
    engine.compile(&signed(wat), options)
}

/// What the host does with a call of the actor.
pub enum Answer {
    /// Returns the payload.
    Echo,
    /// Returns these bytes.
    Bytes(Bytes),
    /// Fails.
    Fail(Error),
    /// Never returns.
    Never,
}

/// A host that answers as told and keeps what it saw.
pub struct TestHost {
    answer: Answer,
    calls: Mutex<Vec<HostCall>>,
    lines: Mutex<Vec<(LogSource, String)>>,
    waiting: AtomicU32,
}

impl TestHost {
    pub fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            answer,
            calls: Mutex::default(),
            lines: Mutex::default(),
            waiting: AtomicU32::new(0),
        })
    }

    pub fn echo() -> Arc<Self> {
        Self::new(Answer::Echo)
    }

    pub fn calls(&self) -> Vec<HostCall> {
        self.calls.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<(LogSource, String)> {
        self.lines.lock().unwrap().clone()
    }

    /// Returns how many calls wait for an answer that never comes.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl Host for TestHost {
    fn call<'a>(&'a self, call: HostCall) -> HostFuture<'a> {
        Box::pin(async move {
            self.calls.lock().unwrap().push(call.clone());
            match &self.answer {
                Answer::Echo => Ok(call.payload),
                Answer::Bytes(bytes) => Ok(bytes.clone()),
                Answer::Fail(error) => Err(error.clone()),
                Answer::Never => {
                    self.waiting.fetch_add(1, Ordering::SeqCst);
                    std::future::pending().await
                }
            }
        })
    }

    fn log(&self, source: LogSource, text: &str) {
        self.lines.lock().unwrap().push((source, text.to_owned()));
    }
}

/// Calls `actor` with an operation and a payload, with time to spare.
pub async fn call(actor: &Actor, operation: &str, payload: &[u8]) -> Result<Bytes, Error> {
    call_with(actor, operation, payload, &TestHost::echo(), PATIENCE).await
}

pub async fn call_with(
    actor: &Actor,
    operation: &str,
    payload: &[u8],
    host: &Arc<TestHost>,
    time: Duration,
) -> Result<Bytes, Error> {
    let host: Arc<dyn Host> = Arc::clone(host) as Arc<dyn Host>;
    actor.call(Call { operation, payload, deadline: Instant::now() + time, host }).await
}

/// Asserts what an error is: its code, whether work had begun, and what its message contains.
#[track_caller]
pub fn assert_error(
    result: &Result<Bytes, Error>,
    code: ErrorCode,
    started: bool,
    containing: &str,
) {
    let error = result.as_ref().expect_err("the call fails");
    assert_eq!((error.code, error.started), (code, started), "{error}");
    assert!(error.message.contains(containing), "{containing:?} is not in {:?}", error.message);
}
