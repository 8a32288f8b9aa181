//! The message that an actor is given, written once: first what the head says, then the body as it
//! arrives. It is what [`http::Request`](lattice_protocol::contract::http::Request) would encode,
//! in another order of its fields and without a copy of each of them.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use lattice_protocol::codec;
use lattice_protocol::contract::limits as contract;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::headers::{is_hop_by_hop, is_named_by_connection};
use super::problem::Problem;
use super::target::Target;

/// `body`, and the start of a `bin` whose length has four bytes.
const BODY: &[u8] = b"\xa4body\xc6\0\0\0\0";
/// What fields and headers take beside their content, about.
const FIELD_BYTES: usize = 16;

/// A message to an actor that grows.
#[derive(Debug)]
pub struct Message {
    payload: Vec<u8>,
    /// Where the body starts, once there is some.
    body_at: Option<usize>,
}

#[derive(serde::Serialize)]
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    query: &'a str,
    headers: Pairs<'a>,
    scheme: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<&'a str>,
    remote: &'a str,
}

impl Message {
    /// Begins with what the head of a request says.
    ///
    /// # Errors
    /// The answer to a request with more headers than an actor can be given.
    pub fn begin(
        head: &Parts,
        target: &Target<'_>,
        scheme: &str,
        remote: &str,
    ) -> Result<Self, Problem> {
        let headers = Pairs::of(&head.headers)?;
        let head = Head {
            method: head.method.as_str(),
            path: target.path,
            query: target.query,
            scheme,
            authority: target.authority,
            remote,
            headers,
        };
        let texts = head.path.len() + head.query.len() + head.headers.bytes;
        let room = texts + FIELD_BYTES * (8 + head.headers.count);
        let payload = codec::encode_with_capacity(&head, room)
            .map_err(|_| Problem::bad_request("The request can't be told to an application."))?;
        Ok(Self { payload, body_at: None })
    }

    /// Makes room for `more` bytes of the body.
    pub fn reserve(&mut self, more: usize) {
        self.payload.reserve_exact(more + BODY.len());
    }

    /// Adds a part of the body.
    pub fn add(&mut self, part: &[u8]) {
        if part.is_empty() {
            return;
        }
        if self.body_at.is_none() {
            // One entry more: the map is a small one, whose first byte counts its entries.
            if let Some(first) = self.payload.first_mut() {
                *first += 1;
            }
            self.payload.extend_from_slice(BODY);
            self.body_at = Some(self.payload.len());
        }
        self.payload.extend_from_slice(part);
    }

    /// Returns how many bytes the body has so far.
    pub fn body_bytes(&self) -> usize {
        self.body_at.map_or(0, |at| self.payload.len() - at)
    }

    /// Returns the message.
    pub fn finish(mut self) -> Bytes {
        if let Some(at) = self.body_at {
            let length = u32::try_from(self.payload.len() - at).unwrap_or(u32::MAX);
            if let Some(field) = self.payload.get_mut(at - 4..at) {
                field.copy_from_slice(&length.to_be_bytes());
            }
        }
        Bytes::from(self.payload)
    }
}

/// Those headers of a request that go further.
struct Pairs<'a> {
    headers: &'a HeaderMap,
    /// What came in parts (RFC 9113, 8.2.3).
    cookie: Option<Vec<u8>>,
    count: usize,
    bytes: usize,
}

