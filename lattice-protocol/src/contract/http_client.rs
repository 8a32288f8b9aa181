//! `mesh:http-client`: an actor makes HTTP requests.
//!
//! The provider may be told by its link which hosts the actor may reach; the others are
//! `unauthorized`. A server that can't be reached is `provider_unavailable`; whatever it answers,
//! 500 or not, is a [`Response`].

use serde::{Deserialize, Serialize};

use super::http::{check_method, check_printable, check_status};
use super::limits::http as limits;
use super::{Headers, Message, bounded};
use crate::codec::DecodeError;

super::contract! { "mesh:http-client";
    /// [`Request`](super::Request) to [`Response`](super::Response).
    REQUEST = "request", Provider, false;
}

/// A request to an HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method: a token of at most [`limits::METHOD_BYTES_MAX`] bytes. Default `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// Where to, with `http://` or `https://`: printable ASCII of at most
    /// [`limits::URL_BYTES_MAX`] bytes.
    pub url: String,
    /// The headers. The client adds `host`, `content-length` and whatever the transport needs.
    #[serde(default)]
    pub headers: Headers,
    /// The body; at most [`limits::BODY_BYTES_MAX`] bytes.
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Milliseconds until the response must be there, redirects included; absent or 0 means what is
    /// left of the call's budget, which is never exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Redirects to follow, at most [`limits::REDIRECTS_MAX`]. Default 0: a redirect is a response.
    /// One more than that is a response too. On the way to another origin the headers
    /// `authorization` and `cookie` are left out.
    #[serde(default)]
    pub redirects: u8,
}

fn get() -> String {
    "GET".into()
}

impl Message for Request {
    fn check(&self) -> Result<(), DecodeError> {
        check_method(&self.method)?;
        check_url(&self.url)?;
        self.headers.check()?;
        bounded::size(limits::BODY_BYTES_MAX, "a body", self.body.len())?;
        let most = limits::REDIRECTS_MAX.into();
        bounded::within(0, most, "a number of redirects", self.redirects.into())
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.headers.bulk_bytes() + self.url.len()
    }
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The status, 200 to 599.
    pub status: u16,
    /// The headers, names in lower case.
    #[serde(default)]
    pub headers: Headers,
    /// The body, decoded from its transfer coding; at most [`limits::BODY_BYTES_MAX`] bytes. A
    /// larger one is `too_large`.
    #[serde(default, with = "serde_bytes")]
    pub body: Vec<u8>,
    /// The URL that answered, where it is another than the one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Message for Response {
    fn check(&self) -> Result<(), DecodeError> {
        check_status(self.status)?;
        self.headers.check()?;
        bounded::size(limits::BODY_BYTES_MAX, "a body", self.body.len())?;
        self.url.as_deref().map_or(Ok(()), check_url)
    }

    fn bulk_bytes(&self) -> usize {
        self.body.len() + self.headers.bulk_bytes()
    }
}

/// Checks a URL as far as it can be without a parser: the client has one.
fn check_url(url: &str) -> Result<(), DecodeError> {
    check_printable("a URL", url)?;
    let begins = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    };
    if !begins("http://") && !begins("https://") {
        return Err(DecodeError::Shape("a URL begins with http:// or https:// and a host".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_all_that_a_request_needs() {
        let request = Request::decode(b"\x81\xa3url\xa9http://a/").unwrap();
        assert_eq!((request.method.as_str(), request.redirects), ("GET", 0));
        assert!(Request::decode(b"").is_err());
    }

    #[test]
    fn only_urls_of_http_are_asked_for() {
        for url in ["http://a", "https://a:1/b?c", "HTTPS://A"] {
            assert_eq!(check_url(url), Ok(()));
        }
        for url in ["", "http://", "https://", "file:///etc/passwd", "http:// a", "a", "http://ü"]
        {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn redirects_are_bounded() {
        let request = Request::decode(b"\x81\xa3url\xa9http://a/").unwrap();
        let redirects = |redirects| Request { redirects, ..request.clone() }.check();
        assert_eq!(redirects(limits::REDIRECTS_MAX), Ok(()));
        assert!(redirects(limits::REDIRECTS_MAX + 1).is_err());
    }
}
