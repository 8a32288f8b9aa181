//! A durable source: a consumer of a stream, whose messages are delivered until the actor has decided
//! about them, or put aside.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, stream};
use futures_util::StreamExt;
use lattice_client::Lattice;
use lattice_protocol::contract::messaging::Verdict;
use lattice_protocol::subjects::header;
use lattice_protocol::{Error, ErrorCode};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::deliver::Deliverer;
use crate::limits;
use crate::message;
use crate::settings::{Durable, Settings};

/// A consumer that is being read.
pub(crate) struct Reading {
    reader: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl Reading {
    /// Finds or makes the stream and the consumer, and begins to read.
    ///
    /// # Errors
    /// `bad_request` when the stream does not have the subjects; `provider_unavailable`.
    pub async fn open(
        lattice: &Lattice,
        deliverer: Deliverer,
        settings: &Settings,
        durable: &Durable,
    ) -> Result<Self, Error> {
        let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
        let open = Box::pin(consumer(lattice, settings, durable));
        let consumer = tokio::time::timeout(bound, open)
            .await
            .map_err(|_| unavailable(&"JetStream does not answer"))??;
        let delivery = Arc::new(DurableDelivery {
            lattice: lattice.clone(),
            deliverer,
            durable: durable.clone(),
        });
        let stop = CancellationToken::new();
        let reader = Reader {
            consumer,
            delivery,
            places: Arc::new(Semaphore::new(settings.concurrency)),
            concurrency: settings.concurrency,
            stop: stop.clone(),
            deliveries: JoinSet::new(),
        };
        Ok(Self { reader: AbortOnDropHandle::new(tokio::spawn(reader.run())), stop })
    }

    /// Reads no more, and waits for the deliveries under way; what is not decided about comes again.
    pub async fn close(self) {
        self.stop.cancel();
        let bound = Duration::from_millis(limits::CLOSE_TIMEOUT_MS);
        match tokio::time::timeout(bound, self.reader).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "what read a stream ended before its time"),
            Err(_) => tracing::warn!("deliveries were abandoned: their messages come again"),
        }
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> Error {
    Error::not_started(ErrorCode::ProviderUnavailable, error.to_string())
}

async fn consumer(
    lattice: &Lattice,
    settings: &Settings,
    durable: &Durable,
) -> Result<PullConsumer, Error> {
    let jetstream = lattice.jetstream();
    let subjects: Vec<String> =
        settings.subjects.iter().map(|one| one.as_str().to_owned()).collect();
    let stream = jetstream
        .get_or_create_stream(stream::Config {
            name: durable.stream.clone(),
            subjects: subjects.clone(),
            num_replicas: lattice.replicas(),
            ..stream::Config::default()
        })
        .await
        .map_err(|error| refused(&error))?;
    if let Some(subject) = &durable.dead_letter {
        keep_dead_letters(lattice, &durable.stream, subject).await?;
    }
    let config = pull::Config {
        durable_name: Some(settings.group.clone()),
        filter_subjects: subjects,
        ack_policy: AckPolicy::Explicit,
        ack_wait: durable.ack_wait,
        // How often is decided here: what exceeds it must be put aside, not forgotten.
        max_deliver: -1,
        max_ack_pending: i64::try_from(settings.concurrency * 4).unwrap_or(i64::MAX),
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.map_err(|error| refused(&error))
}

/// Makes a stream for what is put aside, unless one takes it already.
async fn keep_dead_letters(lattice: &Lattice, stream: &str, subject: &str) -> Result<(), Error> {
    let jetstream = lattice.jetstream();
    if jetstream.stream_by_subject(subject).await.is_ok() {
        return Ok(());
    }
    let config = stream::Config {
        name: format!("{stream}-dead"),
        subjects: vec![subject.to_owned()],
        num_replicas: lattice.replicas(),
        ..stream::Config::default()
    };
    jetstream.get_or_create_stream(config).await.map(drop).map_err(|error| refused(&error))
}

/// What the server says no to is the link's fault, unless it says nothing.
fn refused(error: &dyn std::fmt::Display) -> Error {
    let text = error.to_string();
    let passing = ["timed out", "no responders", "unavailable", "request failed"];
    let code = match passing.iter().any(|cause| text.contains(cause)) {
        true => ErrorCode::ProviderUnavailable,
        false => ErrorCode::BadRequest,
    };
    Error::not_started(code, format!("JetStream: {text}"))
}

/// Takes messages while there are places for them.
struct Reader {
    consumer: PullConsumer,
    delivery: Arc<DurableDelivery>,
    places: Arc<Semaphore>,
    concurrency: usize,
    stop: CancellationToken,
    /// Those under way; they end with the reader.
    deliveries: JoinSet<()>,
}

impl Reader {
    async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            if let Err(error) = self.read_some().await {
                tracing::warn!(link = %self.delivery.deliverer.link, error, "a stream can't be read; trying again");
                let pause = Duration::from_millis(limits::PULL_RETRY_PAUSE_MS);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        while let Some(ended) = self.deliveries.join_next().await {
            tell_of_panic(ended);
        }
    }

    /// Asks for as many messages as there are places, and hands them on as they come.
    async fn read_some(&mut self) -> Result<(), String> {
        let first = tokio::select! {
            first = self.places.clone().acquire_owned() => first.map_err(|error| error.to_string())?,
            () = self.stop.cancelled() => return Ok(()),
        };
        let more = self.places.available_permits().min(self.concurrency - 1);
        let mut batch = self
            .consumer
            .batch()
            .max_messages(more + 1)
            .expires(Duration::from_millis(limits::PULL_EXPIRES_MS))
            .messages()
            .await
            .map_err(|error| error.to_string())?;
        let mut place = Some(first);
        loop {
            let next = tokio::select! {
                next = batch.next() => next,
                // What the server sends nevertheless comes again.
                () = self.stop.cancelled() => return Ok(()),
            };
            let message = match next {
                Some(Ok(message)) => message,
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(()),
            };
            let place = match place.take() {
                Some(place) => place,
                None => {
                    let place = self.places.clone().acquire_owned().await;
                    place.map_err(|error| error.to_string())?
                }
            };
            let delivery = self.delivery.clone();
            while let Some(ended) = self.deliveries.try_join_next() {
                tell_of_panic(ended);
            }
            self.deliveries.spawn(async move {
                delivery.run(message).await;
                drop(place);
            });
        }
    }
}

fn tell_of_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a delivery ended before its time: its message comes again");
    }
}

