//! Keeps a folder within its bounds: what was used longest ago goes first.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::folder::{Folder, UNFINISHED, discard};
use crate::limits;

/// How much a folder may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: limits::CODE_CACHE_BYTES_MAX, files: limits::CODE_CACHE_FILES_MAX }
    }
}

/// A file of compiled code.
#[derive(Debug)]
struct Held {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Looks at the folder now and then: each process does, so none can know what all have written.
pub(super) struct Room {
    bounds: Bounds,
    /// What may be written before the folder is looked at again.
    bytes_left: AtomicU64,
    files_left: AtomicU64,
}

impl Room {
    /// Makes one that looks at the first writing.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, bytes_left: AtomicU64::new(0), files_left: AtomicU64::new(0) }
    }

    /// Takes in that a file was written.
    pub(super) fn wrote(&self, folder: &Folder, bytes: usize) {
        let take = |left: &AtomicU64, count: u64| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count))
        };
        if take(&self.bytes_left, bytes as u64).is_ok() && take(&self.files_left, 1).is_ok() {
            return;
        }
        self.bytes_left.store(self.bounds.bytes / limits::CODE_CACHE_LOOKS, Ordering::Relaxed);
        self.files_left.store(self.bounds.files / limits::CODE_CACHE_LOOKS, Ordering::Relaxed);
        if let Err(error) = self.look(folder) {
            tracing::warn!(%error, "the folder of compiled code can't be kept within its bounds");
        }
    }

    fn look(&self, folder: &Folder) -> io::Result<()> {
        let now = SystemTime::now();
        let mut held = Vec::new();
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Another process may have removed it meanwhile.
            let Ok(about) = entry.metadata() else { continue };
            let used = about.modified()?;
            if name.starts_with(UNFINISHED) {
                if is_forgotten(used, now) {
                    discard(&entry.path());
                }
            } else if is_code(&name) {
                held.push(Held { path: entry.path(), bytes: about.len(), used });
            }
        }
        for path in surplus(held, self.bounds) {
            tracing::debug!(path = %path.display(), "compiled code makes room for other");
            discard(&path);
        }
        Ok(())
    }
}

/// Returns whether a file is none of those that nobody but this program names.
fn is_code(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether whoever wrote a file has ended before it was whole.
fn is_forgotten(written: SystemTime, now: SystemTime) -> bool {
    let age = now.duration_since(written).unwrap_or_default();
    age > Duration::from_secs(limits::CODE_UNFINISHED_S_MAX)
}

/// Decides which files go: those beyond the bounds that were used longest ago.
fn surplus(mut held: Vec<Held>, bounds: Bounds) -> Vec<PathBuf> {
    held.sort_by_key(|file| std::cmp::Reverse(file.used));
    let (mut files, mut bytes) = (0u64, 0u64);
    let mut goes = Vec::new();
    for file in held {
        let fits = files < bounds.files && bytes.saturating_add(file.bytes) <= bounds.bytes;
        if fits {
            files += 1;
            bytes += file.bytes;
        } else {
            goes.push(file.path);
        }
    }
    goes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first_and_no_more_than_must() {
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let held =
            || {
                [("old", 40, 1), ("new", 40, 3), ("between", 40, 2)]
                    .map(|(name, bytes, used)| Held { path: name.into(), bytes, used: at(used) })
            };
        let goes = |bytes, files| surplus(held().into(), Bounds { bytes, files });
        assert_eq!(goes(120, 3), Vec::<PathBuf>::new());
        assert_eq!(goes(119, 3), [PathBuf::from("old")]);
        assert_eq!(goes(120, 1), [PathBuf::from("between"), PathBuf::from("old")]);
        assert_eq!(goes(39, 3).len(), 3);
    }

    #[test]
    fn only_files_that_are_old_and_unfinished_were_forgotten() {
        let now = SystemTime::now();
        let age = |s| now - Duration::from_secs(s);
        assert!(!is_forgotten(now, now));
        assert!(!is_forgotten(age(limits::CODE_UNFINISHED_S_MAX), now));
        assert!(is_forgotten(age(limits::CODE_UNFINISHED_S_MAX + 1), now));
        assert!(is_code(&"0a".repeat(32)) && !is_code("secret") && !is_code(&"zz".repeat(32)));
    }
}
