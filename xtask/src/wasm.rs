//! Builds the actors to wasm, with whatever compiler the machine has or can get.
//!
//! The way is: look at the machine, decide on the next step, take it, look again. [`next_step`]
//! decides without touching anything, so that every sort of machine is a test of a few lines.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::process;

const TARGET: &str = "wasm32-unknown-unknown";

/// The actors' `rust-version` is 1.95: an older rustc of Debian is as good as none.
const RUSTC_MINOR_MIN: u32 = 95;

/// Where Debian puts its programs; a `rustup` in the user's PATH must not get in between.
const DEBIAN_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_BIN: &str = "/usr/bin";
/// The rustc that Debian keeps up to date for browsers, its cargo, the sources of its standard
/// library (Debian has no library built for wasm), and a linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// Time for rustup to fetch the target; a machine without a network must get on to the next way.
const RUSTUP_WAIT_S: u64 = 120;

/// A compiler that can build for wasm.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Compiler {
    /// The cargo that runs this program, with the target installed.
    Installed,
    /// Debian's rustc, which builds the standard library from its sources.
    Debian {
        /// The linker.
        linker: PathBuf,
    },
}

/// What a look at the machine found.
#[derive(Clone, Debug, Default)]
struct Machine {
    /// The installed rustc has the standard library for the target.
    has_target: bool,
    /// rustup is there.
    has_rustup: bool,
    /// Debian's rustc, cargo and library sources are there.
    has_debian_rust: bool,
    /// A linker for wasm is there.
    linker: Option<PathBuf>,
    /// apt-get is there.
    has_apt: bool,
    /// How to become root, if there is a way.
    root: Option<Root>,
}

/// How commands run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    /// This user is root.
    Already,
    /// `sudo -n` works: it asks for no password.
    Sudo,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Build(Compiler),
    AddTarget,
    InstallPackages(Root),
    GiveUp,
}

/// The steps that were taken already, whatever came of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    rustup: bool,
    apt: bool,
}

/// Decides: use the installed target, else ask rustup for it, else use Debian's compiler, else
/// install that, else give up. No step is taken twice.
fn next_step(machine: &Machine, tried: Tried) -> Step {
    if machine.has_target {
        return Step::Build(Compiler::Installed);
    }
    // Before Debian's compiler, even where that is there: with it, every build on a fresh machine
    // compiles the standard library too.
    if machine.has_rustup && !tried.rustup {
        return Step::AddTarget;
    }
    if let (true, Some(linker)) = (machine.has_debian_rust, &machine.linker) {
        return Step::Build(Compiler::Debian { linker: linker.clone() });
    }
    match machine.root {
        Some(root) if machine.has_apt && !tried.apt => Step::InstallPackages(root),
        _ => Step::GiveUp,
    }
}

/// Builds every actor below `root/actors` and puts them, unsigned, at `root/target/actors/NAME.wasm`.
/// Installs a compiler for wasm where there is none, and says so. What is up to date stays as it is.
///
/// # Errors
/// When there is no way to a compiler (the error says what to install), when an actor does not
/// compile, or when a file can't be written.
pub fn build_actors(root: &Path) -> Result<()> {
    build(root, &compiler()?)
}

/// Builds one package of the workspace in `folder`, and returns the path of its module.
///
/// # Errors
/// As for [`build_actors`].
pub fn build_package(folder: &Path, package: &str, target: &Path) -> Result<PathBuf> {
    let mut cargo = cargo(&compiler()?);
    cargo.current_dir(folder).args(["build", "--release", "--locked", "--target", TARGET]);
    cargo.arg("--target-dir").arg(target).args(["--package", package]);
    process::run(&mut cargo)?;
    Ok(target.join(TARGET).join("release").join(format!("{}.wasm", package.replace('-', "_"))))
}

/// Finds a compiler, or installs one.
fn compiler() -> Result<Compiler> {
    let mut tried = Tried::default();
    loop {
        let machine = look();
        match next_step(&machine, tried) {
            Step::Build(compiler) => return Ok(compiler),
            Step::AddTarget => {
                tried.rustup = true;
                eprintln!("actors: installing the target {TARGET} with rustup");
                if let Err(error) = add_target() {
                    eprintln!("actors: rustup could not: {error:#}");
                }
            }
            Step::InstallPackages(root) => {
                tried.apt = true;
                eprintln!("actors: installing Debian's {}", DEBIAN_PACKAGES.join(", "));
                if let Err(error) = install_packages(root) {
                    eprintln!("actors: apt-get could not: {error:#}");
                }
            }
            Step::GiveUp => bail!(
                "there is no compiler for {TARGET}, and none could be installed.\n\
                 Install one of these and run this again:\n  \
                 rustup target add {TARGET}\n  \
                 sudo apt-get install {}    (rustc 1.{RUSTC_MINOR_MIN} or later)",
                DEBIAN_PACKAGES.join(" ")
            ),
        }
    }
}

