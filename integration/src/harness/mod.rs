//! Real servers and real nodes for end-to-end tests: started on loopback, each with folders of
//! its own, and gone when their guard is dropped or the test is killed.
//!
//! Nothing here waits for a time to pass: every wait is for a condition and has a bound from
//! [`limits`]. Every error of a process that failed shows the end of its log; a test that panics
//! shows the logs of the processes it held.

mod actors;
mod callers;
mod cluster;
pub mod limits;
mod meshctl;
mod nats;
mod node;
mod ports;
mod process;
mod programs;
mod redis;
mod s3;
mod wait;

pub use actors::{actor_module, actor_module_bytes};
pub use callers::Caller;
pub use cluster::NatsCluster;
pub use meshctl::{Meshctl, Outcome};
pub use nats::{NatsServer, check_config};
pub use node::{MeshNode, NodeOptions};
pub use ports::free_port;
pub use process::{ProcessGuard, Signal};
pub use programs::{
    conformance_program, javascript_modules, mesh_node_program, meshctl_program,
    nats_server_program, previous_program, programs_folder, python_path, python_program,
    redis_server_program, s3_path, workspace_root,
};
pub use redis::RedisServer;
pub use s3::S3Server;
pub use wait::{wait_for, wait_until};
