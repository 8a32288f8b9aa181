//! The last revision that was signed for a name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{KeyStoreError, files};

/// The last revision of a name. While it lives, other programs wait for it: two that sign at the
/// same time get two revisions.
#[derive(Debug)]
pub struct Revisions {
    file: File,
    path: PathBuf,
    last: Option<u64>,
}

impl Revisions {
    pub(super) fn open(path: PathBuf) -> Result<Self, KeyStoreError> {
        let fail = |cause| KeyStoreError::File { path: path.clone(), cause };
        let mut file = files::private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        file.lock().map_err(fail)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fail)?;
        let last = match text.trim() {
            "" => None,
            text => {
                Some(text.parse().map_err(|_| KeyStoreError::NotARevision { path: path.clone() })?)
            }
        };
        Ok(Self { file, path, last })
    }

    /// Returns the last revision; `None` where none was signed yet.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Remembers that `revision` was signed; a lower one than the last changes nothing.
    ///
    /// # Errors
    /// [`KeyStoreError::File`] when it can't be written.
    pub fn remember(&mut self, revision: u64) -> Result<(), KeyStoreError> {
        if self.last.is_some_and(|last| last >= revision) {
            return Ok(());
        }
        let mut write = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(format!("{revision}\n").as_bytes())
        };
        write().map_err(|cause| KeyStoreError::File { path: self.path.clone(), cause })?;
        self.last = Some(revision);
        Ok(())
    }
}

/// Reads the last revision without waiting for anybody.
pub(super) fn peek(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}
