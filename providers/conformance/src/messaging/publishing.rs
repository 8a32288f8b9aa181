//! What an actor sends.

use std::time::{Duration, Instant};

use async_nats::Subscriber;
use futures_util::StreamExt;
use lattice_protocol::ErrorCode;
use lattice_protocol::contract::messaging::{Message, Request, operation};
use lattice_protocol::contract::{Empty, Headers};

use super::desk::{Desk, message, next, nothing, token};
use crate::checks::{ask, bytes, fails, refused, same, same_bytes, some};
use crate::{Link, Report};

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report.check("a message is published with all that it has", publish(desk)).await;
    report.check("what is no subject of an actor's is refused", subjects(desk)).await;
    report.check("an actor publishes what its link permits", permitted(desk)).await;
    report.check("a request brings its answer", request(desk)).await;
    report.check("a request ends without an answer too", unanswered(desk)).await;
    report.check("a confirmed message is stored, once", confirmed(desk)).await;
    report.check("what the broker does not take is too large", large(desk)).await;
}

async fn publish(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("publish")?;
    let link = desk.open(&name, &[]).await?;
    let subject = format!("suite.{name}");
    let mut listener = desk.subscribe(&subject).await?;
    let full = Message {
        reply_to: Some("suite.answers".to_owned()),
        id: Some("id-1".to_owned()),
        headers: Headers::new().with("X-One", "1").with("X-One", "2").with("x-two", "ü"),
        ..message(&subject, bytes(70_000, 1))
    };
    let Empty {} = ask(&link, operation::PUBLISH, &full).await?;
    let came = next(&mut listener).await?;
    let Empty {} = ask(&link, operation::PUBLISH, &message(&subject, "")).await?;
    let empty = next(&mut listener).await?;
    desk.close(&name).await;
    same_bytes("the body", &came.payload, &full.body)?;
    same("reply_to", came.reply.as_deref(), Some("suite.answers"))?;
    let headers = some("headers", came.headers)?;
    let all: Vec<&str> = headers.get_all("X-One").map(|value| value.as_str()).collect();
    same("a header that comes twice", all, vec!["1", "2"])?;
    let of = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    same("another header", of("x-two").as_deref(), Some("ü"))?;
    same("the identity", of("Nats-Msg-Id").as_deref(), Some("id-1"))?;
    same("an empty body", empty.payload.len(), 0)
}

async fn subjects(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("subjects")?;
    let link = desk.open(&name, &[]).await?;
    let bad = &[ErrorCode::BadRequest];
    for subject in
        ["", "suite..a", "suite.*", "suite.>", "suite a", "mesh.default.evt.x", "$JS.API"]
    {
        refused(&link, operation::PUBLISH, &message(subject, ""), bad).await?;
        let reply_to = Some(subject.to_owned());
        let answered = Message { reply_to, ..message("suite.a", "") };
        refused(&link, operation::PUBLISH, &answered, bad).await?;
        let request = Request { message: message(subject, ""), timeout_ms: None };
        refused(&link, operation::REQUEST, &request, bad).await?;
    }
    let odd = Headers::new().with("a b", "c");
    let odd = Message { headers: odd, ..message("suite.a", "") };
    refused(&link, operation::PUBLISH, &odd, bad).await?;
    fails("no message", link.raw(operation::PUBLISH, &b"\x90"[..]).await, bad)?;
    fails("an unknown operation", link.raw("shout", &b"\x80"[..]).await, bad)?;
    desk.close(&name).await;
    Ok(())
}

async fn permitted(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("permitted")?;
    let publish = format!("suite.{name}.may.*, suite.{name}.all.>");
    let link = desk.open(&name, &[("publish", &publish)]).await?;
    let mut listener = desk.subscribe(&format!("suite.{name}.>")).await?;
    for subject in ["may.a", "all.a.b"] {
        let subject = format!("suite.{name}.{subject}");
        let Empty {} = ask(&link, operation::PUBLISH, &message(&subject, "")).await?;
        same("what came", next(&mut listener).await?.subject.as_str(), subject.as_str())?;
    }
    let unauthorized = &[ErrorCode::Unauthorized];
    for subject in ["may", "may.a.b", "all", "other"] {
        let message = message(&format!("suite.{name}.{subject}"), "");
        refused(&link, operation::PUBLISH, &message, unauthorized).await?;
        let request = Request { message, timeout_ms: None };
        refused(&link, operation::REQUEST, &request, unauthorized).await?;
    }
    desk.close(&name).await;
    nothing(&mut listener).await
}

