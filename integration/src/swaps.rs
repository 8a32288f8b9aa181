//! Revision after revision of one actor, each really other code, swapped while a load runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::harness::{actor_module_bytes, wait_until};
use crate::load::{Load, LoadOptions, Tally};
use crate::publisher::echo_with_text;
use crate::report::{quantile, table};
use crate::testbed::{SOON, Testbed};

/// How many revisions, on what, under which load.
#[derive(Clone, Copy, Debug)]
pub struct SwapOptions {
    /// Revisions that are deployed one after another, the first included.
    pub revisions: u64,
    /// Nodes that serve them.
    pub nodes: usize,
    /// Calls of the load that are under way at once.
    pub concurrency: usize,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct SwapReport {
    /// Revisions that were deployed.
    pub revisions: u64,
    /// Nodes that served them.
    pub nodes: usize,
    /// Calls of the load that were under way at once.
    pub concurrency: usize,
    /// Calls that were made.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Why, and how often.
    pub errors: BTreeMap<String, u64>,
    /// Answers of a revision older than one that the same node had answered with before.
    pub went_back: u64,
    /// Revisions that answered at least one call.
    pub revisions_seen: usize,
    /// The revision that each node says it serves at the end.
    pub last: BTreeMap<String, u64>,
    /// Attempts of calls beyond their first.
    pub retries: u64,
    /// Median latency of a call.
    pub call_p50_us: u32,
    /// Latency that one call of a hundred exceeds.
    pub call_p99_us: u32,
    /// Median time from a revision's deployment until every node has answered with it.
    pub swap_p50_ms: u32,
    /// The same of the slowest revision.
    pub swap_max_ms: u32,
    /// The whole of it.
    pub took_ms: u64,
}

impl SwapReport {
    /// Returns whether no call failed or went back, and every node ended at the last revision.
    pub fn is_clean(&self) -> bool {
        self.calls > 0
            && self.failed == 0
            && self.went_back == 0
            && self.revisions_seen as u64 == self.revisions
            && self.last.len() == self.nodes
            && self.last.values().all(|revision| *revision == self.revisions)
    }

    /// Lays the figures out for people.
    pub fn table(&self) -> String {
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let mut rows = vec![
            row("revisions", self.revisions.to_string()),
            row("nodes", self.nodes.to_string()),
            row("calls", self.calls.to_string()),
            row("failed calls", self.failed.to_string()),
            row("answers older than seen before", self.went_back.to_string()),
            row("revisions seen", self.revisions_seen.to_string()),
            row("retries", self.retries.to_string()),
            row("call, p50", format!("{} us", self.call_p50_us)),
            row("call, p99", format!("{} us", self.call_p99_us)),
            row("swap on every node, p50", format!("{} ms", self.swap_p50_ms)),
            row("swap on every node, slowest", format!("{} ms", self.swap_max_ms)),
            row("time", format!("{:.1} s", Duration::from_millis(self.took_ms).as_secs_f64())),
        ];
        rows.extend(self.errors.iter().map(|(error, count)| row(error, count.to_string())));
        rows.extend(self.last.iter().map(|(node, last)| row(node, last.to_string())));
        table(&rows)
    }
}

/// Deploys revision after revision, each when every node has answered a call with the one before.
///
/// # Errors
/// When a server or node does not start, or a revision does not reach every node in time.
pub async fn run(options: SwapOptions) -> anyhow::Result<SwapReport> {
    let echo = actor_module_bytes("echo")?;
    let bed = Testbed::start("swaps").await?;
    let mut nodes = Vec::new();
    for _ in 0..options.nodes {
        nodes.push(bed.start_node().await?);
    }
    let publisher = bed.deploy("echo", &echo_with_text(&echo, 1)?, &[]).await?;
    bed.wait_until_all_serve(&nodes.iter().collect::<Vec<_>>(), &publisher, 1).await?;

    let begun = Instant::now();
    let load =
        Load::start(bed.lattice(), &LoadOptions::new(publisher.key().clone(), options.concurrency));
    let mut swaps_ms = Vec::new();
    for revision in 1..=options.revisions {
        let signed = publisher.sign(&echo_with_text(&echo, revision)?, revision, &[])?;
        let deployed = Instant::now();
        publisher.deploy(&signed, revision).await?;
        let what = format!("every node to answer with revision {revision}");
        wait_until(&what, SOON, async || {
            let seen = load.seen();
            seen.len() == options.nodes && seen.values().all(|newest| *newest == revision)
        })
        .await?;
        swaps_ms.push(u32::try_from(deployed.elapsed().as_millis()).unwrap_or(u32::MAX));
    }
    let tally = load.stop().await?;
    let took = begun.elapsed();
    let mut last = BTreeMap::new();
    for node in &nodes {
        let served = bed.inventory(node.key()).await?.heartbeat.actors;
        let actor = served.into_iter().find(|actor| actor.key == *publisher.key());
        last.insert(node.key().to_string(), actor.map_or(0, |actor| actor.revision));
    }
    let report = report(options, tally, swaps_ms, last, took);
    if !report.is_clean() {
        for node in &mut nodes {
            eprintln!("{}", node.process().log_tail());
        }
    }
    Ok(report)
}

fn report(
    options: SwapOptions,
    tally: Tally,
    mut swaps_ms: Vec<u32>,
    last: BTreeMap<String, u64>,
    took: Duration,
) -> SwapReport {
    swaps_ms.sort_unstable();
    SwapReport {
        revisions: options.revisions,
        nodes: options.nodes,
        concurrency: options.concurrency,
        calls: tally.calls,
        failed: tally.failed,
        went_back: tally.went_back,
        revisions_seen: tally.revisions.len(),
        last,
        retries: tally.retries,
        call_p50_us: tally.quantile_us(0.50),
        call_p99_us: tally.quantile_us(0.99),
        swap_p50_ms: quantile(&swaps_ms, 0.50),
        swap_max_ms: quantile(&swaps_ms, 1.0),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        errors: tally.errors,
    }
}
