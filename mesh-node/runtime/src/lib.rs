//! Runs signed WebAssembly actors: the engine, the waPC ABI, WASI preview 1, limits.
//!
//! [`Engine`] compiles a [`VerifiedModule`](lattice_protocol::claims::VerifiedModule) into an
//! [`Actor`]; [`Actor::call`] runs one operation of it. What an actor asks of the world goes to
//! the [`Host`] that the call brings. The crate knows no NATS, no registry and no links.
//!
//! An actor that traps, loops, allocates without end or passes bad pointers costs its own call and
//! nothing else: its code yields the thread at each tick of an epoch, ends at its deadline, and
//! every pointer that it passes is checked against its memory before it is used.
//!
//! Futures of this crate need a tokio runtime with its time driver.

mod abi;
mod actor;
mod code_cache;
mod engine;
mod error;
mod exports;
mod fault;
mod host;
mod instance;
mod limiter;
pub mod limits;
mod machine;
mod output;
mod prepared;
mod rewind;
mod snapshot;
mod state;
mod ticker;
mod turn;
mod warm;
mod wasi;

pub use actor::{Actor, ActorOptions, Call};
pub use engine::{Compiled, Engine, EngineOptions};
pub use error::{CompileError, EngineError};
pub use host::{Host, HostCall, HostFuture, LogSource};
pub use machine::memory_bytes as machine_memory_bytes;
