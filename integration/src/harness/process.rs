//! A child process that never outlives its test.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::killpg;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tempfile::TempPath;

pub use nix::sys::signal::Signal;

use super::limits::{FREEZE_MS, LOG_TAIL_BYTES};
use super::wait::wait_until;

/// Waits until the pipe of its standard input closes, which it does however the test ends, and
/// then ends the group that it watches.
const WATCH: &str = r#"read -r _; kill -KILL "-$0" 2>/dev/null"#;

/// A running child in a process group of its own, with what it wrote.
///
/// Dropping it kills the group. If the test is killed before it can drop anything, a watcher
/// notices and does the same.
pub struct ProcessGuard {
    name: String,
    child: Child,
    exited: Option<ExitStatus>,
    watcher: Child,
    _alive: Option<ChildStdin>,
    log: TempPath,
}

impl ProcessGuard {
    /// Starts `command`, both of whose outputs go to the log.
    ///
    /// # Errors
    /// When the program is missing or can't be started.
    pub fn spawn(name: &str, mut command: Command) -> anyhow::Result<Self> {
        let log = tempfile::Builder::new()
            .prefix(&format!("mesh-test-{name}-"))
            .suffix(".log")
            .tempfile()?
            .into_temp_path();
        let output = OpenOptions::new().append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let mut child = command
            .spawn()
            .with_context(|| format!("can't start {}", command.get_program().display()))?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                child.kill()?;
                child.wait()?;
                return Err(error).context("can't start /bin/sh");
            }
        };
        let alive = watcher.stdin.take();
        Ok(Self { name: name.to_owned(), child, exited: None, watcher, _alive: alive, log })
    }

    /// Returns the name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process's id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns all that the process wrote until now.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let bytes = std::fs::read(&self.log)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the end of what the process wrote, under a headline.
    pub fn log_tail(&self) -> String {
        let text = tail(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"));
        format!("--- log of {} (pid {}) ---\n{text}\n--- end ---", self.name, self.pid())
    }

    /// Returns how the process ended, or nothing while it runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.exited.is_none() {
            self.exited = self.child.try_wait()?;
        }
        Ok(self.exited)
    }

    /// Fails if the process has ended.
    ///
    /// # Errors
    /// Its status and the end of its log.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.exit_status()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.log_tail()),
        }
    }

    /// Sends `signal` to the process and all that it started.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        // An id that was reaped may belong to somebody else by now.
        self.check_alive()?;
        let group = Pid::from_raw(self.child.id().try_into()?);
        killpg(group, signal).with_context(|| format!("can't send {signal} to {}", self.name))
    }

    /// Kills the process (SIGKILL) and reaps it; nothing if it has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if self.exit_status()?.is_none() {
            self.signal(Signal::SIGKILL)?;
            self.exited = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// Freezes the process (SIGSTOP): its connections stay, it says nothing.
    ///
    /// Returns when every thread of it has stopped, which the signal alone does not wait for.
    ///
    /// # Errors
    /// When the process has ended.
    pub async fn freeze(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let pid = Pid::from_raw(self.child.id().try_into()?);
        let look = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG;
        let bound = Duration::from_millis(FREEZE_MS);
        wait_until(&format!("{} to stop", self.name), bound, async || {
            matches!(waitid(Id::Pid(pid), look), Ok(WaitStatus::Stopped(..)))
        })
        .await
    }

    /// Lets a frozen process go on (SIGCONT).
    ///
    /// # Errors
    /// When the process has ended.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Waits until the process ends by itself.
    ///
    /// # Errors
    /// The end of its log when it still runs after `bound`.
    pub async fn wait(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        let ended = wait_until(&what, bound, async || !matches!(self.exit_status(), Ok(None)));
        if let Err(error) = ended.await {
            return Err(error.context(self.log_tail()));
        }
        self.exit_status()?.ok_or_else(|| anyhow!("{} has no status", self.name))
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// The end of its log when it still runs after `bound`.
    pub async fn terminate(&mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait(bound).await
    }
}

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        let killed = self.kill();
        // The watcher goes first to its end while its target can't be mistaken; both are ours.
        let watched = self.watcher.kill().and_then(|()| self.watcher.wait());
        if std::thread::panicking() {
            eprintln!("{}", self.log_tail());
        }
        if let Err(error) = killed {
            eprintln!("{} may still run: {error:#}", self.name);
        }
        if let Err(error) = watched {
            eprintln!("the watcher of {} may still run: {error}", self.name);
        }
    }
}

fn tail(path: &std::path::Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
