//! Counts the visits that `shortener` publishes, and tells the counts over HTTP.
//!
//! A visit that comes again is counted once: a mark that it was seen is set first, and taken away where
//! it could not be counted. A node that dies between the two, or a store that can't be reached after the
//! mark was set, leaves a visit uncounted; one that counted without its answer arriving, a visit
//! counted twice.

use std::collections::BTreeMap;

use mesh_actor::prelude::*;

/// How long a message is remembered, so that one that comes again is counted once.
const REMEMBERED_MS: u64 = 86_400_000;
/// Counts that one answer has.
const COUNTS_MAX: usize = 1_000;

/// What counts of a visit.
#[derive(Deserialize)]
struct Visit {
    code: String,
}

/// The actor.
pub struct Visits;

#[actor]
impl Visits {
    /// Counts a visit.
    #[operation]
    fn deliver(delivery: messaging::Delivery) -> Result<messaging::Acknowledgement> {
        let message = &delivery.message;
        let Ok(visit) = serde_json::from_slice::<Visit>(&message.body) else {
            return Ok(messaging::reject("a visit is JSON with a code"));
        };
        let store = keyvalue::Store::default();
        let mark = message.id.as_ref().map(|id| format!("seen:{id}"));
        if let Some(mark) = &mark {
            let seen = keyvalue::Set {
                key: mark.clone(),
                value: Vec::new(),
                ttl_ms: Some(REMEMBERED_MS),
                condition: Some(keyvalue::Condition::Absent),
            };
            if !store.set_with(&seen)? {
                return Ok(messaging::ack());
            }
        }
        let counted = store.increment(&format!("visits:{}", visit.code), 1);
        if let (Err(_), Some(mark)) = (&counted, &mark) {
            // It comes again, and must count then.
            store.delete(mark)?;
        }
        counted?;
        Ok(messaging::ack())
    }

    /// Tells the counts.
    #[operation]
    fn handle(request: http::Request) -> Result<http::Response> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Ok(http::Response::method_not_allowed("GET, HEAD"));
        }
        match counts() {
            Ok(counts) => http::Response::json(200, &counts),
            Err(error) => Ok(http::Response::text(503, format!("no counts right now: {error}\n"))),
        }
    }
}

fn counts() -> Result<BTreeMap<String, i64>> {
    let store = keyvalue::Store::default();
    let mut counts = BTreeMap::new();
    for key in store.keys("visits:").take(COUNTS_MAX) {
        let key = key?;
        let count = store.get_text(&key)?.and_then(|count| count.parse().ok());
        if let (Some(code), Some(count)) = (key.strip_prefix("visits:"), count) {
            counts.insert(code.to_owned(), count);
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use mesh_actor::testing::{KeyValue, Lattice};

    use super::*;

    fn deliver(lattice: &Lattice, id: Option<&str>, body: &str) -> messaging::Verdict {
        let mut message = messaging::message("shortener.visits.a", body);
        message.id = id.map(str::to_owned);
        let delivery = messaging::Delivery::from(lattice_delivery(message));
        lattice.run(|| Visits::deliver(delivery)).unwrap().verdict
    }

    fn lattice_delivery(message: messaging::Message) -> messaging::WireDelivery {
        messaging::WireDelivery { message, attempt: 1, durable: true }
    }

    #[test]
    fn what_could_not_be_counted_counts_when_it_comes_again() {
        let lattice = Lattice::new().keyvalue(&KeyValue::new());
        let store = keyvalue::Store::default();
        let visit = || {
            let mut message = messaging::message("shortener.visits.a", r#"{"code":"a"}"#);
            message.id = Some("1".to_owned());
            messaging::Delivery::from(lattice_delivery(message))
        };
        lattice.run(|| store.set("visits:a", "no number")).unwrap();
        assert!(lattice.run(|| Visits::deliver(visit())).is_err());
        lattice.run(|| store.set("visits:a", "5")).unwrap();
        for _ in 0..2 {
            let verdict = lattice.run(|| Visits::deliver(visit())).unwrap().verdict;
            assert_eq!(verdict, messaging::Verdict::Ack);
        }
        assert_eq!(lattice.run(|| store.get_text("visits:a")).unwrap().as_deref(), Some("6"));
    }

    #[test]
    fn each_message_is_counted_once() {
        let lattice = Lattice::new().keyvalue(&KeyValue::new());
        for (id, body) in [
            (Some("1"), r#"{"code":"a"}"#),
            (Some("1"), r#"{"code":"a"}"#),
            (Some("2"), r#"{"code":"a","url":"x"}"#),
            (None, r#"{"code":"b"}"#),
        ] {
            assert_eq!(deliver(&lattice, id, body), messaging::Verdict::Ack);
        }
        assert_eq!(deliver(&lattice, None, "nothing"), messaging::Verdict::Reject);
        let told = lattice.run(|| Visits::handle(http::Request::new("GET", "/"))).unwrap();
        assert_eq!((told.status, &told.body[..]), (200, &br#"{"a":2,"b":1}"#[..]));
    }
}
