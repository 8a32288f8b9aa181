//! The story of capabilities: an actor that counts over HTTP is replaced while it serves, and its
//! key-value store is taken away, replaced and given back. Nothing is restarted.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lattice_client::{ConnectOptions, Lattice};
use serde_json::Value;

use crate::harness::{
    MeshNode, Meshctl, NatsServer, NodeOptions, RedisServer, actor_module, free_port, wait_for,
};
use crate::http_load::{self, HttpLoad, HttpTally};
use crate::testbed::SOON;

/// What is asked for, in the load and before it.
const BUSY_PATH: &str = "/busy";
const QUIET_PATH: &str = "/quiet";
/// Connections of the load.
const CONNECTIONS: usize = 16;
/// Requests a second that the load must make for its replacement to count.
const RATE_MIN: f64 = 1_000.0;
/// Replacements under load: there and back again.
const REPLACEMENTS: usize = 6;
/// How long the load runs before, between and after replacements.
const BETWEEN: Duration = Duration::from_millis(700);

/// What is up while the story runs. The node is dropped before its server.
pub struct Story {
    user: Meshctl,
    lattice: Lattice,
    node: MeshNode,
    http: SocketAddr,
    redis: RedisServer,
    server: NatsServer,
    say: fn(&str),
}

/// What the story saw.
pub struct Facts {
    /// The load over the replacements.
    pub load: HttpTally,
    /// What a request said while the key-value store was away.
    pub without_store: String,
}

