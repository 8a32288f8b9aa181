//! The engine: wasmtime configured for many short calls of untrusted code.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lattice_protocol::claims::VerifiedModule;
use lattice_protocol::limits::ACTOR_MEMORY_MAX_BYTES;
use lattice_protocol::names::Digest;
use wasmtime::{Config, Enabled, Linker, Module, PoolingAllocationConfig};

use crate::actor::{Actor, ActorOptions};
use crate::code_cache::{Code, CodeCache, CodeName, Compatibility};
use crate::error::{CompileError, EngineError};
use crate::prepared::Prepared;
use crate::rewind::Pages;
use crate::snapshot::Snapshots;
use crate::state::State;
use crate::ticker::Ticker;
use crate::{abi, fault, limits, machine, wasi};

/// How large an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Where compiled code is kept for the next time; nowhere where none is named. What is there is run: the folder
    /// must be this user's alone, or none is used.
    pub code_folder: Option<PathBuf>,
    /// Instances that exist at once; a call that finds none free is answered `busy`.
    pub slots: u32,
    /// Most memory that one instance may have, whatever an actor's options say.
    pub memory_max_bytes: u64,
}

impl Default for EngineOptions {
    /// Sizes the engine to the memory of the machine, or of the container.
    fn default() -> Self {
        let slots = machine::memory_bytes() / limits::MACHINE_BYTES_PER_SLOT;
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        Self {
            code_folder: None,
            slots: slots.clamp(limits::SLOTS_MIN, limits::SLOTS_MAX),
            memory_max_bytes: ACTOR_MEMORY_MAX_BYTES,
        }
    }
}

/// Compiles and runs actors. Cheap to clone; the last clone stops the engine's ticker thread.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    snapshots: Snapshots,
    /// What tells which pages were written, where the system does.
    pages: Option<Arc<Pages>>,
    code: Option<CodeCache>,
    compatibility: Compatibility,
    ticker: Ticker,
    is_pooling: bool,
    memory_max_bytes: u64,
    /// Warm instances of all actors that wait for a call, and how many may.
    idle: AtomicU32,
    idle_max: u32,
}

impl Engine {
    /// Makes an engine: with a pool of instances, or without one where the machine has not the
    /// address space for it (it then says so in the log and runs, but slower).
    ///
    /// # Errors
    /// [`EngineError`] when wasmtime can't run here at all, or no thread can be started.
    #[allow(clippy::needless_pass_by_value, reason = "options are given away everywhere else too")]
    pub fn new(options: EngineOptions) -> Result<Engine, EngineError> {
        let slots = options.slots.max(1);
        let memory_max_bytes = options.memory_max_bytes.clamp(1, limits::MEMORY_RESERVATION_BYTES);
        let (engine, is_pooling) = match wasmtime::Engine::new(&pooling(slots, memory_max_bytes)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(
                    slots,
                    error = format!("{error:#}"),
                    "no pool of instances: each call maps memory of its own, which is slower"
                );
                (wasmtime::Engine::new(&on_demand()).map_err(unusable)?, false)
            }
        };
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker).map_err(unusable)?;
        wasi::link(&mut linker).map_err(unusable)?;
        let snapshots = Snapshots::new(base()).map_err(unusable)?;
        let compatibility = Compatibility::of(&engine, snapshots.engine());
        let code = options.code_folder.as_deref().and_then(open_code);
        let clock = engine.clone();
        let ticker = Ticker::start(move || clock.increment_epoch()).map_err(EngineError::Ticker)?;
        Ok(Engine(Arc::new(Inner {
            engine,
            linker,
            snapshots,
            pages: Pages::told(),
            code,
            compatibility,
            ticker,
            is_pooling,
            memory_max_bytes,
            idle: AtomicU32::new(0),
            idle_max: slots / limits::WARM_SLOTS_DIVISOR,
        })))
    }

    /// Returns whether instances come from a pool.
    pub fn is_pooling(&self) -> bool {
        self.0.is_pooling
    }

    /// Compiles a module, or takes what was kept when it was compiled before; keeps what it compiles. Takes long and
    /// blocks: call it where that is allowed.
    ///
    /// # Errors
    /// [`CompileError`] when the code is invalid, imports what is not offered here, lacks what
    /// the ABI demands, or starts with more memory than `options` allow.
    pub fn compile(
        &self,
        module: &VerifiedModule,
        options: ActorOptions,
    ) -> Result<Actor, CompileError> {
        let memory_bytes = self.memory_bytes(options);
        let name = CodeName::of(&self.0.compatibility, module.digest(), memory_bytes);
        let cache = self.0.code.as_ref();
        if let Some(code) = cache.and_then(|cache| cache.find(&self.0.engine, &name)) {
            return Actor::new(self, &code, options);
        }
        let prepared = Prepared::of(module.bytes(), &self.0.snapshots, memory_bytes);
        let compiled = Module::from_binary(&self.0.engine, &prepared.wasm)
            .map_err(|error| CompileError::Invalid(fault::shown_cause(&error)))?;
        let (preparation, note) = (prepared.preparation, module.token().to_vec());
        let code = Code { module: compiled, preparation, note };
        let actor = Actor::new(self, &code, options)?;
        // As it is in its file the system can take back what is not in use.
        match cache.and_then(|cache| cache.keep(&self.0.engine, &name, &code)) {
            Some(code) => Actor::new(self, &code, options),
            None => Ok(actor),
        }
    }

    /// Returns the module with `digest` as it was kept when it was compiled before, and the token that was verified
    /// then. Blocks, for about a millisecond.
    pub fn find(&self, digest: &Digest, options: ActorOptions) -> Option<Compiled> {
        let name = CodeName::of(&self.0.compatibility, digest, self.memory_bytes(options));
        let code = self.0.code.as_ref()?.find(&self.0.engine, &name)?;
        let actor = Actor::new(self, &code, options).ok()?;
        Some(Compiled { actor, token: code.note })
    }

    /// Returns whether the module with `digest` was kept when it was compiled before, as far as its name tells.
    pub fn is_kept(&self, digest: &Digest, options: ActorOptions) -> bool {
        let name = CodeName::of(&self.0.compatibility, digest, self.memory_bytes(options));
        self.0.code.as_ref().is_some_and(|cache| cache.has(&name))
    }

    /// Returns whether compiled code is kept for another time.
    pub fn keeps_code(&self) -> bool {
        self.0.code.is_some()
    }

    /// Returns the memory that an instance may have.
    pub(crate) fn memory_bytes(&self, options: ActorOptions) -> u64 {
        options.memory_bytes.min(self.0.memory_max_bytes)
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    pub(crate) fn pages(&self) -> Option<&Arc<Pages>> {
        self.0.pages.as_ref()
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.0.ticker
    }

    /// Counts one more idle instance, if there may be one.
    pub(crate) fn admit_idle(&self) -> bool {
        let admitted = self.0.idle.fetch_add(1, Ordering::Relaxed) < self.0.idle_max;
        if !admitted {
            self.release_idle(1);
        }
        admitted
    }

    /// Counts idle instances that are in use again, or gone.
    pub(crate) fn release_idle(&self, count: u32) {
        self.0.idle.fetch_sub(count, Ordering::Relaxed);
    }
}

