//! Runs a module's initialisation once, when it is compiled, and makes a module of what is there afterwards:
//! each fresh instance then starts initialised.
//!
//! Only what is the same for every instance can be kept so. Initialisation that asks its host for anything, be
//! it a random number, the time or a line in the log, runs for each instance as it always did; so does what
//! fails, takes long, or uses what can't be kept (tables that are written, references in globals).

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmparser::ValType;
use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, Wizer};

use crate::exports::INITIALISERS;
use crate::limiter::Limiter;
use crate::limits;

/// Makes snapshots. It has an engine of its own: what runs once need not be fast, but soon compiled.
pub(crate) struct Snapshots {
    engine: Engine,
}

impl Snapshots {
    /// Makes an engine of what `config` offers.
    pub(crate) fn new(mut config: Config) -> wasmtime::Result<Self> {
        config
            .cranelift_opt_level(OptLevel::None)
            .epoch_interruption(false)
            .consume_fuel(true)
            .max_wasm_stack(limits::SNAPSHOT_STACK_BYTES);
        Ok(Self { engine: Engine::new(&config)? })
    }

    /// Returns the engine that runs initialisations.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns `wasm` as it is once it is initialised, where that can be known ahead. Nothing of it runs when
    /// there is nothing to initialise.
    pub(crate) fn take(&self, wasm: &[u8], memory_bytes: u64) -> Option<Vec<u8>> {
        if !initialises(wasm) {
            return None;
        }
        match self.try_take(wasm, memory_bytes) {
            Ok(snapshot) => Some(snapshot),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::debug!(error, "the module is initialised for each instance");
                None
            }
        }
    }

    fn try_take(&self, wasm: &[u8], memory_bytes: u64) -> wasmtime::Result<Vec<u8>> {
        // What is no module that this engine offers to run is told by who compiles it.
        Module::validate(&self.engine, wasm)?;
        let mut wizer = Wizer::new();
        // All are run here, and stay: what others there are call them by is no matter.
        wizer.keep_init_func(true);
        let (context, instrumented) = wizer.instrument(wasm)?;
        let module = Module::from_binary(&self.engine, &instrumented)?;
        let mut store = Store::new(&self.engine, Limiter::new(memory_bytes));
        store.limiter(|limiter| limiter);
        store.set_fuel(limits::SNAPSHOT_FUEL)?;
        let mut linker = Linker::new(&self.engine);
        linker.define_unknown_imports_as_traps(&module)?;
        let instance = linker.instantiate(&mut store, &module)?;
        for name in INITIALISERS {
            if instance.get_export(&mut store, name).is_some() {
                instance.get_typed_func::<(), ()>(&mut store, name)?.call(&mut store, ())?;
            }
        }
        let size =
            instance.get_memory(&mut store, "memory").map_or(0, |memory| memory.data_size(&store));
        wasmtime::ensure!(size <= limits::SNAPSHOT_MEMORY_BYTES_MAX, "its memory is too large");
        now(wizer.snapshot(&context, &mut Initialised { store, instance }))
    }
}

/// Returns whether a module has anything that runs before its first call.
pub(crate) fn initialises(wasm: &[u8]) -> bool {
    use wasmparser::{Parser, Payload};
    let mut payloads = Parser::new(0).parse_all(wasm).filter_map(Result::ok);
    payloads.any(|payload| match payload {
        Payload::StartSection { .. } => true,
        Payload::ExportSection(exports) => {
            exports.into_iter().flatten().any(|export| INITIALISERS.contains(&export.name))
        }
        _ => false,
    })
}

/// An instance whose state is kept.
struct Initialised {
    store: Store<Limiter>,
    instance: Instance,
}

impl InstanceState for Initialised {
    async fn global_get(&mut self, name: &str, of: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match (global.map(|global| global.get(&mut self.store)), of) {
            (Some(Val::I32(value)), _) => SnapshotVal::I32(value),
            (Some(Val::I64(value)), _) => SnapshotVal::I64(value),
            (Some(Val::F32(value)), _) => SnapshotVal::F32(value),
            (Some(Val::F64(value)), _) => SnapshotVal::F64(value),
            (Some(Val::V128(value)), _) => SnapshotVal::V128(value.as_u128()),
            // Not reached: `instrument` exports every global that it asks for, and refuses references.
            _ => SnapshotVal::I32(0),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        if let Some(memory) = self.instance.get_memory(&mut self.store, name) {
            contents(memory.data(&self.store));
        }
    }
}

/// Returns what `work` comes to, which waits for nothing.
fn now<T>(work: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(wasmtime::Error::msg("it waits for something")),
    }
}
