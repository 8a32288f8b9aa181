//! The other direction: a provider calls the actors that are linked to it.

use std::time::Duration;

use bytes::Bytes;
use lattice_client::{Call, Lattice, TraceContext};
use lattice_protocol::Error;
use lattice_protocol::contract::Contract;
use lattice_protocol::keys::{ProviderKey, TargetKey};
use mesh_program::telemetry;
use tracing::Instrument;

use crate::link::LinkId;
use crate::provider::BoxFuture;

/// A call of an actor by a provider.
#[derive(Clone, Debug)]
pub struct ActorCall {
    /// The link that tells the provider to call: its source is called.
    pub link: LinkId,
    /// The operation of the contract.
    pub operation: &'static str,
    /// The message.
    pub payload: Bytes,
    /// Time for the whole call.
    pub timeout: Duration,
    /// The trace that it belongs to.
    pub trace: TraceContext,
}

/// Calls actors: in process where the provider is part of a node that serves them, else over NATS.
pub trait Actors: Send + Sync + 'static {
    /// Calls an actor and waits for its answer. What did not start is tried again within the time
    /// of the call.
    ///
    /// # Errors
    /// The actor's, or one of the way to it.
    fn call(&self, call: ActorCall) -> BoxFuture<'_, Result<Bytes, Error>>;
}

/// Calls actors over NATS.
pub struct ActorsByNats {
    lattice: Lattice,
    key: ProviderKey,
    contract: Contract,
    traced: bool,
}

impl ActorsByNats {
    /// Calls actors in the name of the provider `key`, by the operations of `contract`. `traced`
    /// says whether spans are exported.
    pub fn new(lattice: Lattice, key: ProviderKey, contract: Contract, traced: bool) -> Self {
        Self { lattice, key, contract, traced }
    }
}

/// Runs a call of an actor inside a span of its own.
///
/// # Errors
/// Those of `work`.
pub async fn in_span<W>(call: ActorCall, work: impl FnOnce(ActorCall) -> W) -> Result<Bytes, Error>
where
    W: Future<Output = Result<Bytes, Error>>,
{
    let target = TargetKey::Actor(call.link.source.clone());
    let span = telemetry::call_span(&call.trace, &target, call.operation);
    let trace = telemetry::context_of(&span, &call.trace);
    work(ActorCall { trace, ..call }).instrument(span).await
}

impl Actors for ActorsByNats {
    fn call(&self, call: ActorCall) -> BoxFuture<'_, Result<Bytes, Error>> {
        if self.traced {
            return Box::pin(in_span(call, |call| self.send(call)));
        }
        Box::pin(self.send(call))
    }
}

impl ActorsByNats {
    async fn send(&self, call: ActorCall) -> Result<Bytes, Error> {
        let ActorCall { link, operation, payload, timeout, trace } = call;
        let idempotent = self.contract.operation(operation).is_some_and(|one| one.idempotent);
        let call = Call {
            timeout,
            idempotent,
            origin: Some(self.key.to_string()),
            link: Some(link.name.to_string()),
            trace,
            ..Call::new(link.source, operation, payload)
        };
        Ok(self.lattice.call(call).await?.payload)
    }
}