/// Answers requests with their bodies, until it is dropped.
async fn echo(desk: &Desk<'_>, mut listener: Subscriber, count: usize) -> Result<(), String> {
    for _ in 0..count {
        let Some(request) = listener.next().await else { return Ok(()) };
        let reply = some("the reply subject", request.reply)?;
        let mut headers = request.headers.unwrap_or_default();
        headers.insert("x-echo", "yes");
        desk.publish(&reply, Some(headers), request.payload).await?;
    }
    Ok(())
}

async fn request(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("request")?;
    let link = desk.open(&name, &[]).await?;
    let subject = format!("suite.{name}");
    let listener = desk.subscribe(&subject).await?;
    let ask_all = async {
        for n in 0..10u8 {
            let headers = Headers::new().with("x-one", "1");
            let message = Message { headers, ..message(&subject, vec![n; 1_000]) };
            let request = Request { message, timeout_ms: Some(5_000) };
            let answer: Message = ask(&link, operation::REQUEST, &request).await?;
            same_bytes("the answer", &answer.body, &[n; 1_000])?;
            same("its header", answer.headers.text("x-echo"), Some("yes"))?;
            same("the header of the request", answer.headers.text("x-one"), Some("1"))?;
        }
        Ok(())
    };
    let (asked, echoed) = tokio::join!(ask_all, echo(desk, listener, 10));
    desk.close(&name).await;
    asked.and(echoed)
}

async fn unanswered(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("unanswered")?;
    let link = desk.open(&name, &[]).await?;
    let subject = format!("suite.{name}");
    let request = Request { message: message(&subject, ""), timeout_ms: Some(700) };
    let begun = Instant::now();
    let nobody = link.ask::<Message>(operation::REQUEST, &request).await;
    fails("a request that nobody hears", nobody, &[ErrorCode::NotFound])?;
    let _silent = desk.subscribe(&subject).await?;
    let waited = Instant::now();
    let silence = link.ask::<Message>(operation::REQUEST, &request).await;
    fails("a request without answer", silence, &[ErrorCode::DeadlineExceeded])?;
    desk.close(&name).await;
    let (took, waited) = (begun.elapsed(), waited.elapsed());
    let in_time = waited >= Duration::from_millis(650) && took < Duration::from_secs(5);
    same(&format!("whether {waited:?} of {took:?} are in time"), in_time, true)
}

async fn confirmed(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("confirmed")?;
    let subject = format!("suite.{name}");
    let stored = confirm(desk, &name, &subject).await;
    desk.close(&name).await;
    desk.forget(&subject).await;
    stored
}

async fn confirm(
    desk: &Desk<'_>,
    name: &lattice_protocol::names::LinkName,
    subject: &str,
) -> Result<(), String> {
    let link: Link = desk.open(name, &[("confirm", "true")]).await?;
    let nowhere = &[ErrorCode::NotFound];
    refused(&link, operation::PUBLISH, &message(subject, "x"), nowhere).await?;
    let mut stream = desk.stream(name.as_str(), subject).await?;
    let reply_to = Some("suite.answers".to_owned());
    let answered = Message { reply_to, ..message(subject, "x") };
    refused(&link, operation::PUBLISH, &answered, &[ErrorCode::BadRequest]).await?;
    // With its headers it is larger than the server takes.
    let headers = Headers::new().with("x-one", "1");
    let size = desk.lattice.nats().max_payload() - headers.bytes();
    let large = Message { headers, ..message(subject, vec![0; size]) };
    refused(&link, operation::PUBLISH, &large, &[ErrorCode::TooLarge]).await?;
    let id = Some("once".to_owned());
    let once = Message { id, ..message(subject, "x") };
    for _ in 0..2 {
        let Empty {} = ask(&link, operation::PUBLISH, &once).await?;
    }
    let Empty {} = ask(&link, operation::PUBLISH, &message(subject, "y")).await?;
    let info = stream.info().await.map_err(|error| error.to_string())?;
    same("what is stored when it is answered", info.state.messages, 2)
}

async fn large(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("large")?;
    let link = desk.open(&name, &[]).await?;
    let size = desk.lattice.nats().max_payload() + 1;
    let subject = format!("suite.{name}");
    let codes = &[ErrorCode::TooLarge];
    refused(&link, operation::PUBLISH, &message(&subject, vec![0; size]), codes).await?;
    let headers = Headers::new().with("x-one", "1");
    let body = vec![0; size - 1 - headers.bytes()];
    let almost = Message { headers, ..message(&subject, body) };
    refused(&link, operation::PUBLISH, &almost, codes).await?;
    let request = Request { message: message(&subject, vec![0; size]), timeout_ms: Some(500) };
    refused(&link, operation::REQUEST, &request, codes).await?;
    // The connection, which others use too, must have outlived that.
    let Empty {} = ask(&link, operation::PUBLISH, &message(&subject, "x")).await?;
    desk.close(&name).await;
    Ok(())
}
