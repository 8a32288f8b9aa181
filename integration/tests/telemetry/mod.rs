//! Traces by OTLP: a call keeps its caller's trace through every hop, in process and over NATS.

mod receiver;

use self::receiver::Receiver;
use integration::harness::{MeshNode, actor_module_bytes, wait_until};
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::{Call, TraceContext};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

const TRACE: [u8; 16] = *b"trace of caller!";
const SPAN: [u8; 8] = *b"the call";
const PING: &[u8] = b"\x81\xa7message\xa2hi";

struct Traced {
    receiver: Receiver,
    bed: Testbed,
    nodes: Vec<MeshNode>,
}

impl Traced {
    /// Starts one node for all, or one for pinger and one for ponger.
    async fn start(nodes: usize) -> Self {
        let receiver = Receiver::start().await;
        let bed = Testbed::start("traced").await.unwrap();
        let mut started = Vec::new();
        for number in 0..nodes {
            let mut options = bed.node().unwrap();
            options = options
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url())
                .env("OTEL_BSP_SCHEDULE_DELAY", "50");
            if nodes == 1 || number == 0 {
                options = options.label("pinger", "yes");
            }
            if nodes == 1 || number == 1 {
                options = options.label("ponger", "yes");
            }
            started.push(options.start(bed.lattice().nats()).await.unwrap());
        }
        Self { receiver, bed, nodes: started }
    }

    async fn deploy(&self, name: &str, capabilities: &[&str]) -> Publisher {
        let mut actor = Publisher::new(self.bed.lattice(), name).await.unwrap();
        actor.shape = |record| {
            record.labels.insert(record.name.to_string(), "yes".to_owned());
        };
        let wasm = actor_module_bytes(name).unwrap();
        actor.deploy(&actor.sign(&wasm, 1, capabilities).unwrap(), 1).await.unwrap();
        actor.wait_until_served(1, SOON).await.unwrap();
        actor
    }

    /// Calls pinger, which calls ponger, under a trace, and checks the spans that arrive.
    async fn spans_are_a_chain(mut self) {
        let ponger = self.deploy("ponger", &[]).await;
        let pinger = self.deploy("pinger", &["mesh:actor"]).await;
        let mut call = Call::new(pinger.key().clone(), "ping", PING);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        call.trace = TraceContext {
            traceparent: Some(format!("00-{}-{}-01", hex(&TRACE), hex(&SPAN))),
            tracestate: Some("vendor=1".to_owned()),
            baggage: None,
        };
        self.bed.lattice().call(call).await.unwrap();
        wait_until("three spans", SOON, async || self.receiver.trace(&TRACE).len() >= 3)
            .await
            .unwrap();
        let spans = self.receiver.trace(&TRACE);
        assert_eq!(spans.len(), 3, "{spans:#?}");
        let find = |name: &str, actor: &Publisher| -> Span {
            let of = |span: &&Span| {
                span.name == name && text(span, "mesh.actor") == actor.key().as_str()
            };
            spans.iter().find(of).unwrap_or_else(|| panic!("{name}: {spans:#?}")).clone()
        };
        let (outer, between, inner) =
            (find("serve", &pinger), find("call", &ponger), find("serve", &ponger));
        assert_eq!(outer.parent_span_id, SPAN);
        assert_eq!(between.parent_span_id, outer.span_id);
        assert_eq!(inner.parent_span_id, between.span_id);
        for (span, kind) in
            [(&outer, SpanKind::Server), (&between, SpanKind::Client), (&inner, SpanKind::Server)]
        {
            assert_eq!(span.kind(), kind);
            assert_eq!(text(span, "mesh.operation"), "ping");
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        }
        assert_eq!(outer.trace_state, "vendor=1");
        for node in &mut self.nodes {
            assert!(node.terminate().await.unwrap().success());
        }
    }
}

fn text(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key} is {other:?} in {span:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_through_calls_in_process() {
    Traced::start(1).await.spans_are_a_chain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_node_to_node() {
    Traced::start(2).await.spans_are_a_chain().await;
}
