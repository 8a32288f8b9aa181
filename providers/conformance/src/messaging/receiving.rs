//! What comes to an actor from a source that is not durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use lattice_protocol::contract::messaging::{Acknowledgement, Verdict};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::Config;

use super::desk::{BOUND, Desk, QUIET, ack, bodies, deliveries, next, nothing, numbered, token};
use crate::checks::{fails, same, same_bytes, some};
use crate::{Reaction, Report};

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report.check("a message is delivered with all that it has", delivered(desk)).await;
    report.check("the answer of an actor goes to whoever asked", answered(desk)).await;
    report
        .check("a message that is not durable comes once, whatever becomes of it", once(desk))
        .await;
    report.check("no more deliveries run at once than the link says", at_once(desk)).await;
    report.check("what was received before a link is closed is delivered", closing(desk)).await;
    report.check("settings that make no sense are refused", settings(desk)).await;
}

async fn delivered(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("delivered")?;
    desk.actor.react(&name, ack);
    let subjects = format!("suite.{name}.one, suite.{name}.*.two, suite.{name}.all.>");
    desk.open(&name, &[("subjects", &subjects)]).await?;
    let mut headers = HeaderMap::new();
    headers.append("X-One", "1");
    headers.append("X-One", "2");
    headers.insert("Nats-Msg-Id", "id-1");
    let first = format!("suite.{name}.one");
    desk.publish(&first, Some(headers), vec![7; 70_000]).await?;
    for subject in ["a.two", "all.a.b"] {
        desk.publish(&format!("suite.{name}.{subject}"), None, "").await?;
    }
    for subject in ["two", "one.more", "all"] {
        desk.publish(&format!("suite.{name}.{subject}"), None, "").await?;
    }
    let heard = desk.actor.until(&name, BOUND, |heard| heard.len() >= 3).await?;
    let more = desk.actor.until(&name, QUIET, |heard| heard.len() > 3).await;
    desk.close(&name).await;
    same("whether what nobody asked for came", more.is_ok(), false)?;
    let deliveries = deliveries(&heard)?;
    let of = |subject: &str| deliveries.iter().find(|one| one.message.subject == subject);
    let one = some("the first message", of(&first))?;
    same_bytes("its body", &one.message.body, &[7; 70_000])?;
    same("its identity", one.message.id.as_deref(), Some("id-1"))?;
    let values: Vec<&[u8]> = one.message.headers.all("X-One").collect();
    same("its headers", values, vec![&b"1"[..], b"2"])?;
    same("its attempt", (one.attempt, one.durable), (1, false))?;
    some("what a wildcard takes", of(&format!("suite.{name}.a.two")))?;
    some("what another takes", of(&format!("suite.{name}.all.a.b"))).map(drop)
}

async fn answered(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("answered")?;
    desk.actor.react(&name, |_| {
        let reply = Some(b"done".to_vec().into());
        Reaction::message(&Acknowledgement { reply, ..Acknowledgement::default() })
    });
    let subject = format!("suite.{name}.ask");
    desk.open(&name, &[("subjects", &subject)]).await?;
    let answers = format!("suite.{name}.answers");
    let mut listener = desk.subscribe(&answers).await?;
    let nats = desk.lattice.nats();
    let asked = nats.publish_with_reply(subject.clone(), answers, "".into()).await;
    asked.map_err(|error| error.to_string())?;
    same_bytes("the answer", &next(&mut listener).await?.payload, b"done")?;
    // Nobody makes a provider speak to the mesh.
    let forbidden = format!("mesh.{}.suite.{name}", desk.lattice.name());
    let mut mesh = desk.subscribe(&forbidden).await?;
    let asked = nats.publish_with_reply(subject, forbidden, "".into()).await;
    asked.map_err(|error| error.to_string())?;
    desk.actor.until(&name, BOUND, |heard| heard.len() >= 2).await?;
    let silent = nothing(&mut mesh).await;
    desk.close(&name).await;
    silent
}

