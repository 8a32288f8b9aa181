//! What comes to an actor from a stream.

use std::time::Duration;

use async_nats::HeaderMap;
use lattice_protocol::contract::messaging::{Acknowledgement, Verdict};
use lattice_protocol::names::LinkName;
use lattice_protocol::{Error, ErrorCode};

use super::desk::{BOUND, Desk, QUIET, ack, bodies, deliveries, next, numbered, token};
use crate::checks::{same, same_bytes, some};
use crate::{Heard, Reaction, Report};

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report
        .check("what a stream has is delivered once it is acknowledged, once", shared(desk))
        .await;
    report.check("a message comes again when the actor says", retried(desk)).await;
    report
        .check("what fails comes again, and goes to the dead letters in the end", failing(desk))
        .await;
    report.check("what is rejected goes to the dead letters at once", rejected(desk)).await;
    report.check("a delivery that takes long is not delivered twice", long(desk)).await;
    report.check("what a closed link left comes when it is opened again", reopened(desk)).await;
    report.check("a message of a stream that waited for its link comes", waited(desk)).await;
}

/// A durable link over a stream of its own.
pub struct Source {
    pub name: LinkName,
    pub subject: String,
    pub dead: String,
}

impl Source {
    pub fn new(of: &str) -> Result<Self, String> {
        let name = token(of)?;
        let (subject, dead) = (format!("suite.{name}.in"), format!("suite-dead.{name}"));
        Ok(Self { name, subject, dead })
    }

    pub async fn open(&self, desk: &Desk<'_>, more: &[(&str, &str)]) -> Result<(), String> {
        let mut config = vec![
            ("subjects", self.subject.as_str()),
            ("durable", "true"),
            ("stream", self.name.as_str()),
        ];
        config.extend(more);
        desk.open(&self.name, &config).await.map(drop)
    }

    pub async fn publish(&self, desk: &Desk<'_>, count: usize) -> Result<(), String> {
        desk.publish_many(&self.subject, count).await
    }

    /// Closes the link and deletes its streams, whatever came of the check.
    pub async fn end(self, desk: &Desk<'_>, came: Result<(), String>) -> Result<(), String> {
        desk.close(&self.name).await;
        desk.forget(&self.subject).await;
        desk.forget(&self.dead).await;
        came
    }

    pub async fn heard(&self, desk: &Desk<'_>, count: usize) -> Result<Vec<Heard>, String> {
        desk.actor.until(&self.name, BOUND, |heard| heard.len() >= count).await
    }

    /// Says that nothing more comes than `count`.
    pub async fn no_more(&self, desk: &Desk<'_>, count: usize) -> Result<(), String> {
        let more = desk.actor.until(&self.name, QUIET, |heard| heard.len() > count).await;
        same("whether more came", more.is_ok(), false)
    }
}

