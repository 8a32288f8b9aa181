//! End-to-end tests and benches of the mesh, on real servers and real nodes.

pub mod harness;
pub mod load;
pub mod publisher;
pub mod report;
