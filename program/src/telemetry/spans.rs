//! Spans of calls: W3C trace context in, spans and metrics out, W3C trace context on.

use std::collections::HashMap;
use std::sync::OnceLock;

use lattice_client::TraceContext;
use lattice_client::answer::Answered;
use lattice_protocol::keys::TargetKey;
use lattice_protocol::subjects::header;
use opentelemetry::metrics::Counter;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Target of every span of a call: the exporter takes these, the log does not.
pub(super) const TARGET: &str = "mesh_call";

/// Opens the span of a call that is served here by `target`, as a child of the caller's span.
pub fn serve_span(target: &str, operation: &str, trace: &TraceContext) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "serve",
        otel.kind = "server",
        otel.status_code = field::Empty,
        mesh.actor = target,
        mesh.operation = operation,
        mesh.revision = field::Empty,
        mesh.error = field::Empty,
    );
    adopt(&span, trace);
    span
}

/// Opens the span of a call that is made from here.
pub fn call_span(parent: &TraceContext, target: &TargetKey, operation: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "call",
        otel.kind = "client",
        mesh.actor = %target,
        mesh.operation = operation,
    );
    // A call that an actor makes runs inside the span that serves the actor; only where there is
    // none does the context that came with the call stand in.
    if Span::current().is_none() {
        adopt(&span, parent);
    }
    span
}

/// Writes down what came of a call.
pub fn finish(span: &Span, answered: &Answered) {
    if let Some(revision) = answered.revision {
        span.record("mesh.revision", revision);
    }
    let code = match &answered.outcome {
        Ok(_) => "ok",
        Err(error) => {
            span.record("otel.status_code", "ERROR");
            span.record("mesh.error", error.to_string());
            error.code.as_str()
        }
    };
    calls().add(1, &[KeyValue::new("outcome", code)]);
}

/// Returns the trace context of `span` for whoever is called next, baggage as it came.
pub fn context_of(span: &Span, came: &TraceContext) -> TraceContext {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut fields);
    let traceparent = fields.remove(header::TRACEPARENT);
    if traceparent.is_none() {
        return came.clone();
    }
    let tracestate = fields.remove(header::TRACESTATE).filter(|state| !state.is_empty());
    TraceContext { traceparent, tracestate, baggage: came.baggage.clone() }
}

fn adopt(span: &Span, parent: &TraceContext) {
    if parent.traceparent.is_none() {
        return;
    }
    let fields: HashMap<String, String> =
        [(header::TRACEPARENT, &parent.traceparent), (header::TRACESTATE, &parent.tracestate)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect();
    let context: Context = TraceContextPropagator::new().extract(&fields);
    // Fails only for a span that is not exported, which has no use for a parent.
    let _ = span.set_parent(context);
}

fn calls() -> &'static Counter<u64> {
    static CALLS: OnceLock<Counter<u64>> = OnceLock::new();
    CALLS.get_or_init(|| {
        opentelemetry::global::meter("mesh")
            .u64_counter("mesh.calls")
            .with_description("calls that were answered, by outcome")
            .build()
    })
}
