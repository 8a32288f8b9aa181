//! A receiver of OTLP over HTTP: just enough of HTTP for the exporter, and all of its protobuf.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";

/// Keeps every span that it is sent, until it is dropped.
pub struct Receiver {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let kept = spans.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                connections.spawn(serve(connection, kept.clone()));
            }
        });
        Self { url, spans, _tasks: tasks }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the spans of one trace that have arrived.
    pub fn trace(&self, id: &[u8; 16]) -> Vec<Span> {
        let spans = self.spans.lock().unwrap();
        spans.iter().filter(|span| span.trace_id == id).cloned().collect()
    }
}

async fn serve(connection: TcpStream, spans: Arc<Mutex<Vec<Span>>>) {
    let mut connection = BufReader::new(connection);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match connection.read_line(&mut head).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
        connection.read_exact(&mut body).await.unwrap();
        if head.starts_with("post /v1/traces ") {
            let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
            spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        }
        if connection.write_all(OK).await.is_err() {
            return;
        }
    }
}
