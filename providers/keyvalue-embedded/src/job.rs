//! A write on its way to the writer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use lattice_protocol::{Error, ErrorCode};
use tokio::sync::oneshot;

use crate::limits::WRITES_QUEUED_BYTES_MAX;
use crate::stop::Stop;
use crate::tables::Tables;

/// A write on its way to the writer.
pub struct Job {
    /// When its caller waits no longer: then it is not begun.
    pub deadline: Instant,
    /// About how large it is.
    pub bytes: usize,
    /// Whether it must be on the disk before it is answered.
    pub durable: bool,
    /// What is to be done.
    pub work: Box<dyn Work>,
}

/// What is to be done, and who is told.
pub trait Work: Send {
    /// Tells whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;

    /// Does it and keeps the answer.
    ///
    /// # Errors
    /// That the database failed: an operation that is refused keeps that as its answer.
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Stop>;

    /// Tells the answer, or that the transaction failed.
    fn tell(self: Box<Self>, outcome: Result<(), Error>);
}

/// The answer to a write.
pub type Answer<T> = oneshot::Receiver<Result<T, Error>>;

/// Returns an operation as work, and where its answer will be.
pub fn work<T, F>(operation: F) -> (Box<dyn Work>, Answer<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut Tables<'_>) -> Result<T, Stop> + Send + 'static,
{
    let (asker, answer) = oneshot::channel();
    (Box::new(Waiting { operation: Some(operation), result: None, asker }), answer)
}

struct Waiting<T, F> {
    operation: Option<F>,
    result: Option<Result<T, Error>>,
    asker: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Work for Waiting<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<T, Stop> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.asker.is_closed()
    }

    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        self.result = Some(match operation(tables) {
            Ok(result) => Ok(result),
            Err(Stop::Refused(error)) => Err(error),
            Err(failed) => return Err(failed),
        });
        Ok(())
    }

    fn tell(self: Box<Self>, outcome: Result<(), Error>) {
        let lost = || Error::started(ErrorCode::Internal, "the write has no result");
        let result = match outcome {
            Ok(()) => self.result.unwrap_or_else(|| Err(lost())),
            Err(error) => Err(error),
        };
        // Who asked may have gone.
        let _ = self.asker.send(result);
    }
}

/// The size of what waits.
#[derive(Default)]
pub struct Room(AtomicUsize);

impl Room {
    /// Makes room for a write; returns whether there is any.
    pub fn take(&self, bytes: usize) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= WRITES_QUEUED_BYTES_MAX;
        if !fits {
            self.taken(bytes);
        }
        fits
    }

    /// Counts a write that waits no longer.
    pub fn taken(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_has_a_bound() {
        let room = Room::default();
        assert!(room.take(WRITES_QUEUED_BYTES_MAX - 1) && room.take(1) && !room.take(1));
        room.taken(1);
        assert!(room.take(1) && !room.take(1));
    }
}
