//! The messages of the contracts that the vectors show: a file a contract, each operation with its
//! request and its response.

mod blobstore;
mod edge;
mod keyvalue;

use lattice_protocol::contract::messaging::{self, Verdict};
use lattice_protocol::contract::{
    self, ByteBuf, Empty, Headers, Message, http, http_client, logging, random, timer,
};

pub use self::edge::{accepted, refused};
use crate::edge::Edge;

/// Returns every file of a contract: name of the file, name of the contract, the messages.
pub fn all() -> Vec<(&'static str, &'static str, Vec<Edge>)> {
    vec![
        ("contract_http.json", http::NAME, http()),
        ("contract_http_client.json", http_client::NAME, http_client()),
        ("contract_keyvalue.json", contract::keyvalue::NAME, keyvalue::all()),
        ("contract_messaging.json", messaging::NAME, messaging()),
        ("contract_blobstore.json", contract::blobstore::NAME, blobstore::all()),
        ("contract_logging.json", logging::NAME, logging()),
        ("contract_random.json", random::NAME, random()),
        ("contract_timer.json", timer::NAME, timer()),
    ]
}

/// Returns the vector of a message, which must be one that may be sent.
fn edge<M: Message>(
    name: &'static str,
    shows: &'static str,
    of: &'static str,
    message: &M,
) -> Edge {
    message.check().unwrap();
    (name, shows, of, message.encode().unwrap())
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn bytes(text: &str) -> ByteBuf {
    ByteBuf::from(text)
}

fn http() -> Vec<Edge> {
    let plain = http::Request {
        method: "GET".into(),
        path: "/".into(),
        query: String::new(),
        headers: Headers::new(),
        body: vec![],
        scheme: None,
        authority: None,
        remote: None,
    };
    let full = http::Request {
        method: "POST".into(),
        path: "/orders/7%208".into(),
        query: "dry=1&tag=a&tag=b".into(),
        headers: Headers::new()
            .with("content-type", "application/json")
            .with("accept", "text/html")
            .with("accept", "text/plain;q=0.5"),
        body: b"{\"count\":1}".to_vec(),
        scheme: text("https"),
        authority: text("shop.example:8443"),
        remote: text("192.0.2.7:50123"),
    };
    let headers = Headers::new().with("content-type", "text/plain").with("x-raw", [0xe9]);
    let response = http::Response { status: 201, headers, body: b"made".to_vec() };
    vec![
        edge("handle_request", "the least that a request has", "http.Request", &plain),
        edge("handle_request_full", "every field, a header twice", "http.Request", &full),
        edge("handle_response", "a header that is no text", "http.Response", &response),
    ]
}

fn http_client() -> Vec<Edge> {
    let plain = http_client::Request {
        method: "GET".into(),
        url: "https://api.example/v1/rates?base=EUR".into(),
        headers: Headers::new(),
        body: vec![],
        timeout_ms: None,
        redirects: 0,
    };
    let full = http_client::Request {
        method: "PUT".into(),
        headers: Headers::new().with("content-type", "text/plain"),
        body: b"1.08".to_vec(),
        timeout_ms: Some(1_500),
        redirects: 3,
        ..plain.clone()
    };
    let response = http_client::Response {
        status: 404,
        headers: Headers::new().with("content-type", "text/plain"),
        body: b"no such rate".to_vec(),
        url: text("https://api.example/v2/rates?base=EUR"),
    };
    vec![
        edge("request_request", "a plain GET", "http_client.Request", &plain),
        edge("request_request_full", "every field", "http_client.Request", &full),
        edge("request_response", "what a redirect led to", "http_client.Response", &response),
    ]
}

fn messaging() -> Vec<Edge> {
    let plain = messaging::Message {
        subject: "orders.eu".into(),
        body: b"7".to_vec(),
        ..messaging::Message::default()
    };
    let full = messaging::Message {
        reply_to: text("answers.7"),
        id: text("order-7"),
        headers: Headers::new().with("Content-Type", "text/plain"),
        ..plain.clone()
    };
    let request = messaging::Request { message: plain.clone(), timeout_ms: Some(500) };
    let answer = messaging::Message { subject: "_INBOX.x.1".into(), ..plain.clone() };
    let delivery = messaging::Delivery { message: full.clone(), attempt: 2, durable: true };
    let ack = messaging::Acknowledgement::default();
    let answering = messaging::Acknowledgement { reply: Some(bytes("ok")), ..ack.clone() };
    let retry = messaging::Acknowledgement {
        verdict: Verdict::Retry,
        retry_after_ms: Some(30_000),
        reason: text("the bank is closed"),
        reply: None,
    };
    let reject = messaging::Acknowledgement {
        verdict: Verdict::Reject,
        reason: text("not a number"),
        ..ack.clone()
    };
    vec![
        edge("publish_request", "a message", "messaging.Message", &plain),
        edge("publish_request_full", "every field", "messaging.Message", &full),
        edge("request_request", "a message that waits", "messaging.Request", &request),
        edge("request_response", "the answer", "messaging.Message", &answer),
        edge("deliver_request", "once more", "messaging.Delivery", &delivery),
        edge("deliver_response", "it is done", "messaging.Acknowledgement", &ack),
        edge(
            "deliver_response_reply",
            "it is done, with an answer",
            "messaging.Acknowledgement",
            &answering,
        ),
        edge("deliver_response_retry", "later", "messaging.Acknowledgement", &retry),
        edge("deliver_response_reject", "never again", "messaging.Acknowledgement", &reject),
    ]
}

fn logging() -> Vec<Edge> {
    let line = logging::Line {
        level: logging::Level::Warn,
        text: "the bank is slow".into(),
        fields: [("order".to_owned(), "7".to_owned())].into(),
    };
    vec![
        edge("write_request", "a line with a fact", "logging.Line", &line),
        edge("write_response", "a message without fields", "Empty", &Empty {}),
    ]
}

fn random() -> Vec<Edge> {
    let guid = random::Guid { guid: "f47ac10b-58cc-4372-a567-0e02b2c3d479".into() };
    let answer = random::Bytes { bytes: vec![0, 127, 128, 255] };
    vec![
        edge("guid_response", "a new identity", "random.Guid", &guid),
        edge(
            "bytes_request",
            "four bytes",
            "random.BytesRequest",
            &random::BytesRequest { length: 4 },
        ),
        edge("bytes_response", "the four", "random.Bytes", &answer),
        edge("integer_request", "a die", "random.Range", &random::Range { min: 1, max: 6 }),
        edge("integer_response", "a throw", "random.Integer", &random::Integer { value: 4 }),
    ]
}

fn timer() -> Vec<Edge> {
    let tick = timer::Tick { due_at_ms: 1_800_000_000_000, link: "nightly".into(), missed: 1 };
    vec![edge("tick_request", "one was left out before", "timer.Tick", &tick)]
}
