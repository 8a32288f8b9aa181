//! What an actor's calls reach outside of it.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use lattice_protocol::Error;

/// A call that an actor makes: the parameters of waPC's `__host_call`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCall {
    /// waPC's binding: the name of the link.
    pub link: String,
    /// A contract, or the key or name of another actor.
    pub namespace: String,
    /// The operation.
    pub operation: String,
    /// The message.
    pub payload: Bytes,
}

/// Where a line of an actor's output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// waPC's `__console_log`.
    Console,
    /// WASI's standard output.
    Stdout,
    /// WASI's standard error.
    Stderr,
}

/// What [`Host::call`] returns.
pub type HostFuture<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send + 'a>>;

/// Answers what an actor asks of the world during one call.
pub trait Host: Send + Sync + 'static {
    /// Answers a call of the actor. The actor sees an error as its text.
    ///
    /// The future is polled on the stack of the actor's call and dropped at its deadline.
    fn call<'a>(&'a self, call: HostCall) -> HostFuture<'a>;

    /// Says that the actor's code has used up its turn and yields its thread: it waits for nothing else.
    fn yields(&self) {}

    /// Takes a line of the actor's output: without its line break, at most
    /// [`LOG_LINE_BYTES_MAX`](crate::limits::LOG_LINE_BYTES_MAX) bytes. Must not block.
    fn log(&self, source: LogSource, text: &str);
}
