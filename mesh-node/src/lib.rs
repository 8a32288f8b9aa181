//! A node of the mesh: joins a lattice and serves every actor that its labels allow.
//!
//! A node holds nothing that is shared: it is a function of the lattice's registry and its own
//! labels. What it does with a call, in the order of the files:
//!
//! ```text
//! NATS message ─► lattice-client/answer    decode, check, answer
//!                   └► actor_host/mod.rs  admit, pin a revision, run it
//!                        └► call_host.rs  what the actor asks of its host
//!                             └► router.rs  permitted? served here? then in process, else NATS
//! ```
//!
//! What it serves is decided by `follow.rs` and `plan.rs` over `lattice_view.rs`, all without I/O
//! ([`decide`]), and done by `reconcile.rs` with the modules that `loader.rs` fetches, verifies,
//! compiles and probes.

mod actor_host;
mod call_host;
pub mod cli;
mod code_folder;
mod compile_pool;
mod compute;
mod control;
pub mod decide;
pub mod dev;
#[cfg(test)]
mod fixture;
mod follow;
mod freshness;
mod health;
mod hosts;
mod inquiry;
mod lattice_view;
pub mod limits;
mod links;
mod loader;
mod modules;
mod names_known;
mod neighbours;
mod node;
mod older;
mod open_files;
mod peers;
mod permit;
mod plan;
mod presence;
mod program;
mod providers;
mod queue;
mod reconcile;
mod refusal;
mod router;
mod shards;
mod shared;
mod supervisor;
mod trust;

pub use node::{Node, NodeError, NodeOptions, Stopped};
pub use program::main;
pub use providers::{BuiltInError, ProviderOptions};
pub use trust::Trust;
