//! Where a run took place, and the versions of what ran.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::harness::{nats_server_program, workspace_root};

/// Crates whose versions bear on the figures.
const CRATES: [&str; 5] = ["async-nats", "hyper", "redb", "tokio", "wasmtime"];

/// A machine and its programs. What could not be found out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Processors that a process of this machine can use.
    pub processors: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Name and release of the kernel.
    pub kernel: String,
    /// Processes that wanted to run, on average over the minute before the run.
    pub load_before: String,
    /// Programs and crates, with their versions.
    pub versions: Vec<(String, String)>,
}

impl Machine {
    /// Looks at this one.
    pub fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
            value.unwrap_or_default().to_owned()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib = memory.split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_bytes: kib.unwrap_or_default() * 1024,
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            versions: versions(),
        }
    }
}

fn versions() -> Vec<(String, String)> {
    let mut versions = vec![("mesh".to_owned(), mesh())];
    let nats = nats_server_program().map(|program| said(Command::new(program).arg("--version")));
    versions.push(("nats-server".to_owned(), nats.unwrap_or_default()));
    versions.push(("rustc".to_owned(), said(Command::new("rustc").arg("--version"))));
    let lock = std::fs::read_to_string(workspace_root().join("Cargo.lock")).unwrap_or_default();
    versions.extend(CRATES.map(|name| (name.to_owned(), locked(&lock, name))));
    versions
}

/// Returns the version of the mesh, with the commit where there is one.
fn mesh() -> String {
    let mut describe = Command::new("git");
    describe.current_dir(workspace_root()).args(["describe", "--always", "--dirty"]);
    match said(&mut describe) {
        commit if commit.is_empty() => env!("CARGO_PKG_VERSION").to_owned(),
        commit => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
    }
}

/// Returns the first line that a command writes; nothing where it fails.
fn said(command: &mut Command) -> String {
    let output = command.stdin(std::process::Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().unwrap_or_default().trim_start_matches("nats-server: ").to_owned()
}

/// Returns the version of a crate in a lock file; the newest where it has several.
fn locked(lock: &str, name: &str) -> String {
    let wanted = format!("name = \"{name}\"");
    let mut lines = lock.lines();
    let mut found = String::new();
    while lines.any(|line| line == wanted) {
        let version = lines.next().and_then(|line| line.strip_prefix("version = "));
        found = version.unwrap_or_default().trim_matches('"').to_owned();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_tells_versions() {
        let lock = "[[package]]\nname = \"tokio\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"tokio-util\"\nversion = \"0.1.0\"\n";
        assert_eq!(locked(lock, "tokio"), "1.2.3");
        assert_eq!(locked(lock, "hyper"), "");
    }

    #[test]
    fn this_machine_is_known() {
        let machine = Machine::look();
        assert!(machine.processors > 0 && machine.memory_bytes > 0, "{machine:?}");
        assert!(machine.kernel.len() > "Linux ".len(), "{machine:?}");
    }
}
