//! `mesh:timer`: be called again and again, which comes in as an operation `tick`.
//!
//! ```
//! use mesh_actor::prelude::*;
//!
//! struct Sweeper;
//!
//! #[actor]
//! impl Sweeper {
//!     #[operation]
//!     fn tick(tick: timer::Tick) -> Result<()> {
//!         log::info!("it is {}, {} were missed", tick.due_at_ms, tick.missed);
//!         Ok(())
//!     }
//! }
//! ```
//!
//! A tick may come twice: with the link, `due_at_ms` is its identity.

use lattice_protocol::contract::timer as wire;

use super::Checked;

/// What `tick` takes.
pub type Tick = Checked<wire::Tick>;
