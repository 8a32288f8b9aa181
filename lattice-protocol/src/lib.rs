//! The wire of the mesh and nothing else.
//!
//! Everything that two processes of a lattice must agree on lives here: [keys](keys), [subjects]
//! and every other name, the [invocation](Invocation) and its [reply](Reply), the closed set of
//! [error codes](ErrorCode), the signed `claims` of a module, the [records](record) of the
//! registry, [heartbeats](presence), [events](event), [questions to one node](control), what actors
//! and providers say to each other by [contract], and the [limits] that bound them all.
//!
//! The crate knows no runtime, no NATS client and no engine, and builds for `wasm32`. The feature
//! `claims` (on by default) adds key pairs and signed modules; an actor does without.
//! `docs/protocol.md` describes the same wire for other languages, `docs/contracts.md` the contracts.

#[cfg(feature = "claims")]
pub mod claims;
pub mod codec;
pub mod contract;
pub mod control;
mod error;
pub mod event;
mod invocation;
pub mod keys;
pub mod limits;
pub mod names;
pub mod placement;
pub mod presence;
pub mod record;
pub mod subjects;

pub use codec::DecodeError;
pub use error::{Error, ErrorCode};
pub use invocation::{BodyRef, Invocation, InvocationId, Outcome, Reply, reserved};