/// A module that was compiled at an earlier time.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// It.
    pub actor: Actor,
    /// The token that it carried, and that was verified before it was compiled.
    pub token: Vec<u8>,
}

/// Opens the folder of compiled code. Nothing depends on it but time: without it everything is compiled.
fn open_code(folder: &Path) -> Option<CodeCache> {
    CodeCache::open(folder)
        .inspect_err(|error| {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "compiled code is not kept: modules are compiled at each start");
        })
        .ok()
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("is_pooling", &self.0.is_pooling).finish_non_exhaustive()
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unusable(error: wasmtime::Error) -> EngineError {
    EngineError::Configuration(format!("{error:#}"))
}

/// What every engine has: only the features that compilers for actors use, so that less code is
/// reachable by a hostile module and two machines never disagree.
fn base() -> Config {
    let mut config = Config::new();
    config
        .wasm_simd(true)
        .wasm_bulk_memory(true)
        .wasm_multi_value(true)
        .wasm_extended_const(true)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits::WASM_STACK_BYTES)
        .async_stack_size(limits::CALL_STACK_BYTES)
        .wasm_backtrace_max_frames(NonZeroUsize::new(limits::TRAP_FRAMES_MAX))
        .memory_init_cow(true);
    config
}

fn pooling(slots: u32, memory_max_bytes: u64) -> Config {
    // Where the kernel tells which pages were written, only those are reset. Where it does not,
    // everything that stays resident is written at each call, so little may.
    let resident = if PoolingAllocationConfig::is_pagemap_scan_available() {
        limits::SLOT_RESIDENT_BYTES
    } else {
        limits::SLOT_RESIDENT_UNTOLD_BYTES
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots.saturating_mul(limits::TABLES_PER_MODULE_MAX))
        .total_stacks(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(limits::TABLES_PER_MODULE_MAX)
        .table_elements(limits::TABLE_ELEMENTS_MAX)
        .max_core_instance_size(limits::INSTANCE_METADATA_BYTES_MAX)
        .max_memory_size(usize::try_from(memory_max_bytes).unwrap_or(usize::MAX))
        .max_unused_warm_slots(limits::WARM_SLOTS_MAX.min(slots))
        .linear_memory_keep_resident(resident)
        .table_keep_resident(limits::TABLE_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    let mut config = base();
    config.memory_reservation(limits::MEMORY_RESERVATION_BYTES).allocation_strategy(pool);
    config
}

/// For machines whose address space is short: memories take no more of it than they use.
fn on_demand() -> Config {
    let mut config = base();
    config
        .memory_reservation(0)
        .memory_guard_size(0)
        .memory_reservation_for_growth(limits::GROWTH_RESERVATION_BYTES);
    config
}
