//! The trace that a request belongs to (W3C Trace Context).

use http::header::HeaderMap;
use lattice_client::TraceContext;

use crate::limits;

/// Reads the trace context of a request; what is too long is left out.
pub fn read(headers: &HeaderMap) -> TraceContext {
    if !headers.contains_key("traceparent") && !headers.contains_key("baggage") {
        return TraceContext::default();
    }
    let all = |name: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let text = values.collect::<Vec<_>>().join(",");
        (!text.is_empty() && text.len() <= limits::TRACE_BYTES_MAX).then_some(text)
    };
    TraceContext {
        traceparent: all("traceparent"),
        tracestate: all("tracestate"),
        baggage: all("baggage"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_it_came() {
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers), TraceContext::default());
        headers.append("traceparent", "00-ab-cd-01".parse().unwrap());
        headers.append("tracestate", "a=1".parse().unwrap());
        headers.append("tracestate", "b=2".parse().unwrap());
        headers.append("baggage", "x".repeat(limits::TRACE_BYTES_MAX + 1).parse().unwrap());
        let expected = TraceContext {
            traceparent: Some("00-ab-cd-01".into()),
            tracestate: Some("a=1,b=2".into()),
            baggage: None,
        };
        assert_eq!(read(&headers), expected);
    }
}
