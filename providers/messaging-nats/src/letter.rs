//! Dead letters: what is stored of a message that is put aside, without I/O.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use lattice_protocol::subjects::header;

use crate::limits;
use crate::message::is_of_nats;

/// The group whose links gave the message up.
pub(crate) const GROUP: &str = "Mesh-Dead-Group";
/// What was left out of the letter, where it would have been too large.
pub(crate) const CUT: &str = "Mesh-Dead-Cut";

/// What is known of a message that is put aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub stream: &'a str,
    pub group: &'a str,
    pub subject: &'a str,
    pub sequence: u64,
    /// Unix nanoseconds when the stream got it: streams that were made anew count from 1 again.
    pub stored_ns: i128,
    pub attempt: u32,
    pub why: &'a str,
}

/// Returns the letter for a message: its headers but for those that speak to the server, its body,
/// and headers that say what happened.
pub(crate) fn whole(message: &async_nats::Message, about: About<'_>) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        // They ask the server for something that this letter is not meant for.
        if !is_of_nats(name.as_ref()) {
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    tell(&mut headers, about);
    (headers, message.payload.clone())
}

/// Returns the letter without what makes it large: the body, and the message's own headers.
pub(crate) fn cut(message: &async_nats::Message, about: About<'_>) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    let left_out = format!("headers, and {} bytes of body", message.payload.len());
    headers.insert(CUT, value(&left_out));
    tell(&mut headers, about);
    (headers, Bytes::new())
}

fn tell(headers: &mut HeaderMap, about: About<'_>) {
    let About { stream, group, subject, sequence, stored_ns, attempt, why } = about;
    // The same letter twice, where the decision about the original was lost, is one letter; that of
    // another group is another one.
    let id = format!("{stream}:{group}:{sequence}:{stored_ns}:dead");
    for (name, text) in [
        (header::DEAD_REASON, why),
        (header::DEAD_SUBJECT, subject),
        (header::DEAD_STREAM, stream),
        (header::DEAD_SEQUENCE, &sequence.to_string()),
        (header::DEAD_ATTEMPTS, &attempt.to_string()),
        (GROUP, group),
        (NATS_MESSAGE_ID.as_ref(), &id),
    ] {
        headers.insert(name, value(text));
    }
}

/// Makes a header of a text that others had a say in.
fn value(text: &str) -> HeaderValue {
    let plain = text.chars().filter(|c| !c.is_control());
    HeaderValue::from(plain.take(limits::REASON_CHARACTERS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'_> = About {
        stream: "orders",
        group: "billing",
        subject: "orders.eu",
        sequence: 7,
        stored_ns: 1,
        attempt: 5,
        why: "no\r\nX-Forged: yes",
    };

    fn message(headers: &[(&str, &str)]) -> async_nats::Message {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        async_nats::Message {
            subject: "orders.eu".into(),
            reply: None,
            payload: Bytes::from_static(b"body"),
            headers: Some(map),
            status: None,
            description: None,
            length: 0,
        }
    }

    fn text(headers: &HeaderMap, name: &str) -> Option<String> {
        headers.get(name).map(|value| value.as_str().to_owned())
    }

    #[test]
    fn what_speaks_to_the_server_is_left_out() {
        let message = message(&[
            ("X-One", "1"),
            ("X-One", "2"),
            ("Nats-Expected-Stream", "orders"),
            ("nats-rollup", "all"),
            ("NATS-TTL", "1s"),
            ("Nats-Msg-Id", "id-1"),
        ]);
        let (headers, body) = whole(&message, ABOUT);
        assert_eq!(body, "body");
        assert_eq!(headers.get_all("X-One").count(), 2);
        let of_nats: Vec<String> = headers
            .iter()
            .filter(|(name, _)| is_of_nats(name.as_ref()))
            .map(|(name, _)| name.to_string())
            .collect();
        assert_eq!(of_nats, ["Nats-Msg-Id"]);
        assert_eq!(text(&headers, header::DEAD_REASON).as_deref(), Some("noX-Forged: yes"));
        assert_eq!(text(&headers, GROUP).as_deref(), Some("billing"));
    }

    #[test]
    fn each_group_has_a_letter_of_its_own_and_has_it_once() {
        let id = |about| text(&whole(&message(&[]), about).0, "Nats-Msg-Id").unwrap();
        assert_eq!(id(ABOUT), id(About { attempt: 6, why: "again", ..ABOUT }));
        for other in [
            About { group: "shipping", ..ABOUT },
            About { sequence: 8, ..ABOUT },
            About { stored_ns: 2, ..ABOUT },
            About { stream: "bills", ..ABOUT },
        ] {
            assert_ne!(id(ABOUT), id(other));
        }
    }

    #[test]
    fn what_is_too_large_is_told_and_left_out() {
        let (headers, body) = cut(&message(&[("X-One", &"1".repeat(10_000))]), ABOUT);
        assert!(body.is_empty() && text(&headers, "X-One").is_none());
        assert_eq!(text(&headers, CUT).as_deref(), Some("headers, and 4 bytes of body"));
        assert_eq!(text(&headers, header::DEAD_SEQUENCE).as_deref(), Some("7"));
        let long = About { why: &"w".repeat(1_000_000), ..ABOUT };
        let (headers, _) = whole(&message(&[]), long);
        let kept = text(&headers, header::DEAD_REASON).unwrap().len();
        assert_eq!(kept, limits::REASON_CHARACTERS_MAX);
    }
}
