//! The places that the tasks use, and commands as they start them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Returns the root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the folder that set-up installs into.
pub fn tools_folder() -> PathBuf {
    root().join(".tools")
}

/// Returns the path of a program that was built in release.
///
/// # Errors
/// When this program does not know where it is itself.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    // This is target/debug/xtask, wherever `target` is.
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).context("xtask is not in a target folder")?;
    Ok(target.join("release").join(name))
}

/// Returns a command that reads nothing: no task may wait for somebody to type.
pub fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Returns cargo, the one that runs this.
pub fn cargo(folder: &Path) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")), folder)
}
