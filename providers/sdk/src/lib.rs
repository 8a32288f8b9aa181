//! What a capability provider is made with.
//!
//! A provider serves one contract. It implements [`Provider`], whose `open` gives a handle for each
//! link that leads to it; the handle implements the contract's trait ([`contract`]). It gets from
//! here: the links with their acknowledgement, calls in process and over NATS, health, drain,
//! telemetry, and what a supervisor needs.
//!
//! | file | concern |
//! |---|---|
//! | [`Provider`] | what a provider is |
//! | [`contract`] | a trait a contract |
//! | [`Link`], [`Config`] | a link and its settings |
//! | [`blobstore`] | what every backend of `mesh:blobstore` decides alike |
//! | [`keyvalue`] | what every backend of `mesh:keyvalue` decides alike |
//! | [`jetstream`] | what every provider on JetStream decides alike |
//! | [`Actors`] | calls of a provider to its actors |
//! | [`ProviderHost`] | the links of a provider, and the calls over them |
//! | [`process`] | a provider in a process of its own |

mod actors;
mod answering;
pub mod blobstore;
mod context;
pub mod contract;
mod control;
mod host;
pub mod jetstream;
pub mod keyvalue;
pub mod limits;
mod link;
pub mod process;
mod provider;

pub use actors::{ActorCall, Actors, ActorsByNats, in_span};
pub use context::Context;
pub use host::{LinkStatus, Origin, ProviderHost};
pub use link::{Config, Link, LinkId, wrong};
pub use provider::{About, Answers, BoxFuture, CallInfo, Provider, ProviderCall};
