//! Write actors of the mesh in Rust.
//!
//! An actor is a type without data and an `impl` block whose marked methods can be called:
//!
//! ```
//! use mesh_actor::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greeting {
//!     name: String,
//! }
//!
//! struct Greeter;
//!
//! #[actor]
//! impl Greeter {
//!     #[operation]
//!     fn greet(greeting: Greeting) -> Result<String> {
//!         log::info!("greeting {}", greeting.name);
//!         Ok(format!("Hello, {}!", greeting.name))
//!     }
//! }
//!
//! let reply = Greeter::greet(Greeting { name: "Ada".to_owned() })?;
//! assert_eq!(reply, "Hello, Ada!");
//! # Ok::<(), Error>(())
//! ```
//!
//! - A payload is any type that serde reads and writes; on the wire it is msgpack with named
//!   fields. [`Raw`] takes and gives the bytes as they are; [`ByteBuf`] is a field of bytes.
//! - [`Target`] calls other actors. [`keyvalue`], [`messaging`], [`blobstore`], [`http_client`],
//!   [`logging`] and [`random`] call providers over links; [`http`], [`messaging`] and [`timer`] are
//!   how providers call actors.
//! - [`log`] is the well-known facade; its lines appear in the node's log under the actor's name.
//! - A panic is logged with its place, then traps: the caller sees `actor_trapped`.
//! - [`testing`] runs the same code natively, with a lattice of your choice around it.
//! - The feature `allocator`, on by default, is a heap that serves a call's first allocations
//!   without growing the memory. Without it, an actor may bring a `#[global_allocator]` of its own.
//!
//! The crate speaks [waPC](https://wapc.io) (imports of module `wapc`, export
//! `__guest_call`), so that what it builds runs on any host of waPC.

// The macro names the crate by its name, within this crate's own tests too.
extern crate self as mesh_actor;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
mod clients;
mod console;
mod error;
#[doc(hidden)]
pub mod export;
mod host;
pub mod limits;
mod payload;
mod target;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use clients::{
    Checked, blobstore, http, http_client, keyvalue, logging, messaging, random, timer,
};
pub use error::{Error, ErrorCode, HostError, Result};
pub use host::call_raw;
pub use log;
pub use mesh_actor_macros::{actor, operation};
pub use payload::{FromPayload, Raw, ToPayload};
pub use serde_bytes::ByteBuf;
pub use target::Target;

/// What an actor's file begins with: `use mesh_actor::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Actor, ByteBuf, Error, ErrorCode, FromPayload, HostError, Raw, Result, Target, ToPayload,
        actor, blobstore, http, http_client, keyvalue, log, logging, messaging, operation, random,
        timer,
    };
    pub use serde::{Deserialize, Serialize};
}

/// What can be called; `#[actor]` writes it.
pub trait Actor {
    /// The names of the operations, in the order of the block.
    const OPERATIONS: &'static [&'static str];

    /// Runs one operation on one payload.
    ///
    /// # Errors
    /// [`Error::UnknownOperation`], [`Error::BadPayload`], or what the operation returned.
    fn handle(operation: &str, payload: Vec<u8>) -> Result<Vec<u8>>;
}
