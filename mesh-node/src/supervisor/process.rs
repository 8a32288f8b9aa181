//! One provider as a process: started, watched, ended, started again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lattice_protocol::event::EventKind;
use lattice_protocol::keys::NodeKey;
use lattice_protocol::record::ProviderRecord;
use lattice_protocol::{Error, ErrorCode};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::decide::{self, Backoff, Pulse};
use super::{Board, SupervisorOptions};
use crate::limits;
use crate::shared::Shared;

/// Variables of the node that its providers get too; everything else is the node's own.
const INHERITED: [&str; 8] =
    ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "RUST_LOG", "MESH_LOG_FORMAT"];
/// What the names of variables begin with that tell where telemetry goes.
const INHERITED_PREFIX: &str = "OTEL_";

pub(super) struct Supervised {
    shared: Arc<Shared>,
    options: Arc<SupervisorOptions>,
    record: Arc<ProviderRecord>,
    stop: CancellationToken,
}

/// How a process came to its end.
enum Ended {
    /// It was wanted no more.
    Stopped,
    /// Something else, which this says for people.
    Failed(String),
}

impl Supervised {
    pub fn new(
        shared: Arc<Shared>,
        options: Arc<SupervisorOptions>,
        record: Arc<ProviderRecord>,
        stop: CancellationToken,
    ) -> Self {
        Self { shared, options, record, stop }
    }

    /// Keeps the provider running until it is wanted no more.
    pub async fn keep(&self) {
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            let begun = Instant::now();
            let Ended::Failed(reason) = self.run_once().await else { return };
            let pause = backoff.after(begun.elapsed());
            let name = &self.record.name;
            let restart_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(provider = name, reason, restart_in_ms, "a provider ended");
            self.board().change(&self.record, |entry| {
                (entry.pid, entry.process) = (None, None);
                entry.reason = Some(reason.clone());
            });
            let data = BTreeMap::from([
                ("name".to_owned(), name.clone()),
                ("reason".to_owned(), reason),
                ("restart_in_ms".to_owned(), restart_in_ms.to_string()),
            ]);
            self.tell(EventKind::ProviderStopped, data).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Starts the provider and returns when it has ended.
    async fn run_once(&self) -> Ended {
        let (mut child, node) = match self.start() {
            Ok(started) => started,
            Err(reason) => return Ended::Failed(reason),
        };
        // To wait for a child closes its standard input, whose end means that the node has ended.
        let _held_open = child.stdin.take();
        let (pid, group) = (child.id(), Group::of(&child));
        let name = &self.record.name;
        tracing::info!(provider = name, pid, "a provider was started");
        self.board().change(&self.record, |entry| {
            (entry.pid, entry.process) = (pid, Some(node.clone()));
            entry.starts += 1;
        });
        let data = BTreeMap::from([
            ("name".to_owned(), name.clone()),
            ("pid".to_owned(), pid.unwrap_or_default().to_string()),
        ]);
        self.tell(EventKind::ProviderStarted, data).await;
        let mut logs = JoinSet::new();
        if let Some(output) = child.stdout.take() {
            logs.spawn(log_lines(name.clone(), output));
        }
        if let Some(output) = child.stderr.take() {
            logs.spawn(log_lines(name.clone(), output));
        }
        let ended = tokio::select! {
            status = child.wait() => {
                group.signal(Signal::SIGKILL);
                Ended::Failed(how_it_ended(&status))
            }
            () = self.until_it_hangs(&node) => {
                group.kill(&mut child).await;
                Ended::Failed("it did not answer any more and was killed".to_owned())
            }
            () = self.stop.cancelled() => {
                group.end(&mut child, self.options.stop_bound).await;
                Ended::Stopped
            }
        };
        // What it wrote last is read to its end, unless somebody else holds its output open.
        let bound = Duration::from_millis(limits::PROVIDER_LOG_END_MS);
        let read = async { while logs.join_next().await.is_some() {} };
        if tokio::time::timeout(bound, read).await.is_err() {
            logs.shutdown().await;
        }
        ended
    }

    fn start(&self) -> Result<(Child, NodeKey), String> {
        let folder = self.options.folder.as_deref().ok_or(
            "this node runs no providers: start it with --provider-dir and the folder of their programs",
        )?;
        let program = decide::program(&self.record, folder)?;
        let (node, _) = NodeKey::generate().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command
            .args(self.record.command.iter().skip(1))
            .env_clear()
            .envs(inherited())
            .envs(self.environment(&node))
            // Held open for as long as this process lives: its end tells a provider to end.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A signal at a terminal is for the node, which ends its providers in its own time.
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map(|child| (child, node)).map_err(|error| {
            format!("{} can't be started: {error}", self.record.command.first().map_or("", |n| n))
        })
    }

    /// What a provider needs to know, in any language.
    fn environment(&self, node: &NodeKey) -> BTreeMap<&'static str, String> {
        let connect = &self.options.connect;
        let path = |path: &Option<std::path::PathBuf>| {
            path.as_deref().and_then(Path::to_str).map(str::to_owned)
        };
        let config = serde_json::to_string(&self.record.config).ok();
        let data = self.options.data.as_ref().map(|data| data.join(self.record.key.as_str()));
        let values = [
            ("MESH_NATS", Some(connect.servers.clone())),
            ("MESH_LATTICE", Some(self.shared.lattice.name().to_string())),
            ("MESH_CREDS", path(&connect.creds)),
            ("MESH_NKEY", path(&connect.nkey)),
            ("MESH_USER", connect.user.clone()),
            ("MESH_PASSWORD", connect.password.clone()),
            ("MESH_TOKEN", connect.token.clone()),
            ("MESH_TLS_CA", path(&connect.tls_ca)),
            ("MESH_TLS_CERT", path(&connect.tls_cert)),
            ("MESH_TLS_KEY", path(&connect.tls_key)),
            ("MESH_PROVIDER_KEY", Some(self.record.key.to_string())),
            ("MESH_PROVIDER_CONFIG", config),
            ("MESH_NODE_KEY", Some(node.to_string())),
            ("MESH_DATA", path(&data)),
            ("MESH_EXIT_WITH_STDIN", Some("true".to_owned())),
        ];
        values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Asks the provider about its health, and returns when it answers no more.
    async fn until_it_hangs(&self, node: &NodeKey) {
        let begun = Instant::now();
        let mut pulse = Pulse::default();
        let pause = Duration::from_millis(limits::PROVIDER_PULSE_INTERVAL_MS);
        let wait = Duration::from_millis(limits::PROVIDER_PULSE_TIMEOUT_MS);
        let mut unwell: Option<Error> = None;
        loop {
            tokio::time::sleep(pause).await;
            let health = self.shared.lattice.health(node, wait).await;
            let silent = |error: &Error| {
                matches!(error.code, ErrorCode::NotFound | ErrorCode::DeadlineExceeded)
            };
            let answered = !health.as_ref().is_err_and(silent);
            // What answers that it is not well is not helped by a restart.
            if let Err(error) = &health
                && answered
                && unwell.as_ref() != Some(error)
            {
                tracing::warn!(provider = self.record.name, %error, "a provider is not well");
            }
            unwell = health.err().filter(|_| answered);
            let connected = self.shared.lattice.connection().borrow().up;
            if pulse.hangs(answered, connected, begun.elapsed()) {
                return;
            }
        }
    }

    fn board(&self) -> &Board {
        &self.shared.board
    }

    async fn tell(&self, kind: EventKind, data: BTreeMap<String, String>) {
        let source = self.shared.key.as_str();
        self.shared.lattice.tell(kind, source, self.record.key.as_str(), data).await;
    }
}

fn inherited() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let wanted = INHERITED.contains(&name.as_str()) || name.starts_with(INHERITED_PREFIX);
        Some((name, value.into_string().ok()?)).filter(|_| wanted)
    })
}

