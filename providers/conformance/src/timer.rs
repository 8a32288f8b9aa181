//! `mesh:timer`.
//!
//! The provider calls the actor: the suite opens links in a [`Lab`] and listens with a
//! [`Recorder`]. Where several processes run the provider, each tick must come once all the same.

use std::time::Duration;

use lattice_protocol::contract::timer::{Tick, operation};
use lattice_protocol::names::LinkName;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::Config;

use crate::checks::{fails, same, some, unique};
use crate::{Heard, Lab, Link, Reaction, Recorder, Report};

/// How late a tick may come on a machine that has much else to do.
const LATE_MAX_MS: u64 = 2_000;
/// How long another process may take to notice that the one that ticks is gone.
const TAKEOVER_MAX: Duration = Duration::from_secs(30);

/// Examines a provider; takes about half a minute.
pub async fn suite(lab: &dyn Lab, actor: &Recorder) -> Report {
    let mut report = Report::default();
    report.check("each tick comes once, at its time", ticks(lab, actor)).await;
    report.check("what a busy actor left out is counted", busy(lab, actor)).await;
    report.check("a tick that did not start comes again", again(lab, actor)).await;
    report.check("a tick of which nobody heard again comes again", unknown(lab, actor)).await;
    report.check("an error of the actor is not tried again", failing(lab, actor)).await;
    report.check("a link that is closed ticks no more", closing(lab, actor)).await;
    report.check("what was due while no provider ran is made up for", absent(lab, actor)).await;
    report.check("a link without one schedule is refused", refused(lab)).await;
    report.check("there is nothing to ask", nothing_to_ask(lab)).await;
    report
}

/// Examines what becomes of a tick whose process dies: `lab` must be able to end the one that calls,
/// and another one must be there. It can't be used for anything else afterwards.
pub async fn takeover_suite(lab: &dyn Lab, actor: &Recorder) -> Report {
    let mut report = Report::default();
    report.check("another process takes over a tick", takeover(lab, actor)).await;
    report
}

fn name(of: &str) -> Result<LinkName, String> {
    unique(of).parse().map_err(|error| format!("{error}"))
}

async fn open(lab: &dyn Lab, name: &LinkName, setting: (&str, &str)) -> Result<Link, String> {
    let opened = lab.open(name, Config::of([setting])).await;
    opened.map_err(|error| format!("the link does not open: {error}"))
}

fn read(heard: &[Heard]) -> Result<Vec<Tick>, String> {
    heard
        .iter()
        .map(|one| {
            same("the operation", one.operation.as_str(), operation::TICK)?;
            one.read()
        })
        .collect()
}

/// Checks that ticks follow from one another: none twice, each that was left out counted.
fn follow(ticks: &[Tick], interval: u64) -> Result<(), String> {
    for pair in ticks.windows(2) {
        let [before, after] = pair else { continue };
        let due = before.due_at_ms + (after.missed + 1) * interval;
        same(&format!("what follows {before:?}"), after.due_at_ms, due)?;
    }
    Ok(())
}

async fn ticks(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("ticks")?;
    actor.react(&name, |_| Reaction::now(Ok(bytes::Bytes::new())));
    open(lab, &name, ("interval_ms", "200")).await?;
    let heard = actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 20).await;
    lab.close(&name).await;
    let heard = heard?;
    let ticks = read(&heard)?;
    follow(&ticks, 200)?;
    for (heard, tick) in heard.iter().zip(&ticks) {
        same("what is no multiple of the interval", tick.due_at_ms % 200, 0)?;
        same("the link", tick.link.as_str(), name.as_str())?;
        if heard.at_ms < tick.due_at_ms || heard.at_ms > tick.due_at_ms + LATE_MAX_MS {
            return Err(format!("what was due at {} came at {}", tick.due_at_ms, heard.at_ms));
        }
    }
    Ok(())
}

async fn busy(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("busy")?;
    let busy = Duration::from_millis(900);
    actor.react(&name, move |_| Reaction::now(Ok(bytes::Bytes::new())).after(busy));
    open(lab, &name, ("interval_ms", "200")).await?;
    let heard = actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 4).await;
    lab.close(&name).await;
    let ticks = read(&heard?)?;
    follow(&ticks, 200)?;
    match ticks.iter().skip(1).all(|tick| tick.missed >= 3) {
        true => Ok(()),
        false => Err(format!("an actor that takes 900 ms gets {ticks:?}")),
    }
}

fn not_started() -> Error {
    Error::not_started(ErrorCode::Busy, "a suite says so")
}

async fn unknown(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("unknown")?;
    let gone = Error::started(ErrorCode::NotFound, "a suite says so");
    actor.react(&name, move |heard| match heard.before {
        0 | 1 => Reaction::now(Err(gone.clone())),
        _ => Reaction::now(Ok(bytes::Bytes::new())),
    });
    open(lab, &name, ("interval_ms", "5000")).await?;
    let heard = actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 4).await;
    lab.close(&name).await;
    let ticks = read(&heard?)?;
    let due: Vec<u64> = ticks.iter().take(4).map(|tick| tick.due_at_ms).collect();
    let first = some("the first tick", due.first().copied())?;
    same("what came", due, vec![first, first, first, first + 5_000])
}

