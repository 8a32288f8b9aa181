//! An actor: a compiled module, ready to be instantiated and called.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lattice_protocol::limits::PAYLOAD_BYTES_MAX;
use lattice_protocol::record::Isolation;
use lattice_protocol::{Error, ErrorCode};
use wasmtime::InstancePre;

use crate::code_cache::Code;
use crate::engine::Engine;
use crate::error::CompileError;
use crate::exports::{self, Exports};
use crate::fault;
use crate::host::Host;
use crate::instance::{Instance, Plan};
use crate::prepared::Preparation;
use crate::rewind::Rewind;
use crate::state::State;
use crate::warm::Warm;

/// How an actor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorOptions {
    /// Bytes of memory and tables that one instance may have; the engine's own limit is above it.
    pub memory_bytes: u64,
    /// Whether calls share memory.
    pub isolation: Isolation,
    /// Idle instances that are kept where calls share memory.
    pub warm_instances_max: u32,
}

/// One call of an actor.
pub struct Call<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The message.
    pub payload: &'a [u8],
    /// When the caller stops waiting, and the actor's code with it.
    pub deadline: Instant,
    /// Answers what the actor asks meanwhile.
    pub host: Arc<dyn Host>,
}

/// A compiled actor. Cheap to clone.
#[derive(Clone)]
pub struct Actor(Arc<Inner>);

struct Inner {
    engine: Engine,
    pre: InstancePre<State>,
    exports: Exports,
    memory_bytes: u64,
    /// Idle instances, where they serve more than one call.
    warm: Option<Warm>,
    /// What makes them as fresh, where calls share nothing.
    rewind: Option<Rewind>,
}

impl Actor {
    /// Makes an actor of code that was compiled.
    pub(crate) fn new(
        engine: &Engine,
        code: &Code,
        options: ActorOptions,
    ) -> Result<Self, CompileError> {
        let memory_bytes = engine.memory_bytes(options);
        let module = &code.module;
        let declared = exports::initial_bytes(module);
        if declared > memory_bytes {
            return Err(CompileError::TooMuchMemory { declared, limit: memory_bytes });
        }
        let pre = engine.linker().instantiate_pre(module);
        let pre = pre.map_err(|error| exports::unlinked(&error))?;
        let Preparation { is_initialised, rewound_globals } = code.preparation;
        let exports = Exports::of(module, is_initialised)?;
        let rewinds = options.isolation == Isolation::PerCall;
        let rewind = rewound_globals.filter(|_| rewinds).zip(engine.pages());
        let rewind = rewind.and_then(|(globals, pages)| Rewind::of(module, globals, pages));
        let is_kept = !rewinds || rewind.is_some();
        let warm = is_kept.then(|| Warm::new(engine, options.warm_instances_max));
        let engine = engine.clone();
        Ok(Self(Arc::new(Inner { engine, pre, exports, memory_bytes, warm, rewind })))
    }

    /// Returns whether the module imports anything from a module of this name.
    pub fn imports_from(&self, module: &str) -> bool {
        self.0.pre.module().imports().any(|import| import.module() == module)
    }

    /// Returns the bytes of its compiled code, of which those are in memory that run.
    pub fn code_bytes(&self) -> u64 {
        let image = self.0.pre.module().image_range();
        (image.end as usize).saturating_sub(image.start as usize) as u64
    }

    /// Makes an instance and initialises it, so that a module that can't start is known before
    /// anybody calls it.
    ///
    /// # Errors
    /// What a call would fail with: a trap, a limit, the deadline, or no free instance.
    pub async fn probe(&self, host: Arc<dyn Host>, deadline: Instant) -> Result<(), Error> {
        if Instant::now() >= deadline {
            return Err(fault::late(false));
        }
        let _running = self.0.engine.ticker().running();
        let mut instance = self.fresh(&host, deadline).await?;
        instance.rest();
        if let Some(warm) = &self.0.warm
            && self.0.rewind.is_none()
        {
            warm.keep(instance);
        }
        Ok(())
    }

    /// Runs one operation and returns its response.
    ///
    /// # Errors
    /// With `started` set once code of the actor has run: `actor_error` with the actor's own
    /// text, `actor_trapped`, `limit_exceeded` when a refused growth brought it down,
    /// `too_large` when a payload is beyond
    /// [`PAYLOAD_BYTES_MAX`](lattice_protocol::limits::PAYLOAD_BYTES_MAX), `deadline_exceeded`.
    /// Without: `busy` when no instance is free.
    pub async fn call(&self, call: Call<'_>) -> Result<Bytes, Error> {
        if call.payload.len() > PAYLOAD_BYTES_MAX {
            let message = format!("the payload exceeds {PAYLOAD_BYTES_MAX} bytes");
            return Err(Error::not_started(ErrorCode::TooLarge, message));
        }
        if Instant::now() >= call.deadline {
            return Err(fault::late(false));
        }
        let _running = self.0.engine.ticker().running();
        let warm = self.0.warm.as_ref();
        let mut instance = match warm.and_then(Warm::take) {
            Some(instance) => instance,
            None => self.fresh(&call.host, call.deadline).await?,
        };
        let outcome = instance.call(&call).await;
        if let Some(warm) = warm
            && outcome.sound
            && !instance.is_worn()
            && self.is_ready(&mut instance, &call).await
        {
            warm.keep(instance);
        }
        outcome.result
    }

    /// Makes an instance ready for another call than `last`, its last one; returns whether it is.
    async fn is_ready(&self, instance: &mut Instance, last: &Call<'_>) -> bool {
        let Some(rewind) = &self.0.rewind else { return true };
        let twin = async || {
            self.fresh(&last.host, last.deadline).await.ok().and_then(Instance::take_apart)
        };
        instance.rewind(rewind, twin).await
    }

    /// Returns how many instances wait for a call.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.0.warm.as_ref().map_or(0, Warm::len)
    }

    async fn fresh(&self, host: &Arc<dyn Host>, deadline: Instant) -> Result<Instance, Error> {
        let Inner { engine, pre, exports, memory_bytes, rewind, .. } = &*self.0;
        let plan =
            Plan { engine, pre, exports, memory_bytes: *memory_bytes, rewind: rewind.as_ref() };
        Instance::fresh(plan, host, deadline).await
    }
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor").field("memory_bytes", &self.0.memory_bytes).finish_non_exhaustive()
    }
}
