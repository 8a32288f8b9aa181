//! The seeds of whoever uses this machine: one file a key, readable by its owner alone.
//!
//! ```text
//! $XDG_DATA_HOME/mesh/keys/          0700
//!   issuers/default.nk               0600, one seed
//!   modules/echo.nk
//!   modules/echo.rev                 the last revision that was signed for the name
//! ```

mod files;
mod revisions;

use std::fmt;
use std::path::{Path, PathBuf};

use lattice_protocol::names::{ActorName, NameError};
use nkeys::{KeyPair, KeyPairType};

pub use revisions::Revisions;

/// Name of the issuer's key that signs where nobody names another.
pub const DEFAULT_NAME: &str = "default";

/// Extension of the files that hold a seed.
const SEED_EXTENSION: &str = "nk";

/// What a seed of the store is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeedKind {
    /// Signs modules (`A…`).
    Issuer,
    /// Is the identity of an actor (`M…`).
    Actor,
    /// Is the identity of a provider (`V…`).
    Provider,
    /// Is the identity of a node (`N…`).
    Node,
    /// Is the authority of a lattice (`C…`).
    Lattice,
    /// Is the identity of a user (`U…`).
    User,
}

impl SeedKind {
    /// Every kind.
    pub const ALL: &'static [SeedKind] = &[
        SeedKind::Issuer,
        SeedKind::Actor,
        SeedKind::Provider,
        SeedKind::Node,
        SeedKind::Lattice,
        SeedKind::User,
    ];

    /// Returns the kind as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            SeedKind::Issuer => "issuer",
            SeedKind::Actor => "actor",
            SeedKind::Provider => "provider",
            SeedKind::Node => "node",
            SeedKind::Lattice => "lattice",
            SeedKind::User => "user",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            SeedKind::Issuer => "issuers",
            SeedKind::Actor => "modules",
            SeedKind::Provider => "providers",
            SeedKind::Node => "nodes",
            SeedKind::Lattice => "lattices",
            SeedKind::User => "users",
        }
    }

    fn pair(self) -> KeyPairType {
        match self {
            SeedKind::Issuer => KeyPairType::Account,
            SeedKind::Actor => KeyPairType::Module,
            SeedKind::Provider => KeyPairType::Service,
            SeedKind::Node => KeyPairType::Server,
            SeedKind::Lattice => KeyPairType::Cluster,
            SeedKind::User => KeyPairType::User,
        }
    }

    fn of(pair: &KeyPair) -> Option<Self> {
        let found = pair.key_pair_type();
        SeedKind::ALL.iter().copied().find(|kind| kind.pair() == found)
    }
}

impl fmt::Display for SeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A key pair that was read from a file, or made and written to one.
pub struct StoredKey {
    /// What it is for.
    pub kind: SeedKind,
    /// Its name: that of its file.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The pair, with its seed.
    pub pair: KeyPair,
    /// Whether it was made just now.
    pub created: bool,
    /// Whether others on this machine may read its file.
    pub exposed: bool,
}

impl StoredKey {
    /// Returns the public key.
    pub fn public_key(&self) -> String {
        self.pair.public_key()
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredKey({} in {})", self.public_key(), self.path.display())
    }
}

