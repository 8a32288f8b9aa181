//! The keys of a prefix, in pages: in the order of the stream, so that a cursor is a number of it.
//! A key that is written meanwhile moves to the end, and may come twice.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{KeyPage, Keys};
use lattice_protocol::subjects;
use mesh_provider::{CallInfo, keyvalue};

use crate::bucket::{Bucket, is_live, unavailable, within};
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
        let lost = |error: &dyn std::fmt::Display| unavailable(&name, error);
        let create = self.store.stream.create_consumer(config);
        let consumer = within(info, create).await?.map_err(|error| lost(&error))?;
        let mut pending = consumer.cached_info().num_pending;
        let wanted = usize::try_from(request.entries()).unwrap_or(usize::MAX);
        let mut page = KeyPage::default();
        while pending > 0 && page.cursor.is_none() {
            let ask = consumer.fetch().max_messages(limits::LIST_BATCH).messages();
            let mut batch = within(info, ask).await?.map_err(|error| lost(&error))?;
            let before = pending;
            while let Some(message) = within(info, batch.next()).await? {
                let message = message.map_err(|error| lost(&error))?;
                let told = message.info().map_err(|error| lost(&error))?;
                pending = told.pending;
                let live = message.headers.as_ref().is_none_or(is_live);
                let key = subjects::key_of_bucket_subject(&name, &message.subject);
                let found = key.filter(|_| live).and_then(|key| space.parse(key));
                page.keys.extend(found.filter(|key| key.starts_with(&request.prefix)));
                if page.keys.len() >= wanted {
                    if pending > 0 {
                        page.cursor = Some((told.stream_sequence + 1).to_string());
                    }
                    break;
                }
            }
            // Nothing came though something is there: it was deleted meanwhile.
            if pending == before {
                break;
            }
        }
        // It would end by itself a little later.
        let consumer = consumer.cached_info().name.clone();
        let _ = self.store.stream.delete_consumer(&consumer).await;
        Ok(page)
    }
}
