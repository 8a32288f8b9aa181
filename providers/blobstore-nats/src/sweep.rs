//! Removes abandoned uploads: a bounded look whenever an upload begins.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lattice_protocol::{Error, subjects};

use crate::bucket::Bucket;
use crate::{limits, upload};

/// When each container was last looked at, and how far that look came.
#[derive(Debug, Default)]
pub struct Sweeper(Mutex<HashMap<String, Look>>);

#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    /// The upload that was examined last: the next look begins after it.
    after: String,
}

impl Sweeper {
    /// Looks for abandoned uploads of a container, unless that was done lately.
    pub async fn sweep(&self, bucket: &Bucket) {
        let Some(after) = self.due(&bucket.name) else { return };
        let bound = Duration::from_millis(limits::SWEEP_TIMEOUT_MS);
        match tokio::time::timeout(bound, self.look(bucket, after)).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "abandoned uploads could not be removed"),
        }
    }

    async fn look(&self, bucket: &Bucket, after: String) -> Result<(), Error> {
        let mut versions = Vec::new();
        bucket
            .subjects(&subjects::object_upload(&bucket.name, "*"), |version| {
                versions.push(version.to_owned());
            })
            .await?;
        versions.sort_unstable();
        let begin = versions.partition_point(|version| *version <= after);
        versions.rotate_left(begin);
        for version in versions.into_iter().take(limits::SWEEP_UPLOADS_MAX) {
            if upload::forget_if_idle(bucket, &version).await? {
                tracing::info!(bucket = %bucket.name, version, "an abandoned upload is forgotten");
            }
            self.came_to(&bucket.name, version);
        }
        Ok(())
    }

    /// Returns where to begin, where it is time.
    fn due(&self, bucket: &str) -> Option<String> {
        let interval = Duration::from_millis(limits::SWEEP_INTERVAL_MS);
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(bucket) {
            if look.at.elapsed() < interval {
                return None;
            }
            look.at = Instant::now();
            return Some(look.after.clone());
        }
        if looks.len() >= limits::SWEPT_CONTAINERS_MAX {
            looks.clear();
        }
        let look = Look { at: Instant::now(), after: String::new() };
        looks.insert(bucket.to_owned(), look);
        Some(String::new())
    }

    fn came_to(&self, bucket: &str, version: String) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = looks.get_mut(bucket) {
            look.after = version;
        }
    }
}
