//! The keys of a prefix, in pages: in the order of the stream, so that a cursor is a number of it.
//! A key that is written meanwhile moves to the end, and may come twice. In a cluster the server that
//! lists may be behind the leader by what was written within the last moments.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{KeyPage, Keys};
use lattice_protocol::subjects;
use mesh_provider::jetstream::{failed, within};
use mesh_provider::{CallInfo, keyvalue};

use crate::bucket::{Bucket, is_live};
use crate::keys::Space;
use crate::limits;

impl Bucket {
    /// Lists keys of `space`.
    ///
    /// # Errors
    /// `bad_request` for a cursor that is none; `provider_unavailable`.
    pub async fn keys(
        &self,
        space: &Space,
        request: &Keys,
        info: &CallInfo,
    ) -> Result<KeyPage, Error> {
        let start_sequence: u64 = match &request.cursor {
            None => 1,
            Some(cursor) => cursor.parse().map_err(|_| keyvalue::wrong_cursor())?,
        };
        let name = self.store.name.clone();
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            filter_subject: subjects::bucket_subject(&name, &space.pattern()),
            ack_policy: AckPolicy::None,
            headers_only: true,
            inactive_threshold: Duration::from_millis(limits::LIST_IDLE_MS),
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let create = self.store.stream.create_consumer(config);
        let consumer = within(&self.lattice, info, create).await?;
        let consumer = consumer.map_err(|error| failed("list keys", &error))?;
        let mut pending = consumer.cached_info().num_pending;
        let wanted = usize::try_from(request.entries()).unwrap_or(usize::MAX);
        let (mut page, mut seen, mut failures) = (KeyPage::default(), 0_usize, 0);
        while pending > 0 && page.cursor.is_none() {
            let ask = consumer.fetch().max_messages(limits::LIST_BATCH).messages();
            let mut batch = within(&self.lattice, info, ask)
                .await?
                .map_err(|error| failed("list keys", &error))?;
            let before = (pending, failures);
            while let Some(message) = within(&self.lattice, info, batch.next()).await? {
                let message = match message {
                    Ok(message) => message,
                    // The server of a new consumer may not serve it yet.
                    Err(_) if failures < limits::LIST_FAILURES_MAX => {
                        failures += 1;
                        break;
                    }
                    Err(error) => return Err(failed("list keys", &*error)),
                };
                let told = message.info().map_err(|error| failed("list keys", &*error))?;
                (pending, seen) = (told.pending, seen + 1);
                let live = message.headers.as_ref().is_none_or(is_live);
                let key = subjects::key_of_bucket_subject(&name, &message.subject);
                let found = key.filter(|_| live).and_then(|key| space.parse(key));
                page.keys.extend(found.filter(|key| key.starts_with(&request.prefix)));
                if page.keys.len() >= wanted || seen >= limits::LIST_SEEN_MAX {
                    if pending > 0 {
                        page.cursor = Some((told.stream_sequence + 1).to_string());
                    }
                    break;
                }
            }
            if failures > before.1 {
                tokio::time::sleep(Duration::from_millis(limits::LIST_PAUSE_MS)).await;
            } else if pending == before.0 {
                // Nothing came though something is there: it was deleted meanwhile.
                break;
            }
        }
        // It would end by itself a little later.
        let consumer = consumer.cached_info().name.clone();
        let _ = self.store.stream.delete_consumer(&consumer).await;
        Ok(page)
    }
}
