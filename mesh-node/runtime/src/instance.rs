//! One instance of an actor: fresh, running a call, ready for another or spent.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lattice_protocol::{Error, ErrorCode};
use wasmtime::{InstancePre, Memory, Store, StoreContextMut, TypedFunc, UpdateDeadline};

use crate::actor::Call;
use crate::engine::Engine;
use crate::exports::Exports;
use crate::fault::{self, Fault};
use crate::host::Host;
use crate::limits::{WARM_CALLS_MAX, WARM_GROWTH_BYTES_MAX};
use crate::rewind::{Fresh, Rewind};
use crate::state::State;
use crate::turn;

/// What `__guest_call` returns when the guest answered.
const ANSWERED: i32 = 1;
/// Ticks after which code yields its thread.
const TURN_TICKS: u64 = 1;

/// An initialised instance of an actor.
pub(crate) struct Instance {
    store: Store<State>,
    guest_call: TypedFunc<(i32, i32), i32>,
    /// Bytes of memory and tables that it had once it was initialised.
    initial_bytes: u64,
    calls: u32,
    /// What it was before its first call, where that can be put back.
    fresh: Option<Fresh>,
}

/// What instances of an actor are made of.
pub(crate) struct Plan<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) pre: &'a InstancePre<State>,
    pub(crate) exports: &'a Exports,
    pub(crate) memory_bytes: u64,
    pub(crate) rewind: Option<&'a Rewind>,
}

/// How a call of an instance ended, and whether the instance may serve another.
pub(crate) struct Outcome {
    pub(crate) result: Result<Bytes, Error>,
    pub(crate) sound: bool,
}

impl Instance {
    /// Makes a fresh instance and runs its initialisers.
    pub(crate) async fn fresh(
        plan: Plan<'_>,
        host: &Arc<dyn Host>,
        deadline: Instant,
    ) -> Result<Self, Error> {
        let Plan { engine, pre, exports, memory_bytes, rewind } = plan;
        let state = State::new(memory_bytes, engine.ticker().pulse(), deadline);
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(end_of_turn);
        store.set_epoch_deadline(TURN_TICKS);
        store.data_mut().begin(host, deadline);
        let made = turn::until(deadline, pin!(initialise(&mut store, pre, exports))).await;
        let error = match made {
            Ok(Ok((instance, guest_call))) => {
                let initial_bytes = store.data().limiter.used_bytes();
                let fresh = rewind.and_then(|rewind| rewind.note(&mut store, &instance));
                return Ok(Self { store, guest_call, initial_bytes, calls: 0, fresh });
            }
            Ok(Err(Unmade { error, started })) => {
                fault::explain(&error, store.data().limiter.denied(), started)
            }
            Err(_) => fault::late(true),
        };
        store.data_mut().end();
        Err(error)
    }

    /// Runs one call. The deadline holds for whatever the instance does.
    pub(crate) async fn call(&mut self, call: &Call<'_>) -> Outcome {
        let Self { store, guest_call, fresh, .. } = self;
        self.calls = self.calls.saturating_add(1);
        let state = store.data_mut();
        state.begin(&call.host, call.deadline);
        state.ask(call.operation, call.payload);
        store.set_epoch_deadline(TURN_TICKS);
        let lengths = (length(call.operation.len()), length(call.payload.len()));
        let returned = {
            let running = pin!(guest_call.call_async(&mut *store, lengths));
            match fresh {
                Some(fresh) => turn::until(call.deadline, pin!(fresh.watching(running))).await,
                None => turn::until(call.deadline, running).await,
            }
        };
        let state = store.data_mut();
        let outcome = match returned {
            Ok(Ok(code)) => Outcome { result: answer(state, code), sound: true },
            Ok(Err(error)) => {
                let result = Err(fault::explain(&error, state.limiter.denied(), true));
                Outcome { result, sound: false }
            }
            Err(_) => Outcome { result: Err(fault::late(true)), sound: false },
        };
        state.end();
        outcome
    }