async fn once(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("once")?;
    let verdict = |verdict| Reaction::message(&Acknowledgement { verdict, ..Default::default() });
    desk.actor.react(&name, move |heard| match heard.before {
        0 => verdict(Verdict::Retry),
        1 => verdict(Verdict::Reject),
        2 => Reaction::now(Err(Error::started(ErrorCode::ActorError, "a suite says so"))),
        _ => Reaction::now(Ok(bytes::Bytes::from_static(b"\x01"))),
    });
    let subject = format!("suite.{name}");
    desk.open(&name, &[("subjects", &subject)]).await?;
    desk.publish_many(&subject, 4).await?;
    let heard = desk.actor.until(&name, BOUND, |heard| heard.len() >= 4).await?;
    let more = desk.actor.until(&name, QUIET, |heard| heard.len() > 4).await;
    desk.close(&name).await;
    same("whether one came again", more.is_ok(), false)?;
    same("what came", bodies(&heard)?, numbered(4))
}

async fn at_once(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("at-once")?;
    desk.actor.react(&name, |heard| ack(heard).after(Duration::from_millis(60)));
    let subject = format!("suite.{name}");
    desk.open(&name, &[("subjects", &subject), ("concurrency", "2")]).await?;
    desk.publish_many(&subject, 24).await?;
    let heard = desk.actor.until(&name, BOUND, |heard| heard.len() >= 24).await;
    desk.close(&name).await;
    let heard = heard?;
    // Two at once in each process: so many can't begin within one delivery's time.
    let most = Arc::new(AtomicUsize::new(0));
    for one in &heard {
        let same_process = heard.iter().filter(|other| other.instance == one.instance);
        let within = |other: &&crate::Heard| (one.at_ms..one.at_ms + 50).contains(&other.at_ms);
        most.fetch_max(same_process.filter(within).count(), Ordering::Relaxed);
    }
    let most = most.load(Ordering::Relaxed);
    match most <= 2 || heard.iter().any(|one| one.instance.is_none()) {
        true => Ok(()),
        false => Err(format!("{most} deliveries ran at once")),
    }
}

async fn closing(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("closing")?;
    desk.actor.react(&name, |heard| ack(heard).after(Duration::from_millis(20)));
    let subject = format!("suite.{name}");
    desk.open(&name, &[("subjects", &subject), ("concurrency", "8")]).await?;
    desk.publish_many(&subject, 300).await?;
    desk.actor.until(&name, BOUND, |heard| !heard.is_empty()).await?;
    desk.close(&name).await;
    let heard = desk.actor.heard(&name);
    same("how many came before it was closed", heard.len(), 300)?;
    same("what came", bodies(&heard)?, numbered(300))?;
    desk.publish_many(&subject, 5).await?;
    let more = desk.actor.until(&name, QUIET, |heard| heard.len() > 300).await;
    same("whether more came afterwards", more.is_ok(), false)
}

async fn settings(desk: &Desk<'_>) -> Result<(), String> {
    let durable = ("durable", "true");
    for config in [
        &[("subjects", ">")][..],
        &[("subjects", "*.a")],
        &[("subjects", "mesh.default.>")],
        &[("subjects", "$JS.>")],
        &[("subjects", "suite.a.>.b")],
        &[("subjects", "suite..a")],
        &[("publish", "mesh.>")],
        &[("colour", "red")],
        &[("subjects", "suite.a"), ("concurrency", "0")],
        &[("subjects", "suite.a"), ("timeout_ms", "soon")],
        &[("subjects", "suite.a"), ("dead_letter", "suite.dead")],
        &[("subjects", "suite.a"), durable],
        &[("stream", "suite-none"), durable],
        &[("subjects", "suite.a"), ("stream", "a.b"), durable],
        &[("subjects", "suite.a"), ("stream", "suite-none"), ("max_deliver", "0"), durable],
        &[("subjects", "suite.a"), ("stream", "suite-none"), ("backoff_ms", "soon"), durable],
        &[
            ("subjects", "suite.a.>"),
            ("stream", "suite-none"),
            ("dead_letter", "suite.a.b"),
            durable,
        ],
    ] {
        let name = token("settings")?;
        let opened = desk.lab.open(&name, Config::of(config.iter().copied())).await;
        if opened.is_ok() {
            desk.close(&name).await;
        }
        fails(&format!("a link with {config:?}"), opened.map(drop), &[ErrorCode::BadRequest])?;
    }
    Ok(())
}