/// Why the key store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// Neither `XDG_DATA_HOME` nor `HOME` is set.
    #[error("neither XDG_DATA_HOME nor HOME is set, so there is no place for keys")]
    NoHome,
    /// The name can't be that of a file of the store.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is such a key already.
    #[error("there is a key for {kind} {name:?} already, in {}", path.display())]
    Exists {
        /// Its kind.
        kind: SeedKind,
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// A file or folder can't be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file holds no seed.
    #[error("{} holds no seed of an nkey: {cause}", path.display())]
    NotASeed {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file holds a seed of another kind.
    #[error("{} holds the key of {found}, not that of {wanted}", path.display(), found = article(found), wanted = article(wanted.as_str()))]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What the seed should be for.
        wanted: SeedKind,
        /// What it is for.
        found: &'static str,
    },
    /// A file that remembers a revision holds something else.
    #[error("{} holds no revision: delete it, or sign with --rev", path.display())]
    NotARevision {
        /// The file.
        path: PathBuf,
    },
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// A folder of seeds. Nothing is made before the first key is.
#[derive(Clone, Debug)]
pub struct KeyStore {
    root: PathBuf,
}

impl KeyStore {
    /// Returns the store of the user: `$XDG_DATA_HOME/mesh/keys`, or `~/.local/share/mesh/keys`.
    ///
    /// # Errors
    /// [`KeyStoreError::NoHome`].
    pub fn of_user() -> Result<Self, KeyStoreError> {
        let set = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
        let data = match (set("XDG_DATA_HOME"), set("HOME")) {
            (Some(data), _) => PathBuf::from(data),
            (None, Some(home)) => PathBuf::from(home).join(".local").join("share"),
            (None, None) => return Err(KeyStoreError::NoHome),
        };
        Ok(Self::at(data.join("mesh").join("keys")))
    }

    /// Returns the store in the folder `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads the key `name`; `None` where there is none.
    ///
    /// # Errors
    /// [`KeyStoreError`] when its name is malformed, or its file can't be read or holds no such
    /// key.
    pub fn load(&self, kind: SeedKind, name: &str) -> Result<Option<StoredKey>, KeyStoreError> {
        let path = self.path(kind, name)?;
        match read_key(&path, Some(kind)) {
            Err(KeyStoreError::File { cause, .. })
                if cause.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    /// Makes the key `name`.
    ///
    /// # Errors
    /// [`KeyStoreError::Exists`] where there is one, which is never overwritten;
    /// [`KeyStoreError::File`].
    pub fn create(&self, kind: SeedKind, name: &str) -> Result<StoredKey, KeyStoreError> {
        let path = self.path(kind, name)?;
        let pair = KeyPair::new(kind.pair());
        let seed = pair.seed().map_err(|error| KeyStoreError::NotASeed {
            path: path.clone(),
            cause: error.to_string(),
        })?;
        files::make_folders(&self.root, kind.folder())?;
        match files::write_new(&path, format!("{seed}\n").as_bytes()) {
            Ok(()) => {}
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(KeyStoreError::Exists { kind, name: name.to_owned(), path });
            }
            Err(cause) => return Err(KeyStoreError::File { path, cause }),
        }
        Ok(StoredKey { kind, name: name.to_owned(), path, pair, created: true, exposed: false })
    }

    /// Reads the key `name`, or makes it where there is none: see [`StoredKey::created`].
    ///
    /// # Errors
    /// As for [`KeyStore::load`] and [`KeyStore::create`].
    pub fn load_or_create(&self, kind: SeedKind, name: &str) -> Result<StoredKey, KeyStoreError> {
        if let Some(key) = self.load(kind, name)? {
            return Ok(key);
        }
        match self.create(kind, name) {
            // Another program made it at the same time: both must use the same.
            Err(KeyStoreError::Exists { path, .. }) => read_key(&path, Some(kind)),
            outcome => outcome,
        }
    }

    /// Reads every key of the store, sorted by kind and name; what can't be read is an error in
    /// its place.
    ///
    /// # Errors
    /// [`KeyStoreError::File`] when a folder can't be listed.
    pub fn list(&self) -> Result<Vec<Result<StoredKey, KeyStoreError>>, KeyStoreError> {
        let mut found = Vec::new();
        for kind in SeedKind::ALL {
            for path in files::list(&self.root.join(kind.folder()), SEED_EXTENSION)? {
                found.push(read_key(&path, Some(*kind)));
            }
        }
        Ok(found)
    }

    /// Opens what the store remembers of the revisions that were signed as `name`, for this
    /// program alone until it is dropped.
    ///
    /// # Errors
    /// [`KeyStoreError`] when its file can't be read or written.
    pub fn revisions(&self, name: &ActorName) -> Result<Revisions, KeyStoreError> {
        files::make_folders(&self.root, SeedKind::Actor.folder())?;
        Revisions::open(self.root.join(SeedKind::Actor.folder()).join(format!("{name}.rev")))
    }

    /// Returns the last revision that was signed as `name`, where one was.
    pub fn last_revision(&self, name: &str) -> Option<u64> {
        let name: ActorName = name.parse().ok()?;
        revisions::peek(&self.root.join(SeedKind::Actor.folder()).join(format!("{name}.rev")))
    }

    fn path(&self, kind: SeedKind, name: &str) -> Result<PathBuf, KeyStoreError> {
        // The rule of actors' names leaves no way out of the folder: no slash.
        let name: ActorName = name.parse()?;
        Ok(self.root.join(kind.folder()).join(format!("{name}.{SEED_EXTENSION}")))
    }
}

/// Reads a seed from any file; `wanted` is what it must be for.
///
/// # Errors
/// [`KeyStoreError`] when the file can't be read, holds no seed, or one of another kind.
pub fn read_key(path: &Path, wanted: Option<SeedKind>) -> Result<StoredKey, KeyStoreError> {
    let (text, exposed) = files::read_seed(path)
        .map_err(|cause| KeyStoreError::File { path: path.to_owned(), cause })?;
    let not_a_seed =
        |cause: &str| KeyStoreError::NotASeed { path: path.to_owned(), cause: cause.to_owned() };
    let pair = KeyPair::from_seed(text.trim()).map_err(|error| not_a_seed(&error.to_string()))?;
    let kind = SeedKind::of(&pair);
    if let Some(wanted) = wanted
        && kind != Some(wanted)
    {
        let found = kind.map_or("operator", SeedKind::as_str);
        return Err(KeyStoreError::WrongKind { path: path.to_owned(), wanted, found });
    }
    let kind = kind.ok_or_else(|| not_a_seed("it is of a kind that the mesh does not use"))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(StoredKey {
        kind,
        name: name.unwrap_or_default(),
        path: path.to_owned(),
        pair,
        created: false,
        exposed,
    })
}

#[cfg(test)]
mod tests;
