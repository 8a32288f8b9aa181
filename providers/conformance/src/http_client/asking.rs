//! How the suite asks, and what it says of answers.

use lattice_protocol::contract::Headers;
use lattice_protocol::contract::http_client::{Request, Response, operation};
use lattice_protocol::{Error, ErrorCode};

use crate::Link;

/// What came of a check.
pub(super) type Checked = Result<(), String>;

/// Returns a request to get a URL.
pub(super) fn get(url: impl Into<String>) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        headers: Headers::new(),
        body: Vec::new(),
        timeout_ms: None,
        redirects: 0,
    }
}

/// Asks for a request.
pub(super) async fn ask(link: &Link, request: &Request) -> Result<Response, Error> {
    link.ask(operation::REQUEST, request).await
}

/// Asks for a request that must have a response.
pub(super) async fn response(link: &Link, request: &Request) -> Result<Response, String> {
    let what = format!("{} {}", request.method, request.url);
    ask(link, request).await.map_err(|error| format!("{what}: {error}"))
}

/// Returns the text of a response's body.
pub(super) fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

/// Checks that a request fails as the contract says.
pub(super) async fn fails(
    link: &Link,
    request: &Request,
    code: ErrorCode,
    started: bool,
) -> Checked {
    let what = format!("{} {}", request.method, request.url);
    failed(&what, ask(link, request).await, code, started)
}

/// Checks that something failed as the contract says.
pub(super) fn failed<T: std::fmt::Debug>(
    what: &str,
    result: Result<T, Error>,
    code: ErrorCode,
    started: bool,
) -> Checked {
    match result {
        Err(error) if error.code == code && error.started == started => Ok(()),
        Err(error) => Err(format!(
            "{what} is {error} (started: {}), not {code} (started: {started})",
            error.started
        )),
        Ok(_) => Err(format!("{what} has an answer, not {code}")),
    }
}

/// Checks that two things are the same.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Checked {
    let both = [got, expected];
    match &both {
        [got, expected] if got == expected => Ok(()),
        [got, expected] => Err(format!("{what} is {got:?}, not {expected:?}")),
    }
}
