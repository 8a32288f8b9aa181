//! Events of a lattice: told by nodes, heard by anybody.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::Subscriber;
use futures_util::StreamExt;
use lattice_protocol::event::{Event, EventKind};
use lattice_protocol::subjects::{self, Subject};

use crate::lattice::Lattice;
use crate::serve::ServeError;

impl Lattice {
    /// Tells an event, best effort: what must not be lost is in the registry.
    pub async fn tell(
        &self,
        kind: EventKind,
        source: &str,
        subject: &str,
        data: BTreeMap<String, String>,
    ) {
        let event = Event {
            specversion: "1.0".to_owned(),
            id: uuid::Uuid::now_v7().to_string(),
            source: source.to_owned(),
            kind: format!("mesh.{}", kind.as_str()),
            subject: subject.to_owned(),
            time: rfc3339(SystemTime::now()),
            data,
        };
        let Ok(bytes) = event.encode() else { return };
        let subject = Subject::Event(self.name().clone(), kind).to_string();
        if let Err(error) = self.nats().publish(subject, bytes.into()).await {
            tracing::debug!(%error, kind = kind.as_str(), "an event could not be told");
        }
    }

    /// Hears every event of the lattice from now on.
    ///
    /// # Errors
    /// [`ServeError`] when the subscription can't be made.
    pub async fn events(&self) -> Result<Events, ServeError> {
        let subject = subjects::all_events(self.name());
        let subscriber = self
            .nats()
            .subscribe(subject.clone())
            .await
            .map_err(|error| ServeError::new(&subject, &error))?;
        self.fence().await;
        Ok(Events { subscriber })
    }
}

/// The events of a lattice, as they are heard.
pub struct Events {
    subscriber: Subscriber,
}

impl Events {
    /// Waits for the next event; what is no event is passed over. `None` when the connection is
    /// closed.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let message = self.subscriber.next().await?;
            if let Ok(event) = Event::decode(&message.payload) {
                return Some(event);
            }
        }
    }
}

/// Writes a time as RFC 3339 in UTC with milliseconds.
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// Turns days since 1970 into a date (Howard Hinnant's `civil_from_days`, for days from 0).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        let at = |seconds, ms: u32| rfc3339(UNIX_EPOCH + Duration::new(seconds, ms * 1_000_000));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_794_916_799, 999), "2026-11-17T11:59:59.999Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
    }
}
