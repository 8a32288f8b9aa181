//! What a call that runs on the threads that compute asks of its host is answered on the others.

use std::sync::Arc;

use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{Host, HostCall, HostFuture, LogSource};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use super::turns::Yields;

/// Has `inner` work where connections and providers live.
pub(crate) struct MainHost {
    inner: Arc<dyn Host>,
    main: Handle,
    yields: Yields,
    /// In which the call is served.
    span: Span,
}

impl MainHost {
    /// Has `inner` work in the runtime that this is called in, and notes in `yields` when the guest does.
    pub fn here(inner: Arc<dyn Host>, yields: Yields) -> Self {
        Self { inner, main: Handle::current(), yields, span: Span::current() }
    }
}

impl Host for MainHost {
    fn call(&self, call: HostCall) -> HostFuture<'_> {
        let inner = self.inner.clone();
        let asked = async move { inner.call(call).await }.instrument(self.span.clone());
        let asked = self.main.spawn(asked);
        let answered = AbortOnDropHandle::new(asked);
        Box::pin(async move {
            answered.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a host call ended without an answer");
                Err(Error::started(ErrorCode::Internal, "the host call ended without an answer"))
            })
        })
    }

    fn yields(&self) {
        self.yields.note();
    }

    fn log(&self, source: LogSource, text: &str) {
        self.span.in_scope(|| self.inner.log(source, text));
    }
}
