//! The one step that the compiler can't check: a file becomes code of this process.

use std::fs::File;

use wasmtime::{Engine, Module};

/// Maps a file that holds what [`Module::serialize`](wasmtime::Module::serialize) wrote, whatever stands behind that.
///
/// Only for files that [`image::check`](super::image::check) has found authentic, by the same handle.
///
/// # Errors
/// When it was made for another engine, or can't be mapped here.
#[allow(
    unsafe_code,
    reason = "loading code can't be safe; its only caller has checked, through this very handle, the tag that only \
              this user can make, over a file that belongs to this user alone"
)]
pub(super) fn module(engine: &Engine, file: File) -> wasmtime::Result<Module> {
    // SAFETY: the file was written by this program from `Module::serialize`: its tag proves that. It can't change
    // while it is mapped: nobody but this user may write it, and this program only renames and unlinks such files.
    unsafe { Module::deserialize_open_file(engine, file) }
}
