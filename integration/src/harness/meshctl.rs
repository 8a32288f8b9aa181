//! Runs of `meshctl`, with folders of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::limits::MESHCTL_RUN_MS;
use super::programs::meshctl_program;

/// What a run of a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Diagnostics.
    pub stderr: String,
}

impl Outcome {
    /// Reads what a program left behind.
    ///
    /// # Errors
    /// When it was killed.
    pub(super) fn of(output: &std::process::Output) -> anyhow::Result<Self> {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        Ok(Self {
            code: code.with_context(|| format!("killed: {}\n{stderr}", output.status))?,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr,
        })
    }
}

/// A user of `meshctl`: a lattice to talk to, and a home of their own for keys and settings.
pub struct Meshctl {
    home: TempDir,
    globals: Vec<String>,
    program: Option<PathBuf>,
}

impl Meshctl {
    /// Makes a user who talks to `lattice` at `url`.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn new(url: &str, lattice: &str) -> anyhow::Result<Self> {
        let globals = ["--nats", url, "--lattice", lattice].map(str::to_owned).into();
        Ok(Self { home: fresh_home()?, globals, program: None })
    }

    /// Makes a user who gives neither server nor lattice.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn bare() -> anyhow::Result<Self> {
        Ok(Self { home: fresh_home()?, globals: Vec::new(), program: None })
    }

    /// Runs another program than the `meshctl` that was built last from now on.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Returns the user's home; the XDG folders are in it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `meshctl` and returns what came of it, whatever that is.
    ///
    /// # Errors
    /// When it can't be started, does not end in time, or is killed.
    pub async fn run<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<Outcome> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let program = self.program.clone().map_or_else(meshctl_program, Ok)?;
        let mut command = Command::new(program);
        command
            .args(&self.globals)
            .args(&arguments)
            .env_clear()
            .envs(clean_environment(self.home.path()))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let bound = Duration::from_millis(MESHCTL_RUN_MS);
        let output = timeout(bound, command.output())
            .await
            .with_context(|| format!("meshctl {arguments:?} still ran after {bound:?}"))?
            .context("can't run meshctl")?;
        Outcome::of(&output)
    }

    /// Runs `meshctl`, which must succeed, and returns what it wrote to stdout.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and with all that it wrote when its exit code is not 0.
    pub async fn ok<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<String> {
        let Outcome { code, stdout, stderr } = self.run(arguments).await?;
        if code != 0 {
            let shown: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
            bail!("meshctl {shown:?} ended with {code}\n{stdout}\n{stderr}");
        }
        Ok(stdout)
    }

    /// Runs `meshctl -o json`, which must succeed, and returns what it wrote.
    ///
    /// # Errors
    /// As for [`ok`](Self::ok), and when stdout is no JSON.
    pub async fn json<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<serde_json::Value> {
        let with_format = ["-o", "json"].into_iter().chain(arguments.iter().map(AsRef::as_ref));
        let stdout = self.ok(&with_format.collect::<Vec<_>>()).await?;
        serde_json::from_str(&stdout).with_context(|| format!("no JSON: {stdout}"))
    }
}

pub(super) fn fresh_home() -> anyhow::Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("mesh-test-home-").tempdir()?)
}

/// Returns an environment without anything of the user who runs the tests: their NATS context,
/// keys and telemetry must not change what a test sees.
pub(super) fn clean_environment(home: &Path) -> Vec<(String, std::ffi::OsString)> {
    let mut variables: Vec<(String, std::ffi::OsString)> = ["PATH", "TMPDIR", "RUST_BACKTRACE"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?)))
        .collect();
    variables.push(("HOME".to_owned(), home.into()));
    for (name, folder) in [
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CACHE_HOME", "cache"),
    ] {
        variables.push((name.to_owned(), home.join(folder).into()));
    }
    variables
}
