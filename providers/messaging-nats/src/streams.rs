//! The streams and consumers of durable links: found, or made.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, FromConsumer, PullConsumer, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{
    self, ConsumerCreateStrictErrorKind, DiscardPolicy, RetentionPolicy, Stream,
};
use lattice_client::Lattice;
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::LinkId;

use crate::agreement::{Agreement, Wanted};
use crate::limits;
use crate::settings::{Durable, Settings};

/// Returns the consumer of a link; it and its streams are made where there are none.
///
/// # Errors
/// `bad_request` when the stream does not have the subjects, or others use the consumer for something
/// else; `provider_unavailable`.
pub(crate) async fn consumer(
    lattice: &Lattice,
    link: &LinkId,
    settings: &Settings,
    durable: &Durable,
) -> Result<PullConsumer, Error> {
    let subjects: Vec<String> =
        settings.subjects.iter().map(|one| one.as_str().to_owned()).collect();
    let made = stream::Config {
        name: durable.stream.clone(),
        subjects: subjects.clone(),
        // What all groups are done with is gone, so that what they are not done with has room. Where
        // there is none left, whoever publishes is told.
        retention: RetentionPolicy::Interest,
        discard: DiscardPolicy::New,
        max_bytes: limits::STREAM_BYTES_MAX,
        max_age: Duration::from_secs(limits::STREAM_AGE_MAX_S),
        num_replicas: lattice.replicas(),
        ..stream::Config::default()
    };
    let stream = lattice.jetstream().get_or_create_stream(made).await;
    let stream = stream.map_err(|error| refused(&error))?;
    if let Some(subject) = &durable.dead_letter {
        keep_dead_letters(lattice, &durable.stream, subject).await?;
    }
    let wanted = Wanted {
        link: format!("{}.{}", link.source, link.name),
        filters: subjects.iter().cloned().collect(),
        ack_wait: durable.ack_wait,
        own: durable.own,
    };
    agree(&stream, &durable.consumer, &wanted).await
}

async fn agree(stream: &Stream, name: &str, wanted: &Wanted) -> Result<PullConsumer, Error> {
    for _ in 0..limits::AGREE_ATTEMPTS_MAX {
        let found = match stream.consumer_info(name).await {
            Ok(info) => info.config,
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                let config = pull::Config {
                    durable_name: Some(name.to_owned()),
                    ..configured(pull::Config::default(), wanted, &HashMap::new())
                };
                match stream.create_consumer_strict(config).await {
                    Ok(consumer) => return Ok(consumer),
                    // Another one was faster.
                    Err(error) if error.kind() == ConsumerCreateStrictErrorKind::AlreadyExists => {
                        continue;
                    }
                    Err(error) => return Err(refused(&error)),
                }
            }
            Err(error) => return Err(refused(&error)),
        };
        match wanted.agree(&found) {
            Agreement::Refuse(why) => {
                return Err(Error::not_started(
                    ErrorCode::BadRequest,
                    format!("the consumer {name} {why}: name another group, or none"),
                ));
            }
            Agreement::Use => {
                let consumer = stream.get_consumer(name).await;
                return consumer.map_err(|error| refused(&error));
            }
            Agreement::Change => {
                let metadata = found.metadata.clone();
                let found = pull::Config::try_from_consumer_config(found);
                let found = found.map_err(|error| refused(&error))?;
                let changed = configured(found, wanted, &metadata);
                // Whether another one changed it at the same time is seen when it is read again.
                stream.update_consumer(changed).await.map_err(|error| refused(&error))?;
            }
        }
    }
    Err(Error::not_started(
        ErrorCode::ProviderUnavailable,
        format!("others change the consumer {name} too often"),
    ))
}

fn configured(
    config: pull::Config,
    wanted: &Wanted,
    metadata: &HashMap<String, String>,
) -> pull::Config {
    pull::Config {
        filter_subject: String::new(),
        filter_subjects: wanted.filters.iter().cloned().collect(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: wanted.ack_wait,
        // How often is decided here: what exceeds it must be put aside, not forgotten.
        max_deliver: -1,
        max_ack_pending: limits::ACK_PENDING_MAX,
        metadata: wanted.join(metadata),
        ..config
    }
}

/// Makes a stream for what is put aside, unless one takes it already.
async fn keep_dead_letters(lattice: &Lattice, source: &str, subject: &str) -> Result<(), Error> {
    let jetstream = lattice.jetstream();
    let name = format!("{source}-dead");
    for _ in 0..limits::AGREE_ATTEMPTS_MAX {
        if jetstream.stream_by_subject(subject).await.is_ok() {
            return Ok(());
        }
        let made = stream::Config {
            name: name.clone(),
            subjects: vec![subject.to_owned()],
            discard: DiscardPolicy::New,
            max_bytes: limits::STREAM_BYTES_MAX,
            max_age: Duration::from_secs(limits::DEAD_LETTER_AGE_MAX_S),
            num_replicas: lattice.replicas(),
            ..stream::Config::default()
        };
        let found = jetstream.get_or_create_stream(made).await.map_err(|error| refused(&error))?;
        let mut config = found.cached_info().config.clone();
        if config.subjects.iter().any(|one| one == subject) {
            return Ok(());
        }
        // Those of another link of the same stream. One that does not keep what it gets is no place.
        if config.retention != RetentionPolicy::Limits {
            return Err(Error::not_started(
                ErrorCode::BadRequest,
                format!("no stream takes {subject}, and {name} is one that keeps no letters"),
            ));
        }
        config.subjects.push(subject.to_owned());
        // Whether another one added its own at the same time is seen when it is looked up again.
        jetstream.update_stream(&config).await.map_err(|error| refused(&error))?;
    }
    Err(Error::not_started(
        ErrorCode::ProviderUnavailable,
        format!("others change the stream {name} too often"),
    ))
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
