//! What becomes of messages that are not delivered, or not taken.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::stream;
use lattice_protocol::contract::messaging::{Acknowledgement, Verdict};
use lattice_protocol::{Error, ErrorCode};

use super::desk::{BOUND, Desk, ack, deliveries, next, nothing, token};
use super::durable::Source;
use crate::checks::{same, same_bytes, some};
use crate::{Heard, Reaction, Report};

/// How long the actor of a check is away.
const AWAY: Duration = Duration::from_millis(2_500);

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report.check("what no actor could take is not given up", away(desk)).await;
    report.check("postponed messages don't hold up others", postponed(desk)).await;
    report
        .check("a dead letter is stored whatever the message asks of the server", odd(desk))
        .await;
    report.check("a message as large as may be has a dead letter", large(desk)).await;
    report
        .check("an actor has decided, whether its dead letter is stored or not", unstored(desk))
        .await;
    report.check("each link has its dead letters, each group its own", several(desk)).await;
}

fn rejecting(_: &Heard) -> Reaction {
    let verdict = Verdict::Reject;
    Reaction::message(&Acknowledgement { verdict, ..Acknowledgement::default() })
}

async fn away(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("away")?;
    let came = async {
        let begun = Instant::now();
        desk.actor.react(&source.name, move |heard| match begun.elapsed() < AWAY {
            true => Reaction::now(Err(Error::not_started(ErrorCode::NotFound, "a suite says so"))),
            false => ack(heard),
        });
        let more = [("max_deliver", "2"), ("backoff_ms", "100"), ("dead_letter", &source.dead)];
        source.open(desk, &more).await?;
        let mut letters = desk.subscribe(&source.dead).await?;
        source.publish(desk, 3).await?;
        nothing(&mut letters).await?;
        // The first attempts of each, and one that is taken.
        tokio::time::sleep(AWAY.saturating_sub(begun.elapsed())).await;
        let before = desk.actor.heard(&source.name).len();
        same("whether it is tried again and again", before >= 9, true)?;
        let heard = source.heard(desk, before + 3).await?;
        nothing(&mut letters).await?;
        let attempts = deliveries(&heard)?.iter().map(|one| one.attempt).max();
        same("what counts as an attempt", attempts, Some(1))
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn postponed(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("postponed")?;
    let came = async {
        desk.actor.react(&source.name, |heard| {
            let retry = Acknowledgement {
                verdict: Verdict::Retry,
                retry_after_ms: Some(600_000),
                ..Acknowledgement::default()
            };
            if heard.before < 20 { Reaction::message(&retry) } else { ack(heard) }
        });
        source.open(desk, &[("concurrency", "1")]).await?;
        source.publish(desk, 21).await?;
        source.heard(desk, 21).await.map(drop)
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn odd(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("odd")?;
    let came = async {
        desk.actor.react(&source.name, rejecting);
        source.open(desk, &[("dead_letter", &source.dead)]).await?;
        let mut letters = desk.subscribe(&source.dead).await?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Stream", source.name.as_str());
        headers.insert("X-One", "1");
        desk.publish(&source.subject, Some(headers), "odd").await?;
        let letter = next(&mut letters).await?;
        same_bytes("the body", &letter.payload, b"odd")?;
        let headers = some("headers", letter.headers)?;
        same("its header", headers.get("X-One").map(|value| value.as_str()), Some("1"))?;
        kept(desk, &source, 1).await?;
        source.no_more(desk, 1).await
    };
    let came = came.await;
    source.end(desk, came).await
}

/// Says that so many letters are stored.
async fn kept(desk: &Desk<'_>, source: &Source, count: u64) -> Result<(), String> {
    let jetstream = desk.lattice.jetstream();
    let begun = Instant::now();
    loop {
        let name = jetstream.stream_by_subject(source.dead.clone()).await;
        let name = name.map_err(|error| format!("no stream keeps the dead letters: {error}"))?;
        let stream = jetstream.get_stream(name).await.map_err(|error| error.to_string())?;
        let stored = stream.cached_info().state.messages;
        if stored == count || begun.elapsed() > BOUND {
            return same("how many dead letters are stored", stored, count);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn large(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("large")?;
    let came = async {
        desk.actor.react(&source.name, rejecting);
        source.open(desk, &[("dead_letter", &source.dead)]).await?;
        let mut letters = desk.subscribe(&source.dead).await?;
        let size = desk.lattice.nats().max_payload();
        desk.publish(&source.subject, None, vec![7; size]).await?;
        let letter = next(&mut letters).await?;
        let headers = some("headers that tell why", letter.headers)?;
        let told = headers.iter().flat_map(|(_, values)| values.iter());
        let told = told.filter(|value| value.as_str().contains(&size.to_string())).count();
        same("whether it is told what was left out", told, 1)?;
        kept(desk, &source, 1).await?;
        source.no_more(desk, 1).await
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn unstored(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("unstored")?;
    let came = async {
        desk.actor.react(&source.name, rejecting);
        let jetstream = desk.lattice.jetstream();
        let tight = stream::Config {
            name: format!("{}-tight", source.name),
            subjects: vec![source.dead.clone()],
            max_message_size: 1,
            ..stream::Config::default()
        };
        jetstream.create_stream(tight.clone()).await.map_err(|error| error.to_string())?;
        let more = [("max_deliver", "1"), ("backoff_ms", "100"), ("dead_letter", &source.dead)];
        source.open(desk, &more).await?;
        source.publish(desk, 1).await?;
        source.heard(desk, 1).await?;
        source.no_more(desk, 1).await?;
        kept(desk, &source, 0).await?;
        let wide = stream::Config { max_message_size: -1, ..tight };
        jetstream.update_stream(&wide).await.map_err(|error| error.to_string())?;
        kept(desk, &source, 1).await?;
        source.no_more(desk, 1).await
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn several(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("several")?;
    let (same_letters, other_letters) = (token("same")?, token("other")?);
    let elsewhere = format!("{}.elsewhere", source.dead);
    let came = async {
        source.open(desk, &[("dead_letter", &source.dead)]).await?;
        for name in [&source.name, &same_letters, &other_letters] {
            desk.actor.react(name, rejecting);
        }
        for (name, dead) in [(&same_letters, &source.dead), (&other_letters, &elsewhere)] {
            let config = [
                ("subjects", source.subject.as_str()),
                ("durable", "true"),
                ("stream", source.name.as_str()),
                ("dead_letter", dead),
            ];
            desk.open(name, &config).await?;
        }
        let mut letters = desk.subscribe(&elsewhere).await?;
        source.publish(desk, 1).await?;
        next(&mut letters).await?;
        // They are in one stream: two for the two links of one subject, and the other one.
        kept(desk, &source, 3).await
    };
    let came = came.await;
    for name in [&same_letters, &other_letters] {
        desk.close(name).await;
    }
    source.end(desk, came).await
}
