//! The mesh end to end: real servers, real nodes, real programs. One file a promise.
//!
//! One test program, since each would be compiled and linked anew. `cargo xtask test` runs two tests at a time, since
//! most of the time they wait, and those of `alone/` one by one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected should stop right there"
)]

mod actor_to_actor;
mod alone;
mod applications;
mod bench;
mod broker_loss;
mod callers;
mod capabilities;
mod compose;
mod conformance;
mod corpus;
mod docs;
mod drain_fence;
mod durable;
mod faults;
mod harness;
mod hostile;
mod join_leave;
mod links;
mod malformed;
mod many_actors;
mod module_of_others;
mod placement;
mod registry;
mod registry_outage;
mod revoke;
mod supervision;
mod telemetry;
mod upgrade;
