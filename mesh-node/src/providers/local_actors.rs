//! How the providers of a node call actors: in process where the node serves them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lattice_protocol::contract::Contract;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::{ActorCall, Actors, ActorsByNats, BoxFuture};

use crate::actor_host::Request;
use crate::compute::Patience;
use crate::shared::Shared;

/// Calls actors in the name of one provider.
pub(super) struct LocalActors {
    shared: Arc<Shared>,
    key: ProviderKey,
    elsewhere: ActorsByNats,
}

impl LocalActors {
    pub fn new(shared: Arc<Shared>, key: ProviderKey, contract: Contract) -> Self {
        // Its calls are inside of a span already.
        let elsewhere = ActorsByNats::new(shared.lattice.clone(), key.clone(), contract, false);
        Self { shared, key, elsewhere }
    }

    async fn call_here_first(&self, call: ActorCall) -> Result<Bytes, Error> {
        let deadline = Instant::now() + call.timeout;
        self.shared.freshness.for_call_here(deadline).await;
        let Some(host) = self.shared.host(&call.link.source) else {
            return self.elsewhere.call(call).await;
        };
        let request = Request {
            operation: call.operation,
            payload: &call.payload,
            deadline,
            hops: 0,
            min_revision: None,
            origin: Some(self.key.as_str()),
            patience: Patience::Long,
            trace: call.trace.clone(),
        };
        match host.serve(request).await.outcome {
            // Another node may have a place.
            Err(error) if !error.started && is_of_this_node(error.code) => {
                let timeout = deadline.saturating_duration_since(Instant::now());
                if timeout.is_zero() {
                    return Err(error);
                }
                self.elsewhere.call(ActorCall { timeout, ..call }).await
            }
            outcome => outcome,
        }
    }
}

fn is_of_this_node(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Busy | ErrorCode::Draining)
}

impl Actors for LocalActors {
    fn call(&self, call: ActorCall) -> BoxFuture<'_, Result<Bytes, Error>> {
        if self.shared.traced {
            return Box::pin(mesh_provider::in_span(call, |call| self.call_here_first(call)));
        }
        Box::pin(self.call_here_first(call))
    }
}
