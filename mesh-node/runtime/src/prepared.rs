//! What is compiled of a module: itself, or what was made of it so that its calls cost less.

use std::borrow::Cow;

use crate::rewind;
use crate::snapshot::{self, Snapshots};

/// A module that is ready to be compiled.
pub(crate) struct Prepared<'a> {
    pub(crate) wasm: Cow<'a, [u8]>,
    pub(crate) preparation: Preparation,
}

/// How a module was prepared: its code alone does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// Whether it was initialised already: its initialisers must not run again.
    pub(crate) is_initialised: bool,
    /// How many globals it exports so that its instances can be rewound; nothing where they can't be.
    pub(crate) rewound_globals: Option<u8>,
}

impl<'a> Prepared<'a> {
    /// Prepares a module whose instances may have so much memory.
    pub(crate) fn of(wasm: &'a [u8], snapshots: &Snapshots, memory_bytes: u64) -> Self {
        let snapshot = snapshots.take(wasm, memory_bytes);
        let is_initialised = snapshot.is_some();
        let wasm = snapshot.map_or(Cow::Borrowed(wasm), Cow::Owned);
        // What runs for each instance before its first call may do another thing each time.
        let start_alike = is_initialised || !snapshot::initialises(&wasm);
        let exported = start_alike.then(|| rewind::exported(&wasm)).flatten();
        let (wasm, rewound_globals) = match exported {
            Some((wasm, globals)) => (Cow::Owned(wasm), Some(globals)),
            None => (wasm, None),
        };
        Self { wasm, preparation: Preparation { is_initialised, rewound_globals } }
    }
}
