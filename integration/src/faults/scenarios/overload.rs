//! More calls than a node can run: what it can run it must go on running, and the rest must be
//! told at once.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use lattice_protocol::ErrorCode;
use tokio::task::JoinSet;

use crate::faults::ledger::{CallRecord, Ledger, Outcome, Rule, judge};
use crate::faults::load::call_once;
use crate::faults::phases::Latency;
use crate::faults::report::Row;
use crate::faults::{Bed, BedOptions, Context, Mix, Network, Plan, limits};
use crate::processor;
use crate::report::quantile;

/// How long each rate is held, in minutes.
const HELD_MIN: f64 = 2.0;
/// Longest time for which what they are compared with is measured.
const COMPARED_MAX: Duration = Duration::from_secs(30);
/// Load, as multiples of the peak.
const FACTORS: [f64; 2] = [2.0, 5.0];
/// Processor time that one call takes.
const WORK: Duration = Duration::from_millis(1);
/// Callers of the closed loop that finds the peak: enough that one call always waits, few enough that none is
/// refused.
const CALLERS: usize = 4;
/// How far the peaks before and after may lie apart, as a part of the greater, for the load between them to be
/// judged by them.
const PEAKS_APART_MAX: f64 = 0.25;
/// Part of the peak at which latencies count as quiet.
const QUIET_SHARE: f64 = 0.3;
const GOODPUT_MIN: f64 = 0.9;
const P99_FACTOR: f64 = 3.0;
const REJECTION_MS: f64 = 10.0;
/// Time of each call.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn run(context: Context) -> anyhow::Result<Vec<Row>> {
    let options = BedOptions { nodes: 1, network: Network::Straight };
    let mut bed = Bed::start("overload", options).await?;
    let apart = Apart::begin(&mut bed)?;
    renew(&mut bed, &apart).await?;
    let steps = steps_for(&mut bed).await?;
    let held = context.time(HELD_MIN);
    let compared = held.min(COMPARED_MAX);
    let mut before = peak(&bed, steps, compared).await?;
    (context.say)(&format!("overload: {steps} steps a call, peak {before:.0} calls/s"));
    let plan = |name: &str, rate_per_s| Plan {
        steps,
        rate_per_s,
        unwritten: true,
        once: true,
        timeout: CALL_TIMEOUT,
        ..Plan::new(context.seed_of(name), Mix::Plain)
    };
    let quiet =
        hold(&context, &bed, plan("overload quiet", before * QUIET_SHARE), compared).await?;
    let quiet = Latency::of(&quiet.calls, 0, u64::MAX);
    let mut rows = Vec::new();
    for factor in FACTORS {
        if context.stopped() {
            break;
        }
        let name = format!("overload, {factor} × peak");
        let begun = Instant::now();
        let seen = hold(&context, &bed, plan(&name, before * factor), held).await?;
        let took = begun.elapsed().min(held);
        let interrupted = context.stopped();
        // A machine that others use too is not always as fast: what was its peak before and after counts.
        let after = match interrupted {
            true => Ok(before),
            false => peak_of_fresh(&mut bed, &apart, steps, compared).await,
        };
        let after = match after {
            Ok(after) => after,
            Err(error) => {
                rows.push(Row::broken(&name, &error));
                break;
            }
        };
        let mut row = row(&name, &seen.calls, [before, after], quiet, took);
        before = after;
        row.held_back = seen.held_back;
        row.interrupted = interrupted;
        (context.say)(&format!("{name}: {} calls", row.calls));
        rows.push(row);
    }
    bed.close().await?;
    Ok(rows)
}

fn row(name: &str, calls: &[CallRecord], peaks: [f64; 2], quiet: Latency, took: Duration) -> Row {
    let rejected = |call: &CallRecord| {
        matches!(&call.outcome, Outcome::Failed { code: ErrorCode::Busy, started: false, .. })
    };
    let ledger = Ledger { calls, executions: None, answered_twice: &[] };
    let verdict = judge(&ledger, &Rule { may_fail: &rejected, ..Rule::STRICT });
    let (answered, excused) = (verdict.answered, verdict.excused);
    let mut row = Row::new(name, verdict);
    row.rounds = (1, 1);
    row.quiet = quiet;
    row.fault = Latency::of(calls, 0, u64::MAX);
    let goodput = answered as f64 / took.as_secs_f64().max(f64::EPSILON);
    let mut told_us: Vec<u32> = calls
        .iter()
        .filter(|call| rejected(call))
        .map(|call| u32::try_from(call.done_us - call.sent_us).unwrap_or(u32::MAX))
        .collect();
    told_us.sort_unstable();
    let told_ms = f64::from(quantile(&told_us, 0.99)) / 1e3;
    let [before, after] = peaks;
    let peak = f64::midpoint(before, after);
    row.figure("peak before (calls/s)", before);
    row.figure("peak after (calls/s)", after);
    row.figure("goodput (calls/s)", goodput);
    row.figure("rejected (calls)", excused as f64);
    row.figure("rejection, p50 (ms)", f64::from(quantile(&told_us, 0.5)) / 1e3);
    let share = goodput / peak.max(1.0);
    let apart = (before - after).abs() / before.max(after).max(1.0);
    row.check(
        format!(
            "goodput can be judged: the peaks before and after at most {PEAKS_APART_MAX} apart"
        ),
        format!("{apart:.2}"),
        apart <= PEAKS_APART_MAX,
    );
    row.check(
        format!("goodput at least {GOODPUT_MIN} of the peak"),
        format!("{share:.2}"),
        share >= GOODPUT_MIN,
    );
    let slower = f64::from(row.fault.p99_us) / f64::from(quiet.p99_us.max(1));
    row.check(
        format!("p99 of what is accepted at most {P99_FACTOR} × quiet"),
        format!("{slower:.1} ×"),
        slower <= P99_FACTOR,
    );
    row.check(
        format!("rejections (p99) within {REJECTION_MS} ms"),
        format!("{told_ms:.1} ms of {}", told_us.len()),
        told_ms <= REJECTION_MS,
    );
    row
}

