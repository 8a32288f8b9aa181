//! What a supervisor decides, without I/O: what may be run, when to run it again.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use lattice_protocol::record::{Labels, ProviderRecord};

use crate::limits;

/// Returns the program that a record wants, in the folder from which this node runs providers.
///
/// Whoever can write to the registry decides what is run: so nothing is but what was put there.
///
/// # Errors
/// Why it is not run, for people.
pub(super) fn program(record: &ProviderRecord, folder: &Path) -> Result<PathBuf, String> {
    let name = record.command.first().ok_or("its record names no program")?;
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => {}
        _ => return Err(format!("{name:?} is no name of a program in {}", folder.display())),
    }
    let program = folder.join(name);
    if !program.is_file() {
        return Err(format!("there is no program {}", program.display()));
    }
    Ok(program)
}

/// Returns whether a node with `labels` shall run what a record wants.
pub(super) fn is_for(labels: &Labels, record: &ProviderRecord) -> bool {
    record.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The pauses between starts: growing, and short again once the provider has run for a while.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the pause before the next start of what has run for `ran`.
    pub fn after(&mut self, ran: Duration) -> Duration {
        if ran >= Duration::from_millis(limits::PROVIDER_WELL_MS) {
            self.failures = 0;
        }
        let first = Duration::from_millis(limits::PROVIDER_RESTART_PAUSE_FIRST_MS);
        let pause = first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        pause.min(Duration::from_millis(limits::PROVIDER_RESTART_PAUSE_MAX_MS))
    }
}

/// Counts questions about its health that a provider left unanswered.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    answered: bool,
    missed: u32,
}

impl Pulse {
    /// Takes in what came of a question; returns whether the provider hangs. What never answered yet
    /// has time to start; nothing counts while NATS is away.
    pub fn hangs(&mut self, answered: bool, connected: bool, ran: Duration) -> bool {
        if answered {
            *self = Self { answered: true, missed: 0 };
            return false;
        }
        let starting = !self.answered && ran < Duration::from_millis(limits::PROVIDER_START_MS);
        if !connected {
            self.missed = 0;
        } else if !starting {
            self.missed += 1;
        }
        self.missed >= limits::PROVIDER_PULSES_MISSED_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lattice_protocol::keys::ProviderKey;

    use super::*;

    fn record(command: &[&str]) -> ProviderRecord {
        ProviderRecord {
            v: 1,
            key: ProviderKey::generate().unwrap().0,
            name: "redis".into(),
            command: command.iter().map(ToString::to_string).collect(),
            labels: Labels::new(),
            config: BTreeMap::new(),
            writer: String::new(),
        }
    }

    #[test]
    fn nothing_outside_of_the_folder_is_run() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mesh-x"), b"").unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        assert!(program(&record(&["mesh-x", "--flag"]), folder.path()).is_ok());
        for command in [
            &[][..],
            &[""],
            &["."],
            &[".."],
            &["/bin/sh"],
            &["../mesh-x"],
            &["sub/mesh-x"],
            &["./mesh-x"],
            &["sub"],
            &["mesh-y"],
        ] {
            assert!(program(&record(command), folder.path()).is_err(), "{command:?}");
        }
    }

    #[test]
    fn labels_decide_where_it_runs() {
        let mut wanted = record(&["mesh-x"]);
        let labels = Labels::from([("zone".to_owned(), "edge".to_owned())]);
        assert!(is_for(&labels, &wanted) && is_for(&Labels::new(), &wanted));
        wanted.labels.insert("zone".into(), "cloud".into());
        assert!(!is_for(&labels, &wanted) && !is_for(&Labels::new(), &wanted));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_short_again_after_a_while() {
        let mut backoff = Backoff::default();
        let soon = Duration::ZERO;
        let first = backoff.after(soon);
        assert_eq!(first.as_millis(), u128::from(limits::PROVIDER_RESTART_PAUSE_FIRST_MS));
        assert_eq!(backoff.after(soon), first * 2);
        for _ in 0..40 {
            backoff.after(soon);
        }
        let longest = Duration::from_millis(limits::PROVIDER_RESTART_PAUSE_MAX_MS);
        assert_eq!(backoff.after(soon), longest);
        assert_eq!(backoff.after(Duration::from_millis(limits::PROVIDER_WELL_MS)), first);
        assert_eq!(backoff.after(soon), first * 2);
    }

    #[test]
    fn silence_is_a_hang_only_after_a_start_and_with_a_connection() {
        let (early, late) = (Duration::ZERO, Duration::from_millis(limits::PROVIDER_START_MS));
        let most = limits::PROVIDER_PULSES_MISSED_MAX;
        let misses = |pulse: &mut Pulse, connected, ran| {
            (0..most).fold(false, |_, _| pulse.hangs(false, connected, ran))
        };
        assert!(!misses(&mut Pulse::default(), true, early), "it starts");
        assert!(misses(&mut Pulse::default(), true, late), "it never started");
        assert!(!misses(&mut Pulse::default(), false, late), "NATS is away");
        let mut pulse = Pulse::default();
        assert!(!pulse.hangs(true, true, early));
        assert!(!pulse.hangs(false, true, early));
        assert!(!pulse.hangs(true, true, early), "it was slow once");
        assert!(misses(&mut pulse, true, early));
    }
}
