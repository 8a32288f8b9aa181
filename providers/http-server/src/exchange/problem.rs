//! Answers of the server itself: a status and a short body that says why (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use lattice_protocol::contract::http::status_of;
use lattice_protocol::{Error, ErrorCode};

use crate::limits;

/// Why the server answers instead of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    retry: bool,
    /// Whether the connection ends with it (HTTP/1).
    pub close: bool,
}

impl Problem {
    /// Makes a problem; `code` is for programs, `detail` for people.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, detail: detail.into(), retry: false, close: false }
    }

    /// Says that it may pass.
    pub fn passing(self) -> Self {
        Self { retry: true, ..self }
    }

    /// Ends the connection: what the client goes on sending is not wanted.
    pub fn last(self) -> Self {
        Self { close: true, ..self }
    }

    /// The request makes no sense.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BadRequest.as_str(), detail)
    }

    /// There are too many bodies, or too large ones.
    pub fn no_memory() -> Self {
        let detail = "The server holds as many bodies as it may. Try again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Busy.as_str(), detail).passing()
    }

    /// The application has answered, and its answer finds no room. Not passing: it has run.
    pub fn no_room_for_answer() -> Self {
        let detail = "The application did its work, but the server has no room for its answer.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::LimitExceeded.as_str(), detail)
    }

    /// The body exceeds what the route takes.
    pub fn body_too_large(limit: usize) -> Self {
        let detail = format!("A body may have {limit} bytes here.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge.as_str(), detail).last()
    }

    /// The head exceeds what an actor can be given.
    pub fn head_too_large(detail: &'static str) -> Self {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Self::new(status, ErrorCode::TooLarge.as_str(), detail)
    }

    /// The actor answered something that is no response.
    pub fn bad_gateway() -> Self {
        let detail = "The application answered something that is no response.";
        Self::new(StatusCode::BAD_GATEWAY, ErrorCode::ActorError.as_str(), detail)
    }

    /// A call failed. Its message may tell of what is behind the server, and so stays there.
    pub fn of_call(error: &Error, timeout: Duration) -> Self {
        let detail: Cow<'static, str> = match error.code {
            ErrorCode::BadRequest => "The application can't make sense of the request.".into(),
            ErrorCode::TooLarge if error.started => {
                "What the application answered is too large.".into()
            }
            ErrorCode::TooLarge => "The request is too large for the application.".into(),
            ErrorCode::Unauthorized => "The application may not be called from here.".into(),
            ErrorCode::NotFound
            | ErrorCode::NoLink
            | ErrorCode::ProviderUnavailable
            | ErrorCode::Draining
            | ErrorCode::Revoked
            | ErrorCode::Stale => "The application is not available. Try again later.".into(),
            ErrorCode::Busy => "The application has too much to do. Try again later.".into(),
            ErrorCode::DeadlineExceeded => {
                format!("The application did not answer within {} ms.", timeout.as_millis()).into()
            }
            ErrorCode::ActorError => "The application failed.".into(),
            ErrorCode::ActorTrapped => "The application broke down.".into(),
            ErrorCode::LimitExceeded => "The application exceeded a limit.".into(),
            ErrorCode::Internal => "Something went wrong in the server.".into(),
        };
        let status = StatusCode::from_u16(status_of(error));
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Self::new(status, error.code.as_str(), detail);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => problem.passing(),
            _ => problem,
        }
    }

    /// Returns the response that tells of it.
    pub fn response(&self) -> Response<Bytes> {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from(limits::RETRY_AFTER_S));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_is_told_without_its_message() {
        for code in ErrorCode::ALL {
            for error in [Error::started(*code, "s3cret"), Error::not_started(*code, "s3cret")] {
                let problem = Problem::of_call(&error, Duration::from_millis(250));
                let response = problem.response();
                assert_eq!(response.status().as_u16(), status_of(&error));
                let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
                assert_eq!(response.headers().contains_key(RETRY_AFTER), unavailable, "{code}");
                let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
                assert_eq!(body["code"], code.as_str());
                assert_eq!(body["status"], response.status().as_u16());
                assert!(body["title"].is_string() && body["type"] == "about:blank");
                assert!(!response.body().windows(6).any(|part| part == b"s3cret"));
            }
        }
        let error = Error::started(ErrorCode::DeadlineExceeded, "");
        let body = Problem::of_call(&error, Duration::from_millis(250)).response().into_body();
        assert!(String::from_utf8_lossy(&body).contains("250 ms"));
    }

    #[test]
    fn what_is_not_wanted_ends_the_connection() {
        let response = Problem::body_too_large(7).response();
        assert_eq!(response.headers()[CONNECTION], "close");
        assert!(!Problem::bad_request("").response().headers().contains_key(CONNECTION));
    }
}