/// Returns the peak of a fresh node.
async fn peak_of_fresh(
    bed: &mut Bed,
    apart: &Apart,
    steps: u32,
    held: Duration,
) -> anyhow::Result<f64> {
    renew(bed, apart).await?;
    peak(bed, steps, held).await
}

/// Puts a fresh node in the place of one that may still work on what nobody waits for any more.
async fn renew(bed: &mut Bed, apart: &Apart) -> anyhow::Result<()> {
    for mut before in std::mem::take(&mut bed.members) {
        before.node.process().kill()?;
    }
    // A process has the processors of whoever starts it, and as many threads as these.
    pin(std::process::id(), NODES_CPU)?;
    let next = bed.start_member(0).await;
    pin(std::process::id(), &apart.rest)?;
    let next = next?;
    bed.wait_until_serves(&next).await?;
    bed.members.push(next);
    Ok(())
}

/// The processor that the node has for itself.
const NODES_CPU: &str = "0";

/// Gives nodes that are started one processor for themselves, and all others the rest, until dropped: what makes
/// the load must not take from what is measured.
struct Apart {
    rest: String,
}

impl Apart {
    fn begin(bed: &mut Bed) -> anyhow::Result<Self> {
        let cpus = cpus()?;
        ensure!(cpus >= 2, "a node and its load need a processor each");
        let apart = Self { rest: format!("1-{}", cpus - 1) };
        for pid in bed.server_pids()?.into_iter().chain([std::process::id()]) {
            pin(pid, &apart.rest)?;
        }
        Ok(apart)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // What follows in this process has every processor again.
        let all = cpus().map(|cpus| format!("0-{}", cpus.saturating_sub(1)));
        if let Err(error) = all.and_then(|all| pin(std::process::id(), &all)) {
            eprintln!("this process keeps fewer processors: {error:#}");
        }
    }
}

fn pin(pid: u32, cpus: &str) -> anyhow::Result<()> {
    let mut pin = Command::new("taskset");
    pin.args(["--all-tasks", "--cpu-list", "--pid", cpus, &pid.to_string()]);
    let output = pin.output().context("taskset (util-linux) is needed")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Returns the processors of this machine, whichever this process may use now.
fn cpus() -> anyhow::Result<usize> {
    let text = std::fs::read_to_string("/proc/cpuinfo")?;
    Ok(text.lines().filter(|line| line.starts_with("processor")).count())
}

/// Finds how many steps take [`WORK`] of the node's processor time, whatever else the machine does.
async fn steps_for(bed: &mut Bed) -> anyhow::Result<u32> {
    const STEPS: u32 = 2_000_000;
    const CALLS: u32 = 200;
    let node = bed.members.first_mut().context("there is no node")?.node.process().pid();
    let before = processor::used(node)?;
    for _ in 0..CALLS {
        bed.enter(STEPS).await?;
    }
    let used = processor::used(node)?.saturating_sub(before);
    let steps = f64::from(STEPS) * f64::from(CALLS) * WORK.as_secs_f64() / used.as_secs_f64();
    Ok(steps.clamp(1.0, f64::from(STEPS)) as u32)
}

/// Returns the calls a second of a few callers who each wait for their answers, by single requests: how a
/// client holds calls back has no part in it.
async fn peak(bed: &Bed, steps: u32, held: Duration) -> anyhow::Result<f64> {
    let end = Instant::now() + held;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let call = bed.entering(steps);
        let lattice = bed.caller().clone();
        callers.spawn(async move {
            let mut answered = 0u64;
            while Instant::now() < end {
                match call_once(&lattice, &call).await {
                    Ok(_) => answered += 1,
                    Err(error) if error.code == ErrorCode::Busy => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(answered)
        });
    }
    let begun = Instant::now();
    let mut answered = 0;
    while let Some(count) = callers.join_next().await {
        answered += count??;
    }
    Ok(answered as f64 / begun.elapsed().as_secs_f64())
}

async fn hold(
    context: &Context,
    bed: &Bed,
    plan: Plan,
    held: Duration,
) -> anyhow::Result<crate::faults::Recorded> {
    let load = bed.load(plan);
    context.pause(held).await;
    let recorded = load.stop().await?;
    // What was accepted late must not weigh on what is measured next.
    tokio::time::sleep(Duration::from_millis(limits::LATE_REPLIES_MS)).await;
    Ok(recorded)
}
