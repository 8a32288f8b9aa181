//! Which pages of a memory were written, as the system knows it.
//!
//! The memory of an instance is a private mapping: the first write to a page makes it a page of its own, and
//! that is a fault of the thread which writes. While a thread has had no fault no page has become one: two reads
//! of a counter tell so, where looking at each page would cost as much as a call does.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use std::sync::{Arc, OnceLock};

use nix::sys::resource::{UsageWho, getrusage};

/// Bytes that the system says of each page.
const ENTRY_BYTES: usize = 8;
/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// It was, and was put aside.
const SWAPPED: u64 = 1 << 62;
/// It is the file's, which is mapped there, and was not written.
const OF_FILE: u64 = 1 << 61;

/// Memory of which one page is written to see whether that is told.
const TRIED_BYTES: usize = 64 * 1024 * 1024;

/// What tells which pages were written.
pub(crate) struct Pages {
    map: File,
    /// Bytes of a page.
    size: usize,
}

impl Pages {
    /// Returns nothing where the system does not tell, or not the truth: both are tried, once.
    pub(crate) fn told() -> Option<Arc<Self>> {
        static TOLD: OnceLock<Option<Arc<Pages>>> = OnceLock::new();
        TOLD.get_or_init(|| Self::tried().map(Arc::new)).clone()
    }

    fn tried() -> Option<Self> {
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
        let map = File::open("/proc/self/pagemap").ok()?;
        let pages = Self { map, size: usize::try_from(size).ok()? };
        pages.is_true().then_some(pages)
    }

    /// Returns the bytes of a page.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns where in `memory` the pages begin that were written since it was mapped, and perhaps others.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn written(&self, memory: &[u8]) -> io::Result<Vec<usize>> {
        let count = memory.len().div_ceil(self.size);
        let mut told = vec![0; count * ENTRY_BYTES];
        let first = memory.as_ptr().addr() / self.size;
        self.map.read_exact_at(&mut told, (first * ENTRY_BYTES) as u64)?;
        let written = told.chunks_exact(ENTRY_BYTES).enumerate().filter_map(|(at, entry)| {
            let entry = u64::from_ne_bytes(entry.try_into().ok()?);
            let is_there = entry & (PRESENT | SWAPPED) != 0;
            (is_there && entry & OF_FILE == 0).then_some(at * self.size)
        });
        Ok(written.collect())
    }

    /// Tries both on a mapping of which one page is written.
    fn is_true(&self) -> bool {
        // So large that every allocator maps it anew.
        let pages = TRIED_BYTES / self.size;
        let mut memory = vec![0_u8; pages * self.size];
        let start = memory.as_ptr().addr().next_multiple_of(self.size) - memory.as_ptr().addr();
        let at = start + (pages / 2) * self.size;
        let before = faults();
        if let Some(byte) = memory.get_mut(at) {
            *std::hint::black_box(byte) = 1;
        }
        let after = faults();
        let counted = matches!((before, after), (Some(before), Some(after)) if after > before);
        let Some(aligned) = memory.get(start..start + (pages - 1) * self.size) else {
            return false;
        };
        let Ok(written) = self.written(aligned) else { return false };
        counted && written.contains(&(at - start)) && written.len() < pages - 1
    }
}

/// Returns how many faults this thread has had; nothing where nobody counts.
pub(crate) fn faults() -> Option<i64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    Some(usage.minor_page_faults() + usage.major_page_faults())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_page_is_told_and_counted() {
        let pages = Pages::told().expect("this kernel tells");
        let mut memory = vec![0_u8; 1024 * pages.size()];
        let skip = memory.as_ptr().addr().next_multiple_of(pages.size()) - memory.as_ptr().addr();
        let memory = &mut memory[skip..skip + 1000 * pages.size()];
        let before = pages.written(memory).unwrap();
        assert!(before.len() < 1000);
        let begun = faults().unwrap();
        memory[700 * pages.size() + 5] = 1;
        let faulted = faults().unwrap();
        memory[700 * pages.size() + 6] = 1;
        assert!(faulted > begun);
        let after = pages.written(memory).unwrap();
        assert!(after.contains(&(700 * pages.size())), "{after:?}");
        assert!(!before.contains(&(700 * pages.size())), "{before:?}");
    }
}
