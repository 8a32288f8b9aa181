//! What one call of an actor may ask of its host: calls to others, lines for the log.

use std::sync::Arc;
use std::time::Instant;

use lattice_client::TraceContext;
use lattice_protocol::keys::ActorKey;
use mesh_runtime::{Host, HostCall, HostFuture, LogSource};

use crate::actor_host::{Module, Revision};
use crate::router;
use crate::shared::Shared;

/// The host of one call: knows who asks, and how much of the call's budget is left.
pub(crate) struct CallHost {
    pub shared: Arc<Shared>,
    pub origin: ActorKey,
    pub revision: Arc<Revision>,
    pub module: Arc<Module>,
    pub deadline: Instant,
    pub hops: u8,
    pub trace: TraceContext,
}

impl CallHost {
    pub fn new(
        shared: Arc<Shared>,
        origin: ActorKey,
        (revision, module): (Arc<Revision>, Arc<Module>),
        deadline: Instant,
        hops: u8,
        trace: TraceContext,
    ) -> Self {
        Self { shared, origin, revision, module, deadline, hops, trace }
    }
}

impl Host for CallHost {
    fn call(&self, call: HostCall) -> HostFuture<'_> {
        Box::pin(router::route(self, call))
    }

    fn log(&self, source: LogSource, text: &str) {
        log_line(self.revision.name().as_str(), self.revision.number(), source, text);
    }
}

/// Writes a line of an actor to the node's log.
pub(crate) fn log_line(actor: &str, revision: u64, source: LogSource, text: &str) {
    let text = text.trim_end();
    let end = text.floor_char_boundary(crate::limits::LOG_LINE_BYTES_MAX.min(text.len()));
    let text = text.get(..end).unwrap_or_default();
    match source {
        LogSource::Stderr => tracing::warn!(target: "actor", actor, revision, "{text}"),
        LogSource::Console | LogSource::Stdout => {
            tracing::info!(target: "actor", actor, revision, "{text}");
        }
    }
}
