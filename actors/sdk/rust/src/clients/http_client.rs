//! `mesh:http-client`: make HTTP requests.
//!
//! Whatever the server answers is a [`Response`], whatever its status; where there is no server to
//! answer there is an error. The link says which hosts an actor may reach.

use lattice_protocol::contract::http_client::operation as op;

pub use lattice_protocol::contract::Headers;
pub use lattice_protocol::contract::http_client::{Request, Response};

use crate::Result;

super::handle! {
    /// A client that a link leads to.
    Client of http_client
}

impl Client<'_> {
    /// Gets what is at a URL.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn get(&self, url: &str) -> Result<Response> {
        self.send(&request("GET", url))
    }

    /// Posts a body.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn post(
        &self,
        url: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Response> {
        let headers = Headers::new().with("content-type", content_type);
        self.send(&Request { headers, body: body.into(), ..request("POST", url) })
    }

    /// Makes any request.
    ///
    /// # Errors
    /// [`Error::BadPayload`](crate::Error::BadPayload) beyond the bounds of the contract,
    /// [`Error::Host`](crate::Error::Host): `unauthorized` for a host that the link does not permit,
    /// `provider_unavailable` where the server can't be reached, `deadline_exceeded` without an
    /// answer in time.
    pub fn send(&self, request: &Request) -> Result<Response> {
        self.ask(op::REQUEST, request)
    }
}

/// Gets by the default link: see [`Client::get`].
///
/// # Errors
/// As [`Client::send`].
pub fn get(url: &str) -> Result<Response> {
    Client::default().get(url)
}

/// Posts by the default link: see [`Client::post`].
///
/// # Errors
/// As [`Client::send`].
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Result<Response> {
    Client::default().post(url, content_type, body)
}

/// Sends by the default link: see [`Client::send`].
///
/// # Errors
/// As [`Client::send`].
pub fn send(request: &Request) -> Result<Response> {
    Client::default().send(request)
}

/// Makes a request without headers or body, that follows no redirect.
pub fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Headers::new(),
        body: Vec::new(),
        timeout_ms: None,
        redirects: 0,
    }
}
