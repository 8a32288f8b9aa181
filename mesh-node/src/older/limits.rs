//! Limits of the adapter for older modules, each with its unit in its name.

use lattice_protocol::contract::limits::keyvalue;

/// Values of a list that an older module may ask for at once: its contract has no pages, so that
/// the adapter joins those of the mesh.
pub const RANGE_VALUES_MAX: u64 = keyvalue::SET_MEMBERS_MAX as u64;
/// Bytes that those values may have.
pub const RANGE_BYTES_MAX: usize = keyvalue::ITEMS_BYTES_MAX;