impl<'a> Pairs<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let mut cookies = headers.get_all(header::COOKIE).iter();
        let cookie = (cookies.next().is_some() && cookies.next().is_some()).then(|| {
            let parts = headers.get_all(header::COOKIE).iter();
            parts.map(|part| part.as_bytes()).collect::<Vec<_>>().join(b"; ".as_slice())
        });
        let mut pairs = Self { headers, cookie, count: 0, bytes: 0 };
        let (mut count, mut bytes) = (0, 0);
        pairs.each(|name, value| {
            count += 1;
            bytes += name.len() + value.len();
        });
        if count > contract::HEADERS_MAX || bytes > contract::HEADERS_BYTES_MAX {
            return Err(Problem::head_too_large("The request has too many headers."));
        }
        (pairs.count, pairs.bytes) = (count, bytes);
        Ok(pairs)
    }

    fn each(&self, mut see: impl FnMut(&str, &[u8])) {
        let named = self.headers.contains_key(header::CONNECTION);
        let mut told: Option<&HeaderName> = None;
        for (name, value) in self.headers {
            if is_hop_by_hop(name) || (named && is_named_by_connection(self.headers, name)) {
                continue;
            }
            match &self.cookie {
                Some(cookie) if *name == header::COOKIE => {
                    if told.is_none() {
                        see(name.as_str(), cookie);
                        told = Some(name);
                    }
                }
                _ => see(name.as_str(), value.as_bytes()),
            }
        }
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.count))?;
        let mut outcome = Ok(());
        self.each(|name, value| {
            if outcome.is_ok() {
                outcome = list.serialize_element(&(name, serde_bytes::Bytes::new(value)));
            }
        });
        outcome?;
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use lattice_protocol::contract::http::Request as Contract;
    use lattice_protocol::contract::{Headers, Message as _};
    use proptest::prelude::*;

    use super::*;

    fn begin(request: Request<()>) -> Result<Message, Problem> {
        let (head, ()) = request.into_parts();
        let target = Target::read(&head).unwrap();
        Message::begin(&head, &target, "https", "192.0.2.7:1")
    }

    fn expected() -> Contract {
        Contract {
            method: "POST".into(),
            path: "/a".into(),
            query: "b=c".into(),
            headers: Headers::new().with("host", "h").with("x", "1").with("x", vec![0xe9]),
            body: b"hello".to_vec(),
            scheme: Some("https".into()),
            authority: Some("h".into()),
            remote: Some("192.0.2.7:1".into()),
        }
    }

    #[test]
    fn a_message_is_what_the_contract_says() {
        let request = Request::post("/a?b=c")
            .header("host", "h")
            .header("x", "1")
            .header("x", http::HeaderValue::from_bytes(&[0xe9]).unwrap())
            .header("connection", "keep-alive, x-once")
            .header("x-once", "2")
            .header("transfer-encoding", "chunked")
            .body(())
            .unwrap();
        let mut message = begin(request).unwrap();
        for part in ["", "he", "", "llo"] {
            message.reserve(part.len());
            message.add(part.as_bytes());
        }
        assert_eq!(message.body_bytes(), 5);
        assert_eq!(Contract::decode(&message.finish()).unwrap(), expected());
        let bare = Request::get("/").version(http::Version::HTTP_10).body(()).unwrap();
        let bare = Contract::decode(&begin(bare).unwrap().finish()).unwrap();
        assert_eq!((bare.authority, bare.body, bare.headers.len()), (None, vec![], 0));
    }

    #[test]
    fn cookies_that_came_in_parts_are_one() {
        let request = Request::get("/")
            .header("host", "h")
            .header("cookie", "a=1")
            .header("x", "y")
            .header("cookie", "b=2")
            .body(())
            .unwrap();
        let message = Contract::decode(&begin(request).unwrap().finish()).unwrap();
        assert_eq!(message.headers.text("cookie"), Some("a=1; b=2"));
        assert_eq!(message.headers.len(), 3);
    }

    #[test]
    fn headers_are_bounded_as_the_contract_says() {
        let with = |count: usize, size: usize| {
            let host = Request::get("/").header("host", "h");
            let many = (1..count).fold(host, |request, _| request.header("x", "y".repeat(size)));
            begin(many.body(()).unwrap())
        };
        assert!(with(contract::HEADERS_MAX, 1).is_ok());
        assert_eq!(with(contract::HEADERS_MAX + 1, 1).unwrap_err().status.as_u16(), 431);
        assert_eq!(with(3, contract::HEADERS_BYTES_MAX / 2).unwrap_err().status.as_u16(), 431);
    }

    proptest! {
        #[test]
        fn any_request_arrives(
            path in "(/[!-~&&[^?#]]{0,9}){1,3}",
            headers in proptest::collection::vec(("[a-z][a-z0-9-]{0,9}", "[ -~]{0,40}"), 0..20),
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..4),
        ) {
            let headers: Vec<_> =
                headers.into_iter().map(|(name, value)| (format!("x-{name}"), value)).collect();
            let request = headers.iter().fold(
                Request::put(&path).header("host", "h"),
                |request, (name, value)| request.header(name, value),
            );
            let Ok(request) = request.body(()) else { return Ok(()) };
            let mut message = begin(request).unwrap();
            for part in &parts {
                message.add(part);
            }
            let read = Contract::decode(&message.finish()).unwrap();
            prop_assert_eq!(&read.path, &path);
            prop_assert_eq!(read.body, parts.concat());
            prop_assert_eq!(read.headers.len(), headers.len() + 1);
            for (name, _) in &headers {
                let sent = headers.iter().filter(|(other, _)| other == name);
                let sent: Vec<&[u8]> = sent.map(|(_, value)| value.as_bytes()).collect();
                prop_assert_eq!(read.headers.all(name).collect::<Vec<_>>(), sent);
            }
        }
    }
}
