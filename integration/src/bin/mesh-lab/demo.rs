//! The demo: a lattice of two nodes, real actors, a live replacement under load.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Args;
use integration::harness::{
    Caller, MeshNode, Meshctl, NatsServer, NodeOptions, actor_module, actor_module_bytes,
    workspace_root,
};
use integration::http_load::HttpTally;
use integration::load::{Load, LoadOptions, Tally};
use integration::publisher::echo_with_text;
use integration::report::table;
use integration::story::Story;
use lattice_client::{Call, ConnectOptions, Lattice};
use lattice_protocol::keys::ActorKey;
use serde::{Deserialize, Serialize};

/// Lattice of the demo.
const LATTICE: &str = "demo";
/// Replacements of `echo` while the load runs.
const REPLACEMENTS: u64 = 20;
/// Calls of the load that are under way at once.
const CONCURRENCY: usize = 16;

/// What `mesh-lab demo` is told.
#[derive(Args)]
pub struct Options {
    /// Leave the lattice up until Ctrl-C and say what to try
    #[arg(long)]
    stay: bool,
}

/// What is up while the demo runs. Nodes are dropped before their server.
struct Demo {
    user: Meshctl,
    lattice: Lattice,
    nodes: Vec<MeshNode>,
    server: NatsServer,
}

/// Runs the demo; returns whether no call failed.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let demo = Demo::start().await?;
    for (name, capability) in
        [("echo", None), ("ponger", None), ("pinger", Some("mesh:actor")), ("thumbnail", None)]
    {
        demo.deploy(name, capability, None).await?;
    }
    demo.make_a_thumbnail().await?;
    demo.call("pinger", "ping", r#"{"message":"hello","times":3}"#).await?;
    demo.call_from_python().await?;
    let tally = demo.replace_echo_under_load().await?;
    let clean = report(&tally);
    say("capabilities: a counter over HTTP, on Redis, on a file, and back");
    let mut story = Story::start(say).await?;
    let facts = story.tell().await?;
    story.stop().await?;
    report_http(&facts.load);
    if options.stay {
        demo.stay().await?;
    }
    demo.stop().await?;
    Ok(clean)
}

impl Demo {
    async fn start() -> anyhow::Result<Self> {
        say("a NATS server with JetStream, on a free port of this machine");
        let server = NatsServer::start().await?;
        let url = server.url();
        let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
        let mut nodes = Vec::new();
        for _ in 0..2 {
            let node = NodeOptions::new(&url, LATTICE)?.start(lattice.nats()).await?;
            say(&format!("mesh-node --nats {url} --lattice {LATTICE}    # {}", node.key()));
            nodes.push(node);
        }
        let user = Meshctl::new(&url, LATTICE)?;
        Ok(Self { user, lattice, nodes, server })
    }

    async fn deploy(
        &self,
        name: &str,
        capability: Option<&str>,
        module: Option<PathBuf>,
    ) -> anyhow::Result<()> {
        let module = module.map_or_else(|| actor_module(name), Ok)?;
        let module = module.to_str().context("a path that is no UTF-8")?;
        let signed = self.user.home().join(format!("{name}.signed.wasm"));
        let signed = signed.to_str().context("a path that is no UTF-8")?;
        let mut sign = vec!["sign", module, "--name", name, "--out", signed];
        sign.extend(capability.into_iter().flat_map(|capability| ["--cap", capability]));
        self.user.ok(&sign).await?;
        let deployed = self.user.ok(&["deploy", signed]).await?;
        // The first line says who answers; the second is the key, for programs.
        let answered = deployed.lines().next().unwrap_or_default();
        say(&format!("meshctl deploy {name}.signed.wasm    # {answered}"));
        Ok(())
    }

    async fn call(&self, target: &str, operation: &str, json: &str) -> anyhow::Result<()> {
        let answer = self.user.ok(&["call", target, operation, json]).await?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        say(&format!("meshctl call {target} {operation} '{json}'    # {answer}"));
        Ok(())
    }

    async fn actor(&self, name: &str) -> anyhow::Result<ActorKey> {
        let found = self.lattice.registry().await?.actor_named(&name.parse()?).await?;
        Ok(found.with_context(|| format!("{name} is not deployed"))?.record.key)
    }

