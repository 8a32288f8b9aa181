//! Calls end to end against a raw NATS request/reply echo, in the same run.
//!
//! Both ends are processes of their own, as in life; the two are measured in turns, so that what
//! else the machine does strikes both. Quote the ratios: absolute figures are this machine's. The
//! processor time that each process spends on a call is less at the mercy of the machine, and tells
//! where the time goes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Options, cpu, cpu_us};
use anyhow::ensure;
use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use integration::harness::{NatsServer, NodeOptions, ProcessGuard, actor_module_bytes, wait_until};
use integration::publisher::Publisher;
use integration::report::{median, quantile, table};
use lattice_client::{Call, ConnectOptions, Lattice};
use lattice_protocol::keys::ActorKey;
use serde::Serialize;
use tokio::task::JoinSet;

/// Subject of the raw echo.
const RAW_SUBJECT: &str = "raw.echo";
/// Lattice of the bench.
const LATTICE: &str = "bench";

/// The raw baseline: what comes is sent back, until the process ends.
pub async fn raw_echo(url: &str) -> anyhow::Result<()> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.queue_subscribe(RAW_SUBJECT, "raw".to_owned()).await?;
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

/// Figures of one measurement; the times are microseconds.
#[derive(Clone, Copy, Serialize)]
struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Processor time per call of the caller, the NATS server and who answers.
    cpu_us: [f64; 3],
}

/// Who echoes.
#[derive(Clone)]
enum Echo {
    Raw(Client),
    Mesh(Lattice, ActorKey),
}

impl Echo {
    async fn call(&self, payload: Bytes) -> anyhow::Result<Bytes> {
        match self {
            Self::Raw(client) => Ok(client.request(RAW_SUBJECT, payload).await?.payload),
            Self::Mesh(lattice, actor) => {
                Ok(lattice.call(Call::new(actor.clone(), "echo", payload)).await?.payload)
            }
        }
    }
}

/// An echo, and the processes that take part in a call of it.
struct Subject {
    echo: Echo,
    processes: [u32; 3],
}

/// Measures in turns, prints the tables and returns the figures.
pub(super) async fn run(options: &Options) -> anyhow::Result<serde_json::Value> {
    let mut server = NatsServer::start().await?;
    let url = server.url();
    let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
    let mut node = NodeOptions::new(&url, LATTICE)?.start(lattice.nats()).await?;
    let publisher = Publisher::new(&lattice, "echo").await?;
    publisher.deploy(&publisher.sign(&actor_module_bytes("echo")?, 1, &[])?, 1).await?;
    publisher.wait_until_served(1, Duration::from_secs(20)).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["raw-echo", &url]).stdin(Stdio::null());
    let raw_process = ProcessGuard::spawn("raw-echo", command)?;
    let client = async_nats::connect(&url).await?;
    wait_until("the raw echo answers", Duration::from_secs(10), async || {
        client.request(RAW_SUBJECT, Bytes::new()).await.is_ok()
    })
    .await?;
    let (caller, broker) = (std::process::id(), server.process()?.pid());
    let raw = Subject { echo: Echo::Raw(client), processes: [caller, broker, raw_process.pid()] };
    let mesh = Subject {
        echo: Echo::Mesh(lattice.clone(), publisher.key().clone()),
        processes: [caller, broker, node.process().pid()],
    };

    let mut pairs = Vec::new();
    for &concurrency in &options.concurrency {
        let (mut raws, mut meshes) = (Vec::new(), Vec::new());
        // The first round only warms up.
        for round in 0..=options.rounds {
            let one = measure(&raw, concurrency, options).await?;
            let other = measure(&mesh, concurrency, options).await?;
            if round > 0 {
                raws.push(one);
                meshes.push(other);
            }
        }
        pairs.push(Pair { concurrency, raw: raws, mesh: meshes });
    }
    print(&pairs, options);
    let written: Vec<_> = pairs.iter().map(|pair| pair.json(options.payload)).collect();
    drop(raw_process);
    drop(node);
    lattice.close().await;
    Ok(serde_json::json!(written))
}

