//! What is compiled of a module: itself, or what was made of it so that its calls cost less.

use std::borrow::Cow;

use lattice_protocol::record::Isolation;

use crate::engine::Engine;
use crate::{rewind, snapshot};

/// A module that is ready to be compiled.
pub(crate) struct Prepared<'a> {
    pub(crate) wasm: Cow<'a, [u8]>,
    /// Whether it was initialised already: its initialisers must not run again.
    pub(crate) is_initialised: bool,
    /// How many globals it exports so that its instances can be rewound; nothing where they can't be.
    pub(crate) rewound_globals: Option<usize>,
}

impl<'a> Prepared<'a> {
    /// Prepares a module for calls that are isolated so.
    pub(crate) fn of(
        wasm: &'a [u8],
        engine: &Engine,
        memory_bytes: u64,
        isolation: Isolation,
    ) -> Self {
        let snapshot = engine.snapshots().take(wasm, memory_bytes);
        let is_initialised = snapshot.is_some();
        let wasm = snapshot.map_or(Cow::Borrowed(wasm), Cow::Owned);
        // What runs for each instance before its first call may do another thing each time.
        let starts_alike = is_initialised || !snapshot::initialises(&wasm);
        let rewinds = isolation == Isolation::PerCall && engine.pages().is_some() && starts_alike;
        match rewinds.then(|| rewind::exported(&wasm)).flatten() {
            Some((wasm, globals)) => {
                Self { wasm: Cow::Owned(wasm), is_initialised, rewound_globals: Some(globals) }
            }
            None => Self { wasm, is_initialised, rewound_globals: None },
        }
    }
}
