//! The imports of actors: waPC under both of its names, and what AssemblyScript adds.

mod assemblyscript;
pub(crate) mod memory;
mod wapc;

use wasmtime::Linker;

use crate::state::State;

/// Adds every import of the ABI to `linker`.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for module in ["wapc", "wasmbus"] {
        wapc::link(linker, module)?;
    }
    assemblyscript::link(linker)
}
