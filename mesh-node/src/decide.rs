//! The decisions of a node, which do no I/O: what to serve of what the registry tells, what to do
//! when a load ends, who may run. The node goes by these and no others; `mesh-simulation` goes by
//! them too, with more nodes and more misfortune than a test can have.

pub use crate::actor_host::gate;
pub use crate::follow::{AskAgain, Follower, Hosted, Step};
pub use crate::lattice_view::{Affected, LatticeView, Revocations, Wanted};
pub use crate::links::Links;
pub use crate::peers::Peers;
pub use crate::plan::{Plan, Serving, missing_label, plan, struck};
pub use crate::refusal::Refused;
