//! Removes abandoned uploads: a bounded look whenever an upload begins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt;
use lattice_protocol::Error;
use object_store::path::Path;

use crate::fault::failed;
use crate::objects::Objects;
use crate::{containers, limits};

/// When each container was last looked at, and how far that look came.
#[derive(Debug, Default)]
pub struct Sweeper(Mutex<HashMap<String, Look>>);

#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    /// The upload that was examined last: the next look begins after it.
    after: Option<Path>,
}

impl Sweeper {
    /// Looks for abandoned uploads of a container, unless that was done lately.
    pub async fn sweep(&self, objects: &Objects, container: &str) {
        let Some(after) = self.due(container) else { return };
        let bound = Duration::from_millis(limits::SWEEP_TIMEOUT_MS);
        match tokio::time::timeout(bound, self.look(objects, container, after)).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "abandoned uploads could not be removed"),
        }
    }

    async fn look(
        &self,
        objects: &Objects,
        container: &str,
        after: Option<Path>,
    ) -> Result<(), Error> {
        let uploads = objects.layout.uploads(container);
        let listed = objects.store.list_with_delimiter(Some(&uploads)).await;
        let mut uploads =
            listed.map_err(|error| failed("list the uploads", &error))?.common_prefixes;
        uploads.sort_unstable();
        let begin = after.map_or(0, |after| uploads.partition_point(|upload| *upload <= after));
        uploads.rotate_left(begin);
        for upload in uploads.into_iter().take(limits::SWEEP_UPLOADS_MAX) {
            if is_idle(newest_ms(objects, &upload).await?, now_ms()) {
                containers::remove_all(objects, &upload).await?;
                tracing::info!(%upload, "an abandoned upload is forgotten");
            }
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(look) = looks.get_mut(container) {
                look.after = Some(upload);
            }
        }
        Ok(())
    }

    /// Returns where to begin, where it is time.
    fn due(&self, container: &str) -> Option<Option<Path>> {
        let interval = Duration::from_millis(limits::SWEEP_INTERVAL_MS);
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(container) {
            if look.at.elapsed() < interval {
                return None;
            }
            look.at = Instant::now();
            return Some(look.after.clone());
        }
        if looks.len() >= limits::SWEPT_CONTAINERS_MAX {
            looks.clear();
        }
        looks.insert(container.to_owned(), Look { at: Instant::now(), after: None });
        Some(None)
    }
}

/// Returns when an upload got something last.
async fn newest_ms(objects: &Objects, upload: &Path) -> Result<i64, Error> {
    let listed = objects.store.list(Some(upload)).map_err(|error| failed("list", &error));
    let newest = listed.try_fold(0, |newest, meta| {
        std::future::ready(Ok(meta.last_modified.timestamp_millis().max(newest)))
    });
    newest.await
}

fn is_idle(at_ms: i64, now_ms: i64) -> bool {
    let idle = i64::try_from(limits::UPLOAD_IDLE_MS).unwrap_or(i64::MAX);
    now_ms.saturating_sub(at_ms) > idle
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_looked_at_now_and_then() {
        let sweeper = Sweeper::default();
        assert_eq!(sweeper.due("a"), Some(None));
        assert_eq!(sweeper.due("a"), None);
        assert_eq!(sweeper.due("b"), Some(None));
        let idle = i64::try_from(limits::UPLOAD_IDLE_MS).unwrap();
        assert!(is_idle(1, idle + 2) && !is_idle(1, idle + 1));
    }
}
