//! The callers in other languages of `examples/callers/`, run as their users run them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;
use tokio::time::timeout;

use super::limits::CALLER_RUN_MS;
use super::meshctl::Outcome;
use super::programs::{javascript_modules, python_path, python_program, workspace_root};

/// One of the examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Python with a msgpack package; the payload is JSON.
    Python,
    /// JavaScript with a msgpack package; the payload is JSON.
    JavaScript,
    /// A NATS client and hand-written bytes; the payload is text.
    Raw,
}

impl Caller {
    /// Every example.
    pub const ALL: [Caller; 3] = [Caller::Python, Caller::JavaScript, Caller::Raw];

    fn command(self) -> anyhow::Result<(OsString, PathBuf)> {
        let folder = workspace_root().join("examples/callers");
        if self == Caller::JavaScript {
            javascript_modules()?;
            return Ok(("node".into(), folder.join("javascript/call.mjs")));
        }
        let script = if self == Caller::Python { "python/call.py" } else { "raw/call.py" };
        Ok((python_program().into(), folder.join(script)))
    }

    /// Calls `operation` of `target` with `payload` and returns what came of it, whatever that is.
    ///
    /// # Errors
    /// When the language or its packages are missing, or the run does not end in time.
    pub async fn call(
        self,
        url: &str,
        lattice: &str,
        target: &str,
        operation: &str,
        payload: &str,
    ) -> anyhow::Result<Outcome> {
        let (program, script) = self.command()?;
        let mut command = Command::new(program);
        command
            .arg(script)
            .args([url, lattice, target, operation, payload])
            .env("PYTHONPATH", python_path()?)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let bound = Duration::from_millis(CALLER_RUN_MS);
        let output = timeout(bound, command.output())
            .await
            .with_context(|| format!("the {self:?} caller still ran after {bound:?}"))?
            .with_context(|| format!("can't run the {self:?} caller"))?;
        Outcome::of(&output)
    }
}
