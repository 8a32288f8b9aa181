//! What the imports of one instance work on.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wasmtime::Memory;

use crate::fault::Fault;
use crate::host::Host;
use crate::limiter::Limiter;
use crate::output::Output;
use crate::ticker::{Pulse, Spin};

/// The state behind the imports of one instance.
pub(crate) struct State {
    pub(crate) limiter: Limiter,
    /// The guest's exported memory, once it is known.
    pub(crate) memory: Option<Memory>,
    /// When the call that runs ends.
    pub(crate) deadline: Instant,
    /// What the call that runs asks.
    pub(crate) host: Option<Arc<dyn Host>>,
    pub(crate) exchange: Exchange,
    pub(crate) output: Output,
    pub(crate) spin: Spin,
}

/// What guest and host hand to one another during one call.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) operation: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) response: Option<Bytes>,
    pub(crate) error: Option<String>,
    pub(crate) host_response: Bytes,
    pub(crate) host_error: String,
}

impl State {
    pub(crate) fn new(memory_bytes: u64, pulse: &Arc<Pulse>, deadline: Instant) -> Self {
        Self {
            limiter: Limiter::new(memory_bytes),
            memory: None,
            deadline,
            host: None,
            exchange: Exchange::default(),
            output: Output::default(),
            spin: Spin::new(pulse),
        }
    }

    /// Begins a call: nothing of an earlier one is left.
    pub(crate) fn begin(&mut self, host: &Arc<dyn Host>, deadline: Instant) {
        self.host = Some(Arc::clone(host));
        self.deadline = deadline;
        self.limiter.forgive();
    }

    /// Puts the request where the guest fetches it, and clears everything else.
    pub(crate) fn ask(&mut self, operation: &str, payload: &[u8]) {
        let exchange = &mut self.exchange;
        exchange.operation.clear();
        exchange.operation.extend_from_slice(operation.as_bytes());
        exchange.payload.clear();
        exchange.payload.extend_from_slice(payload);
        exchange.response = None;
        exchange.error = None;
        exchange.host_response = Bytes::new();
        exchange.host_error.clear();
    }

    /// Ends the call: logs what is left of its output, lets go of its host and its buffers.
    pub(crate) fn end(&mut self) {
        self.spin.end();
        if let Some(host) = self.host.take() {
            self.output.finish(&*host);
        }
        self.exchange = Exchange::default();
    }

    /// Returns the host of the call that runs.
    pub(crate) fn host(&self, import: &'static str) -> Result<&Arc<dyn Host>, Fault> {
        self.host.as_ref().ok_or(Fault::Idle { import })
    }
}
