//! Where in a store everything is, and which names it may have there.

use lattice_protocol::Error;
use lattice_protocol::contract::blobstore::Upload;
use mesh_provider::blobstore::token;
use object_store::path::Path;

use crate::{folder, s3_form};

/// Neither a container nor a tenant has a dot.
const OWN: &str = ".mesh";

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A folder: names are encoded, and a file says at its end what it is.
    Folder,
    /// S3: names are keys, and an object has metadata.
    S3,
}

/// Where the parts of one tenant are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The kind of store.
    pub form: Form,
    root: Path,
    /// The actor whose uploads these are.
    source: String,
}

/// Where the parts of one upload are.
#[derive(Clone, Debug)]
pub struct UploadPaths {
    /// All of it.
    pub all: Path,
    /// What was said when it began.
    pub record: Path,
    /// Its chunks.
    pub chunks: Path,
}

impl Layout {
    /// Names the parts of a tenant for an actor.
    pub fn new(form: Form, tenant: &str, source: &str) -> Self {
        Self { form, root: Path::from(tenant), source: source.to_ascii_lowercase() }
    }

    /// Returns where a blob is.
    ///
    /// # Errors
    /// `too_large` for a name that the store has no room for.
    pub fn blob(&self, container: &str, name: &str) -> Result<Path, Error> {
        let container = self.container(container);
        match self.form {
            Form::Folder => folder::path(&container, name),
            Form::S3 => s3_form::path(&container, name),
        }
    }

    /// Returns the name of the blob that is at a path; nothing where none can be.
    pub fn name(&self, container: &Path, path: &Path) -> Option<String> {
        let below = path.as_ref().strip_prefix(container.as_ref())?.strip_prefix('/')?;
        match self.form {
            Form::Folder => folder::name(below),
            Form::S3 => Some(below.to_owned()),
        }
    }

    /// Returns what holds the blobs of a container.
    pub fn container(&self, container: &str) -> Path {
        self.root.clone().join(container)
    }

    /// Returns what holds the marks of containers.
    pub fn marks(&self) -> Path {
        self.root.clone().join(OWN).join("containers")
    }

    /// Returns the mark of a container.
    pub fn mark(&self, container: &str) -> Path {
        self.marks().join(container)
    }

    /// Returns what holds the uploads to a container.
    pub fn uploads(&self, container: &str) -> Path {
        self.root.clone().join(OWN).join("uploads").join(container)
    }

    /// Returns where an upload is. The actor is part of it: another one finds none.
    pub fn upload(&self, container: &str, upload: &str) -> UploadPaths {
        let all = self.uploads(container).join(format!("{upload}.{}", self.source));
        UploadPaths { record: all.clone().join("record"), chunks: all.clone().join("chunks"), all }
    }

    /// Makes an upload's name, and the token that stands for it.
    pub fn new_upload(&self, container: &str) -> (UploadPaths, Upload) {
        let upload = uuid::Uuid::now_v7().simple().to_string();
        let token = token(container, &upload);
        (self.upload(container, &upload), Upload { upload: token })
    }

    /// Returns whether the store lists its objects in the order of their names.
    pub fn is_ordered(&self) -> bool {
        self.form == Form::S3
    }
}
