//! `mesh:http`: an actor answers HTTP requests.
//!
//! The provider is the server: it calls the actor's `handle` with a [`Request`] and sends the
//! [`Response`] to its client. Where there is none, it sends the status that [`status_of`] gives.

use serde::{Deserialize, Serialize};

use super::headers::is_token;
use super::limits::http as limits;
use super::{Headers, Message, bounded};
use crate::codec::DecodeError;
use crate::error::{Error, ErrorCode};

super::contract! { "mesh:http";
    /// [`Request`](super::Request) to [`Response`](super::Response).
    HANDLE = "handle", Actor, false;
}

/// Configuration of a link: which requests the provider gives to the link's source.
pub mod config {
    /// Host that the request must name, without port; absent means any.
    pub const HOST: &str = "host";
    /// Prefix that the path must have; absent means `/`. The longest that fits wins. It fits where
    /// the path is equal, or goes on after it with a `/`.
    pub const PATH: &str = "path";
}

/// A request of an HTTP client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method, case and all: a token of at most [`limits::METHOD_BYTES_MAX`] bytes.
    pub method: String,
    /// The path as it was sent, percent signs and all: begins with `/`, or is `*`. Printable
    /// ASCII, at most [`limits::URL_BYTES_MAX`] bytes.
    pub path: String,
    /// What followed the `?`, as it was sent; empty where nothing did. Bounded like `path`.
    #[serde(default)]
    pub query: String,
    /// The headers, names in lower case. Those that are for one connection alone (`connection`,
    /// `transfer-encoding` …) are left out.
    #[serde(default)]
    pub headers: Headers,
    /// The body, decoded from its transfer coding; at most [`limits::BODY_BYTES_MAX`] bytes.
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
    /// `http` or `https`: how the client reached the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Host, and port where it was named, that the client asked for; at most
    /// [`limits::AUTHORITY_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Address and port of the peer of the connection, which may be a proxy; bounded like
    /// `authority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl Message for Request {
    fn check(&self) -> Result<(), DecodeError> {
        check_method(&self.method)?;
        check_printable("a path", &self.path)?;
        if !self.path.starts_with('/') && self.path != "*" {
            return Err(DecodeError::Shape("a path begins with /".into()));
        }
        check_printable("a query", &self.query)?;
        self.headers.check()?;
        bounded::size(limits::BODY_BYTES_MAX, "a body", self.body.len())?;
        if self.scheme.as_deref().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
            return Err(DecodeError::Shape("a scheme is http or https".into()));
        }
        for (what, text) in [("an authority", &self.authority), ("a remote", &self.remote)] {
            if let Some(text) = text {
                bounded::name(limits::AUTHORITY_BYTES_MAX, what, text)?;
            }
        }
        Ok(())
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.headers.bulk_bytes() + self.path.len() + self.query.len()
    }
}

/// What the HTTP client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status, 200 to 599. Default 200.
    #[serde(default = "ok")]
    pub status: u16,
    /// The headers. The server adds what the transport needs (`content-length`, `date`) and leaves
    /// out what is for one connection alone.
    #[serde(default)]
    pub headers: Headers,
    /// The body; at most [`limits::BODY_BYTES_MAX`] bytes.
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
}

fn ok() -> u16 {
    200
}

impl Message for Response {
    fn check(&self) -> Result<(), DecodeError> {
        check_status(self.status)?;
        self.headers.check()?;
        bounded::size(limits::BODY_BYTES_MAX, "a body", self.body.len())
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.headers.bulk_bytes()
    }
}

/// Returns the status that tells an HTTP client of `error`; every 503 is worth another try later.
pub fn status_of(error: &Error) -> u16 {
    match error.code {
        ErrorCode::BadRequest => 400,
        ErrorCode::Unauthorized => 403,
        // What the actor answered was too large: no fault of the client.
        ErrorCode::TooLarge if error.started => 502,
        ErrorCode::TooLarge => 413,
        ErrorCode::NotFound
        | ErrorCode::NoLink
        | ErrorCode::ProviderUnavailable
        | ErrorCode::Busy
        | ErrorCode::Draining
        | ErrorCode::Revoked
        | ErrorCode::Stale => 503,
        ErrorCode::DeadlineExceeded => 504,
        ErrorCode::ActorError | ErrorCode::ActorTrapped | ErrorCode::LimitExceeded => 502,
        ErrorCode::Internal => 500,
    }
}

