//! Connects any Rust program to a lattice: call actors and providers, serve calls, drain without
//! losing one, read and write the registry, tell and hear events.
//!
//! ```no_run
//! use lattice_client::{Call, ConnectOptions, Lattice};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let lattice = Lattice::connect(ConnectOptions::url("nats://127.0.0.1:4222")).await?;
//! let target: lattice_protocol::keys::ActorKey = "MBZ…".parse()?;
//! let answer = lattice.call(Call::new(target, "echo", b"hello".as_slice())).await?;
//! println!("{} bytes from {}", answer.payload.len(), answer.node);
//! lattice.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! | file | concern |
//! |---|---|
//! | [`connect`] | how to reach NATS: URL, credentials, contexts of the NATS CLI |
//! | [`Lattice`] | the handle: one connection, one inbox |
//! | [`call`] | a call with its deadline, and when it is tried again |
//! | [`serve`] | a subscription whose messages become bounded tasks, and its fenced drain |
//! | [`answer`] | calls of an actor or provider, from message to reply |
//! | [`queue`] | durable invocations, and those that were put aside |
//! | [`registry`] | records with compare-and-set, the watch, the modules |
//! | [`events`], [`presence`], [`control`] | what nodes tell and answer |
//! | [`jetstream`] | what JetStream answered |
//! | [`bodies`] | payloads that exceed one message |
//! | [`keystore`] | the seeds of whoever uses this machine |

pub mod answer;
pub mod backlog;
mod bodies;
pub mod call;
mod calls_held;
pub mod connect;
pub mod control;
pub mod events;
mod fence;
pub mod jetstream;
pub mod keystore;
mod later;
mod lattice;
pub mod limits;
mod mux;
mod outbox;
pub mod presence;
mod pulse;
pub mod queue;
pub mod registry;
pub mod serve;
pub mod standing;
mod trace;
mod under_way;

pub use call::{Answer, Call};
pub use connect::{ConnectError, ConnectOptions};
pub use lattice::{Connection, Lattice};
pub use pulse::Hearing;
pub use trace::TraceContext;