fn look() -> Machine {
    let path = env::var_os("PATH").unwrap_or_default();
    let root = if process::output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0") {
        Some(Root::Already)
    } else {
        let sudo = process::output(Command::new("sudo").args(["-n", "true"]));
        sudo.is_ok().then_some(Root::Sudo)
    };
    Machine {
        has_target: installed_target_library()
            .is_some_and(|library| has_standard_library(&library)),
        has_rustup: process::find("rustup", &path).is_some(),
        has_debian_rust: has_debian_rust(),
        linker: list(Path::new(DEBIAN_BIN)).and_then(|names| choose_linker(&names)),
        has_apt: process::find("apt-get", &path).is_some(),
        root,
    }
}

/// Returns where the rustc of this build keeps, or would keep, its library for the target.
fn installed_target_library() -> Option<PathBuf> {
    let asked = ["--print", "target-libdir", "--target", TARGET];
    process::output(without_build_variables("rustc").args(asked)).ok().map(PathBuf::from)
}

fn has_standard_library(directory: &Path) -> bool {
    list(directory).is_some_and(|names| {
        names.iter().any(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
    })
}

fn has_debian_rust() -> bool {
    let version = process::output(debian(DEBIAN_RUSTC).arg("--version"));
    let sysroot = process::output(debian(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    Path::new(DEBIAN_CARGO).is_file()
        && version.is_ok_and(|version| is_recent(&version))
        && sysroot.is_ok_and(|sysroot| {
            Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
        })
}

/// Says whether `rustc 1.96.0 (…)` is at least [`RUSTC_MINOR_MIN`].
fn is_recent(version: &str) -> bool {
    let mut parts = version.split([' ', '.']).skip(1).map(str::parse::<u32>);
    let (major, minor) = (parts.next(), parts.next());
    matches!((major, minor), (Some(Ok(1)), Some(Ok(minor))) if minor >= RUSTC_MINOR_MIN)
}

fn list(directory: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(directory).ok()?;
    Some(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Returns the linker to take from the programs in [`DEBIAN_BIN`]: the newest of several versions.
fn choose_linker(programs: &[String]) -> Option<PathBuf> {
    let version = |name: &str| match name.strip_prefix("wasm-ld") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('-')?.parse::<u32>().ok(),
        None => None,
    };
    let (_, newest) = programs
        .iter()
        .filter_map(|name| Some((version(name)?, name)))
        .max_by_key(|found| found.0)?;
    Some(Path::new(DEBIAN_BIN).join(newest))
}

fn add_target() -> Result<()> {
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]);
    command.env("RUSTUP_MAX_RETRIES", "0").env("RUST_BACKTRACE", "0");
    process::run_for(&mut command, Duration::from_secs(RUSTUP_WAIT_S))
}

fn install_packages(root: Root) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let mut command = match root {
            Root::Already => Command::new("apt-get"),
            Root::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                command
            }
        };
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut command)
    };
    apt(&["update", "--quiet"])?;
    let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
    apt(&[&install[..], &DEBIAN_PACKAGES].concat())
}

