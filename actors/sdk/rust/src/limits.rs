//! What an actor accepts, each limit with its unit in its name.

/// Nesting of msgpack maps and arrays, as on the whole mesh.
pub const NESTING_LEVELS_MAX: usize = 64;

/// Calls that may follow from one another before [`testing`](crate::testing) refuses the next, as
/// a node does.
pub const HOPS_MAX: u8 = 16;

/// Heap that an instance is born with, so that most calls never grow their memory.
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
pub const HEAP_BORN_BYTES: usize = 128 * 1024;
