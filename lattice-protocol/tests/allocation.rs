//! A length that was only claimed reserves no memory.
//!
//! A test binary of its own, because it brings its own allocator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// A test may stop at the first thing that is not as it should be.
#![allow(unsafe_code, reason = "a global allocator can't be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use lattice_protocol::contract::Message;
use lattice_protocol::contract::keyvalue::Members;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{ActorRecord, Record};
use lattice_protocol::{DecodeError, Invocation, Reply, codec};

/// The system's allocator, which remembers the largest piece that a thread asked for.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: each call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn largest_while(run: impl FnOnce()) -> usize {
    LARGEST.set(0);
    run();
    LARGEST.get()
}

#[test]
fn a_claimed_length_reserves_nothing() {
    let heads: [&[u8]; 6] = [
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xc6, 0xff, 0xff, 0xff, 0xff],
        &[0xdb, 0xff, 0xff, 0xff, 0xff],
        &[0xc9, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xdc, 0xff, 0xff],
    ];
    let fields: [&[u8]; 5] = [b"\xa3msg", b"\xa6actors", b"\xa7history", b"\xa2ok", b"\xa7members"];
    for head in heads {
        for field in fields {
            let nested = [&[0x81][..], field, head].concat();
            for bytes in [head, &nested] {
                let largest = largest_while(|| {
                    assert!(matches!(codec::check(bytes), Err(DecodeError::Truncated { .. })));
                });
                assert_eq!(largest, 0, "check: {bytes:02x?}");
                let largest = largest_while(|| {
                    assert!(matches!(
                        Invocation::decode(bytes),
                        Err(DecodeError::Truncated { .. })
                    ));
                    assert!(matches!(Reply::decode(bytes), Err(DecodeError::Truncated { .. })));
                    assert!(matches!(Heartbeat::decode(bytes), Err(DecodeError::Truncated { .. })));
                    assert!(matches!(
                        ActorRecord::decode(bytes),
                        Err(DecodeError::Truncated { .. })
                    ));
                    assert!(matches!(Members::decode(bytes), Err(DecodeError::Truncated { .. })));
                });
                assert_eq!(largest, 0, "decode: {bytes:02x?}");
            }
        }
    }
    // The counter counts.
    assert!(largest_while(|| drop(std::hint::black_box(vec![0u8; 4_096]))) >= 4_096);
}
