//! `mesh:logging`.

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::logging::Line;

super::contract_trait! {
    /// The log of one link: `mesh:logging`.
    Logging, ServedLogging: logging;
    /// Writes a line.
    write(WRITE: Line) -> Empty;
}
