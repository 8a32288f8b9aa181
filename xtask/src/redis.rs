//! Redis for the tests: the one in `$PATH`, or Debian's packages, unpacked inside this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{find, output, run};
use crate::tools::{command, root, tools_folder};

/// The server, and the libraries that a machine without it most likely lacks too.
const PACKAGES: [&str; 7] = [
    "redis-server",
    "redis-tools",
    "libjemalloc2",
    "liblzf1",
    "libhiredis0.14",
    "liblua5.1-0",
    "lua-cjson",
];
/// What `lua-cjson` needs in turn on some releases.
const LUA_BITOP: &str = "lua-bitop";

/// Finds a `redis-server`, or unpacks Debian's.
///
/// # Errors
/// When there is none and this machine has no Debian packages.
pub fn redis_server() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = find("redis-server", &path) {
        if version(&found).is_some() {
            return Ok(found);
        }
        eprintln!("  {} does not run here", found.display());
    }
    let folder = tools_folder().join("redis");
    let starter = folder.join("redis-server");
    if version(&starter).is_none() {
        unpack(&folder).context(
            "redis-server is needed by the tests: `apt-get install redis-server`, or https://redis.io",
        )?;
        write_starter(&starter)?;
    }
    if version(&starter).is_none() {
        bail!("{} does not run here: install redis-server", starter.display());
    }
    Ok(starter)
}

/// Returns the version that a `redis-server` says it has.
pub fn version(program: &Path) -> Option<String> {
    // `Redis server v=7.0.15 sha=…`
    let text = output(command(program, &root()).arg("--version")).ok()?;
    text.split_whitespace().find_map(|word| word.strip_prefix("v=")).map(str::to_owned)
}

/// Fetches the packages and unpacks them: nothing is installed into the system, nothing started.
fn unpack(folder: &Path) -> anyhow::Result<()> {
    let packages = folder.join("packages");
    fs::create_dir_all(&packages)?;
    let fetch = |names: &[&str]| run(command("apt-get", &packages).arg("download").args(names));
    if fetch(&PACKAGES).is_err() {
        // Its lists may be too old, or never fetched; only root may do that.
        run(command("apt-get", &packages).args(["update", "--quiet"]))?;
        fetch(&PACKAGES)?;
    }
    // Not every release has it.
    let _ = fetch(&[LUA_BITOP]);
    for package in fs::read_dir(&packages)? {
        let package = package?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("--extract").arg(&package).arg(folder.join("root")))?;
        }
    }
    Ok(())
}

/// The server finds the libraries that were unpacked beside it.
fn write_starter(starter: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let script = "#!/bin/sh\n\
        here=$(dirname \"$(readlink -f \"$0\")\")/root/usr\n\
        libraries=$(echo \"$here\"/lib/*-linux-gnu | tr ' ' ':')\n\
        LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \\\n    \
        exec \"$here/bin/redis-server\" \"$@\"\n";
    fs::write(starter, script)?;
    fs::set_permissions(starter, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