/// Delivers the messages of a stream to the actor of one link.
struct DurableDelivery {
    lattice: Lattice,
    deliverer: Deliverer,
    durable: Durable,
}

/// What becomes of a message.
enum Fate {
    Done,
    Again(Duration),
    Aside(String),
}

impl DurableDelivery {
    async fn run(&self, message: jetstream::Message) {
        let (attempt, sequence) = match message.info() {
            Ok(info) => (u32::try_from(info.delivered).unwrap_or(u32::MAX), info.stream_sequence),
            Err(error) => {
                tracing::error!(%error, "a message of a stream does not say what it is");
                return;
            }
        };
        let fate = tokio::select! {
            fate = self.fate(&message, attempt, sequence) => fate,
            () = keep_alive(&message, self.durable.ack_wait) => return,
        };
        let settled = match fate {
            Fate::Done => message.double_ack().await,
            Fate::Again(pause) => message.ack_with(AckKind::Nak(Some(pause))).await,
            Fate::Aside(why) => {
                self.put_aside(&message, attempt, sequence, &why).await;
                return;
            }
        };
        if let Err(error) = settled {
            tracing::warn!(link = %self.deliverer.link, %error, "a decision about a message is lost: it comes again");
        }
    }

    async fn fate(&self, message: &jetstream::Message, attempt: u32, sequence: u64) -> Fate {
        let id = format!("{}:{sequence}", self.durable.stream);
        let mut delivery = message::from_nats(message, Some(id));
        // To JetStream that is where decisions go, and no business of the actor's.
        delivery.reply_to = None;
        let headers = message.headers.as_ref();
        let decided = self.deliverer.deliver(delivery, attempt, true, headers).await;
        let (pause, why) = match decided {
            Ok(decided) => match decided.verdict {
                Verdict::Ack => return Fate::Done,
                Verdict::Reject => {
                    let why = decided.reason.unwrap_or_default();
                    return Fate::Aside(format!("the actor rejects it: {why}"));
                }
                Verdict::Retry => {
                    let why = decided.reason.unwrap_or_default();
                    let pause = decided.retry_after_ms.map(Duration::from_millis);
                    (pause, format!("the actor wants it again: {why}"))
                }
            },
            Err(error) => (None, error.to_string()),
        };
        if attempt >= self.durable.max_deliver {
            return Fate::Aside(why);
        }
        tracing::info!(link = %self.deliverer.link, subject = %message.subject, attempt, why, "a message is delivered again");
        Fate::Again(pause.unwrap_or_else(|| self.durable.pause_after(attempt)))
    }

