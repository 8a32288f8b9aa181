//! `mesh:random`.

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::random::{Bytes, BytesRequest, Guid, Integer, Range};

super::contract_trait! {
    /// The source of chance of one link: `mesh:random`.
    Random, ServedRandom: random;
    /// Makes a GUID.
    guid(GUID: Empty) -> Guid;
    /// Makes bytes.
    bytes(BYTES: BytesRequest) -> Bytes;
    /// Makes an integer within bounds.
    integer(INTEGER: Range) -> Integer;
}
