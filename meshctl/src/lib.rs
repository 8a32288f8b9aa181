//! The command line of the mesh, as a library with a thin binary.
//!
//! | file | concern |
//! |---|---|
//! | [`cli`] | what can be typed |
//! | [`session`] | where NATS is, what is shared by commands |
//! | [`command`] | one file a command |
//! | [`decide`] | what a deployment or rollback would write: pure |
//! | [`resolve`] | from a name or prefix to a key: pure |
//! | [`diagnose`] | why nobody answers: pure |
//! | [`json`] | JSON ⇄ msgpack |
//! | [`output`], [`exit`] | data to stdout, diagnostics to stderr, exit codes |

pub mod cli;
pub mod command;
pub mod decide;
pub mod diagnose;
pub mod exit;
pub mod json;
pub mod limits;
pub mod output;
pub mod resolve;
pub mod session;
pub mod values;