async fn shared(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("shared")?;
    let came = async {
        desk.actor.react(&source.name, ack);
        source.open(desk, &[]).await?;
        source.publish(desk, 300).await?;
        let heard = source.heard(desk, 300).await?;
        source.no_more(desk, 300).await?;
        same("what came", bodies(&heard)?, numbered(300))?;
        let of = deliveries(&heard)?;
        same("whether each is durable", of.iter().all(|one| one.durable), true)?;
        same("whether each came first", of.iter().all(|one| one.attempt == 1), true)?;
        same(
            "whether one has a reply_to",
            of.iter().any(|one| one.message.reply_to.is_some()),
            false,
        )
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn retried(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("retried")?;
    let came = async {
        desk.actor.react(&source.name, |heard| match heard.before {
            0 => Reaction::message(&Acknowledgement {
                verdict: Verdict::Retry,
                retry_after_ms: Some(1_000),
                ..Acknowledgement::default()
            }),
            _ => ack(heard),
        });
        source.open(desk, &[("backoff_ms", "60000")]).await?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", "id-1");
        desk.publish(&source.subject, Some(headers), "again").await?;
        let heard = source.heard(desk, 2).await?;
        source.no_more(desk, 2).await?;
        let deliveries = deliveries(&heard)?;
        let attempts: Vec<u32> = deliveries.iter().map(|one| one.attempt).collect();
        same("the attempts", attempts, vec![1, 2])?;
        let id = |one: &lattice_protocol::contract::messaging::Delivery| one.message.id.clone();
        let ids: Vec<_> = deliveries.iter().map(id).collect();
        same("the identities", ids, vec![Some("id-1".to_owned()), Some("id-1".to_owned())])?;
        let times: Vec<u64> = heard.iter().map(|one| one.at_ms).collect();
        let pause = times.last().unwrap_or(&0) - times.first().unwrap_or(&0);
        same(
            &format!("whether {pause} ms are what was asked for"),
            (900..5_000).contains(&pause),
            true,
        )
    };
    let came = came.await;
    source.end(desk, came).await
}

/// Checks what lies where dead letters go.
async fn letter(
    desk: &Desk<'_>,
    source: &Source,
    letters: &mut async_nats::Subscriber,
    attempts: &str,
) -> Result<(), String> {
    let letter = next(letters).await?;
    same_bytes("its body", &letter.payload, b"000000")?;
    let headers = some("headers that tell why", letter.headers)?;
    let values: Vec<&str> =
        headers.iter().flat_map(|(_, all)| all.iter().map(|one| one.as_str())).collect();
    for (what, wanted) in [
        ("the stream", source.name.as_str()),
        ("the subject", source.subject.as_str()),
        ("the sequence", "1"),
        ("the attempts", attempts),
    ] {
        same(&format!("whether {what} is told by {values:?}"), values.contains(&wanted), true)?;
    }
    same(
        "whether the reason is told",
        values.iter().any(|one| one.contains("suite says so")),
        true,
    )?;
    let jetstream = desk.lattice.jetstream();
    let stored = jetstream.stream_by_subject(source.dead.clone()).await;
    let stored = stored.map_err(|error| format!("no stream keeps the dead letters: {error}"))?;
    let stream = jetstream.get_stream(stored).await.map_err(|error| error.to_string())?;
    let message = stream.get_last_raw_message_by_subject(&source.dead).await;
    same_bytes("what is stored", &message.map_err(|error| error.to_string())?.payload, b"000000")
}

async fn failing(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("failing")?;
    let came = async {
        let error = Error::started(ErrorCode::ActorError, "a suite says so");
        desk.actor.react(&source.name, move |_| Reaction::now(Err(error.clone())));
        let more = [("max_deliver", "3"), ("backoff_ms", "200,400"), ("dead_letter", &source.dead)];
        source.open(desk, &more).await?;
        let mut letters = desk.subscribe(&source.dead).await?;
        source.publish(desk, 1).await?;
        let heard = source.heard(desk, 3).await?;
        letter(desk, &source, &mut letters, "3").await?;
        source.no_more(desk, 3).await?;
        let attempts: Vec<u32> = deliveries(&heard)?.iter().map(|one| one.attempt).collect();
        same("the attempts", attempts, vec![1, 2, 3])?;
        let pauses: Vec<u64> = heard
            .windows(2)
            .filter_map(|pair| Some(pair.get(1)?.at_ms - pair.first()?.at_ms))
            .collect();
        let enough = pauses.iter().zip([180, 380]).all(|(pause, least)| *pause >= least);
        same(&format!("whether {pauses:?} are the pauses"), enough, true)
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn rejected(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("rejected")?;
    let came = async {
        desk.actor.react(&source.name, |_| {
            Reaction::message(&Acknowledgement {
                verdict: Verdict::Reject,
                reason: Some("a suite says so\r\nX-Forged: yes".to_owned()),
                ..Acknowledgement::default()
            })
        });
        source.open(desk, &[("dead_letter", &source.dead)]).await?;
        let mut letters = desk.subscribe(&source.dead).await?;
        source.publish(desk, 1).await?;
        letter(desk, &source, &mut letters, "1").await?;
        source.no_more(desk, 1).await
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn long(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("long")?;
    let came = async {
        desk.actor.react(&source.name, |heard| ack(heard).after(Duration::from_millis(3_500)));
        source.open(desk, &[("ack_wait_ms", "1000")]).await?;
        source.publish(desk, 1).await?;
        source.heard(desk, 1).await?;
        let more = desk.actor.until(&source.name, Duration::from_secs(5), |heard| heard.len() > 1);
        same("whether it came twice", more.await.is_ok(), false)
    };
    let came = came.await;
    source.end(desk, came).await
}

/// Closes a link while messages come; none may be lost, none decided about twice.
async fn reopened(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("reopened")?;
    let came = async {
        desk.actor.react(&source.name, |heard| ack(heard).after(Duration::from_millis(30)));
        source.open(desk, &[("concurrency", "4")]).await?;
        source.publish(desk, 200).await?;
        source.heard(desk, 20).await?;
        desk.close(&source.name).await;
        let before = desk.actor.heard(&source.name).len();
        source.no_more(desk, before).await?;
        source.open(desk, &[("concurrency", "4")]).await?;
        let heard = source.heard(desk, 200).await?;
        source.no_more(desk, 200).await?;
        same("what came", bodies(&heard)?, numbered(200))?;
        // What was on its way when the link was closed may count as delivered once.
        let soon = deliveries(&heard)?.iter().all(|one| one.attempt <= 2);
        same("whether each came at the first attempt, or the second", soon, true)
    };
    let came = came.await;
    source.end(desk, came).await
}

async fn waited(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("waited")?;
    let came = async {
        desk.stream(source.name.as_str(), &source.subject).await?;
        source.publish(desk, 10).await?;
        desk.actor.react(&source.name, ack);
        source.open(desk, &[]).await?;
        let heard = source.heard(desk, 10).await?;
        same("what came", bodies(&heard)?, numbered(10))
    };
    let came = came.await;
    source.end(desk, came).await
}

/// Ends the process that delivers while it does: the message must come by another one.
pub async fn takeover(desk: &Desk<'_>) -> Result<(), String> {
    let source = Source::new("takeover")?;
    let came = async {
        desk.actor.react(&source.name, |heard| {
            ack(heard).after(if heard.before == 0 { BOUND * 2 } else { Duration::ZERO })
        });
        source.open(desk, &[("ack_wait_ms", "2000")]).await?;
        source.publish(desk, 1).await?;
        let first = source.heard(desk, 1).await?;
        let instance = first.first().and_then(|heard| heard.instance);
        if !instance.is_some_and(|instance| desk.lab.kill(instance)) {
            return Err("the process that delivers can't be ended here".to_owned());
        }
        let heard = source.heard(desk, 2).await?;
        same("what came", bodies(&heard)?, vec!["000000".to_owned(); 2])?;
        let attempts: Vec<u32> = deliveries(&heard)?.iter().map(|one| one.attempt).collect();
        same("the attempts", attempts, vec![1, 2])
    };
    let came = came.await;
    source.end(desk, came).await
}
