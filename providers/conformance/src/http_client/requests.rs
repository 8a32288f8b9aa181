//! Requests and responses as they come and go.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Headers;
use lattice_protocol::contract::http_client::{Request, operation};

use super::asking::{Checked, ask, failed, fails, get, response, same, text};
use super::server::Server;
use crate::{Link, Report};

pub(super) async fn run(report: &mut Report, link: &Link, server: &Server) {
    report.check("every method is sent as it is written", methods(link, server)).await;
    report.check("headers are sent, but those of the client", sent_headers(link, server)).await;
    report.check("headers come back, each as often as it was there", headers(link, server)).await;
    report.check("bodies are bytes", bodies(link, server)).await;
    report.check("every status is a response", statuses(link, server)).await;
    report.check("what is no request is refused", malformed(link, server)).await;
    report.check("a server that is none is unavailable", unavailable(link, server)).await;
}

async fn methods(link: &Link, server: &Server) -> Checked {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "Odd!"] {
        let request = Request { method: method.into(), ..get(server.url("/echo?a=%20b")) };
        let sent = text(&response(link, &request).await?);
        let line = sent.lines().next().unwrap_or_default();
        same("the request line", line, &format!("{method} /echo?a=%20b HTTP/1.1"))?;
        let length = sent.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n");
        let expected = matches!(method, "POST" | "PUT" | "PATCH");
        if expected && !length {
            return Err(format!("{method} without a body has no content-length: 0"));
        }
    }
    let request = Request { method: "HEAD".into(), ..get(server.url("/body")) };
    let answer = response(link, &request).await?;
    same("the response to HEAD", (answer.status, answer.body.len()), (200, 0))
}

async fn sent_headers(link: &Link, server: &Server) -> Checked {
    let headers = Headers::new()
        .with("X-Many", "one")
        .with("x-many", "two")
        .with("x-raw", [0xe9])
        .with("host", "other.example")
        .with("content-length", "999")
        .with("transfer-encoding", "chunked")
        .with("connection", "x-hop")
        .with("x-hop", "1")
        .with("upgrade", "websocket");
    let request = Request { headers, body: b"body".to_vec(), ..get(server.url("/echo")) };
    let request = Request { method: "POST".into(), ..request };
    let answer = response(link, &request).await?;
    if !answer.body.windows(8).any(|bytes| bytes.eq_ignore_ascii_case(b"x-raw: \xe9")) {
        return Err("a value that is no UTF-8 did not arrive".into());
    }
    let sent = text(&answer).to_ascii_lowercase();
    let host = format!("\r\nhost: {}\r\n", server.at);
    for line in [&host, "\r\ncontent-length: 4\r\n", "x-many: one\r\n", "x-many: two\r\n"] {
        if !sent.contains(line) {
            return Err(format!("{line:?} is missing in {sent:?}"));
        }
    }
    for part in ["other.example", "999", "transfer-encoding", "x-hop", "upgrade"] {
        if sent.contains(part) {
            return Err(format!("{part:?} was sent in {sent:?}"));
        }
    }
    Ok(())
}

async fn headers(link: &Link, server: &Server) -> Checked {
    let answer = response(link, &get(server.url("/headers"))).await?;
    let many: Vec<_> = answer.headers.all("x-many").collect();
    same("x-many", many, vec![b"one".as_slice(), b"two"])?;
    same("x-raw", answer.headers.get("x-raw"), Some([0xa0].as_slice()))?;
    for (name, _) in answer.headers.iter() {
        if name.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!("the name {name} is not in lower case"));
        }
        if ["connection", "keep-alive", "x-hop", "transfer-encoding"].contains(&name) {
            return Err(format!("{name} belongs to the connection"));
        }
    }
    Ok(())
}

async fn bodies(link: &Link, server: &Server) -> Checked {
    let every: Vec<u8> = (0..=255).collect();
    for body in [every.clone(), every.repeat(4096)] {
        let request = Request { body: body.clone(), ..get(server.url("/body")) };
        let request = Request { method: "PUT".into(), ..request };
        let answer = response(link, &request).await?;
        if answer.body != body {
            let got = answer.body.len();
            return Err(format!("{} bytes came back as {got} others", body.len()));
        }
        same("the URL of an answer without redirects", answer.url, None)?;
    }
    let answer = response(link, &get(server.url("/chunked"))).await?;
    same("a body in chunks", text(&answer).as_str(), "abc")
}

async fn statuses(link: &Link, server: &Server) -> Checked {
    for status in [200, 201, 299, 300, 302, 400, 401, 404, 418, 429, 500, 503, 599] {
        let answer = response(link, &get(server.url(&format!("/status?{status}")))).await?;
        same("the status", answer.status, status)?;
        same("its body", text(&answer).as_str(), "why")?;
    }
    Ok(())
}

async fn malformed(link: &Link, server: &Server) -> Checked {
    let bad = ErrorCode::BadRequest;
    for message in [
        &b""[..],
        b"\x80",
        b"\xc1",
        b"\x81\xa3url",
        b"\x93\x01\x02\x03",
        b"\x81\xa3url\xa8file:///",
        b"\x82\xa3url\xa9http://a/\xa6method\xa3G T",
        b"\x82\xa3url\xa9http://a/\xa9redirects\x0b",
        b"\x82\xa3url\xa9http://a/\xa7headers\x91\x92\xa1a\xc4\x03b\r\n",
    ] {
        let answer = link.raw(operation::REQUEST, message.to_vec()).await;
        failed(&format!("the message {message:02x?}"), answer, bad, false)?;
    }
    let answer = link.raw("fetch", b"\x81\xa3url\xa9http://a/".to_vec()).await;
    failed("an operation that there is not", answer, bad, false)?;
    for url in ["http://[", "http://127.0.0.1:65536/", "http://a b/", "http://user:name@127.0.0.1/"]
    {
        // Some of them are refused by whoever encodes them.
        failed(url, ask(link, &get(url)).await, bad, false)?;
    }
    let tunnel = Request { method: "CONNECT".into(), ..get(server.url("/")) };
    fails(link, &tunnel, bad, false).await
}

async fn unavailable(link: &Link, server: &Server) -> Checked {
    let code = ErrorCode::ProviderUnavailable;
    let nobody = nobody().await.map_err(|error| format!("no port is free: {error}"))?;
    fails(link, &get(format!("http://{nobody}/")), code, false).await?;
    let secure = format!("https://{}/echo", server.at);
    fails(link, &get(secure), code, false).await?;
    for path in ["/hangup", "/garbage", "/short", "/status?999"] {
        fails(link, &get(server.url(path)), code, true).await?;
    }
    Ok(())
}

/// Returns an address where nobody listens.
async fn nobody() -> std::io::Result<std::net::SocketAddr> {
    tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()
}