    /// Ends what [`Instance::fresh`] began, where no call follows.
    pub(crate) fn rest(&mut self) {
        self.store.data_mut().end();
    }

    /// Puts back what calls have changed; returns whether that could be done. `twin` makes another instance.
    pub(crate) async fn rewind(
        &mut self,
        rewind: &Rewind,
        twin: impl AsyncFnOnce() -> Option<(Store<State>, Memory)>,
    ) -> bool {
        match &mut self.fresh {
            Some(fresh) => rewind.rewind(&mut self.store, fresh, twin).await,
            None => false,
        }
    }

    /// Returns what an instance consists of that is not to be called.
    pub(crate) fn take_apart(mut self) -> Option<(Store<State>, Memory)> {
        self.rest();
        let memory = self.store.data().memory?;
        Some((self.store, memory))
    }

    /// Returns whether the instance has served too long or grown too large to be kept.
    pub(crate) fn is_worn(&self) -> bool {
        let grown = self.store.data().limiter.used_bytes().saturating_sub(self.initial_bytes);
        self.calls >= WARM_CALLS_MAX || grown > WARM_GROWTH_BYTES_MAX
    }
}

/// Why there is no instance, and whether code of the guest ran.
struct Unmade {
    error: wasmtime::Error,
    started: bool,
}

async fn initialise(
    store: &mut Store<State>,
    pre: &InstancePre<State>,
    exports: &Exports,
) -> Result<(wasmtime::Instance, TypedFunc<(i32, i32), i32>), Unmade> {
    let instance = pre.instantiate_async(&mut *store).await.map_err(|error| {
        // A start function ran if what failed is code.
        let started = error.is::<wasmtime::Trap>() || Fault::of(&error).is_some();
        Unmade { error, started }
    })?;
    let foreign = |error: wasmtime::Error| Unmade { error, started: false };
    let gone = || foreign(wasmtime::Error::msg("an export is gone"));
    let memory = instance.get_module_export(&mut *store, &exports.memory);
    store.data_mut().memory = memory.and_then(wasmtime::Extern::into_memory);
    for export in &exports.initialisers {
        let export = instance.get_module_export(&mut *store, export);
        let export = export.and_then(wasmtime::Extern::into_func).ok_or_else(gone)?;
        let initialiser = export.typed::<(), ()>(&*store).map_err(foreign)?;
        match initialiser.call_async(&mut *store, ()).await {
            Ok(()) => {}
            // WASI commands end `_start` so.
            Err(error) if Fault::of(&error) == Some(&Fault::Exit(0)) => {}
            Err(error) => return Err(Unmade { error, started: true }),
        }
    }
    let export = instance.get_module_export(&mut *store, &exports.guest_call);
    let export = export.and_then(wasmtime::Extern::into_func).ok_or_else(gone)?;
    let guest_call = export.typed(&*store).map_err(foreign)?;
    Ok((instance, guest_call))
}

/// Runs whenever the guest has used up its turn.
fn end_of_turn(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data_mut();
    if Instant::now() >= state.deadline {
        return Err(Fault::Deadline.into());
    }
    state.spin.begin();
    if let Some(host) = &state.host {
        host.yields();
    }
    // tokio's own yield lets the executor look at timers and sockets before the next turn.
    Ok(UpdateDeadline::YieldCustom(TURN_TICKS, Box::pin(tokio::task::yield_now())))
}

/// Returns what the guest answered, by waPC's rules.
fn answer(state: &mut State, code: i32) -> Result<Bytes, Error> {
    let exchange = &mut state.exchange;
    let error = exchange.error.take();
    if code == ANSWERED {
        if let Some(response) = exchange.response.take() {
            return Ok(response);
        }
        let text = error.unwrap_or_else(|| "the actor reported success without a response".into());
        return Err(Error::started(ErrorCode::ActorError, text));
    }
    let text = error.unwrap_or_else(|| "the actor reported failure without an error".into());
    Err(Error::started(ErrorCode::ActorError, text))
}

/// Returns a length as waPC passes it: the bits of an unsigned number.
fn length(bytes: usize) -> i32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).cast_signed()
}