    /// Stores a message where dead letters go, and only then ends it.
    async fn put_aside(
        &self,
        message: &jetstream::Message,
        attempt: u32,
        sequence: u64,
        why: &str,
    ) {
        tracing::warn!(link = %self.deliverer.link, subject = %message.subject, attempt, why, "a message is put aside");
        if let Some(subject) = &self.durable.dead_letter
            && let Err(error) = self.store(subject, message, attempt, sequence, why).await
        {
            tracing::warn!(link = %self.deliverer.link, error, "a message could not be put aside: it comes again");
            let pause = AckKind::Nak(Some(self.durable.pause_after(attempt)));
            // If that is lost too, it comes again all the same.
            let _ = message.ack_with(pause).await;
            return;
        }
        if let Err(error) = message.ack_with(AckKind::Term).await {
            tracing::warn!(%error, "a message that was put aside may come again");
        }
    }

    async fn store(
        &self,
        subject: &str,
        message: &jetstream::Message,
        attempt: u32,
        sequence: u64,
        why: &str,
    ) -> Result<(), String> {
        let mut headers = message.headers.clone().unwrap_or_default();
        // The same letter twice, where the decision about the original was lost, is one letter.
        let id = format!("{}:{sequence}:dead", self.durable.stream);
        let why: String = why.chars().filter(|c| !c.is_control()).take(1_000).collect();
        for (name, value) in [
            (header::DEAD_REASON, why),
            (header::DEAD_SUBJECT, message.subject.to_string()),
            (header::DEAD_STREAM, self.durable.stream.clone()),
            (header::DEAD_SEQUENCE, sequence.to_string()),
            (header::DEAD_ATTEMPTS, attempt.to_string()),
            (async_nats::header::NATS_MESSAGE_ID.as_ref(), id),
        ] {
            headers.insert(name, value.as_str());
        }
        publish_confirmed(&self.lattice, subject, headers, message.payload.clone()).await
    }
}

/// Publishes to a stream, and returns when it has stored the message.
pub(crate) async fn publish_confirmed(
    lattice: &Lattice,
    subject: &str,
    headers: HeaderMap,
    payload: bytes::Bytes,
) -> Result<(), String> {
    let publish = async {
        let jetstream = lattice.jetstream();
        let stored = jetstream.publish_with_headers(subject.to_owned(), headers, payload).await;
        stored.map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())
    };
    let bound = Duration::from_millis(limits::JETSTREAM_TIMEOUT_MS);
    match tokio::time::timeout(bound, publish).await {
        Ok(stored) => stored.map(drop),
        Err(_) => Err("no stream has confirmed it in time".to_owned()),
    }
}

/// Tells the server that somebody works on a message, for as long as it is polled.
async fn keep_alive(message: &jetstream::Message, ack_wait: Duration) {
    let pause = ack_wait / 3;
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = message.ack_with(AckKind::Progress).await {
            tracing::debug!(%error, "the server could not be told that a message is worked on");
        }
    }
}
