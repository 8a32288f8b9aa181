//! The heap of an actor: dlmalloc, as Rust has it for wasm anyway, but first on memory that the
//! instance is born with.
//!
//! Each call has a fresh instance. The standard library's allocator grows the memory at the first
//! allocation, which costs a node two system calls, far more than most calls do otherwise. An
//! array of zeros is neither in the module's file nor touched before it is used.
#![allow(unsafe_code, reason = "allocators are unsafe by their traits")]

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

use dlmalloc::{Allocator, Dlmalloc};

use crate::limits::HEAP_BORN_BYTES;

/// Bytes of one page of a WebAssembly memory.
const PAGE_BYTES: usize = 64 * 1024;
/// What `memory.grow` returns when it may not.
const REFUSED: usize = usize::MAX;

#[cfg(target_feature = "atomics")]
compile_error!("actors have one thread: the feature `allocator` needs it to be so");

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages::new())));

struct Heap(UnsafeCell<Dlmalloc<Pages>>);

// SAFETY: this target has one thread, as checked above.
unsafe impl Sync for Heap {}

impl Heap {
    fn with<T>(&self, work: impl FnOnce(&mut Dlmalloc<Pages>) -> T) -> T {
        // SAFETY: there is one thread, and dlmalloc does not allocate through the global allocator
        // while it works, so that nobody else holds a reference.
        work(unsafe { &mut *self.0.get() })
    }
}

// SAFETY: dlmalloc keeps this trait's contract; every call is handed on as it came.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the callee's.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.free(at, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        self.with(|heap| unsafe { heap.realloc(at, layout.size(), layout.align(), size) })
    }
}

/// The memory that an instance is born with.
#[repr(align(16))]
struct Born(UnsafeCell<[u8; HEAP_BORN_BYTES]>);

// SAFETY: its bytes are given to the one allocator, once, and touched by nobody else.
unsafe impl Sync for Born {}

static BORN: Born = Born(UnsafeCell::new([0; HEAP_BORN_BYTES]));

/// Where dlmalloc gets its pages: [`BORN`] first, then from the host.
struct Pages {
    born_is_given: Cell<bool>,
}

impl Pages {
    const fn new() -> Self {
        Self { born_is_given: Cell::new(false) }
    }
}

// SAFETY: what is returned belongs to nobody else: `BORN` is given once, and `memory.grow` makes
// new pages, which lie after everything else.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= HEAP_BORN_BYTES && !self.born_is_given.replace(true) {
            return (BORN.0.get().cast(), HEAP_BORN_BYTES, 0);
        }
        let pages = size.div_ceil(PAGE_BYTES);
        let before = memory_grow::<0>(pages);
        if before == REFUSED {
            return (ptr::null_mut(), 0, 0);
        }
        // A memory of all 4 GiB ends where addresses wrap to zero, and nothing may be there.
        let at_the_end = memory_size::<0>().checked_mul(PAGE_BYTES).is_none();
        let bytes = pages * PAGE_BYTES - if at_the_end { 16 } else { 0 };
        (ptr::with_exposed_provenance_mut(before * PAGE_BYTES), bytes, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}
