//! Actors in the engine: hand-written guests, signed and verified like any other module.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets what it did not expect should end there"
)]

mod calls;
mod code_cache;
mod guests;
mod hostile;
mod isolation;
mod modules;
mod pointers;
mod pool;
mod snapshot;
mod support;
mod wasi;
