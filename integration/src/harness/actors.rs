//! The example actors, as set-up built them.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::programs::workspace_root;

/// Returns the path of the unsigned module of an example actor (`echo`, `thumbnail` …).
///
/// # Errors
/// When it was not built.
pub fn actor_module(name: &str) -> anyhow::Result<PathBuf> {
    let path = workspace_root().join("target/actors").join(name).with_extension("wasm");
    if !path.is_file() {
        bail!("{} does not exist: run `cargo xtask setup`", path.display());
    }
    Ok(path)
}

/// Reads the unsigned module of an example actor.
///
/// # Errors
/// When it was not built, or can't be read.
pub fn actor_module_bytes(name: &str) -> anyhow::Result<Vec<u8>> {
    let path = actor_module(name)?;
    std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))
}
