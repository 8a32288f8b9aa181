//! What one link has opened: the actor's way to the broker, and the broker's to the actor.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::StatusCode;
use async_nats::client::{PublishError, PublishErrorKind};
use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::messaging::{Message, Request};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::contract::Messaging;
use mesh_provider::{CallInfo, Context, Link};

use crate::confirm::publish_confirmed;
use crate::deliver::Deliverer;
use crate::durable::Reading;
use crate::message;
use crate::plain::Plain;
use crate::settings::Settings;

/// Where messages come from.
enum Source {
    None,
    Plain(Plain),
    Durable(Reading),
}

/// The broker as one link reaches it.
pub(crate) struct Broker {
    lattice: Lattice,
    settings: Settings,
    source: Mutex<Source>,
}

impl Broker {
    /// Begins to receive what the link asks for.
    ///
    /// # Errors
    /// Why that can't be had.
    pub async fn open(context: &Context, link: &Link, settings: Settings) -> Result<Self, Error> {
        let lattice = context.lattice.clone();
        let deliverer = Deliverer {
            actors: context.actors.clone(),
            link: link.id.clone(),
            timeout: settings.timeout,
        };
        let source = match &settings.durable {
            _ if settings.subjects.is_empty() => Source::None,
            None => Source::Plain(Plain::open(&lattice, deliverer, &settings).await?),
            Some(durable) => {
                Source::Durable(Reading::open(&lattice, link, deliverer, &settings, durable).await?)
            }
        };
        Ok(Self { lattice, settings, source: Mutex::new(source) })
    }

    fn permitted(&self, subject: &str) -> Result<(), Error> {
        if self.settings.may_publish(subject) {
            return Ok(());
        }
        Err(Error::not_started(
            ErrorCode::Unauthorized,
            format!("the link does not permit to publish to {subject}"),
        ))
    }

    fn payload_max(&self) -> usize {
        self.lattice.nats().server_info().max_payload
    }
}

fn unsent(error: &PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            Error::not_started(ErrorCode::TooLarge, format!("the server does not take it: {error}"))
        }
        _ => lost(error),
    }
}

fn lost(error: &dyn std::fmt::Display) -> Error {
    Error::not_started(ErrorCode::ProviderUnavailable, format!("NATS: {error}"))
}

fn late(what: &str) -> Error {
    Error::started(ErrorCode::DeadlineExceeded, what.to_owned())
}

impl Messaging for Broker {
    async fn publish(&self, mut message: Message, info: &CallInfo) -> Result<Empty, Error> {
        self.permitted(&message.subject)?;
        let subject = std::mem::take(&mut message.subject);
        let reply_to = message.reply_to.take();
        // Where answers go is where a stream confirms: it can't keep another place.
        if self.settings.confirm && reply_to.is_some() {
            return Err(Error::not_started(
                ErrorCode::BadRequest,
                "a message that a stream confirms (confirm=true) can't have a reply_to",
            ));
        }
        let (headers, payload) = message::to_nats(message, self.payload_max())?;
        let nats = self.lattice.nats();
        let publish = async {
            if self.settings.confirm {
                return publish_confirmed(&self.lattice, &subject, headers, payload).await;
            }
            let sent = match reply_to {
                Some(to) => {
                    let subject = subject.clone();
                    nats.publish_with_reply_and_headers(subject, to, headers, payload).await
                }
                None => nats.publish_with_headers(subject.clone(), headers, payload).await,
            };
            sent.map_err(|error| unsent(&error))?;
            // The server has it when it has answered what was sent after it.
            match self.lattice.fence().await {
                true => Ok(()),
                false => Err(Error::started(
                    ErrorCode::ProviderUnavailable,
                    "the server does not confirm that it has the message",
                )),
            }
        };
        let published = tokio::time::timeout(info.left(), publish).await;
        published.unwrap_or_else(|_| Err(late("the server did not confirm it in time")))?;
        Ok(Empty {})
    }

    async fn request(&self, request: Request, info: &CallInfo) -> Result<Message, Error> {
        let Request { mut message, timeout_ms } = request;
        self.permitted(&message.subject)?;
        let wish = timeout_ms.filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into()));
        let bound = wish.map_or(info.left(), |wish| wish.min(info.left()));
        let subject = std::mem::take(&mut message.subject);
        let (headers, payload) = message::to_nats(message, self.payload_max())?;
        let nats = self.lattice.nats();
        let ask = async {
            // An inbox of its own: the client's would keep what is never answered.
            let inbox = nats.new_inbox();
            let mut answers = nats.subscribe(inbox.clone()).await.map_err(|error| lost(&error))?;
            nats.publish_with_reply_and_headers(subject.clone(), inbox, headers, payload)
                .await
                .map_err(|error| unsent(&error))?;
            let answer = answers.next().await;
            answer.ok_or_else(|| {
                Error::started(ErrorCode::ProviderUnavailable, "the connection to NATS is closed")
            })
        };
        let answer = tokio::time::timeout(bound, ask)
            .await
            .map_err(|_| late(&format!("nobody answered on {subject} in time")))??;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(Error::not_started(
                ErrorCode::NotFound,
                format!("nobody listens on {subject}"),
            ));
        }
        Ok(message::from_nats(&answer, None))
    }

    async fn close(&self) {
        let source = {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *source, Source::None)
        };
        match source {
            Source::None => {}
            Source::Plain(plain) => plain.close().await,
            Source::Durable(reading) => reading.close().await,
        }
    }
}
