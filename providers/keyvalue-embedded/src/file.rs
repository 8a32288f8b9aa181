//! The file of a database, or the memory that stands for it: open, read, mended after a failure,
//! closed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use lattice_protocol::{Error, ErrorCode};
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, WriteTransaction};

use crate::job::Room;
use crate::limits::{CACHE_BYTES_MAX, FILE_CHECKED_BYTES_MAX};
use crate::stop::{Stop, failed, panicked};
use crate::tables::{FORMAT, FORMAT_NOW, Snapshot, Tables};

/// The file of a database.
pub struct File {
    name: String,
    /// Where it is; in memory where it is nowhere.
    path: Option<PathBuf>,
    database: RwLock<Option<Database>>,
    /// Whether it must be opened again before it is of use.
    broken: AtomicBool,
    /// The size of the writes that wait for it.
    pub waiting: Room,
}

impl File {
    /// Opens a file, and makes it where there is none.
    ///
    /// # Errors
    /// `internal` for a damaged one, `limit_exceeded` without room for it, `provider_unavailable`
    /// where it can't be reached.
    pub fn open(name: String, path: Option<PathBuf>) -> Result<Self, Error> {
        let (database, broken) = (RwLock::default(), AtomicBool::new(true));
        let file = Self { name, path, database, broken, waiting: Room::default() };
        file.mend()?;
        Ok(file)
    }

    /// Returns the name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the time, in milliseconds since 1970: lives go on while nothing runs.
    pub fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Tells whether it failed and was not mended so far.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Notes that it failed.
    pub fn broke(&self) {
        // What was in memory would be lost.
        self.broken.store(self.path.is_some(), Ordering::Relaxed);
    }

    /// Opens it again where it failed: it takes no write after a failed one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn mend(&self) -> Result<(), Error> {
        if !self.is_broken() {
            return Ok(());
        }
        // Reads fail meanwhile, and wait for nothing.
        self.put(None);
        self.put(Some(self.guarded(|| load(self.path.as_deref()))?));
        self.broken.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Reads what is there at this moment.
    ///
    /// # Errors
    /// Those of `read`, and that the database failed.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot, u64) -> Result<T, Stop>,
    ) -> Result<T, Error> {
        self.guarded(|| {
            let snapshot = Snapshot(self.with(|database| Ok(database.begin_read()?))?);
            read(&snapshot, self.now_ms())
        })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// That the database failed.
    pub fn begin_write(&self) -> Result<WriteTransaction, Stop> {
        self.with(|database| Ok(database.begin_write()?))
    }

    /// Closes it: another process may open it then.
    pub fn close(&self) {
        self.put(None);
    }

    fn put(&self, database: Option<Database>) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = database;
    }

    fn with<T>(&self, begin: impl FnOnce(&Database) -> Result<T, Stop>) -> Result<T, Stop> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        begin(database.as_ref().ok_or(StorageError::DatabaseClosed)?)
    }

    /// Runs what may fail, or panic: that is what redb does on a file that it can't read.
    fn guarded<T>(&self, run: impl FnOnce() -> Result<T, Stop>) -> Result<T, Error> {
        let stopped = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(Stop::Refused(error))) => return Err(error),
            Ok(Err(Stop::Failed(error))) if matches!(*error, redb::Error::DatabaseClosed) => {
                return Err(failed(&self.name, &error));
            }
            Ok(Err(Stop::Failed(error))) => failed(&self.name, &error),
            Err(_) => panicked(&self.name),
        };
        self.broke();
        Err(stopped)
    }
}

/// Opens a database, and makes it where there is none.
fn load(path: Option<&Path>) -> Result<Database, Stop> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES_MAX);
    let database = match path {
        None => builder.create_with_backend(InMemoryBackend::new())?,
        Some(path) => {
            let bytes = make(path).map_err(StorageError::from)?;
            // Otherwise a damaged file is trusted, and what is read from it is anything.
            builder.set_check_integrity_on_open((1..=FILE_CHECKED_BYTES_MAX).contains(&bytes));
            builder.create(path)?
        }
    };
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction, 0)?;
    let format = tables.numbers.get(FORMAT)?.map(|number| number.value());
    if format.is_none() {
        tables.numbers.insert(FORMAT, FORMAT_NOW)?;
    }
    drop(tables);
    match format {
        None => transaction.commit()?,
        Some(FORMAT_NOW) => transaction.abort()?,
        Some(format) => {
            let text = format!("the database has the format {format}: a later version wrote it");
            return Err(Error::not_started(ErrorCode::Internal, text).into());
        }
    }
    Ok(database)
}

/// Makes a file, and its folder, where there is none, for its owner alone; returns its size.
fn make(path: &Path) -> io::Result<u64> {
    let mut folder = fs::DirBuilder::new();
    let mut file = fs::OpenOptions::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    if let Some(parent) = path.parent() {
        folder.recursive(true).create(parent)?;
    }
    Ok(file.read(true).write(true).create(true).truncate(false).open(path)?.metadata()?.len())
}