    async fn make_a_thumbnail(&self) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Wish<'a> {
            #[serde(with = "serde_bytes")]
            image: &'a [u8],
            width: u32,
            height: u32,
        }
        #[derive(Deserialize)]
        struct Made {
            #[serde(with = "serde_bytes")]
            image: Vec<u8>,
            width: u32,
            height: u32,
        }
        let image = std::fs::read(workspace_root().join("actors/thumbnail/samples/harbour.jpg"))?;
        let wish = rmp_serde::to_vec_named(&Wish { image: &image, width: 320, height: 320 })?;
        let call = Call::new(self.actor("thumbnail").await?, "thumbnail", Bytes::from(wish))
            .timeout(Duration::from_secs(20));
        let begun = Instant::now();
        let answer = self.lattice.call(call).await?;
        let made: Made = rmp_serde::from_slice(&answer.payload)?;
        ensure!(made.image.starts_with(b"\x89PNG\r\n"), "the thumbnail is no PNG");
        let folder = workspace_root().join("target/demo");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("thumbnail.png");
        std::fs::write(&path, &made.image)?;
        say(&format!(
            "thumbnail of actors/thumbnail/samples/harbour.jpg ({} kB)    # {}x{}, {} ms, {}",
            image.len() / 1_000,
            made.width,
            made.height,
            begun.elapsed().as_millis(),
            path.display()
        ));
        Ok(())
    }

    async fn call_from_python(&self) -> anyhow::Result<()> {
        let target = self.actor("echo").await?;
        let outcome = Caller::Python
            .call(&self.server.url(), LATTICE, target.as_str(), "greet", r#"{"name":"Python"}"#)
            .await?;
        ensure!(outcome.code == 0, "the Python caller failed: {}", outcome.stderr);
        say(&format!(
            "python3 examples/callers/python/call.py … greet    # {}",
            outcome.stdout.trim()
        ));
        Ok(())
    }

    async fn replace_echo_under_load(&self) -> anyhow::Result<Tally> {
        let echo = actor_module_bytes("echo")?;
        let load =
            Load::start(&self.lattice, &LoadOptions::new(self.actor("echo").await?, CONCURRENCY));
        say(&format!("{CONCURRENCY} callers of echo, which is replaced {REPLACEMENTS} times:"));
        let replace = async {
            for number in 1..=REPLACEMENTS {
                let module = self.user.home().join("echo.wasm");
                std::fs::write(&module, echo_with_text(&echo, number)?)?;
                self.deploy("echo", None, Some(module)).await?;
            }
            anyhow::Ok(())
        };
        let replaced = replace.await;
        let tally = load.stop().await?;
        replaced?;
        Ok(tally)
    }

    async fn stay(&self) -> anyhow::Result<()> {
        let url = self.server.url();
        eprintln!(
            "\nThe lattice stays up until Ctrl-C. Try, in another terminal:\n\n  \
             export MESH_NATS={url} MESH_LATTICE={LATTICE}\n  \
             target/release/meshctl ls\n  \
             target/release/meshctl call echo greet '{{\"name\":\"you\"}}'\n  \
             target/release/meshctl call pinger ping '{{\"message\":\"hi\",\"times\":2}}'\n  \
             target/release/meshctl events\n  \
             target/release/mesh-node --nats {url} --lattice {LATTICE}    # a third node\n"
        );
        tokio::signal::ctrl_c().await?;
        Ok(())
    }

    async fn stop(self) -> anyhow::Result<()> {
        let Self { user, lattice, nodes, mut server } = self;
        for mut node in nodes {
            let key = node.key().clone();
            let status = node.terminate().await?;
            say(&format!("SIGTERM to {key}    # it drained and ended with {status}"));
            ensure!(status.success(), "a node did not leave in order");
        }
        lattice.close().await;
        server.stop().await?;
        say("the NATS server ended");
        drop(user);
        Ok(())
    }
}

/// Prints the table; returns whether no call failed.
fn report(tally: &Tally) -> bool {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let milliseconds = |us: u32| format!("{:.2} ms", f64::from(us) / 1_000.0);
    println!(
        "\n{}",
        table(&[
            row("calls", tally.calls.to_string()),
            row("failed calls", tally.failed.to_string()),
            row("answers older than seen before", tally.went_back.to_string()),
            row("p50", milliseconds(tally.quantile_us(0.50))),
            row("p99", milliseconds(tally.quantile_us(0.99))),
            row("revisions seen", tally.revisions.len().to_string()),
            row("nodes that answered", tally.nodes.len().to_string()),
        ])
    );
    for (error, count) in &tally.errors {
        println!("  {count} × {error}");
    }
    tally.failed == 0 && tally.went_back == 0 && tally.calls > 0 && tally.nodes.len() == 2
}

/// Prints what the requests saw while the counter was replaced; none of them failed.
fn report_http(tally: &HttpTally) {
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let milliseconds = |us: u32| format!("{:.2} ms", f64::from(us) / 1_000.0);
    let mut rows = vec![
        row("requests", tally.requests.to_string()),
        row("failed requests", tally.failed.to_string()),
        row("requests/s", format!("{:.0}", tally.rate())),
        row("p50", milliseconds(tally.quantile_us(0.50))),
        row("p99", milliseconds(tally.quantile_us(0.99))),
    ];
    rows.extend(tally.kinds.iter().map(|(kind, n)| row(&format!("from {kind}"), n.to_string())));
    println!("\n{}", table(&rows));
}

fn say(text: &str) {
    println!("▸ {text}");
}