fn build(root: &Path, compiler: &Compiler) -> Result<()> {
    let actors = root.join("actors");
    let names = actor_names(&actors)?;
    let mut cargo = cargo(compiler);
    cargo.current_dir(&actors).args(["build", "--release", "--target", TARGET]);
    cargo.arg("--target-dir").arg(actors.join("target"));
    for name in &names {
        cargo.args(["--package", name]);
    }
    process::run(&mut cargo).context("the actors could not be built")?;

    let built = actors.join("target").join(TARGET).join("release");
    let modules = root.join("target/actors");
    fs::create_dir_all(&modules).with_context(|| format!("{} can't be made", modules.display()))?;
    for name in &names {
        let module = built.join(format!("{}.wasm", name.replace('-', "_")));
        publish(&module, &modules.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// Returns the cargo of a compiler.
fn cargo(compiler: &Compiler) -> Command {
    match compiler {
        Compiler::Installed => {
            eprintln!("wasm: building with the installed target {TARGET}");
            without_build_variables(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        }
        Compiler::Debian { linker } => {
            eprintln!("wasm: building with Debian's rustc and {}", linker.display());
            let mut cargo = debian(DEBIAN_CARGO);
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            // A stable compiler lets nobody build its own standard library unless told twice.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
            cargo
        }
    }
}

/// Returns the folders below `actors` that hold an actor: those with a manifest.
fn actor_names(actors: &Path) -> Result<Vec<String>> {
    let names = list(actors).with_context(|| format!("{} can't be read", actors.display()))?;
    let mut names: Vec<String> =
        names.into_iter().filter(|name| actors.join(name).join("Cargo.toml").is_file()).collect();
    names.sort();
    if names.is_empty() {
        bail!("there are no actors in {}", actors.display());
    }
    Ok(names)
}

/// Copies `module` to `place` where that holds anything else.
fn publish(module: &Path, place: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("{} can't be read", module.display()))?;
    if fs::read(place).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(place, &bytes).with_context(|| format!("{} can't be written", place.display()))?;
    eprintln!("actors: {} ({} bytes)", place.display(), bytes.len());
    Ok(())
}

/// Returns a command for one of Debian's Rust programs.
fn debian(program: &str) -> Command {
    let mut command = without_build_variables(program);
    command.env("PATH", DEBIAN_PATH).env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Returns a command without what the cargo and the rustup around this program told it: that is
/// about another compiler and another workspace.
fn without_build_variables(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_build_variable) {
            command.env_remove(name);
        }
    }
    command
}

/// Says whether a variable steers one build, rather than being about the machine and its network.
fn is_build_variable(name: &str) -> bool {
    const OF_THE_MACHINE: [&str; 4] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR"];
    const OF_A_BUILD: [&str; 4] = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS"];
    let begins = |with: &&str| name.starts_with(*with);
    name == "LD_LIBRARY_PATH"
        || (OF_A_BUILD.iter().any(begins) && !OF_THE_MACHINE.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linker() -> Option<PathBuf> {
        Some(PathBuf::from("/usr/bin/wasm-ld-14"))
    }

    /// A machine that has and can do everything.
    fn rich() -> Machine {
        Machine {
            has_target: true,
            has_rustup: true,
            has_debian_rust: true,
            linker: linker(),
            has_apt: true,
            root: Some(Root::Already),
        }
    }

    const NOTHING_TRIED: Tried = Tried { rustup: false, apt: false };

    #[test]
    fn the_installed_target_is_taken_first() {
        assert_eq!(next_step(&rich(), NOTHING_TRIED), Step::Build(Compiler::Installed));
    }

    #[test]
    fn rustup_comes_before_debian_and_only_once() {
        let machine = Machine { has_target: false, ..rich() };
        assert_eq!(next_step(&machine, NOTHING_TRIED), Step::AddTarget);
        let tried = Tried { rustup: true, apt: false };
        let debian = Compiler::Debian { linker: PathBuf::from("/usr/bin/wasm-ld-14") };
        assert_eq!(next_step(&machine, tried), Step::Build(debian));
    }

    #[test]
    fn packages_are_installed_only_once() {
        let machine = Machine { has_target: false, has_debian_rust: false, ..rich() };
        let tried = Tried { rustup: true, apt: false };
        assert_eq!(next_step(&machine, tried), Step::InstallPackages(Root::Already));
        assert_eq!(next_step(&machine, Tried { rustup: true, apt: true }), Step::GiveUp);
    }

    #[test]
    fn half_of_the_packages_is_not_enough() {
        let bare = Machine { has_target: false, has_rustup: false, ..rich() };
        for machine in
            [Machine { has_debian_rust: false, ..bare.clone() }, Machine { linker: None, ..bare }]
        {
            let step = next_step(&machine, NOTHING_TRIED);
            assert_eq!(step, Step::InstallPackages(Root::Already), "{machine:?}");
        }
    }

    #[test]
    fn packages_need_apt_and_a_way_to_root() {
        let bare = Machine { has_apt: true, ..Machine::default() };
        assert_eq!(next_step(&bare, NOTHING_TRIED), Step::GiveUp);
        let sudo = Machine { root: Some(Root::Sudo), ..bare };
        assert_eq!(next_step(&sudo, NOTHING_TRIED), Step::InstallPackages(Root::Sudo));
        let elsewhere = Machine { root: Some(Root::Already), ..Machine::default() };
        assert_eq!(next_step(&elsewhere, NOTHING_TRIED), Step::GiveUp);
    }

    #[test]
    fn the_newest_linker_is_taken() {
        let choose = |names: &[&str]| {
            choose_linker(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let in_bin = |name: &str| Some(Path::new(DEBIAN_BIN).join(name));
        assert_eq!(choose(&["wasm-ld", "wasm-ld-9", "wasm-ld-14", "ld"]), in_bin("wasm-ld-14"));
        assert_eq!(choose(&["ld.lld", "wasm-ld"]), in_bin("wasm-ld"));
        assert_eq!(choose(&["wasm-ld-next", "wasm-ldd", "ld"]), None);
    }

    #[test]
    fn an_old_rustc_is_told_from_a_recent_one() {
        for version in ["rustc 1.96.0 (ac68faa20 2026-05-25)", "rustc 1.95.0"] {
            assert!(is_recent(version), "{version}");
        }
        for version in ["rustc 1.63.0", "rustc 0.99.0", "rustc", "", "rustc 1.x.0"] {
            assert!(!is_recent(version), "{version}");
        }
    }

    #[test]
    fn variables_of_a_build_are_told_from_those_of_the_machine() {
        for name in [
            "CARGO",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "LD_LIBRARY_PATH",
        ] {
            assert!(is_build_variable(name), "{name}");
        }
        for name in
            ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_PROXY", "RUSTUP_TOOLCHAIN", "PATH"]
        {
            assert!(!is_build_variable(name), "{name}");
        }
    }
}
