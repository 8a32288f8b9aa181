//! What a provider is, whatever its contract: it opens links, and each open link answers calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::Error;
use lattice_protocol::contract::Contract;

use crate::link::Link;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a provider says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The name that people link to, such as `keyvalue-redis`.
    pub name: &'static str,
    /// The one contract that it serves.
    pub contract: Contract,
    /// Version of its program.
    pub version: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
}

/// A capability provider.
///
/// It is told of each link that leads to it and gives a handle that answers the calls over that
/// link. A handle sees nothing of another link: what belongs to a tenant is in its handle.
pub trait Provider: Send + Sync + 'static {
    /// Returns what it is.
    fn about(&self) -> About;

    /// Opens a link: checks its configuration, reaches what is behind the provider, and returns
    /// what answers its calls.
    ///
    /// A link that is written anew is opened anew while the handle of the earlier generation goes
    /// on; that one is [closed](Answers::close) once the new one is in its place. Links are begun in the
    /// order of the registry; an `open` that does not wait ends before the next one begins.
    ///
    /// # Errors
    /// What is wrong with the link, for the person who put it: most often `bad_request`.
    /// `provider_unavailable` and `deadline_exceeded` are passing: the link is opened again after
    /// a while.
    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>>;

    /// Tells whether it can do its work. Must answer within
    /// [`HEALTH_TIMEOUT_MS`](crate::limits::HEALTH_TIMEOUT_MS).
    ///
    /// # Errors
    /// What is wrong.
    fn health(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Takes no more work from outside of the mesh and finishes what runs, within `bound`. Returns
    /// how much of it was abandoned. Calls over links end before.
    fn drain(&self, bound: Duration) -> BoxFuture<'_, usize> {
        let _ = bound;
        Box::pin(std::future::ready(0))
    }
}

/// What answers the calls over one link.
pub trait Answers: Send + Sync + 'static {
    /// Answers a call. The future is dropped at the call's deadline.
    ///
    /// # Errors
    /// As the contract says. `started` is false where nothing can have been done.
    fn answer<'a>(&'a self, call: ProviderCall<'a>) -> BoxFuture<'a, Result<Bytes, Error>>;

    /// Ends what the link has begun by itself: subscriptions, routes, timers. Calls may still be
    /// under way.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Gives back what it holds, such as a file, when the process ends: it was closed, no call is under
    /// way, and none comes any more. A handle whose link is gone is just dropped after its last call.
    fn release(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A call as it reaches an open link.
#[derive(Clone, Debug)]
pub struct ProviderCall<'a> {
    /// The operation of the contract.
    pub operation: &'a str,
    /// The message.
    pub payload: &'a [u8],
    /// What the call knows beside its message.
    pub info: CallInfo,
}

/// What a call knows beside its message.
#[derive(Clone, Debug)]
pub struct CallInfo {
    /// When its caller waits no longer.
    pub deadline: Instant,
    /// The caller's trace.
    pub trace: TraceContext,
}

impl CallInfo {
    /// Returns the time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
