//! The name of a file of compiled code: one for each thing that would make it other code.

use std::fmt;
use std::hash::{Hash, Hasher};

use lattice_protocol::names::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::limits;

/// Changes whenever files are made or read otherwise, or a module is prepared otherwise before it is compiled.
const FORMAT: &[u8] = b"mesh compiled code 1";

/// What the code of an engine depends on beside the module: version and settings of the compiler, and of what
/// runs a module's initialisation.
pub(crate) struct Compatibility([u8; 32]);

/// Which code a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeName([u8; 32]);

impl Compatibility {
    /// Returns what code of `engine` depends on, whose modules are initialised by `snapshots`.
    pub(crate) fn of(engine: &Engine, snapshots: &Engine) -> Self {
        let mut sum = Sum(Sha256::new());
        (FORMAT, env!("CARGO_PKG_VERSION")).hash(&mut sum);
        engine.precompile_compatibility_hash().hash(&mut sum);
        snapshots.precompile_compatibility_hash().hash(&mut sum);
        (limits::SNAPSHOT_FUEL, limits::SNAPSHOT_STACK_BYTES).hash(&mut sum);
        (limits::SNAPSHOT_MEMORY_BYTES_MAX, limits::REWIND_GLOBALS_MAX).hash(&mut sum);
        Self(sum.0.finalize().into())
    }
}

impl CodeName {
    /// Names the code of the module with `digest`; what its initialisation does may depend on the memory that it has.
    pub(crate) fn of(compatibility: &Compatibility, digest: &Digest, memory_bytes: u64) -> Self {
        let sum = Sha256::new()
            .chain_update(compatibility.0)
            .chain_update(memory_bytes.to_le_bytes())
            .chain_update(digest.as_str());
        Self(sum.finalize().into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Takes in what is hashed with a sum that is long enough to be relied on.
struct Sum(Sha256);

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for: the whole sum is taken.
    fn finish(&self) -> u64 {
        0
    }
}
