//! `mesh:http`: answer HTTP requests, which come in as an operation `handle`.
//!
//! ```
//! use mesh_actor::prelude::*;
//!
//! struct Hello;
//!
//! #[actor]
//! impl Hello {
//!     #[operation]
//!     fn handle(request: http::Request) -> Result<http::Response> {
//!         match request.method.as_str() {
//!             "GET" => Ok(http::Response::text(200, format!("Hello from {}", request.path))),
//!             _ => Ok(http::Response::method_not_allowed("GET")),
//!         }
//!     }
//! }
//!
//! let response = Hello::handle(http::Request::new("GET", "/here"))?;
//! assert_eq!((response.status, &response.body[..]), (200, &b"Hello from /here"[..]));
//! # Ok::<(), Error>(())
//! ```
//!
//! An operation that fails becomes a status of the server's choice; for one of your own, return it.

use lattice_protocol::contract::http as wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use lattice_protocol::contract::Headers;

use super::Checked;
use crate::{Error, Result};

/// What `handle` takes.
pub type Request = Checked<wire::Request>;

/// What `handle` returns.
pub type Response = Checked<wire::Response>;

impl Request {
    /// Makes a request as tests need one; `path` may have a query after a `?`.
    pub fn new(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        wire::Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Headers::new(),
            body: Vec::new(),
            scheme: None,
            authority: None,
            remote: None,
        }
        .into()
    }

    /// Returns the request with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the request with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Returns the body as text.
    ///
    /// # Errors
    /// [`Error::BadPayload`] where it is not UTF-8.
    pub fn body_text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body).map_err(|cause| body_is_not(&cause))
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`Error::BadPayload`] where it is none, or another value.
    pub fn body_json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|cause| body_is_not(&cause))
    }

    /// Returns the first value of that name in the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut values = pairs.filter(|(other, _)| decoded(other) == name);
        values.next().map(|(_, value)| decoded(value))
    }
}

impl Response {
    /// Makes a response without a body.
    pub fn new(status: u16) -> Self {
        wire::Response { status, headers: Headers::new(), body: Vec::new() }.into()
    }

    /// Makes a response of plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status)
            .with_header("content-type", "text/plain; charset=utf-8")
            .with_body(text.into())
    }

    /// Makes a response of JSON.
    ///
    /// # Errors
    /// [`Error::Actor`] where JSON can't express the value, such as a map whose keys are no texts.
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self> {
        let body = serde_json::to_vec(value).map_err(Error::actor)?;
        Ok(Self::new(status).with_header("content-type", "application/json").with_body(body))
    }

    /// Makes a response that sends the client elsewhere, for now (302).
    pub fn redirect(location: &str) -> Self {
        Self::new(302).with_header("location", location)
    }

    /// Makes the response to a method that is none of `allowed`, such as `GET, HEAD` (405).
    pub fn method_not_allowed(allowed: &str) -> Self {
        Self::new(405).with_header("allow", allowed)
    }

    /// Returns the response with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Returns the response with a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

fn body_is_not(cause: &dyn std::fmt::Display) -> Error {
    Error::payload(cause).of(|| "the request".to_owned())
}

/// Decodes a part of a query, as forms encode it: `+` is a blank, `%41` a byte. What decodes to no
/// UTF-8 has U+FFFD instead.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match hex_byte(rest.as_slice()) {
                Some(decoded) => {
                    rest.nth(1);
                    decoded
                }
                None => byte,
            },
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the two hexadecimal digits that `text` begins with.
fn hex_byte(text: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*text.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_by_name() {
        let request = Request::new("GET", "/?a=1&b=x%20y+z&a=2&c&%64=%&e=%4&f=%ff%zz");
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y z")),
            ("c", Some("")),
            ("d", Some("%")),
            ("e", Some("%4")),
            ("f", Some("\u{fffd}%zz")),
            ("g", None),
        ] {
            assert_eq!(request.query_value(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn a_body_is_read_as_what_it_should_be() {
        let request = |body: &[u8]| Request::new("POST", "/").with_body(body);
        assert_eq!(request("ü".as_bytes()).body_text(), Ok("ü"));
        assert_eq!(request(b"[1,2]").body_json::<Vec<u8>>(), Ok(vec![1, 2]));
        for error in [
            request(b"\xff").body_text().unwrap_err(),
            request(b"[").body_json::<u8>().unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("the payload of the request"), "{error}");
        }
    }
}
