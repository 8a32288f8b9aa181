//! Memory for what waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that the messages of one link may have in memory together.
pub(crate) struct Room {
    free: Arc<Semaphore>,
    bytes: usize,
}

/// The part of it that one message has, until it is dropped.
pub(crate) struct Taken(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

impl Room {
    pub fn new(bytes: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// Takes room for a message; `None` where there is none. A message that is larger than all of it
    /// is let in where no other one is.
    pub fn take(&self, bytes: usize) -> Option<Taken> {
        let bytes = u32::try_from(bytes.min(self.bytes)).ok()?;
        self.free.clone().try_acquire_many_owned(bytes).ok().map(Taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_a_message_is_gone() {
        let room = Room::new(100);
        let first = room.take(60).unwrap();
        let second = room.take(40).unwrap();
        assert!(room.take(1).is_none());
        drop(first);
        assert!(room.take(61).is_none());
        let third = room.take(60).unwrap();
        drop((second, third));
        let large = room.take(1_000).unwrap();
        assert!(room.take(1).is_none());
        drop(large);
        assert!(room.take(100).is_some());
    }
}