/// Checks a method: a token of HTTP.
pub(super) fn check_method(method: &str) -> Result<(), DecodeError> {
    bounded::size(limits::METHOD_BYTES_MAX, "a method", method.len())?;
    if !is_token(method) {
        return Err(DecodeError::Shape(format!("{method:?} is no method")));
    }
    Ok(())
}

/// Checks a status: the interim ones (1xx) are the server's own affair.
pub(super) fn check_status(status: u16) -> Result<(), DecodeError> {
    bounded::within(200, 599, "a status", status.into())
}

/// Checks a part of a URL: printable ASCII, no blank.
pub(super) fn check_printable(what: &'static str, text: &str) -> Result<(), DecodeError> {
    bounded::size(limits::URL_BYTES_MAX, what, text.len())?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(DecodeError::Shape(format!("{what} has other than printable ASCII")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PAYLOAD_BYTES_MAX;

    fn request() -> Request {
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            headers: Headers::new(),
            body: vec![],
            scheme: None,
            authority: None,
            remote: None,
        }
    }

    #[test]
    fn a_request_says_what_a_client_may_ask() {
        let asks = |method: &str, path: &str, query: &str| {
            Request { method: method.into(), path: path.into(), query: query.into(), ..request() }
                .check()
        };
        for (method, path, query) in
            [("GET", "/a%20b", "c=d&e"), ("OPTIONS", "*", ""), ("x", "/?", "")]
        {
            assert_eq!(asks(method, path, query), Ok(()));
        }
        for (method, path, query) in [
            ("", "/", ""),
            ("GET /", "/", ""),
            ("GET", "", ""),
            ("GET", "a", ""),
            ("GET", "/a b", ""),
            ("GET", "/\r\n", ""),
            ("GET", "/ü", ""),
            ("GET", "/", "a b"),
        ] {
            assert!(matches!(asks(method, path, query), Err(DecodeError::Shape(_))), "{path:?}");
        }
        let long = |length: usize| asks("GET", &format!("/{}", "a".repeat(length - 1)), "");
        assert_eq!(long(limits::URL_BYTES_MAX), Ok(()));
        assert!(matches!(long(limits::URL_BYTES_MAX + 1), Err(DecodeError::TooLarge { .. })));
        assert!(Request { scheme: Some("ftp".into()), ..request() }.check().is_err());
        assert!(Request { authority: Some(String::new()), ..request() }.check().is_err());
    }

    #[test]
    fn the_largest_message_fits_into_a_payload() {
        let part = "a".repeat(limits::URL_BYTES_MAX - 1);
        let size = super::super::limits::HEADERS_BYTES_MAX / super::super::limits::HEADERS_MAX;
        let headers = (0..super::super::limits::HEADERS_MAX)
            .fold(Headers::new(), |headers, _| headers.with("a", vec![b'b'; size - 1]));
        let full = Request {
            path: format!("/{part}"),
            query: part,
            headers,
            body: vec![0; limits::BODY_BYTES_MAX],
            authority: Some("a".repeat(limits::AUTHORITY_BYTES_MAX)),
            remote: Some("a".repeat(limits::AUTHORITY_BYTES_MAX)),
            ..request()
        };
        assert_eq!(full.check(), Ok(()));
        assert!(full.encode().unwrap().len() <= PAYLOAD_BYTES_MAX);
        let over = Request { body: vec![0; limits::BODY_BYTES_MAX + 1], ..request() };
        assert!(matches!(over.check(), Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn an_empty_response_is_fine() {
        let expected = Response { status: 200, headers: Headers::new(), body: vec![] };
        assert_eq!(Response::decode(b"").as_ref(), Ok(&expected));
        for (status, valid) in [(199, false), (200, true), (599, true), (600, false)] {
            assert_eq!(Response { status, ..expected.clone() }.check().is_ok(), valid, "{status}");
        }
    }

    #[test]
    fn every_error_has_a_status_of_an_error() {
        for code in ErrorCode::ALL {
            for error in [Error::started(*code, ""), Error::not_started(*code, "")] {
                assert!((400..600).contains(&status_of(&error)), "{code}");
            }
        }
        assert_eq!(status_of(&Error::started(ErrorCode::TooLarge, "")), 502);
        assert_eq!(status_of(&Error::not_started(ErrorCode::TooLarge, "")), 413);
    }
}
