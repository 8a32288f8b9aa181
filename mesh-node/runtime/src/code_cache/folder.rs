//! A folder that belongs to this user alone, and the secret by which its files are known.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use rustix::fs::OFlags;

const SECRET: &str = "secret";
const SECRET_BYTES: usize = 64;
/// What files that are being written are called until they are whole.
pub(super) const UNFINISHED: &str = ".new-";
/// Permissions that anybody but the owner could have.
const OTHERS: u32 = 0o077;

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// It can't be made, read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Somebody else could read it, or put files there.
    #[error("{what} must belong to the user of this process, and nobody else may read or write it")]
    Shared {
        /// The folder, or a file in it.
        what: PathBuf,
    },
    /// The secret is not as long as it was made.
    #[error("{what} is not {SECRET_BYTES} bytes long: remove it, and a new one is made")]
    Secret {
        /// The file.
        what: PathBuf,
    },
}

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    secret: [u8; SECRET_BYTES],
}

impl Folder {
    /// Opens a folder, and makes it and its secret where they are missing.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // Where a link leads is what is used and looked at.
        let path = path.canonicalize()?;
        let about = std::fs::symlink_metadata(&path)?;
        if !about.is_dir() || !is_ours_alone(&about) {
            return Err(FolderError::Shared { what: path });
        }
        let mut folder = Self { path, secret: [0; SECRET_BYTES] };
        folder.secret = match folder.read_secret() {
            Err(FolderError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                folder.make_secret()?;
                folder.read_secret()?
            }
            read => read?,
        };
        Ok(folder)
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file to be read, if it is one of this user alone.
    pub(super) fn open_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        // A file that could be elsewhere, or anything but a file, is none of this folder.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = options.open(self.path.join(name))?;
        let about = file.metadata()?;
        if about.is_file() && is_ours_alone(&about) {
            return Ok(file);
        }
        Err(io::Error::other("it is no file of this user alone"))
    }

    /// Writes a file whole, in the place of one of this name that may be there.
    pub(super) fn write(&self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let unfinished = self.unfinished(parts, false)?;
        std::fs::rename(&unfinished, self.path.join(name)).inspect_err(|_| discard(&unfinished))
    }

    pub(super) fn remove(&self, name: &str) {
        discard(&self.path.join(name));
    }

    fn read_secret(&self) -> Result<[u8; SECRET_BYTES], FolderError> {
        let what = self.path.join(SECRET);
        let mut file = self.open_file(SECRET).map_err(|error| match error.kind() {
            io::ErrorKind::Other => FolderError::Shared { what: what.clone() },
            _ => FolderError::Io(error),
        })?;
        let mut secret = [0; SECRET_BYTES];
        if file.metadata()?.len() != SECRET_BYTES as u64 {
            return Err(FolderError::Secret { what });
        }
        file.read_exact(&mut secret)?;
        Ok(secret)
    }

    /// Makes the secret, unless another process does so at the same time: nobody ever finds half of one.
    fn make_secret(&self) -> io::Result<()> {
        let mut secret = [0; SECRET_BYTES];
        rand::rng().fill(&mut secret);
        let unfinished = self.unfinished(&[&secret], true)?;
        let made = std::fs::hard_link(&unfinished, self.path.join(SECRET));
        discard(&unfinished);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a new file under a name that nobody looks for; `lasting` when it must outlive a crash.
    fn unfinished(&self, parts: &[&[u8]], lasting: bool) -> io::Result<PathBuf> {
        let name = format!("{UNFINISHED}{:032x}", rand::rng().random::<u128>());
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let written = parts
            .iter()
            .try_for_each(|part| file.write_all(part))
            .and_then(|()| if lasting { file.sync_all() } else { Ok(()) });
        written.inspect_err(|_| discard(&path))?;
        Ok(path)
    }
}

fn is_ours_alone(about: &Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw() && about.mode() & OTHERS == 0
}

/// Removes a file that nobody needs; another process may have done so.
pub(super) fn discard(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(path = %path.display(), %error, "a file can't be removed");
        }
        _ => {}
    }
}