/// A provider with the processes that it started, such as the program that a script runs.
#[derive(Clone, Copy)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    fn signal(self, signal: Signal) {
        if let Some(leader) = self.0 {
            // One that has ended meanwhile needs no signal.
            let _ = killpg(leader, signal);
        }
    }

    /// Asks it to end, and ends by force what has not within `bound`.
    async fn end(self, child: &mut Child, bound: Duration) {
        self.signal(Signal::SIGTERM);
        // What becomes of it is seen below.
        let _ = tokio::time::timeout(bound, child.wait()).await;
        self.kill(child).await;
    }

    /// Ends all of it, whatever it is at: what outlives its leader would go on serving the key.
    async fn kill(self, child: &mut Child) {
        self.signal(Signal::SIGKILL);
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "a provider can't be waited for");
        }
    }
}

fn how_it_ended(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => {
            match (status.code(), std::os::unix::process::ExitStatusExt::signal(status)) {
                (Some(code), _) => format!("it exited with code {code}"),
                (None, Some(signal)) => format!("it was killed by signal {signal}"),
                (None, None) => "it ended".to_owned(),
            }
        }
        Err(error) => format!("it can't be waited for: {error}"),
    }
}

/// Writes what a provider prints to the node's log, line by line.
async fn log_lines(provider: String, output: impl AsyncRead + Unpin) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match read_line(&mut output, &mut line).await {
            Ok(true) => {}
            _ => return,
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            tracing::info!(target: "provider", provider, "{text}");
        }
    }
}

/// Reads a line, of which no more than [`limits::LOG_LINE_BYTES_MAX`] bytes are kept; returns
/// whether there was one.
async fn read_line(
    output: &mut (impl AsyncBufReadExt + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    loop {
        let some = output.fill_buf().await?;
        if some.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(some.len(), |end| end + 1);
        let room = limits::LOG_LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend(some.iter().take(taken.min(room)));
        output.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_to_their_bound() {
        let long = vec![b'a'; limits::LOG_LINE_BYTES_MAX + 10];
        let text = [&b"first\n\n"[..], &long, b"\nlast"].concat();
        let mut output = BufReader::with_capacity(100, &text[..]);
        let mut lines = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut output, &mut line).await.unwrap() {
            lines.push(std::mem::take(&mut line));
        }
        assert_eq!(lines.len(), 4);
        assert_eq!(
            (&lines[0][..], &lines[1][..], &lines[3][..]),
            (&b"first\n"[..], &b"\n"[..], &b"last"[..])
        );
        assert_eq!(lines[2].len(), limits::LOG_LINE_BYTES_MAX);
    }
}
