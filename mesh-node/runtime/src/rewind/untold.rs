//! Where the system does not tell which pages were written: nothing is rewound.

use std::io;
use std::sync::Arc;

/// What would tell; never there.
pub(crate) enum Pages {}

impl Pages {
    pub(crate) fn told() -> Option<Arc<Self>> {
        None
    }

    pub(crate) fn size(&self) -> usize {
        match *self {}
    }

    pub(crate) fn written(&self, _memory: &[u8]) -> io::Result<Vec<usize>> {
        match *self {}
    }
}

/// Returns how many faults this thread has had: nobody counts.
pub(crate) fn faults() -> Option<i64> {
    None
}
