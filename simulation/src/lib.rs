//! Runs a lattice in virtual time: nodes, callers and whoever deploys, over a modelled NATS, with
//! every misfortune that a seed brings, and checks after each event that what is promised holds.
//!
//! What is decided is decided by the code that runs in production: `mesh_node::decide` (what to
//! serve, what to do when a load ends, who may run), `lattice_client::call::retry`,
//! `lattice_client::registry::told` (what a watch tells) and `meshctl::decide` (what is written).
//! What is modelled is what is around it: time, NATS, the registry's server, processes.
//!
//! The same seed gives the same run, always.
//!
//! | file | concern |
//! |---|---|
//! | [`scenario`] | what happens in a run, made from a seed |
//! | [`invariant`] | what must hold |
//! | `world.rs` | the run: one event after another |
//! | `net.rs`, `registry.rs` | the model of NATS and of the registry's server |
//! | `node.rs`, `watch.rs`, `loads.rs`, `subscription.rs`, `host.rs` | a node, what it hears and loads, where it listens, the calls on it |
//! | `inquiry.rs`, `peers.rs` | what nodes ask and hear of each other |
//! | `caller.rs`, `operator.rs` | who calls, who deploys, what breaks |
//! | `check.rs` | what must be true in the end |
//! | [`shrink`] | the smallest run that still fails |

// All that is indexed here was numbered here; where that goes wrong the run must stop.
#![allow(clippy::indexing_slicing)]

mod caller;
mod cast;
mod check;
mod host;
mod inquiry;
pub mod invariant;
pub mod limits;
mod loads;
mod look;
mod net;
mod node;
mod operator;
mod peers;
mod registry;
pub mod scenario;
pub mod schedule;
pub mod shrink;
mod subscription;
mod watch;
mod world;

use invariant::Violation;
use scenario::Scenario;
use world::World;
pub use world::{Break, Stats};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The rule that was broken, if one was; the run ended there.
    pub violation: Option<Violation>,
    /// What happened, one line an event, where that was wanted.
    pub trace: Vec<String>,
    /// How much happened.
    pub stats: Stats,
}

/// Runs a scenario, with one rule broken on purpose where `broken` says so.
pub fn run(scenario: &Scenario, broken: Option<Break>, tracing: bool) -> Outcome {
    let mut world = World::new(scenario.clone(), broken, tracing);
    world.run();
    Outcome { violation: world.violation, trace: world.lines, stats: world.stats }
}
