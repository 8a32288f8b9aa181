//! What a call that runs on the threads that compute asks of its host: where it can't be answered at once it is
//! answered on the others.

use std::sync::Arc;

use futures_util::FutureExt;
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{Host, HostCall, HostFuture, LogSource};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use super::turns::Yields;

/// Has `inner` wait where connections and providers live.
pub(crate) struct MainHost {
    inner: Arc<dyn Host>,
    main: Handle,
    yields: Yields,
    /// In which the call is served.
    span: Span,
}

impl MainHost {
    /// Has `inner` wait in the runtime that this is called in, and notes in `yields` when the guest does.
    pub fn here(inner: Arc<dyn Host>, yields: Yields) -> Self {
        Self { inner, main: Handle::current(), yields, span: Span::current() }
    }
}

impl Host for MainHost {
    fn call(&self, call: HostCall) -> HostFuture<'_> {
        let inner = self.inner.clone();
        let asked = async move { inner.call(call).await };
        let mut asked = Box::pin(asked.instrument(self.span.clone()));
        // Most are answered without a wait; to change threads twice would cost more than they do.
        let at_once = {
            let _main = self.main.enter();
            (&mut asked).now_or_never()
        };
        if let Some(answer) = at_once {
            return Box::pin(std::future::ready(answer));
        }
        let answered = AbortOnDropHandle::new(self.main.spawn(asked));
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
