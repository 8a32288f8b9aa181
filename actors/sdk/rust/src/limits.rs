//! What an actor accepts, each limit with its unit in its name.

/// Nesting of msgpack maps and arrays, as on the whole mesh.
pub use lattice_protocol::limits::NESTING_LEVELS_MAX;

/// Calls that may follow from one another before [`testing`](crate::testing) refuses the next, as
/// a node does.
pub use lattice_protocol::limits::HOPS_MAX;

/// How often [`blobstore`](crate::blobstore) begins to read a blob that is stored anew meanwhile.
pub const BLOB_READS_MAX: u32 = 3;

/// Heap that an instance is born with, so that most calls never grow their memory.
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
pub const HEAP_BORN_BYTES: usize = 128 * 1024;
