//! `mesh:logging`: write to a log of the lattice.
//!
//! The macros of [`log`](crate::log) need no link: their lines are in the log of the node.

use std::collections::BTreeMap;

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::logging::operation as op;

pub use lattice_protocol::contract::logging::{Level, Line};

use crate::Result;

super::handle! {
    /// A log that a link leads to.
    Log of logging
}

impl Log<'_> {
    /// Writes a line.
    ///
    /// # Errors
    /// As [`write_line`](Self::write_line).
    pub fn write(&self, level: Level, text: impl Into<String>) -> Result<()> {
        self.write_line(&Line { level, text: text.into(), fields: BTreeMap::new() })
    }

    /// Writes a line with facts for programs.
    ///
    /// # Errors
    /// [`Error::BadPayload`](crate::Error::BadPayload) beyond the bounds of the contract,
    /// [`Error::Host`](crate::Error::Host).
    pub fn write_line(&self, line: &Line) -> Result<()> {
        let Empty {} = self.ask(op::WRITE, line)?;
        Ok(())
    }
}

/// Writes a line by the default link.
///
/// # Errors
/// As [`Log::write_line`].
pub fn write(level: Level, text: impl Into<String>) -> Result<()> {
    Log::default().write(level, text)
}
