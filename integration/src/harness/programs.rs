//! Where the programs are that tests start.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Returns the root of the workspace.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the `nats-server` to start: `$MESH_NATS_SERVER`, the one that set-up installed, or the
/// one in `$PATH`, in this order.
///
/// # Errors
/// When there is none.
pub fn nats_server_program() -> anyhow::Result<PathBuf> {
    if let Some(program) = env::var_os("MESH_NATS_SERVER") {
        return existing(program.into(), "MESH_NATS_SERVER points to it");
    }
    let installed = workspace_root().join(".tools/nats-server/bin/nats-server");
    if installed.is_file() {
        return Ok(installed);
    }
    in_path("nats-server").context("there is no nats-server: run `cargo xtask setup`")
}

/// Returns the `redis-server` to start: `$MESH_REDIS_SERVER`, the one that set-up unpacked, or the
/// one in `$PATH`, in this order.
///
/// # Errors
/// When there is none.
pub fn redis_server_program() -> anyhow::Result<PathBuf> {
    if let Some(program) = env::var_os("MESH_REDIS_SERVER") {
        return existing(program.into(), "MESH_REDIS_SERVER points to it");
    }
    let installed = workspace_root().join(".tools/redis/redis-server");
    if installed.is_file() {
        return Ok(installed);
    }
    in_path("redis-server").context("there is no redis-server: run `cargo xtask setup`")
}

/// Returns the folder of the programs that were built beside this test: those of providers too.
///
/// # Errors
/// When this program can't be found.
pub fn programs_folder() -> anyhow::Result<PathBuf> {
    let node = mesh_node_program()?;
    Ok(node.parent().context("mesh-node is in no folder")?.to_path_buf())
}

/// Returns the `mesh-node` to start: `$MESH_NODE_BIN`, or the one built beside this test.
///
/// # Errors
/// When it was not built.
pub fn mesh_node_program() -> anyhow::Result<PathBuf> {
    built("mesh-node", "MESH_NODE_BIN")
}

/// Returns the `meshctl` to run: `$MESHCTL_BIN`, or the one built beside this test.
///
/// # Errors
/// When it was not built.
pub fn meshctl_program() -> anyhow::Result<PathBuf> {
    built("meshctl", "MESHCTL_BIN")
}

/// Returns a program of the release before this one: from the folder `$MESH_PREVIOUS`, or `today`'s where that is not
/// set.
///
/// # Errors
/// When it is not there.
pub fn previous_program(today: PathBuf) -> anyhow::Result<PathBuf> {
    let Some(folder) = env::var_os("MESH_PREVIOUS") else { return Ok(today) };
    let name = today.file_name().context("a program without a name")?;
    existing(PathBuf::from(folder).join(name), "MESH_PREVIOUS points to its folder")
}

/// Returns the `mesh-conformance` to run: `$MESH_CONFORMANCE_BIN`, or the one built beside this test.
///
/// # Errors
/// When it was not built.
pub fn conformance_program() -> anyhow::Result<PathBuf> {
    built("mesh-conformance", "MESH_CONFORMANCE_BIN")
}

/// Returns the Python to run: `$MESH_PYTHON`, or `python3`.
pub fn python_program() -> PathBuf {
    env::var_os("MESH_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// Returns the folder of the Python packages that set-up installed, for `PYTHONPATH`.
///
/// # Errors
/// When set-up did not run.
pub fn python_path() -> anyhow::Result<PathBuf> {
    installed(workspace_root().join(".tools/python"))
}

/// Returns the folder of the server that speaks S3, for `PYTHONPATH`.
///
/// # Errors
/// When set-up did not run.
pub fn s3_path() -> anyhow::Result<PathBuf> {
    installed(workspace_root().join(".tools/s3"))
}

/// Returns the folder of the JavaScript packages that set-up installed beside the example.
///
/// # Errors
/// When set-up did not run.
pub fn javascript_modules() -> anyhow::Result<PathBuf> {
    installed(workspace_root().join("examples/callers/javascript/node_modules"))
}

fn installed(path: PathBuf) -> anyhow::Result<PathBuf> {
    existing(path, "run `cargo xtask setup`")
}

fn built(name: &str, variable: &str) -> anyhow::Result<PathBuf> {
    if let Some(program) = env::var_os(variable) {
        return existing(program.into(), &format!("{variable} points to it"));
    }
    let this = env::current_exe()?;
    let mut folder = this.parent().context("this test is in no folder")?;
    // Tests are in target/<profile>/deps, programs one up.
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    existing(folder.join(name), &format!("run `cargo build --release -p {name}`"))
}

fn existing(path: PathBuf, hint: &str) -> anyhow::Result<PathBuf> {
    if !path.exists() {
        bail!("{} does not exist: {hint}", path.display());
    }
    Ok(path)
}

fn in_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}
