//! Calls on a node that exports metrics and one trace in a hundred, beside one that exports nothing.

use std::sync::atomic::Ordering;

use anyhow::ensure;
use integration::bench::findings::Findings;
use integration::harness::actor_module_bytes;
use integration::testbed::Testbed;
use lattice_protocol::record::Isolation;

use super::Context;
use super::calls::{COLUMNS, RATIOS};
use super::echo::{Echo, Load, Subject, deploy};
use super::otlp::Receiver;
use super::trio::node_options;

const OFF: &str = "off";
const ON: &str = "on";
/// Share of the calls that are traced.
const TRACED: &str = "0.01";
/// How calls are made.
const CONCURRENCY: u64 = 64;
/// See [`CONCURRENCY`].
const PAYLOAD_BYTES: usize = 128;

/// Measures both.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let wasm = actor_module_bytes("echo")?;
    let (mut kept, mut subjects) = (Vec::new(), Vec::new());
    for name in [OFF, ON] {
        let mut bed = Testbed::start(name).await?;
        let mut options = node_options(&bed, context)?;
        if name == ON {
            options = options
                .env("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url)
                .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
                .env("OTEL_TRACES_SAMPLER_ARG", TRACED);
        }
        let mut node = options.start(bed.lattice().nats()).await?;
        let actor = deploy(bed.lattice(), "echo", &wasm, Isolation::PerCall, &[]).await?;
        let echo = Echo::Actor(bed.lattice().clone(), actor.key().clone());
        let processes = vec![
            ("caller", std::process::id()),
            ("server", bed.server().process()?.pid()),
            ("answerer", node.process().pid()),
        ];
        subjects.push((name.to_owned(), Subject { echo, processes }));
        // A node is dropped before its server.
        kept.push((node, bed));
    }
    let time = context.options.time();
    let load = Load { concurrency: CONCURRENCY, payload: PAYLOAD_BYTES, time };
    let measure = async |subject: &mut _| load.measure(subject).await;
    let title = format!("traces and metrics, {CONCURRENCY} at once");
    let turns = context.rounds.in_turns(title, &mut subjects, measure).await?;
    found.look("on / off: throughput", turns.ratio(ON, OFF, "per_second"));
    found.tables.push(turns.table(&COLUMNS, &RATIOS));
    found.turns.push(turns);
    for (node, _) in &mut kept {
        // What is left is exported at the end.
        node.terminate().await?;
    }
    let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    let exported = &receiver.exported;
    ensure!(of(&exported.traces) > 0, "no trace arrived at the receiver");
    ensure!(of(&exported.metrics) > 0, "no metrics arrived at the receiver");
    found.note(format!(
        "on: metrics, and {TRACED} of the calls traced, by OTLP to a receiver on this machine, which got {} requests with traces and {} with metrics, {} bytes in all",
        of(&exported.traces),
        of(&exported.metrics),
        of(&exported.bytes)
    ));
    Ok(())
}
