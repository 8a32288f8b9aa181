//! Applications: actors that work together over their links, and one that was made for another host.

use std::net::SocketAddr;

use integration::harness::{MeshNode, Meshctl, actor_module, free_port, wait_for};
use integration::http_load;
use integration::testbed::{SOON, Testbed};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A lattice of one node that serves HTTP, and a user of `meshctl`.
struct Applications {
    _bed: Testbed,
    _node: MeshNode,
    user: Meshctl,
    http: SocketAddr,
}

impl Applications {
    async fn start() -> Self {
        let bed = Testbed::start("applications").await.unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let options = bed.node().unwrap().arg("--http").arg(http.to_string());
        let node = options.start(bed.lattice().nats()).await.unwrap();
        let user = Meshctl::new(&bed.url(), bed.name().as_str()).unwrap();
        Self { _bed: bed, _node: node, user, http }
    }

    async fn deploy(&self, name: &str, capabilities: &[&str]) {
        let module = actor_module(name).unwrap();
        let signed = self.user.home().join(format!("{name}.signed.wasm"));
        let (module, signed) = (module.to_str().unwrap(), signed.to_str().unwrap());
        let mut sign = vec!["sign", module, "--name", name, "--out", signed];
        sign.extend(capabilities.iter().flat_map(|one| ["--cap", one]));
        self.user.ok(&sign).await.unwrap();
        self.user.ok(&["deploy", signed]).await.unwrap();
    }

    async fn link(&self, rest: &[&str]) {
        self.user.ok(&[&["link", "put"], rest].concat()).await.unwrap();
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let (status, body) = http_load::get(self.http, path).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Sends a request as it is, and returns the answer as it is.
    async fn raw(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortener_publishes_its_visits_and_another_actor_counts_them() {
    let apps = Applications::start().await;
    apps.deploy("shortener", &["mesh:http", "mesh:keyvalue", "mesh:messaging"]).await;
    apps.deploy("visits", &["mesh:http", "mesh:keyvalue", "mesh:messaging"]).await;
    apps.link(&["shortener", "mesh:keyvalue", "keyvalue-nats"]).await;
    let publish = ["--config", "publish=shortener.visits.>", "--config", "confirm=true"];
    apps.link(&["visits", "mesh:keyvalue", "keyvalue-nats"]).await;
    let durable = ["--config", "durable=true", "--config", "stream=visits"];
    let subjects = ["--config", "subjects=shortener.visits.>"];
    let receive = [&["visits", "mesh:messaging", "messaging-nats"][..], &durable, &subjects];
    apps.link(&receive.concat()).await;
    let send = [&["shortener", "mesh:messaging", "messaging-nats"][..], &publish];
    apps.link(&send.concat()).await;
    apps.link(&["shortener", "mesh:http", "http-server", "--config", "path=/s"]).await;
    apps.link(&["visits", "mesh:http", "http-server", "--config", "path=/visits"]).await;

    let made = apps.raw("POST /s/", "https://example.org/a?b=c").await;
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    let short: Value = serde_json::from_str(made.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let code = short["code"].as_str().unwrap();
    for _ in 0..3 {
        let led = apps.raw(&format!("GET /s/{code}"), "").await;
        assert!(led.starts_with("HTTP/1.1 302"), "{led}");
        assert!(led.contains("location: https://example.org/a?b=c"), "{led}");
    }
    wait_for("the visits to be counted", SOON, async || {
        let (status, counts) = apps.get("/visits").await;
        anyhow::ensure!(status == 200, "{status}: {counts}");
        let counts: Value = serde_json::from_str(&counts)?;
        anyhow::ensure!(counts == json!({ code: 3 }), "{counts}");
        Ok(())
    })
    .await
    .unwrap();
    // One store, two tenants: neither sees the other's keys.
    assert_eq!(apps.get("/s/none").await.0, 404);
    assert_eq!(apps.get("/elsewhere").await.0, 404);

    // Two actors can't have the same path.
    let conflict = ["link", "put", "visits", "mesh:http", "http-server", "--config", "path=/s"];
    let conflict = apps.user.run(&conflict).await.unwrap();
    assert_eq!(conflict.code, 1, "{}", conflict.stderr);
    assert!(conflict.stderr.contains("already"), "{}", conflict.stderr);
    assert_eq!(apps.get("/visits").await.0, 200, "what was there before is there again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_an_earlier_host_counts_over_the_same_providers() {
    let apps = Applications::start().await;
    apps.deploy("older-counter", &["wascc:http_server", "wascc:keyvalue"]).await;
    let (status, _) = apps.get("/a").await;
    assert_eq!(status, 404, "nothing is linked yet");
    apps.link(&["older-counter", "wascc:http_server", "http-server"]).await;
    let (status, _) = apps.get("/a").await;
    assert_eq!(status, 502, "it fails without its store, and has no answer of its own");
    apps.link(&["older-counter", "wascc:keyvalue", "keyvalue-nats"]).await;
    for count in 1..=3 {
        let answered = apps.get("/a").await;
        assert_eq!(answered, (200, format!("{{\"counter\":{count}}}")));
    }
    let answered = apps.raw("GET /a", "").await;
    assert!(answered.contains("x-method: GET"), "{answered}");
}
