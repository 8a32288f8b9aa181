//! What the bench measures beside the mesh, and what is no part of it: built on request, pinned, only once.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::process::{output, run};
use crate::tools::{cargo, command, root, tools_folder};
use crate::wasm;

/// The wasmtime whose `serve` is measured: of the versions that the mesh's own engine has.
const WASMTIME_VERSION: &str = "48.0.8";
/// As little of it as `serve` needs to run as it comes.
const WASMTIME_FEATURES: &str =
    "serve,cranelift,pooling-allocator,parallel-compilation,component-model-async,logging";

/// Installs what is missing.
///
/// # Errors
/// What could not be built.
pub fn install() -> anyhow::Result<()> {
    let folder = tools_folder().join("baselines");
    let target = folder.join("target");
    let packages = root().join("integration/baselines");
    let mut build = cargo(&packages);
    build.args(["build", "--release", "--locked", "--target-dir"]).arg(&target);
    run(build.args(["--package", "wapc-baseline", "--package", "componentize"]))?;
    copy(&target.join("release/wapc-baseline"), &folder.join("bin/wapc-baseline"))?;

    let module = wasm::build_package(&packages, "hello", &target)?;
    let component = folder.join("hello.component.wasm");
    let mut componentize = command(target.join("release/componentize"), &root());
    run(componentize.arg(module).arg(&component))?;
    wasmtime(&target)
}

fn wasmtime(target: &Path) -> anyhow::Result<()> {
    let place = tools_folder().join("wasmtime");
    let program = place.join("bin/wasmtime");
    let version = output(command(&program, &root()).arg("--version")).unwrap_or_default();
    if version.split(' ').any(|word| word == WASMTIME_VERSION) {
        eprintln!("  {version}: {}", program.display());
        return Ok(());
    }
    let mut install = cargo(&root());
    install.args(["install", "wasmtime-cli", "--locked", "--force"]);
    install.args(["--version", WASMTIME_VERSION]);
    install.args(["--no-default-features", "--features", WASMTIME_FEATURES]);
    run(install.arg("--root").arg(place).arg("--target-dir").arg(target))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let said = || format!("can't copy {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(said)?;
    }
    fs::copy(from, to).map(drop).with_context(said)
}
