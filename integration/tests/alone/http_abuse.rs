//! A listener that strangers reach: whatever they send, the node stays within its memory and serves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use integration::harness::actor_module_bytes;
use integration::harness::{MeshNode, Meshctl, free_port};
use integration::http_load;
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Idle connections that are held open at once.
const IDLE: usize = 10_000;
/// Memory that all of the abuse together may cost the node.
const MEMORY_MAX_BYTES: u64 = 400 * 1024 * 1024;
/// Time after which nobody is listened to who does not come to an end.
const ENDLESS_MAX: Duration = Duration::from_secs(15);
/// Time in which an honest request is answered meanwhile.
const HONEST_WITHIN: Duration = Duration::from_secs(3);

struct Attacked {
    _bed: Testbed,
    node: MeshNode,
    _user: Meshctl,
    http: SocketAddr,
}

impl Attacked {
    async fn start() -> Self {
        let bed = Testbed::start("abuse").await.unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
        let options = bed.node().unwrap().arg("--http").arg(http.to_string());
        let node = options.start(bed.lattice().nats()).await.unwrap();
        let hello = Publisher::new(bed.lattice(), "hello").await.unwrap();
        let wasm = actor_module_bytes("hello").unwrap();
        hello.deploy(&hello.sign(&wasm, 1, &["mesh:http"]).unwrap(), 1).await.unwrap();
        hello.wait_until_served(1, SOON).await.unwrap();
        user.ok(&["link", "put", hello.key().as_str(), "mesh:http", "http-server"]).await.unwrap();
        Self { _bed: bed, node, _user: user, http }
    }

    async fn honest(&self) {
        let begun = Instant::now();
        let (status, _) = http_load::get(self.http, "/").await.unwrap();
        assert_eq!(status, 200);
        assert!(begun.elapsed() < HONEST_WITHIN, "an honest request took {:?}", begun.elapsed());
    }

    async fn connect(&self) -> TcpStream {
        timeout(SOON, TcpStream::connect(self.http)).await.unwrap().unwrap()
    }

    /// Sends bytes and returns what comes back until the server closes, or for a second.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A server that has heard enough may close while more is sent.
        let _ = timeout(SOON, stream.write_all(bytes)).await.unwrap();
        let mut answer = Vec::new();
        let mut some = [0; 4096];
        while let Ok(Ok(read)) = timeout(Duration::from_secs(1), stream.read(&mut some)).await {
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&some[..read]);
            if answer.len() > 64 * 1024 {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn memory(&mut self) -> u64 {
        let pid = self.node.process().pid();
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_send_leaves_the_node_within_its_memory_and_serving() {
    let mut attacked = Attacked::start().await;
    attacked.honest().await;
    let before = attacked.memory();

    // Request lines and heads that are none: refused or closed, never served.
    for bytes in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  /  HTTP/1.1\r\nhost: a\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let answer = attacked.send(bytes).await;
        assert!(!answer.contains(" 200 "), "{bytes:?}: {answer}");
        attacked.honest().await;
    }

    // Heads that never end, in size and in number.
    let bomb = |line: &dyn Fn(usize) -> String, count: usize| {
        let lines: String = (0..count).map(line).collect();
        format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n")
    };
    let large = bomb(&|_| format!("x: {}\r\n", "a".repeat(100_000)), 20);
    let many = bomb(&|number| format!("x{number}: a\r\n"), 20_000);
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1_000_000));
    for head in [large, many, long] {
        let answer = attacked.send(head.as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{answer}");
        attacked.honest().await;
    }

    // A body that never ends is cut off at its bound.
    let mut stream = attacked.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
    // What comes after is read for a moment, so that the client gets to see the answer, and dropped.
    let endless = async { while stream.write_all(&chunk).await.is_ok() {} };
    timeout(ENDLESS_MAX, endless).await.expect("the connection is closed");
    attacked.honest().await;

    // Heads that come a byte at a time, and connections on which nothing comes.
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = attacked.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nho").await.unwrap();
        slow.push(stream);
    }
    let mut idle = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        match timeout(SOON, TcpStream::connect(attacked.http)).await {
            Ok(Ok(stream)) => idle.push(stream),
            // The server may take no more than it has room for.
            other => panic!("connection {number}: {other:?}"),
        }
        if number % 1_000 == 0 {
            attacked.honest().await;
        }
    }
    attacked.honest().await;
    let during = attacked.memory();
    assert!(
        during.saturating_sub(before) < MEMORY_MAX_BYTES,
        "{} MiB more than before",
        (during - before) >> 20
    );
    println!("{} MiB before, {} MiB with {IDLE} idle connections", before >> 20, during >> 20);
    drop((slow, idle));
    attacked.honest().await;
    attacked.node.process().check_alive().unwrap();
}
