//! W3C trace context as it travels in NATS headers.

use async_nats::HeaderMap;
use lattice_protocol::subjects::header;

/// The trace context of a call, carried as it came: opaque to everything but telemetry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The caller's span.
    pub traceparent: Option<String>,
    /// What vendors add.
    pub tracestate: Option<String>,
    /// Baggage.
    pub baggage: Option<String>,
}

impl TraceContext {
    /// Reads the context from the headers of a message.
    pub fn from_headers(headers: Option<&HeaderMap>) -> Self {
        let Some(headers) = headers else { return Self::default() };
        let read = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
        Self {
            traceparent: read(header::TRACEPARENT),
            tracestate: read(header::TRACESTATE),
            baggage: read(header::BAGGAGE),
        }
    }

    /// Returns the headers that carry the context; none where it is empty.
    pub fn to_headers(&self) -> Option<HeaderMap> {
        let fields = [
            (header::TRACEPARENT, &self.traceparent),
            (header::TRACESTATE, &self.tracestate),
            (header::BAGGAGE, &self.baggage),
        ];
        let mut headers: Option<HeaderMap> = None;
        for (name, value) in fields {
            // A value that can't be a header (line breaks) is left out: it is somebody else's.
            let Some(value) =
                value.as_deref().and_then(|v| v.parse::<async_nats::HeaderValue>().ok())
            else {
                continue;
            };
            headers.get_or_insert_default().insert(name, value);
        }
        headers
    }
}