async fn again(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("again")?;
    actor.react(&name, |heard| match heard.before {
        0 | 1 => Reaction::now(Err(not_started())),
        _ => Reaction::now(Ok(bytes::Bytes::new())),
    });
    open(lab, &name, ("interval_ms", "5000")).await?;
    let heard = actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 4).await;
    lab.close(&name).await;
    let ticks = read(&heard?)?;
    let due: Vec<u64> = ticks.iter().take(4).map(|tick| tick.due_at_ms).collect();
    let first = some("the first tick", due.first().copied())?;
    same("what came", due, vec![first, first, first, first + 5_000])?;
    same("what was left out", ticks.iter().map(|tick| tick.missed).sum::<u64>(), 0)
}

async fn failing(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("failing")?;
    let error = Error::started(ErrorCode::ActorError, "a suite says so");
    actor.react(&name, move |_| Reaction::now(Err(error.clone())));
    open(lab, &name, ("interval_ms", "400")).await?;
    let heard = actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 4).await;
    lab.close(&name).await;
    follow(&read(&heard?)?, 400)
}

async fn closing(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("closing")?;
    actor.react(&name, |_| Reaction::now(Ok(bytes::Bytes::new())));
    open(lab, &name, ("interval_ms", "100")).await?;
    actor.until(&name, Duration::from_secs(20), |heard| heard.len() >= 2).await?;
    lab.close(&name).await;
    let count = actor.heard(&name).len();
    let more = actor.until(&name, Duration::from_secs(1), |heard| heard.len() > count).await;
    same("whether more came", more.is_ok(), false)
}

/// Closes a link for a while and opens it again: the schedule went on meanwhile.
async fn absent(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("absent")?;
    actor.react(&name, |_| Reaction::now(Ok(bytes::Bytes::new())));
    open(lab, &name, ("interval_ms", "500")).await?;
    actor.until(&name, Duration::from_secs(20), |heard| !heard.is_empty()).await?;
    lab.close(&name).await;
    let before = actor.heard(&name).len();
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    open(lab, &name, ("interval_ms", "500")).await?;
    let bound = Duration::from_secs(20);
    let heard = actor.until(&name, bound, |heard| heard.len() >= before + 2).await;
    lab.close(&name).await;
    let ticks = read(&heard?)?;
    follow(&ticks, 500)?;
    let missed = ticks.get(before).map_or(0, |tick| tick.missed);
    same("whether those of 2600 ms were counted", missed >= 3, true)
}

async fn refused(lab: &dyn Lab) -> Result<(), String> {
    for config in [
        &[][..],
        &[("interval_ms", "200"), ("cron", "* * * * *")],
        &[("interval_ms", "99")],
        &[("interval_ms", "31536000001")],
        &[("interval_ms", "soon")],
        &[("cron", "* * * *")],
        &[("cron", "0 0 30 2 *")],
        &[("interval_ms", "200"), ("colour", "red")],
    ] {
        let name = name("refused")?;
        let opened = lab.open(&name, Config::of(config.iter().copied())).await;
        if opened.is_ok() {
            lab.close(&name).await;
        }
        fails(&format!("a link with {config:?}"), opened.map(drop), &[ErrorCode::BadRequest])?;
    }
    let name = name("cron")?;
    open(lab, &name, ("cron", "*/5 8-18 * * 1-5")).await?;
    lab.close(&name).await;
    Ok(())
}

async fn nothing_to_ask(lab: &dyn Lab) -> Result<(), String> {
    let name = name("asked")?;
    let link = open(lab, &name, ("interval_ms", "60000")).await?;
    let asked = link.raw(operation::TICK, &b"\x80"[..]).await;
    lab.close(&name).await;
    fails("a question to a timer", asked, &[ErrorCode::BadRequest]).map(drop)
}

/// Ends the process that ticks while it does: the same tick must come by another one.
async fn takeover(lab: &dyn Lab, actor: &Recorder) -> Result<(), String> {
    let name = name("takeover")?;
    actor.react(&name, |heard| {
        let time = if heard.before == 0 { TAKEOVER_MAX * 2 } else { Duration::ZERO };
        Reaction::now(Ok(bytes::Bytes::new())).after(time)
    });
    open(lab, &name, ("interval_ms", "15000")).await?;
    let first = actor.until(&name, Duration::from_secs(20), |heard| !heard.is_empty()).await?;
    let instance = first.first().and_then(|heard| heard.instance);
    if !instance.is_some_and(|instance| lab.kill(instance)) {
        lab.close(&name).await;
        return Err("the process that ticks can't be ended here".into());
    }
    let heard = actor.until(&name, TAKEOVER_MAX, |heard| heard.len() >= 2).await;
    lab.close(&name).await;
    let heard = heard?;
    let ticks = read(&heard)?;
    let [first, second, ..] = ticks.as_slice() else { return Err("it does not come".into()) };
    same("the tick that came again", second.due_at_ms, first.due_at_ms)?;
    match heard.get(1).and_then(|one| one.instance) == instance {
        true => Err("the process that was killed ticks".into()),
        false => Ok(()),
    }
}
