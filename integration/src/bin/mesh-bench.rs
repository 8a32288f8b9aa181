//! Calls end to end against a raw NATS request/reply echo, in the same run.
//!
//! Both ends are processes of their own, as in life; the two are measured in turns, so that what
//! else the machine does strikes both. Quote the ratios: absolute figures are this machine's.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Parser, Subcommand};
use futures_util::StreamExt;
use integration::harness::{NatsServer, NodeOptions, ProcessGuard, actor_module_bytes, wait_until};
use integration::load::{Load, LoadOptions};
use integration::publisher::Publisher;
use integration::report::{median, quantile, table};
use lattice_client::{ConnectOptions, Lattice};
use tokio::task::JoinSet;

/// Subject of the raw echo.
const RAW_SUBJECT: &str = "raw.echo";
/// Lattice of the bench.
const LATTICE: &str = "bench";

/// Measures calls end to end against a raw NATS echo in the same run.
#[derive(Parser)]
struct Options {
    /// Rounds of each concurrency
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Milliseconds that each measurement takes
    #[arg(long, default_value_t = 2_000)]
    milliseconds: u64,
    /// Bytes of each payload
    #[arg(long, default_value_t = 128)]
    payload: usize,
    /// File that the figures are written to as JSON
    #[arg(long)]
    json: Option<std::path::PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Answer raw requests (the bench starts this itself)
    #[command(hide = true)]
    RawEcho { url: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.role {
        Some(Role::RawEcho { url }) => raw_echo(url).await,
        None => bench(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The raw baseline: what comes is sent back.
async fn raw_echo(url: &str) -> anyhow::Result<()> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.queue_subscribe(RAW_SUBJECT, "raw".to_owned()).await?;
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

/// Figures of one measurement.
#[derive(Clone, Copy, serde::Serialize)]
struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

fn figures(mut latencies: Vec<u32>, took: Duration) -> Figures {
    latencies.sort_unstable();
    Figures {
        per_second: latencies.len() as f64 / took.as_secs_f64(),
        p50_us: f64::from(quantile(&latencies, 0.50)),
        p99_us: f64::from(quantile(&latencies, 0.99)),
    }
}

async fn bench(options: &Options) -> anyhow::Result<()> {
    let server = NatsServer::start().await?;
    let url = server.url();
    let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
    let node = NodeOptions::new(&url, LATTICE)?.start(lattice.nats()).await?;
    let publisher = Publisher::new(&lattice, "echo").await?;
    publisher.deploy(&publisher.sign(&actor_module_bytes("echo")?, 1, &[])?, 1).await?;
    publisher.wait_until_served(1, Duration::from_secs(20)).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["raw-echo", &url]).stdin(Stdio::null());
    let raw_process = ProcessGuard::spawn("raw-echo", command)?;
    let raw = async_nats::connect(&url).await?;
    wait_until("the raw echo answers", Duration::from_secs(10), async || {
        raw.request(RAW_SUBJECT, Bytes::new()).await.is_ok()
    })
    .await?;

    let mut rows = vec![
        [
            "calls", "raw /s", "mesh /s", "ratio", "raw p50", "mesh p50", "ratio", "raw p99",
            "mesh p99",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let mut written = Vec::new();
    for concurrency in [1usize, 64] {
        let (mut raws, mut meshes) = (Vec::new(), Vec::new());
        // The first round only warms up.
        for round in 0..=options.rounds {
            let one = measure_raw(&raw, concurrency, options).await?;
            let other = measure_mesh(&lattice, &publisher, concurrency, options).await?;
            if round > 0 {
                raws.push(one);
                meshes.push(other);
            }
        }
        let middle = |of: &[Figures], field: fn(&Figures) -> f64| {
            median(&mut of.iter().map(field).collect::<Vec<_>>())
        };
        let ratio = |field: fn(&Figures) -> f64| {
            let pairs = meshes.iter().zip(&raws);
            median(&mut pairs.map(|(mesh, raw)| field(mesh) / field(raw)).collect::<Vec<_>>())
        };
        rows.push(vec![
            format!("{concurrency} at once"),
            format!("{:.0}", middle(&raws, |f| f.per_second)),
            format!("{:.0}", middle(&meshes, |f| f.per_second)),
            format!("{:.2}", ratio(|f| f.per_second)),
            format!("{:.0} us", middle(&raws, |f| f.p50_us)),
            format!("{:.0} us", middle(&meshes, |f| f.p50_us)),
            format!("{:.2}", ratio(|f| f.p50_us)),
            format!("{:.0} us", middle(&raws, |f| f.p99_us)),
            format!("{:.0} us", middle(&meshes, |f| f.p99_us)),
        ]);
        written.push(serde_json::json!({
            "concurrency": concurrency,
            "payload_bytes": options.payload,
            "raw": raws,
            "mesh": meshes,
            "throughput_ratio": ratio(|f| f.per_second),
            "p50_ratio": ratio(|f| f.p50_us),
        }));
    }
    println!("{}", table(&rows));
    println!(
        "  medians of {} rounds of {} ms each, {} B; ratios are mesh / raw, pair by pair",
        options.rounds, options.milliseconds, options.payload
    );
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&written)?)?;
    }
    drop(raw_process);
    drop(node);
    lattice.close().await;
    Ok(())
}

async fn measure_mesh(
    lattice: &Lattice,
    publisher: &Publisher,
    concurrency: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let load = LoadOptions {
        payload_bytes: options.payload,
        ..LoadOptions::new(publisher.key().clone(), concurrency)
    };
    let begun = Instant::now();
    let load = Load::start(lattice, &load);
    tokio::time::sleep(Duration::from_millis(options.milliseconds)).await;
    let tally = load.stop().await?;
    anyhow::ensure!(tally.failed == 0, "calls failed: {:?}", tally.errors);
    Ok(figures(tally.latencies_us, begun.elapsed()))
}

async fn measure_raw(
    client: &async_nats::Client,
    concurrency: usize,
    options: &Options,
) -> anyhow::Result<Figures> {
    let begun = Instant::now();
    let end = begun + Duration::from_millis(options.milliseconds);
    let mut workers = JoinSet::new();
    for number in 0..concurrency {
        let client = client.clone();
        let mut payload = format!("{number}/").into_bytes();
        payload.resize(options.payload.max(payload.len()), b'.');
        let payload = Bytes::from(payload);
        workers.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let sent = Instant::now();
                let reply = client.request(RAW_SUBJECT, payload.clone()).await?;
                anyhow::ensure!(reply.payload == payload, "the raw echo answers something else");
                latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(worker) = workers.join_next().await {
        latencies.extend(worker??);
    }
    Ok(figures(latencies, begun.elapsed()))
}
