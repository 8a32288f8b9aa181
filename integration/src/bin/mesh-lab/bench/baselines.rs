//! Programs of others that are measured beside the mesh, where they were installed:
//! `cargo xtask bench --install-baselines`.

use std::path::PathBuf;

use integration::harness::workspace_root;

/// What is said of those that were not.
pub(super) const NOT_INSTALLED: &str = "not installed: --install-baselines";

/// Returns the program that runs a module on the crate `wapc`.
pub(super) fn wapc() -> Option<PathBuf> {
    installed("baselines/bin/wapc-baseline")
}

/// Returns `wasmtime`, and a component for it that says hello over HTTP.
pub(super) fn wasmtime() -> Option<(PathBuf, PathBuf)> {
    installed("wasmtime/bin/wasmtime").zip(installed("baselines/hello.component.wasm"))
}

fn installed(path: &str) -> Option<PathBuf> {
    let path = workspace_root().join(".tools").join(path);
    path.is_file().then_some(path)
}
