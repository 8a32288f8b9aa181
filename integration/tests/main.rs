//! The mesh end to end: real servers, real nodes, real programs. One file a promise.
//!
//! One test program, since each would be compiled and linked anew; and one test at a time (see
//! `.cargo/config.toml`), since many are about times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected should stop right there"
)]

mod actor_to_actor;
mod applications;
mod broker_loss;
mod callers;
mod capabilities;
mod compose;
mod conformance;
mod corpus;
mod docs;
mod drain_fence;
mod durable;
mod fail_over;
mod faults;
mod frozen;
mod harness;
mod hostile;
mod http_abuse;
mod join_leave;
mod links;
mod malformed;
mod module_of_others;
mod overload;
mod placement;
mod registry;
mod registry_outage;
mod replace;
mod revoke;
mod supervision;
mod telemetry;
mod upgrade;
