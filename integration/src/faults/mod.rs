//! The fault bench: real servers, real nodes and a load of numbered calls, while links, processes
//! and brokers fail as a schedule says. A ledger then decides what was lost, what ran twice, and
//! what ran that must not run any more.
//!
//! Each scenario is a file in [`scenarios`]; what decides is pure and in [`ledger`].

mod bed;
mod context;
mod executions;
pub mod ledger;
pub mod limits;
mod load;
mod phases;
mod processes;
mod replies;
pub mod report;
pub mod scenarios;
mod schedule;
mod ways;

pub use bed::{Bed, BedOptions, Member, Network};
pub use context::Context;
pub use executions::Executions;
use load::entry;
pub use load::{Mix, OpenLoad, Plan, Recorded};
pub use schedule::Schedule;
