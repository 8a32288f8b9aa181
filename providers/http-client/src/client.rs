//! The requests of one link.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lattice_client::TraceContext;
use lattice_protocol::contract::http_client::{Request, Response};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::CallInfo;
use mesh_provider::contract::HttpClient;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url, redirect};
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use crate::body::{self, Room};
use crate::redirect::Outgoing;
use crate::rules::Resolver;
use crate::settings::Settings;
use crate::{failure, headers, limits};

/// The way out of one link, with connections of its own: another link may have other rules.
pub struct Out {
    settings: Settings,
    client: Client,
    running: Semaphore,
    room: Room,
}

impl Out {
    /// Makes it by the link's settings.
    ///
    /// # Errors
    /// `internal` when the client can't be made.
    pub fn new(
        settings: Settings,
        tls: ClientConfig,
        lookups: Arc<Semaphore>,
        room: Room,
    ) -> Result<Self, Error> {
        let resolver = Resolver { private: settings.rules.private, lookups };
        let http2 = u32::try_from(limits::HTTP2_HEADERS_BYTES_MAX).unwrap_or(u32::MAX);
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(resolver)
            // A proxy would connect to where the link may not.
            .no_proxy()
            // Each hop is checked here.
            .redirect(redirect::Policy::none())
            // A body is the actor's as it was sent.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(Duration::from_millis(limits::CONNECT_TIMEOUT_MS))
            .pool_max_idle_per_host(limits::IDLE_CONNECTIONS_PER_HOST_MAX)
            .pool_idle_timeout(Duration::from_millis(limits::IDLE_CONNECTION_MS))
            .http1_max_headers(limits::HTTP1_HEADERS_MAX)
            .http2_max_header_list_size(http2)
            .build()
            .map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))?;
        let running = Semaphore::new(limits::LINK_REQUESTS_MAX);
        Ok(Self { settings, client, running, room })
    }

    /// Sends a request, and those that its redirects ask for.
    async fn exchange(&self, mut outgoing: Outgoing, redirects: u8) -> Result<Response, Error> {
        let first = outgoing.url.clone();
        let mut followed = 0;
        let mut response = loop {
            // After the first one something was done.
            let late = |error: Error| Error { started: error.started || followed > 0, ..error };
            self.settings.rules.check(&outgoing.url).map_err(late)?;
            let sent = self.client.execute(wire(&outgoing)).await;
            let response = sent.map_err(|e| late(failure::of_request(&e, &outgoing.url)))?;
            if followed >= redirects {
                break response;
            }
            match outgoing.redirected(response.status(), response.headers())? {
                Some(next) => outgoing = next,
                None => break response,
            }
            followed += 1;
        };
        let body = body::read(&mut response, self.settings.body_max_bytes, &self.room).await?;
        let status = response.status().as_u16();
        if !(200..=599).contains(&status) {
            return Err(Error::started(
                ErrorCode::ProviderUnavailable,
                format!("{} answered with the status {status}", outgoing.url.authority()),
            ));
        }
        let headers = headers::incoming(std::mem::take(response.headers_mut()))?;
        let url = (outgoing.url != first).then(|| outgoing.url.to_string());
        Ok(Response { status, headers, body, url })
    }

    /// Checks a request as far as the contract leaves it to the client.
    fn outgoing(&self, request: Request, trace: &TraceContext) -> Result<Outgoing, Error> {
        let wrong = |why: String| Error::not_started(ErrorCode::BadRequest, why);
        let url = Url::parse(&request.url)
            .map_err(|error| wrong(format!("the URL is malformed: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a URL has no name and password: authorization is a header".into()));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|error| wrong(format!("the method {:?}: {error}", request.method)))?;
        if method == Method::CONNECT {
            return Err(wrong("CONNECT makes a tunnel, not a request".into()));
        }
        let most = self.settings.body_max_bytes;
        if request.body.len() > most {
            let message = format!("the body of the request exceeds {most} bytes");
            return Err(Error::not_started(ErrorCode::TooLarge, message));
        }
        let mut headers = headers::outgoing(&request.headers)?;
        add_trace(&mut headers, trace);
        Ok(Outgoing { method, url, headers, body: request.body.into() })
    }
}

impl HttpClient for Out {
    async fn request(&self, request: Request, info: &CallInfo) -> Result<Response, Error> {
        let asked = request.timeout_ms.filter(|&ms| ms > 0);
        let asked = asked.map(|ms| Duration::from_millis(ms.into()));
        let bound =
            [asked, self.settings.timeout].into_iter().flatten().fold(info.left(), Ord::min);
        let redirects = request.redirects;
        let outgoing = self.outgoing(request, &info.trace)?;
        let at = outgoing.url.authority().to_owned();
        let late = |error: fn(ErrorCode, String) -> Error| {
            let message = format!("{at} did not answer within {} ms", bound.as_millis());
            error(ErrorCode::DeadlineExceeded, message)
        };
        if bound.is_zero() {
            return Err(late(Error::not_started));
        }
        let Ok(_running) = self.running.try_acquire() else {
            let most = limits::LINK_REQUESTS_MAX;
            let message = format!("{most} requests of the link run already");
            return Err(Error::not_started(ErrorCode::Busy, message));
        };
        let exchange = Box::pin(self.exchange(outgoing, redirects));
        tokio::time::timeout(bound, exchange).await.unwrap_or_else(|_| Err(late(Error::started)))
    }
}

/// Adds the caller's span where the actor names none. What vendors add and baggage stay in the
/// mesh: they are nothing to strangers.
fn add_trace(headers: &mut HeaderMap, trace: &TraceContext) {
    const TRACEPARENT: &str = "traceparent";
    let parent = trace.traceparent.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    if let Some(parent) = parent
        && !headers.contains_key(TRACEPARENT)
    {
        headers.insert(TRACEPARENT, parent);
    }
}

/// Makes what is sent.
fn wire(outgoing: &Outgoing) -> reqwest::Request {
    let Outgoing { method, url, headers, body } = outgoing.clone();
    let mut request = reqwest::Request::new(method, url);
    *request.headers_mut() = headers;
    let without = body.is_empty();
    if !without {
        *request.body_mut() = Some(Bytes::into(body));
    } else if matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        // Servers expect a body of these (RFC 9110, 8.6).
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_callers_span_is_told() {
        let trace = TraceContext {
            traceparent: Some("00-1-2-01".into()),
            tracestate: Some("vendor=secret".into()),
            baggage: Some("user=7".into()),
        };
        let mut headers = HeaderMap::new();
        add_trace(&mut headers, &trace);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["traceparent"], "00-1-2-01");
        headers.insert("traceparent", HeaderValue::from_static("the actor's"));
        add_trace(&mut headers, &trace);
        assert_eq!(headers["traceparent"], "the actor's");
        let mut headers = HeaderMap::new();
        let traceparent = Some("a\r\nb: c".into());
        add_trace(&mut headers, &TraceContext { traceparent, ..trace });
        assert!(headers.is_empty());
    }
}
