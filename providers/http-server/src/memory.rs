//! The memory for bodies that are held at once, of all requests and responses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// What one permit stands for.
const UNIT_BYTES: usize = 1024;

/// Grants memory for bodies.
#[derive(Clone)]
pub struct Memory {
    units: Arc<Semaphore>,
    wait: Duration,
}

/// There was no memory for a body in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Memory that was granted; given back when it is dropped.
#[derive(Debug, Default)]
pub struct Held {
    permit: Option<OwnedSemaphorePermit>,
}

impl Memory {
    /// Grants up to `bytes`; whoever wants more waits as long as `wait`.
    pub fn new(bytes: usize, wait: Duration) -> Self {
        let units = (bytes / UNIT_BYTES).min(Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(units)), wait }
    }

    /// Grants memory for a body of `bytes`.
    ///
    /// # Errors
    /// [`Exhausted`] when others hold it all the while.
    pub async fn hold(&self, bytes: usize) -> Result<Held, Exhausted> {
        let mut held = Held::default();
        self.hold_up_to(&mut held, bytes).await?;
        Ok(held)
    }

    /// Grants memory for a body that has grown to `bytes`.
    ///
    /// # Errors
    /// [`Exhausted`] when others hold it all the while.
    pub async fn hold_up_to(&self, held: &mut Held, bytes: usize) -> Result<(), Exhausted> {
        if bytes <= limits::BODY_UNCOUNTED_BYTES {
            return Ok(());
        }
        let wanted = u32::try_from(bytes.div_ceil(UNIT_BYTES)).map_err(|_| Exhausted)?;
        let has = held.permit.as_ref().map_or(0, |permit| permit.num_permits());
        let more = wanted.saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
        if more == 0 {
            return Ok(());
        }
        let granted = match self.units.clone().try_acquire_many_owned(more) {
            Ok(granted) => granted,
            Err(_) => {
                let acquire = self.units.clone().acquire_many_owned(more);
                match tokio::time::timeout(self.wait, acquire).await {
                    Ok(Ok(granted)) => granted,
                    _ => return Err(Exhausted),
                }
            }
        };
        match &mut held.permit {
            Some(permit) => permit.merge(granted),
            none => *none = Some(granted),
        }
        Ok(())
    }
}

impl Held {
    /// Ties the memory to `bytes`: it is given back when the last of their copies is dropped.
    pub fn tie(self, bytes: Bytes) -> Bytes {
        match self.permit {
            Some(_) => Bytes::from_owner(Tied { bytes, _held: self }),
            None => bytes,
        }
    }
}

struct Tied {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Tied {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY_BYTES: usize = 64 * UNIT_BYTES;

    #[tokio::test]
    async fn memory_is_given_back_with_the_last_copy() {
        let memory = Memory::new(MEMORY_BYTES, Duration::ZERO);
        let bytes = memory.hold(MEMORY_BYTES).await.unwrap().tie(vec![0; MEMORY_BYTES].into());
        let part = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(memory.hold(MEMORY_BYTES).await.unwrap_err(), Exhausted);
        assert!(
            memory.hold(limits::BODY_UNCOUNTED_BYTES).await.is_ok(),
            "small ones are not counted"
        );
        drop(part);
        assert!(memory.hold(MEMORY_BYTES).await.is_ok());
        assert!(memory.hold(MEMORY_BYTES + 1).await.is_err());
    }

    #[tokio::test]
    async fn a_body_that_grows_is_granted_what_it_lacks() {
        let memory = Memory::new(MEMORY_BYTES, Duration::from_secs(10));
        let mut held = Held::default();
        memory.hold_up_to(&mut held, MEMORY_BYTES / 2).await.unwrap();
        memory.hold_up_to(&mut held, MEMORY_BYTES / 4).await.unwrap();
        memory.hold_up_to(&mut held, MEMORY_BYTES).await.unwrap();
        assert_eq!(memory.units.available_permits(), 0);
        let (other, ()) = tokio::join!(memory.hold(MEMORY_BYTES), async {
            tokio::task::yield_now().await;
            drop(held);
        });
        assert!(other.is_ok(), "it waits");
    }
}
