//! The HTTP server that the suite asks its provider for: on loopback, by path.
//!
//! It speaks HTTP/1.1 by hand, so that it sees the bytes that were sent, and can answer what no
//! proper server would.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lattice_protocol::contract::limits::http::BODY_BYTES_MAX;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections that the server answers at once.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of a line of a request.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// Lines of a request's head.
const LINES_MAX: usize = 256;
/// Bytes of a request's body.
const REQUEST_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that it writes at a time of what is too large.
const PIECE_BYTES: usize = 1024 * 1024;

/// A server, which ends when it is dropped.
pub(super) struct Server {
    /// Where it listens.
    pub at: SocketAddr,
    requests: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Server {
    /// Starts one at a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let requests = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, requests.clone()));
        Ok(Self { at, requests, _serving: serving })
    }

    /// Returns how many requests it got.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns a URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }
}

async fn serve(listener: TcpListener, requests: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let requests = requests.clone();
        connections.spawn(async move {
            // Whoever breaks off is the provider, which is what some checks are about.
            let _ = converse(stream, &requests).await;
        });
    }
}

/// A request as it came.
struct Received {
    method: String,
    path: String,
    head: Vec<u8>,
    body: Vec<u8>,
}

async fn converse(stream: TcpStream, requests: &AtomicUsize) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(received) = receive(&mut stream).await? {
        requests.fetch_add(1, Ordering::SeqCst);
        if !answer(&received, stream.get_mut()).await? {
            break;
        }
    }
    Ok(())
}

async fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    // What begins otherwise is no request: TLS, which would wait for an answer.
    if !stream.fill_buf().await?.first().is_some_and(u8::is_ascii_uppercase) {
        return Ok(None);
    }
    let mut head = Vec::new();
    let mut fields = BTreeMap::new();
    let mut first = String::new();
    for number in 0..LINES_MAX {
        let mut line = Vec::new();
        if stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&line);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match line.split_once(':') {
            _ if number == 0 => first = line,
            Some((name, value)) => {
                fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = fields.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; usize::min(length, REQUEST_BODY_BYTES_MAX)];
    stream.read_exact(&mut body).await?;
    let mut parts = first.split(' ').map(str::to_owned);
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Ok(Some(Received { method, path, head, body }))
}

/// Answers a request; returns whether the connection may be used again.
async fn answer(request: &Received, to: &mut TcpStream) -> io::Result<bool> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match path {
        // What was sent, head and body.
        "/echo" => {
            let sent = [request.head.as_slice(), &request.body].concat();
            respond(request, to, "200 OK", "", &sent).await?;
        }
        "/body" => respond(request, to, "200 OK", "", &request.body).await?,
        "/headers" => {
            let headers = "X-Many: one\r\nx-many: two\r\nX-Raw: \u{a0}\r\nConnection: X-Hop\r\n\
                           X-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n";
            respond(request, to, "200 OK", headers, b"x").await?;
        }
        "/status" => respond(request, to, &format!("{query} Said"), "", b"why").await?,
        "/self" => respond(request, to, "302 Found", "Location: /self\r\n", b"").await?,
        "/to" | "/to303" | "/to307" => {
            let status = match path {
                "/to303" => "303 See Other",
                "/to307" => "307 Temporary Redirect",
                _ => "302 Found",
            };
            let headers = format!("Location: {query}\r\n");
            respond(request, to, status, &headers, b"there").await?;
        }
        "/many-headers" => {
            respond(request, to, "200 OK", &"x-a: b\r\n".repeat(200), b"").await?;
        }
        "/announced" => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY_BYTES_MAX + 1);
            to.write_all(head.as_bytes()).await?;
            silence(to).await?;
        }
        "/endless" => endless(to).await?,
        "/silent" => silence(to).await?,
        "/slow" => {
            to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun").await?;
            silence(to).await?;
        }
        "/short" => {
            to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun").await?;
            return Ok(false);
        }
        "/chunked" => {
            to.write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            )
            .await?;
        }
        "/hangup" => return Ok(false),
        "/garbage" => {
            to.write_all(b"220 mail.example ESMTP\r\n").await?;
            return Ok(false);
        }
        _ => respond(request, to, "404 Not Found", "", b"").await?,
    }
    Ok(!matches!(path, "/announced" | "/endless" | "/silent" | "/slow"))
}

async fn respond(
    request: &Received,
    to: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    // In Latin-1, as HTTP has it: what is beyond ASCII in `headers` is a byte of its own.
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
    let mut bytes: Vec<u8> = head.chars().filter_map(|c| u8::try_from(c).ok()).collect();
    if request.method != "HEAD" {
        bytes.extend_from_slice(body);
    }
    to.write_all(&bytes).await
}

/// Sends a body without a length that is larger than a body may be.
async fn endless(to: &mut TcpStream) -> io::Result<()> {
    to.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await?;
    let piece = vec![b'a'; PIECE_BYTES];
    for _ in 0..BODY_BYTES_MAX / PIECE_BYTES + 2 {
        to.write_all(&piece).await?;
    }
    Ok(())
}

/// Waits until the other side ends the connection.
async fn silence(from: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while from.read(&mut byte).await? > 0 {}
    Ok(())
}
