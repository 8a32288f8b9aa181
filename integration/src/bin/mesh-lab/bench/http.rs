//! HTTP requests to an actor against a bare HTTP server that says the same.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use integration::harness::{
    Meshctl, NatsServer, NodeOptions, ProcessGuard, actor_module_bytes, free_port, wait_until,
};
use integration::http_load::{self, HttpLoad};
use integration::publisher::Publisher;
use integration::report::{median, table};
use lattice_client::{ConnectOptions, Lattice};
use serde::Serialize;
use tokio::net::TcpListener;

use super::{Options, cpu, cpu_us};

const LATTICE: &str = "bench";
/// What both say.
const HELLO: &[u8] = b"hello";

/// The baseline: every request is answered with a word, until the process ends.
pub async fn raw_http(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let hello = service_fn(|_: Request<hyper::body::Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(HELLO))))
        });
        // It ends with its connection; the process with the bench.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), hello));
    }
}

#[derive(Clone, Copy, Serialize)]
struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Processor time a request of the load and of the server.
    cpu_us: [f64; 2],
}

/// Measures in turns, prints the table and returns the figures.
pub(super) async fn run(options: &Options) -> anyhow::Result<serde_json::Value> {
    let server = NatsServer::start().await?;
    let url = server.url();
    let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let node = NodeOptions::new(&url, LATTICE)?.arg("--http").arg(http.to_string());
    let mut node = node.start(lattice.nats()).await?;
    let hello = Publisher::new(&lattice, "hello").await?;
    let signed = hello.sign(&actor_module_bytes("hello")?, 1, &["mesh:http"])?;
    hello.deploy(&signed, 1).await?;
    hello.wait_until_served(1, Duration::from_secs(20)).await?;
    let user = Meshctl::new(&url, LATTICE)?;
    user.ok(&["link", "put", hello.key().as_str(), "mesh:http", "http-server"]).await?;
    let raw = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["raw-http", &raw.to_string()]).stdin(Stdio::null());
    let raw_process = ProcessGuard::spawn("raw-http", command)?;
    wait_until("the bare server answers", Duration::from_secs(10), async || {
        http_load::get(raw, "/").await.is_ok()
    })
    .await?;

    let (mut raws, mut meshes) = (Vec::new(), Vec::new());
    // The first round only warms up.
    for round in 0..=options.rounds {
        let one = measure(raw, raw_process.pid(), options).await?;
        let other = measure(http, node.process().pid(), options).await?;
        if round > 0 {
            raws.push(one);
            meshes.push(other);
        }
    }
    let ratio = median(
        &mut meshes.iter().zip(&raws).map(|(m, r)| m.per_second / r.per_second).collect::<Vec<_>>(),
    );
    print(&raws, &meshes, ratio, options);
    drop(node);
    lattice.close().await;
    Ok(serde_json::json!({
        "connections": options.connections,
        "raw": raws,
        "mesh": meshes,
        "throughput_ratio": ratio,
    }))
}

async fn measure(address: SocketAddr, pid: u32, options: &Options) -> anyhow::Result<Figures> {
    let processes = [std::process::id(), pid];
    let before = cpu(&processes)?;
    let connections = usize::try_from(options.connections)?;
    let load = HttpLoad::start(address, "/", connections, |status, body| {
        let said = status == 200 && body == HELLO;
        said.then(|| "hello".to_owned()).ok_or_else(|| format!("{status}"))
    });
    tokio::time::sleep(Duration::from_millis(options.milliseconds)).await;
    let tally = load.stop().await?;
    let after = cpu(&processes)?;
    ensure!(tally.failed == 0, "requests failed: {:?}", tally.errors);
    Ok(Figures {
        per_second: tally.rate(),
        p50_us: f64::from(tally.quantile_us(0.50)),
        p99_us: f64::from(tally.quantile_us(0.99)),
        cpu_us: cpu_us(&before, &after, tally.requests as f64),
    })
}

fn print(raws: &[Figures], meshes: &[Figures], ratio: f64, options: &Options) {
    let heads = ["http", "requests/s", "p50", "p99", "load's cpu", "server's cpu"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for (name, of) in [("bare hyper", raws), ("actor", meshes)] {
        let middle =
            |field: fn(&Figures) -> f64| median(&mut of.iter().map(field).collect::<Vec<_>>());
        rows.push(vec![
            name.to_owned(),
            format!("{:.0}", middle(|f| f.per_second)),
            format!("{:.0} us", middle(|f| f.p50_us)),
            format!("{:.0} us", middle(|f| f.p99_us)),
            format!("{:.1} us", middle(|f| f.cpu_us[0])),
            format!("{:.1} us", middle(|f| f.cpu_us[1])),
        ]);
    }
    println!("{}", table(&rows));
    println!(
        "  actor / bare hyper: {ratio:.2}; medians of {} rounds of {} ms, {} connections\n",
        options.rounds, options.milliseconds, options.connections
    );
}
