//! What each provider of a contract must do, whoever wrote it and however it is reached.
//!
//! A suite asks over a [`Link`]: in process, or over NATS by the key of the provider ([`Linked`]). It
//! runs every check and says of each what was wrong; the checks of one suite may run beside other
//! uses of the store, since each uses keys of its own. What calls an actor is examined in a [`Lab`],
//! where a [`Recorder`] is the actor.

pub mod blobstore;
mod checks;
pub mod http_client;
pub mod keyvalue;
mod lab;
mod link;
pub mod logging;
pub mod messaging;
mod over_nats;
mod program;
pub mod random;
mod recorder;
mod report;
mod served;
pub mod timer;

pub use lab::{InProcess, Lab};
pub use link::Link;
pub use over_nats::{Linked, LinkingError};
pub use program::main;
pub use recorder::{Heard, Reaction, Recorder};
pub use report::{Check, Report};
pub use served::ServedActor;
