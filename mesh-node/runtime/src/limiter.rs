//! Bounds the memory of one instance: all its memories and tables together.

use wasmtime::ResourceLimiter;

use crate::limits::{TABLE_ELEMENT_BYTES, TABLES_PER_MODULE_MAX};

/// Sums what an instance has, refuses what exceeds its budget, and remembers that it did.
#[derive(Debug)]
pub(crate) struct Limiter {
    used_bytes: u64,
    limit_bytes: u64,
    /// What the last growth added, should it fail after it was permitted.
    granted_bytes: u64,
    denied: Option<Denied>,
}

/// A growth that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// What should have grown.
    pub what: &'static str,
    /// Bytes that the instance would have had.
    pub wanted_bytes: u64,
    /// Bytes that it may have.
    pub limit_bytes: u64,
}

impl Limiter {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { used_bytes: 0, limit_bytes, granted_bytes: 0, denied: None }
    }

    /// Returns the bytes of memories and tables that the instance has.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Returns the last growth that was refused since [`Limiter::forgive`].
    pub(crate) fn denied(&self) -> Option<Denied> {
        self.denied
    }

    /// Forgets refusals: a new call begins.
    pub(crate) fn forgive(&mut self) {
        self.denied = None;
    }

    fn grow(&mut self, what: &'static str, added: usize, fits: bool) -> bool {
        let added = u64::try_from(added).unwrap_or(u64::MAX);
        let wanted_bytes = self.used_bytes.saturating_add(added);
        self.granted_bytes = 0;
        if wanted_bytes > self.limit_bytes {
            self.denied = Some(Denied { what, wanted_bytes, limit_bytes: self.limit_bytes });
            return false;
        }
        // A maximum that the module itself declares is no limit that was set on it.
        if fits {
            self.used_bytes = wanted_bytes;
            self.granted_bytes = added;
        }
        fits
    }

    fn failed(&mut self, what: &'static str) {
        if self.granted_bytes > 0 {
            // Within the budget, and the system had no memory to give.
            self.denied = Some(Denied {
                what,
                wanted_bytes: self.used_bytes,
                limit_bytes: self.used_bytes - self.granted_bytes,
            });
            self.used_bytes -= self.granted_bytes;
            self.granted_bytes = 0;
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(self.grow("memory", desired.saturating_sub(current), fits))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed("memory");
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        let added = desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(self.grow("a table", added, fits))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed("a table");
        Ok(())
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        TABLES_PER_MODULE_MAX as usize
    }

    fn memories(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_budget() {
        let mut limiter = Limiter::new(1_000);
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        assert!(limiter.table_growing(0, 50, None).unwrap());
        assert_eq!(limiter.used_bytes(), 1_000);
        assert_eq!(limiter.denied(), None);
        assert!(!limiter.table_growing(50, 51, None).unwrap());
        let denied = limiter.denied().unwrap();
        assert_eq!(
            (denied.what, denied.wanted_bytes, denied.limit_bytes),
            ("a table", 1_008, 1_000)
        );
        limiter.forgive();
        assert_eq!(limiter.denied(), None);
    }

    #[test]
    fn a_maximum_of_the_module_is_not_a_limit_of_the_actor() {
        let mut limiter = Limiter::new(1_000);
        assert!(!limiter.memory_growing(0, 600, Some(500)).unwrap());
        assert_eq!((limiter.used_bytes(), limiter.denied()), (0, None));
    }

    #[test]
    fn a_growth_that_the_system_refuses_is_given_back() {
        let mut limiter = Limiter::new(1_000);
        assert!(limiter.memory_growing(0, 600, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert_eq!(limiter.used_bytes(), 0);
        assert!(limiter.denied().is_some());
    }
}
