//! End-to-end tests and benches of the mesh, on real servers and real nodes.

pub mod harness;
