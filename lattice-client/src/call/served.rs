//! Which targets have answered of late: where one is served by nobody, it is worth a wait only if it
//! was there a moment ago.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lattice_protocol::keys::TargetKey;

use crate::limits;

/// When targets answered last, without a lock or an allocation: targets may share an entry, and then
/// one of them is waited for in vain.
pub(crate) struct Served {
    begun: Instant,
    /// Milliseconds since then, and 1; 0 where nobody has answered.
    answered: [AtomicU64; limits::SERVED_ENTRIES],
}

impl Default for Served {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            answered: [const { AtomicU64::new(0) }; limits::SERVED_ENTRIES],
        }
    }
}

impl Served {
    /// Notes that `target` has answered.
    pub fn answered(&self, target: &TargetKey) {
        if let Some(entry) = self.entry(target) {
            entry.store(self.now_ms() + 1, Ordering::Relaxed);
        }
    }

    /// Returns how long a call of `target` that begins now is tried again while nobody serves it. Nobody moves
    /// a provider: one that is gone is told to be gone.
    pub fn patience(&self, target: &TargetKey) -> Duration {
        if matches!(target, TargetKey::Provider(_)) {
            return patience(None);
        }
        let last = self.entry(target).map_or(0, |entry| entry.load(Ordering::Relaxed));
        patience(last.checked_sub(1).map(|last| self.now_ms().saturating_sub(last)))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// The last characters of a key but its checksum are as good as a hash of it.
    fn entry(&self, target: &TargetKey) -> Option<&AtomicU64> {
        let key = target.as_str().as_bytes().iter().rev().skip(4).take(6);
        let hash = key.fold(0_usize, |hash, byte| (hash << 5) ^ usize::from(*byte));
        self.answered.get(hash % limits::SERVED_ENTRIES)
    }
}

/// Decides how long a call is tried again where nobody listens. `ago_ms` is when the target answered
/// last.
fn patience(ago_ms: Option<u64>) -> Duration {
    let left = ago_ms.map_or(0, |ago| limits::MOVED_WAIT_MS.saturating_sub(ago));
    Duration::from_millis(left.max(limits::NO_RESPONDERS_WAIT_MS))
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::{ActorKey, ProviderKey};

    use super::*;

    #[test]
    fn what_answered_a_moment_ago_is_waited_for_and_nothing_else_for_long() {
        let ms = Duration::from_millis;
        assert_eq!(patience(None), ms(limits::NO_RESPONDERS_WAIT_MS));
        assert_eq!(patience(Some(0)), ms(limits::MOVED_WAIT_MS));
        assert_eq!(patience(Some(100)), ms(limits::MOVED_WAIT_MS - 100));
        assert_eq!(patience(Some(limits::MOVED_WAIT_MS)), ms(limits::NO_RESPONDERS_WAIT_MS));
        assert_eq!(patience(Some(u64::MAX)), ms(limits::NO_RESPONDERS_WAIT_MS));
    }

    #[test]
    fn each_target_is_remembered_by_itself() {
        let served = Served::default();
        let keys: Vec<TargetKey> =
            (0..20).map(|_| ActorKey::generate().unwrap().0.into()).collect();
        served.answered(&keys[0]);
        let waits = |key: &&TargetKey| served.patience(key) > patience(None);
        assert!(waits(&&keys[0]));
        assert!(keys.iter().filter(waits).count() < 5, "few share an entry");
        let provider = ProviderKey::generate().unwrap().0.into();
        served.answered(&provider);
        assert!(!waits(&&provider), "it does not move");
    }
}
