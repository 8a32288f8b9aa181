//! WASI preview 1 for modules that want it, under its present and its older name: clock,
//! randomness, standard output to the log. No files, no network, no arguments, no environment.
//!
//! These are imports of our own and not wasmtime-wasi's: nothing here can open a file whatever a
//! guest does, an instance carries no context for it, and output is bounded where it is made.

mod errno;
mod io;
mod poll;
mod refused;
mod system;

use wasmtime::Linker;

use crate::state::State;

/// Which of the two layouts of WASI's structures a module uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `wasi_unstable`.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

impl Version {
    fn module(self) -> &'static str {
        match self {
            Version::Unstable => "wasi_unstable",
            Version::Preview1 => "wasi_snapshot_preview1",
        }
    }
}

/// Adds every import of WASI to `linker`.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for version in [Version::Unstable, Version::Preview1] {
        let module = version.module();
        io::link(linker, module)?;
        poll::link(linker, version)?;
        system::link(linker, module)?;
        refused::link(linker, module)?;
    }
    Ok(())
}
