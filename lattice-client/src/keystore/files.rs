//! Files and folders of the key store, with the permissions that seeds need.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::KeyStoreError;

/// A seed has 58 characters; a longer file is none, whatever it starts with.
const SEED_FILE_BYTES_MAX: u64 = 1_024;

/// Makes the folder `root/inner`; both are for their owner alone.
pub(super) fn make_folders(root: &Path, inner: &str) -> Result<(), KeyStoreError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |cause| KeyStoreError::File { path, cause }
    };
    if let Some(above) = root.parent() {
        fs::create_dir_all(above).map_err(fail(above))?;
    }
    for folder in [root.to_owned(), root.join(inner)] {
        match private_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => outcome.map_err(fail(&folder))?,
        }
    }
    Ok(())
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Returns options that make files for their owner alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file that must not exist. It appears whole or not at all, also to programs that read
/// it in this moment.
pub(super) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = folder.join(format!(".{}.draft", uuid::Uuid::now_v7().simple()));
    let write = |file: &mut File| {
        file.write_all(content)?;
        file.sync_all()
    };
    let outcome = private()
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|mut file| write(&mut file))
        // Unlike a rename, a link fails where there is a file already.
        .and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    outcome
}

/// Reads a small text, and whether others on this machine may read it too.
pub(super) fn read_seed(path: &Path) -> io::Result<(String, bool)> {
    let file = File::open(path)?;
    let exposed = readable_by_others(&file.metadata()?);
    let mut text = String::new();
    file.take(SEED_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, exposed))
}

#[cfg(unix)]
fn readable_by_others(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &fs::Metadata) -> bool {
    false
}

/// Returns the files of a folder that have `extension`, sorted; none where there is no folder.
pub(super) fn list(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, KeyStoreError> {
    let fail = |cause| KeyStoreError::File { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
