//! Instances that wait for their next call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::engine::Engine;
use crate::instance::Instance;

/// A bounded stack of idle instances: the one used last is the first to be used again.
pub(crate) struct Warm {
    engine: Engine,
    idle: Mutex<Vec<Instance>>,
    most: usize,
}

impl Warm {
    pub(crate) fn new(engine: &Engine, most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { engine: engine.clone(), idle: Mutex::new(Vec::new()), most }
    }

    /// Takes an idle instance, if there is one.
    pub(crate) fn take(&self) -> Option<Instance> {
        let instance = self.stack().pop()?;
        self.engine.release_idle(1);
        Some(instance)
    }

    /// Keeps an instance for another call, if there is room.
    pub(crate) fn keep(&self, instance: Instance) {
        if !self.engine.admit_idle() {
            return;
        }
        let mut idle = self.stack();
        if idle.len() < self.most {
            idle.push(instance);
            return;
        }
        drop(idle);
        self.engine.release_idle(1);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.stack().len()
    }

    fn stack(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.stack());
        self.engine.release_idle(u32::try_from(left.len()).unwrap_or(u32::MAX));
    }
}
