//! A database that links share: reads run where they are asked for, writes in its writer.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;
use tokio::sync::Semaphore;

use crate::file::File;
use crate::job::{Job, work};
use crate::limits::{READS_LARGE_MAX, WRITES_QUEUED_MAX};
use crate::stop::Stop;
use crate::tables::{Snapshot, Tables};
use crate::writer::Writer;

/// A database that links share.
pub struct Database {
    file: Arc<File>,
    queue: RwLock<Option<SyncSender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    large_reads: Semaphore,
}

impl Database {
    /// Opens a database and starts its writer. Blocks.
    ///
    /// # Errors
    /// Those of its file.
    pub fn open(name: &str, path: Option<PathBuf>) -> Result<Arc<Self>, Error> {
        let file = Arc::new(File::open(name.to_owned(), path)?);
        let (queue, jobs) = sync_channel(WRITES_QUEUED_MAX);
        let writer = Writer::new(file.clone(), jobs);
        let thread = std::thread::Builder::new().name(format!("keyvalue {name}"));
        let writer = thread.spawn(move || writer.run()).map_err(|error| {
            let text = format!("the database {name} has no thread: {error}");
            Error::not_started(ErrorCode::ProviderUnavailable, text)
        })?;
        Ok(Arc::new(Self {
            file,
            queue: RwLock::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
            large_reads: Semaphore::new(READS_LARGE_MAX),
        }))
    }

    /// Tells whether it can do its work.
    ///
    /// # Errors
    /// That it can't.
    pub fn health(&self) -> Result<(), Error> {
        if self.file.is_broken() {
            return Err(self.unavailable("failed, and is to be opened again"));
        }
        Ok(())
    }

    /// Reads a little, at once.
    ///
    /// # Errors
    /// Those of `read`, and that the database failed.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot, u64) -> Result<T, Stop>,
    ) -> Result<T, Error> {
        self.file.read(read)
    }

    /// Reads what may be much, where it holds up nobody.
    ///
    /// # Errors
    /// Those of `read`, and that the database failed.
    pub async fn read_large<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot, u64) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Error> {
        let closed = |_| self.unavailable("is closed");
        let _place = self.large_reads.acquire().await.map_err(closed)?;
        let file = self.file.clone();
        let result = tokio::task::spawn_blocking(move || file.read(read)).await;
        result.map_err(|_| self.unavailable("is about to end"))?
    }

    /// Has an operation done by the writer, in a transaction with others that wait.
    ///
    /// # Errors
    /// Those of `operation`; `busy` where too many wait; `deadline_exceeded` where it was not begun
    /// in time; and that the database failed.
    pub async fn write<T: Send + 'static>(
        &self,
        info: &CallInfo,
        durable: bool,
        bytes: usize,
        operation: impl FnOnce(&mut Tables<'_>) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Error> {
        let (work, answer) = work(operation);
        self.queue(Job { deadline: info.deadline, bytes, durable, work })?;
        let gone = |_| Error { started: true, ..self.unavailable("ended before the write did") };
        answer.await.map_err(gone)?
    }

    fn queue(&self, job: Job) -> Result<(), Error> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.as_ref().ok_or_else(|| self.unavailable("is closed"))?;
        let bytes = job.bytes;
        if !self.file.waiting.take(bytes) {
            return Err(self.busy());
        }
        queue.try_send(job).map_err(|_| {
            self.file.waiting.taken(bytes);
            self.busy()
        })
    }

    /// Ends the writer, when what is queued is done, and closes the file. Blocks.
    pub fn close(&self) {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            tracing::error!(database = self.file.name(), "the writer panicked");
        }
    }

    fn busy(&self) -> Error {
        let text = format!("too many writes wait for the database {}", self.file.name());
        Error::not_started(ErrorCode::Busy, text)
    }

    fn unavailable(&self, why: &str) -> Error {
        let text = format!("the database {} {why}", self.file.name());
        Error::not_started(ErrorCode::ProviderUnavailable, text)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}
