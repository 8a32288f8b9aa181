//! `wascc:http_client` and `wasmcloud:httpclient`.

use lattice_protocol::Error;
use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::http_client::{NAME, Request, Response, operation as op};
use lattice_protocol::contract::limits::http::REDIRECTS_MAX;
use serde::{Deserialize, Serialize};

use super::headers;
use super::step::{self, Step};
use super::wire::{Form, done, form_of, no_operation, read};

#[derive(Deserialize)]
struct OfRequest {
    method: String,
    /// The first modules call it a path.
    #[serde(alias = "path")]
    url: String,
    #[serde(default, alias = "header")]
    headers: headers::Older,
    #[serde(default)]
    body: Option<ByteBuf>,
    /// Of the first modules, beside the path.
    #[serde(default, rename = "queryString")]
    query: String,
}

#[derive(Serialize)]
struct Answer {
    #[serde(rename = "statusCode")]
    status_code: u16,
    status: &'static str,
    header: headers::Older,
    body: ByteBuf,
}

pub(super) fn begin(operation: &str, payload: &[u8]) -> Result<Step, Error> {
    let form = match form_of("HttpClient", operation) {
        Some((form, "Request")) => form,
        Some((Form::Plain, "PerformRequest")) => Form::Plain,
        _ => return Err(no_operation(NAME, operation)),
    };
    let request: OfRequest = read(operation, payload)?;
    let url = match request.query.as_str() {
        "" => request.url,
        query => format!("{}?{query}", request.url),
    };
    let request = Request {
        method: request.method,
        url,
        headers: request.headers.into_headers(),
        body: request.body.unwrap_or_default().into_vec(),
        timeout_ms: None,
        // Earlier hosts followed them unasked.
        redirects: REDIRECTS_MAX,
    };
    step::ask(NAME, op::REQUEST, &request, move |response: Response| {
        done(&Answer {
            status_code: response.status,
            status: reason(response.status),
            header: headers::Older::new(&response.headers, form),
            body: response.body.into(),
        })
    })
}

/// Returns the words of a status that are common enough for a module to look for them.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
