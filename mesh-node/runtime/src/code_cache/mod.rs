//! Compiled code, kept on this machine's own disk: a module that was compiled here before is not compiled again.
//!
//! ```text
//! name.rs     which code a file holds: module, engine, whatever else alters it
//! folder.rs   a folder of this user alone, and its secret
//! image.rs    what is in a file: the code, what is known of it, and a tag over both
//! load.rs     a file that was authenticated becomes a module: the one unsafe step
//! room.rs     which files go when there are too many
//! ```
//!
//! Loading crafted code is running it. A file is therefore loaded only when its tag was made with the secret of the
//! folder, which only this user can read, and never before. Files are never written in place: what is mapped stays
//! as it was authenticated, whatever becomes of its name.

mod folder;
mod image;
mod load;
mod name;
mod room;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use wasmtime::{Engine, Module};

use folder::Folder;
pub(crate) use folder::FolderError;
use image::Sealed;
pub(crate) use name::{CodeName, Compatibility};
use room::{Bounds, Room};

use crate::prepared::Preparation;

/// Compiled code, ready to be run, with what is known of it.
pub(crate) struct Code {
    pub(crate) module: Module,
    /// How its module was prepared.
    pub(crate) preparation: Preparation,
    /// What whoever had it compiled wanted to know of it later.
    pub(crate) note: Vec<u8>,
}

/// The files of one folder. Several processes of one user may use the same.
pub(crate) struct CodeCache {
    folder: Folder,
    room: Room,
}

impl CodeCache {
    /// Opens a folder, or makes it.
    ///
    /// # Errors
    /// [`FolderError`] when it can't be made, or others could read or write it.
    pub(crate) fn open(path: &Path) -> Result<Self, FolderError> {
        Self::bounded(path, Bounds::default())
    }

    fn bounded(path: &Path, bounds: Bounds) -> Result<Self, FolderError> {
        Ok(Self { folder: Folder::open(path)?, room: Room::new(bounds) })
    }

    /// Returns the code of this name, where it is there. What can't be used is removed. Blocks.
    pub(crate) fn find(&self, engine: &Engine, name: &CodeName) -> Option<Code> {
        match self.try_find(engine, name) {
            Ok(code) => Some(code),
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = %name, %error, "compiled code can't be used; compiling anew");
                self.folder.remove(&name.to_string());
                None
            }
        }
    }

    /// Returns whether there is a file of this name, whatever is in it.
    pub(crate) fn has(&self, name: &CodeName) -> bool {
        self.folder.path().join(name.to_string()).exists()
    }

    /// Keeps code under this name, and returns it as it is loaded from its file then; `None` where that does not
    /// go, and `module` is as good. Blocks.
    pub(crate) fn keep(&self, engine: &Engine, name: &CodeName, code: &Code) -> Option<Code> {
        match self.try_keep(name, code) {
            Ok(true) => self.find(engine, name),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(file = %name, %error, "compiled code can't be kept");
                None
            }
        }
    }

    fn try_find(&self, engine: &Engine, name: &CodeName) -> Result<Code, Unusable> {
        let file = self.folder.open_file(&name.to_string())?;
        let Sealed { preparation, note } = image::check(&file, self.folder.secret(), name)?;
        mark_used(&file);
        let module =
            load::module(engine, file).map_err(|error| Unusable::Code(error.to_string()))?;
        Ok(Code { module, preparation, note })
    }

    /// Returns whether the code was not too large to be kept.
    fn try_keep(&self, name: &CodeName, code: &Code) -> io::Result<bool> {
        let image = code.module.serialize().map_err(io::Error::other)?;
        let sealed = Sealed { preparation: code.preparation, note: code.note.clone() };
        let Some(tail) = image::tail(&image, &sealed, self.folder.secret(), name) else {
            return Ok(false);
        };
        self.folder.write(&name.to_string(), &[&image, &tail])?;
        self.room.wrote(&self.folder, image.len() + tail.len());
        Ok(true)
    }
}

/// Says that a file was used, so that others go before it.
fn mark_used(file: &File) {
    if let Err(error) = file.set_modified(SystemTime::now()) {
        tracing::debug!(%error, "the use of compiled code can't be noted");
    }
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Image(&'static str),
    #[error("the engine does not take it: {0}")]
    Code(String),
}