impl Story {
    /// Starts a server, a Redis and a node that serves HTTP; `say` is told what happens.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(say: fn(&str)) -> anyhow::Result<Self> {
        const LATTICE: &str = "story";
        let server = NatsServer::start().await?;
        let redis = RedisServer::start().await?;
        let url = server.url();
        let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
        let user = Meshctl::new(&url, LATTICE)?;
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let data = user.home().join("node");
        let options = NodeOptions::new(&url, LATTICE)?
            .arg("--http")
            .arg(http.to_string())
            .arg("--data")
            .arg(&data);
        let node = options.start(lattice.nats()).await?;
        say(&format!("mesh-node --http {http} --data …    # and a Redis at {}", redis.url()));
        Ok(Self { user, lattice, node, http, redis, server, say })
    }

    /// Tells the whole story.
    ///
    /// # Errors
    /// At the first thing that is not as it must be.
    pub async fn tell(&mut self) -> anyhow::Result<Facts> {
        let pids = (self.node.process().pid(), self.redis.process()?.pid());
        self.deploy("counter").await?;
        self.meshctl(&["link", "put", "counter", "mesh:http", "http-server"]).await?;
        self.link_redis().await?;
        for expected in 1..=3 {
            self.counts(QUIET_PATH, expected).await?;
        }
        let load = self.replace_under_load().await?;

        self.meshctl(&["link", "del", "counter", "mesh:keyvalue"]).await?;
        let without_store = self.answers_without_store().await?;
        self.lattice.health(self.node.key(), SOON).await.map_err(|error| {
            anyhow::anyhow!("the node is not well without a key-value link: {error}")
        })?;

        let embedded = ["link", "put", "counter", "mesh:keyvalue", "keyvalue-embedded"];
        self.meshctl(&embedded).await?;
        self.counts(QUIET_PATH, 1).await?;
        self.counts(QUIET_PATH, 2).await?;

        self.link_redis().await?;
        self.counts(QUIET_PATH, 4).await?;
        let now = (self.node.process().pid(), self.redis.process()?.pid());
        ensure!(pids == now, "a process was restarted");
        self.node.process().check_alive()?;
        (self.say)("the old count is back, and no process was restarted");
        Ok(Facts { load, without_store })
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When something does not end as it should.
    pub async fn stop(self) -> anyhow::Result<()> {
        let Self { lattice, mut node, mut redis, mut server, .. } = self;
        let status = node.terminate().await?;
        ensure!(status.success(), "the node did not leave in order: {status}");
        lattice.close().await;
        redis.stop().await?;
        server.stop().await
    }

    async fn meshctl(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let told = self.user.ok(arguments).await?;
        (self.say)(&format!("meshctl {}    # {}", arguments.join(" "), told.trim()));
        Ok(())
    }

    /// Signs a module as the next revision of `counter` and deploys it.
    async fn deploy(&self, module: &str) -> anyhow::Result<()> {
        let path = actor_module(module)?;
        let signed = self.user.home().join("counter.signed.wasm");
        let text =
            |path: &Path| path.to_str().map(str::to_owned).context("a path that is no UTF-8");
        let (path, signed) = (text(&path)?, text(&signed)?);
        let sign = ["sign", &path, "--name", "counter", "--out", &signed];
        let caps = ["--cap", "mesh:http", "--cap", "mesh:keyvalue"];
        self.user.ok(&[&sign[..], &caps[..]].concat()).await?;
        let told = self.user.ok(&["deploy", &signed]).await?;
        let first = told.lines().next().unwrap_or_default();
        (self.say)(&format!("meshctl deploy {module}.signed.wasm    # {first}"));
        Ok(())
    }

    async fn link_redis(&self) -> anyhow::Result<()> {
        let url = format!("url={}", self.redis.url());
        self.meshctl(&[
            "link",
            "put",
            "counter",
            "mesh:keyvalue",
            "keyvalue-redis",
            "--config",
            &url,
        ])
        .await
    }

    /// The next answer must be this count: a link takes effect with the next call.
    async fn counts(&self, path: &str, expected: u64) -> anyhow::Result<()> {
        let (status, body) = http_load::get(self.http, path).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == 200, "{path} answers {status}: {text}");
        let answer: Value = serde_json::from_slice(&body)?;
        let count = answer.get("count").cloned().unwrap_or_default();
        ensure!(count == expected, "{path} counts {count}, not {expected}");
        (self.say)(&format!("curl http://{}{path}    # {}", self.http, text.trim()));
        Ok(())
    }

    async fn replace_under_load(&self) -> anyhow::Result<HttpTally> {
        let load = HttpLoad::start(self.http, BUSY_PATH, CONNECTIONS, judge);
        (self.say)(&format!(
            "{CONNECTIONS} connections ask for {BUSY_PATH}, while counter is replaced {REPLACEMENTS} times:"
        ));
        tokio::time::sleep(BETWEEN).await;
        let replace = async {
            for number in 0..REPLACEMENTS {
                self.deploy(if number % 2 == 0 { "counter-v2" } else { "counter" }).await?;
                tokio::time::sleep(BETWEEN).await;
            }
            // The last one is the second version, and stays.
            self.deploy("counter-v2").await
        };
        let replaced = replace.await;
        let load = load.stop().await?;
        replaced?;
        ensure!(load.failed == 0, "{} requests failed: {:?}", load.failed, load.errors);
        ensure!(load.kinds.len() == 2, "answers of one version only: {:?}", load.kinds);
        ensure!(load.rate() >= RATE_MIN, "only {:.0} requests a second", load.rate());
        // Each request was counted once, whichever version answered it.
        self.counts(BUSY_PATH, load.requests + 1).await?;
        Ok(load)
    }

    /// Requests must get an error of the actor's own, at once.
    async fn answers_without_store(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        let (status, body) = http_load::get(self.http, QUIET_PATH).await?;
        let took = begun.elapsed();
        let text = String::from_utf8_lossy(&body).into_owned();
        ensure!(status == 503, "without a store it answers {status}: {text}");
        ensure!(text.contains("no memory"), "the text is not the actor's: {text}");
        ensure!(took < Duration::from_secs(1), "it took {took:?}");
        (self.say)(&format!("curl http://{}{QUIET_PATH}    # {status} {}", self.http, text.trim()));
        Ok(text)
    }

    /// Returns where HTTP is served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Waits until a path answers with `status`.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_status(&self, path: &str, status: u16) -> anyhow::Result<()> {
        wait_for(&format!("{path} to answer {status}"), SOON, async || {
            let (found, body) = http_load::get(self.http, path).await?;
            if found != status {
                bail!("{found}: {}", String::from_utf8_lossy(&body));
            }
            Ok(())
        })
        .await
    }
}

/// Takes an answer of either version of the counter for what it is.
fn judge(status: u16, body: &[u8]) -> Result<String, String> {
    let wrong = || format!("{status}: {}", String::from_utf8_lossy(body));
    let answer: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let field = |name: &str| answer.get(name).and_then(Value::as_u64);
    if status != 200 || field("count").is_none() {
        return Err(wrong());
    }
    Ok(if field("version") == Some(2) { "counter-v2" } else { "counter" }.to_owned())
}
