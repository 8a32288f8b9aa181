//! End-to-end tests and benches of the mesh, on real servers and real nodes.

pub mod bench;
pub mod faults;
pub mod guests;
pub mod harness;
pub mod http_load;
pub mod load;
pub mod memory;
pub mod processor;
pub mod proxy;
pub mod publisher;
pub mod report;
pub mod story;
pub mod swaps;
pub mod testbed;