/// Calls `subject` from `concurrency` callers for as long as `options` say.
async fn measure(
    subject: &Subject,
    concurrency: u64,
    options: &Options,
) -> anyhow::Result<Figures> {
    let before = cpu(&subject.processes)?;
    let begun = Instant::now();
    let end = begun + Duration::from_millis(options.milliseconds);
    let mut callers = JoinSet::new();
    for number in 0..concurrency {
        let echo = subject.echo.clone();
        let mut payload = format!("{number}/").into_bytes();
        payload.resize(options.payload.max(payload.len()), b'.');
        let payload = Bytes::from(payload);
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < end {
                let sent = Instant::now();
                let answer = echo.call(payload.clone()).await?;
                ensure!(answer == payload, "the answer is not what was sent");
                latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(caller) = callers.join_next().await {
        latencies.extend(caller??);
    }
    let took = begun.elapsed();
    let after = cpu(&subject.processes)?;
    latencies.sort_unstable();
    let calls = latencies.len() as f64;
    Ok(Figures {
        per_second: calls / took.as_secs_f64(),
        p50_us: f64::from(quantile(&latencies, 0.50)),
        p99_us: f64::from(quantile(&latencies, 0.99)),
        cpu_us: cpu_us(&before, &after, calls),
    })
}

/// The measurements of one concurrency, taken in turns.
struct Pair {
    concurrency: u64,
    raw: Vec<Figures>,
    mesh: Vec<Figures>,
}

fn middle(of: &[Figures], field: impl Fn(&Figures) -> f64) -> f64 {
    median(&mut of.iter().map(field).collect::<Vec<_>>())
}

impl Pair {
    /// Returns the median of mesh / raw, pair by pair.
    fn ratio(&self, field: impl Fn(&Figures) -> f64) -> f64 {
        let pairs = self.mesh.iter().zip(&self.raw);
        median(&mut pairs.map(|(mesh, raw)| field(mesh) / field(raw)).collect::<Vec<_>>())
    }

    fn json(&self, payload: usize) -> serde_json::Value {
        serde_json::json!({
            "concurrency": self.concurrency,
            "payload_bytes": payload,
            "raw": self.raw,
            "mesh": self.mesh,
            "throughput_ratio": self.ratio(|f| f.per_second),
            "p50_ratio": self.ratio(|f| f.p50_us),
        })
    }
}

fn print(pairs: &[Pair], options: &Options) {
    let heads = |heads: &[&str]| heads.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut calls = vec![heads(&[
        "calls", "raw /s", "mesh /s", "ratio", "raw p50", "mesh p50", "ratio", "raw p99",
        "mesh p99",
    ])];
    let mut cpu = vec![heads(&["processor time a call", "caller", "server", "answerer", "in all"])];
    for pair in pairs {
        let us =
            |of: &[Figures], field: fn(&Figures) -> f64| format!("{:.0} us", middle(of, field));
        calls.push(vec![
            format!("{} at once", pair.concurrency),
            format!("{:.0}", middle(&pair.raw, |f| f.per_second)),
            format!("{:.0}", middle(&pair.mesh, |f| f.per_second)),
            format!("{:.2}", pair.ratio(|f| f.per_second)),
            us(&pair.raw, |f| f.p50_us),
            us(&pair.mesh, |f| f.p50_us),
            format!("{:.2}", pair.ratio(|f| f.p50_us)),
            us(&pair.raw, |f| f.p99_us),
            us(&pair.mesh, |f| f.p99_us),
        ]);
        for (name, figures) in [("raw", &pair.raw), ("mesh", &pair.mesh)] {
            let of = |field: &dyn Fn(&Figures) -> f64| format!("{:.1} us", middle(figures, field));
            cpu.push(vec![
                format!("{name}, {} at once", pair.concurrency),
                of(&|f| f.cpu_us[0]),
                of(&|f| f.cpu_us[1]),
                of(&|f| f.cpu_us[2]),
                of(&|f| f.cpu_us.iter().sum()),
            ]);
        }
    }
    println!("{}\n{}", table(&calls), table(&cpu));
    println!(
        "  medians of {} rounds of {} ms each, {} B; ratios are mesh / raw, pair by pair",
        options.rounds, options.milliseconds, options.payload
    );
}
